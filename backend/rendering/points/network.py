"""The network that turns points' splatted features into a picture: a small U-Net of gated convolutions.

Source: Aliev et al., Neural Point-Based Graphics, 2020, section 3.2; Customize-It-3D's code, nerf/unet.py (three
levels, filters 16, 32 and 64, gates ELU * sigmoid, coarser splats joined at their levels).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTH = 16  # filters of the finest level, the authors'; each coarser one has twice as many
GROUP = 8  # channels that are normalised together: a batch of one view has no statistics of a batch


class GatedConvolution(nn.Module):
    """A 3 x 3 convolution whose outputs a second one lets through or not. Source: Yu et al., 2019, section 3.1."""

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()
        self.both = nn.Conv2d(channels, 2 * filters, 3, padding=1)
        self.norm = nn.GroupNorm(filters // GROUP, filters)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return [B, filters, H, W] of [B, channels, H, W]."""
        values, gates = self.both(pixels).chunk(2, dim=1)
        return self.norm(functional.elu(values) * gates.sigmoid())


class PointNetwork(nn.Module):
    """Splats of three scales, [B, C, S / 2^level, S / 2^level] each, to [B, 3, S, S]: zeros at first."""

    def __init__(self, channels: int, width: int = WIDTH) -> None:
        super().__init__()
        fine, middle, coarse = width, 2 * width, 4 * width
        self.down = nn.ModuleList(
            [
                GatedConvolution(channels, fine),
                GatedConvolution(fine + channels, middle),
                GatedConvolution(middle + channels, coarse),
            ]
        )
        self.up = nn.ModuleList([GatedConvolution(coarse + middle, middle), GatedConvolution(middle + fine, fine)])
        self.out = nn.Conv2d(fine, 3, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, scales: Sequence[Tensor]) -> Tensor:
        """Return what the network adds to the splatted colours' logits."""
        kept: list[Tensor] = []
        for block, splats in zip(self.down, scales, strict=True):
            kept.append(block(torch.cat([functional.avg_pool2d(kept[-1], 2), splats], 1) if kept else splats))
        found = kept.pop()
        for block in self.up:
            before = kept.pop()
            found = functional.interpolate(found, before.shape[-2:], mode="bilinear", align_corners=False)
            found = block(torch.cat([found, before], dim=1))
        return self.out(found)


def new_network(channels: int, seed: int = 0, width: int = WIDTH) -> PointNetwork:
    """Return a network whose weights depend on the seed alone; torch's own randomness is left as it was.

    Raises ValueError for a width that is no multiple of GROUP.
    """
    if width < GROUP or width % GROUP:
        raise ValueError(f"a width of {width}; it must be a multiple of {GROUP}")
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        return PointNetwork(channels, width)
