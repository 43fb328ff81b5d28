"""What a radiance field is, whatever stores it: density and colour at points of the box [-1, 1]^3, and what follows.

A field stores its density before the activation (`raw`), so that every value is allowed and normals are those of `raw`.
Source: Mildenhall et al., NeRF, 2020, section 3; activated after interpolation: Sun et al., DVGO, 2022, section 4.1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional

# The compiled kernels hold these two numbers: numba notices a change only of their own file (rendering/compiled.py).
DENSITY_GAIN = 25.0  # density for one of raw: a voxel of a 64^3 grid turns opaque within the reach of an optimiser
EMPTY_RAW = -12.0  # below, nothing is there: at most 5e-4 of a ray's opacity is left out so
START_DENSITY = 1e-3  # of a blob's outside: above what is skipped, so that it can still become something


class RadianceField(Protocol):
    """Density and colour over space with parameters for an optimiser and a checkpoint."""

    def raw_density(self, points: Tensor) -> Tensor:
        """Return the density before its activation at points [M, 3] of the box: [M]."""
        ...

    def __call__(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Return raw density [M] and sRGB albedo [M, 3] in [0, 1] at points [M, 3] of the box."""
        ...

    @property
    def background(self) -> Tensor:
        """Return the learned background, [3], sRGB in (0, 1)."""
        ...

    def parameters(self) -> dict[str, Tensor]: ...
    def state_dict(self) -> dict[str, Tensor]: ...
    def load_state_dict(self, state: Mapping[str, Tensor]) -> Any: ...


def density(raw: Tensor) -> Tensor:
    """Return the optical density per unit length of raw values [...]: DENSITY_GAIN * softplus, 0 below EMPTY_RAW."""
    return torch.where(raw > EMPTY_RAW, DENSITY_GAIN * functional.softplus(raw), 0.0)


def raw_of(density: Tensor) -> Tensor:
    """Return the raw values [...] of densities above 0: the inverse of `density`."""
    scaled = density / DENSITY_GAIN
    return scaled + torch.log(-torch.expm1(-scaled))


def blob(points: Tensor, *, radius: float = 0.5, strength: float = 10.0) -> Tensor:
    """Return raw values [M] at points [M, 3] of a soft ball about the origin to start an optimisation from.

    Its density is softplus(strength * (1 - |x| / radius)), START_DENSITY at least; outside of the unit ball nothing is.
    Source: Lin et al., Magic3D, 2023, section 4.
    """
    distance = points.norm(dim=-1)
    falling = functional.softplus(strength * (1 - distance / radius)).clamp_min(START_DENSITY)
    return torch.where(distance <= 1, raw_of(falling), EMPTY_RAW - 1)


def normals(field: RadianceField, points: Tensor, step: float) -> Tensor:
    """Return unit normals [M, 3] at points [M, 3], against the slope of raw; 0 where it is flat.

    The slope is that over `step` to either side, clamped to the box; gradients flow to the field's parameters.
    """
    offsets = step * torch.eye(3, dtype=points.dtype, device=points.device)
    places = torch.stack([points[:, None] + offsets, points[:, None] - offsets]).clamp(-1, 1)  # [2, M, 3, 3]
    ahead, behind = field.raw_density(places.reshape(-1, 3)).reshape(2, -1, 3)
    slope = (ahead - behind) / (2 * step)
    squared = slope.square().sum(-1, keepdim=True)
    is_flat = squared < 1e-20
    return torch.where(is_flat, 0.0, -slope / torch.where(is_flat, 1.0, squared).sqrt())


def density_field(field: RadianceField) -> Callable[[Tensor], Tensor]:
    """Return the function points [M, 3] -> density [M] on the CPU, without gradients: 0 outside of the box."""

    @torch.no_grad()
    def at(points: Tensor) -> Tensor:
        parameter = next(iter(field.parameters().values()))
        found = density(field.raw_density(points.to(parameter).clamp(-1, 1))).float().cpu()
        return torch.where((points.abs() <= 1).all(-1), found, 0.0)

    return at


def surface_colours(
    field: RadianceField, *, reach: float = 0.06, samples: int = 12
) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the function (points [M, 3], unit normals [M, 3]) -> sRGB [M, 3] in [0, 1] as seen from outside.

    Light is composited front to back along a short ray that starts `reach` outside the surface, runs against the normal
    and ends as deep inside; a ray that meets nothing takes the albedo of its point.
    """
    offsets = (1.0 - 2.0 * (torch.arange(samples) + 0.5) / samples) * reach  # from outside to inside
    step = 2.0 * reach / samples

    @torch.no_grad()
    def at(points: Tensor, normals: Tensor) -> Tensor:
        parameter = next(iter(field.parameters().values()))
        points, normals = points.to(parameter), normals.to(parameter)
        left = points.new_ones(len(points), 1)
        seen = points.new_zeros(len(points), 3)
        for offset in offsets.tolist():
            raw, albedo = field((points + offset * normals).clamp(-1, 1))
            through = torch.exp(-density(raw) * step)[:, None]
            seen += left * (1 - through) * albedo
            left = left * through
        _, here = field(points.clamp(-1, 1))
        covered = 1 - left
        seen = torch.where(covered > 1e-3, seen / covered.clamp_min(1e-3), here)
        return seen.clamp(0, 1).float().cpu()

    return at


def logit(colour: float) -> float:
    """Return the logit of a colour in (0, 1)."""
    return math.log(colour / (1 - colour))
