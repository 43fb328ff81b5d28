"""A dense grid of density and albedo over the box [-1, 1]^3: what the CPU optimises as a radiance field.

Source: Sun et al., Direct Voxel Grid Optimization, 2022, sections 4 and 5 (activation after interpolation, coarse to
fine).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from backend.representations.radiance import EMPTY_RAW, blob, density, logit

LEAST = 0.5  # density that is kept: the whole box full of less would stop two thirds of the light


@dataclass
class RadianceGrid:
    """R nodes along each side, the outer ones on the faces of the box; what lies between is interpolated."""

    values: Tensor  # [R, R, R, 4] at nodes x, y, z: raw density (radiance.density), logits of the sRGB albedo
    background_logits: Tensor  # [3], of the learned background

    def __post_init__(self) -> None:
        size = len(self.values)
        assert self.values.shape == (size, size, size, 4) and size >= 2, tuple(self.values.shape)
        assert self.background_logits.shape == (3,), tuple(self.background_logits.shape)

    def __len__(self) -> int:
        """Return the nodes along a side."""
        return len(self.values)

    @property
    def background(self) -> Tensor:
        """Return the learned background, [3], sRGB in (0, 1)."""
        return self.background_logits.sigmoid()

    @property
    def spacing(self) -> float:
        """Return the distance of neighbouring nodes."""
        return 2.0 / (len(self) - 1)

    def raw_density(self, points: Tensor) -> Tensor:
        """Return the density before its activation at points [M, 3] of the box: [M]."""
        return _interpolate(self.values[..., :1], points)[:, 0]

    def __call__(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Return raw density [M] and sRGB albedo [M, 3] at points [M, 3] of the box."""
        found = _interpolate(self.values, points)
        return found[:, 0], found[:, 1:].sigmoid()

    def parameters(self) -> dict[str, Tensor]:
        """Return the tensors by name, not copied."""
        return {"values": self.values, "background_logits": self.background_logits}

    def requires_grad_(self, wanted: bool = True) -> RadianceGrid:
        """Make the parameters leaves that collect gradients (or not); return self."""
        for name, value in self.parameters().items():
            setattr(self, name, value.detach().requires_grad_(wanted))
        return self

    def with_fixed_shape(self) -> RadianceGrid:
        """Return the same field, of which only the colours pass gradients on."""
        values = torch.cat([self.values[..., :1].detach(), self.values[..., 1:]], dim=-1)
        return RadianceGrid(values, self.background_logits.detach())

    def to(self, device: torch.device | str) -> RadianceGrid:
        """Return the grid on another device, detached from any graph."""
        return RadianceGrid(**{name: value.detach().to(device) for name, value in self.parameters().items()})

    def resampled(self, resolution: int) -> RadianceGrid:
        """Return the same field on another number of nodes, by trilinear interpolation: a new leaf, as this one is."""
        grid = self.values.detach().permute(3, 0, 1, 2)[None]
        finer = functional.interpolate(grid, (resolution,) * 3, mode="trilinear", align_corners=True)
        field = RadianceGrid(finer[0].permute(1, 2, 3, 0).contiguous(), self.background_logits.detach().clone())
        return field.requires_grad_(self.values.requires_grad)

    @torch.no_grad()
    def prune(self, least: float = LEAST, reach: int = 2) -> None:
        """Empty the nodes that have no density of `least` within `reach` nodes, in place.

        Fog that no picture speaks against stays as thin as it is, and each of its samples costs as much as any other.
        A pruned node is not lost for good: what grows beside it gives it gradients again. Source: DVGO, section 5.
        """
        raw = self.values[..., 0]
        width = 2 * reach + 1
        nearby = functional.max_pool3d(density(raw)[None, None], width, stride=1, padding=reach)[0, 0]
        raw[nearby < least] = EMPTY_RAW - 1

    def state_dict(self) -> dict[str, Tensor]:
        """Return copies of the parameters by name."""
        return {name: value.detach().clone() for name, value in self.parameters().items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take over the parameters of a state_dict, whatever their resolution; raises ValueError for missing names."""
        missing = [name for name in self.parameters() if name not in state]
        if missing:
            raise ValueError(f"The saved field lacks {', '.join(missing)}: the checkpoint is of something else.")
        for name, value in self.parameters().items():
            loaded = state[name].to(device=value.device, dtype=value.dtype, copy=True)
            setattr(self, name, loaded.requires_grad_(value.requires_grad))
        self.__post_init__()


def blob_grid(
    resolution: int, *, radius: float = 0.5, strength: float = 10.0, colour: float = 0.5, background: float = 0.9
) -> RadianceGrid:
    """Start from a soft ball of one grey about the origin; see `radiance.blob`."""
    raw = blob(grid_points(resolution), radius=radius, strength=strength)
    values = torch.full((resolution, resolution, resolution, 4), logit(colour))
    values[..., 0] = raw.reshape(resolution, resolution, resolution)
    return RadianceGrid(values, torch.full((3,), logit(background)))


def grid_points(resolution: int) -> Tensor:
    """Return the nodes of a grid over the box, [R^3, 3], x slowest."""
    axis = torch.linspace(-1, 1, resolution)
    return torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1).reshape(-1, 3)


def _interpolate(values: Tensor, points: Tensor) -> Tensor:
    """Return values [R, R, R, C] between the nodes at points [M, 3] of the box: [M, C]."""
    volume = values.permute(3, 2, 1, 0)[None]  # [1, C, Z, Y, X]: grid_sample's last axis is x
    places = points.reshape(1, -1, 1, 1, 3)
    found = functional.grid_sample(volume, places, align_corners=True, padding_mode="border")  # [1, C, M, 1, 1]
    return found[0, :, :, 0, 0].T
