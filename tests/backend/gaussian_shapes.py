"""Small sets of Gaussians with a known shape and colour, for the tests of meshes, textures and exports."""

from __future__ import annotations

import torch

from backend.representations.gaussians import Gaussians

SH_DC = 0.28209479177387814
RED, BLUE = (0.9, 0.2, 0.1), (0.1, 0.2, 0.8)


def coloured(means: torch.Tensor, rgb: torch.Tensor, *, scale: float, opacity: float = 0.9) -> Gaussians:
    """Make round Gaussians at means [N, 3] with sRGB colours [N, 3]."""
    count = len(means)
    return Gaussians(
        means=means,
        log_scales=torch.full((count, 3), scale).log(),
        quaternions=torch.tensor([1.0, 0.0, 0.0, 0.0]).repeat(count, 1),
        opacity_logits=torch.full((count,), opacity).logit(),
        sh=((rgb - 0.5) / SH_DC)[:, None],
    )


def two_coloured_shell(count: int = 1200, *, radius: float = 0.7, scale: float = 0.05) -> Gaussians:
    """Make a hollow ball of Gaussians, red where x > 0 and blue where x < 0, evenly spread (Fibonacci lattice)."""
    index = torch.arange(count) + 0.5
    z = 1 - 2 * index / count
    angle = index * torch.pi * (1 + 5**0.5)
    ring = (1 - z * z).sqrt()
    directions = torch.stack([ring * angle.cos(), ring * angle.sin(), z], dim=-1)
    rgb = torch.where(directions[:, :1] > 0, torch.tensor(RED), torch.tensor(BLUE))
    return coloured(directions * radius, rgb, scale=scale)


def joined(*parts: Gaussians) -> Gaussians:
    """Put several sets into one."""
    return Gaussians(**{name: torch.cat([part.parameters()[name] for part in parts]) for name in parts[0].parameters()})


def selected(gaussians: Gaussians, kept: torch.Tensor) -> Gaussians:
    """Keep those where a mask [N] is true."""
    return Gaussians(**{name: value[kept] for name, value in gaussians.parameters().items()})
