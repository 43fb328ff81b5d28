"""Gaussians as fields over space: opacity at points, and the colour that is seen from outside at a surface.

Every Gaussian is entered into the cells of a regular grid that its 3-sigma box touches, so that a point asks only the
few Gaussians near it. Each point sums on its own and in the order of the Gaussians: the bytes do not depend on threads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numba
import numpy as np
import torch

if TYPE_CHECKING:
    from backend.representations.gaussians import Gaussians

FAINTEST = 0.005  # opacity below which a Gaussian is no part of the shape. Source: DreamGaussian, extract_fields
CUT = 3.0  # standard deviations after which a Gaussian ends
EXTENT = 2.0  # space beyond +-EXTENT is empty: the object lies inside the unit sphere
MAX_ENTRIES = 16_000_000  # of the cell lists, 64 MB


class GaussianSums:
    """Sums over Gaussians at points: of weight * exp(-d^T S^-1 d / 2), and of that times the colour."""

    def __init__(self, gaussians: Gaussians, *, weight: str = "opacity", min_scale: float = 0.0) -> None:
        """Prepare the cell lists.

        `weight` is "opacity", or "density" for an optical density (per unit length) whose line integral through a round
        Gaussian's centre gives back its opacity. Scales are raised to `min_scale`, so that thin Gaussians do not fall
        between the points of a grid. Raises ValueError when a parameter is not finite.
        """
        with torch.no_grad():
            tensors = (
                gaussians.means,
                gaussians.scales,
                gaussians.rotations,
                gaussians.opacities,
                gaussians.base_colours,
            )
            means, scales, rotations, opacities, colours = (tensor.cpu().double().numpy() for tensor in tensors)
            broken = ~np.isfinite(np.concatenate([means, scales, rotations[:, 0], opacities[:, None], colours], axis=1))
        if broken.any():
            raise ValueError(
                f"{int(broken.any(axis=1).sum())} of {len(means)} Gaussians hold numbers that are not finite"
            )
        scales = np.maximum(scales, max(min_scale, 1e-6))  # [N, 3]
        reach = CUT * np.sqrt(np.einsum("nij,nj->ni", rotations**2, scales**2))  # [N, 3], half the box of the ellipsoid
        kept = (opacities > FAINTEST) & (np.abs(means) - reach < EXTENT).all(axis=1)
        means, scales, opacities, rotations, reach = (a[kept] for a in (means, scales, opacities, rotations, reach))

        self.means = means.astype(np.float32)
        # W with |W d|^2 = d^T S^-1 d
        self.whitening = (rotations.transpose(0, 2, 1) / scales[:, :, None]).astype(np.float32)
        self.colours = colours[kept].astype(np.float32)
        self.typical_scale = float(np.median(scales)) if len(scales) else 0.0
        if weight == "opacity":
            self.weights = opacities.astype(np.float32)
        else:
            round_scale = np.exp(np.log(scales).mean(axis=1))
            depth = -np.log1p(-np.minimum(opacities, 0.999))
            self.weights = (depth / (round_scale * np.sqrt(2 * np.pi))).astype(np.float32)
        self._enter_cells(means, reach)

    def __len__(self) -> int:
        return len(self.means)

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Return [M, 4] float32 at points [M, 3]: the weighted sum, and the same times red, green and blue."""
        sums = np.zeros((len(points), 4), dtype=np.float32)
        if len(self.means) and len(points):
            points = np.ascontiguousarray(points, dtype=np.float32)
            lists = (self.origin, self.cell, self.counts, self.starts, self.members)
            _sum_at(points, *lists, self.means, self.whitening, self.weights, self.colours, sums)
        return sums

    def _enter_cells(self, means: np.ndarray, reach: np.ndarray) -> None:
        if len(means) == 0:
            return
        low = np.maximum((means - reach).min(axis=0), -EXTENT)
        high = np.minimum((means + reach).max(axis=0), EXTENT)
        # Cells of a sixth of a Gaussian's box: a point then asks 1.6 times as many Gaussians as it lies in boxes of.
        cells = int(np.clip(3 * (high - low).max() / np.median(reach), 4, 96))
        while True:
            self.cell = np.float32((high - low).max() / cells)
            self.counts = np.maximum(np.ceil((high - low) / self.cell), 1).astype(np.int64)
            first = np.floor((means - reach - low) / self.cell).astype(np.int64)
            last = np.floor((means + reach - low) / self.cell).astype(np.int64)
            first, last = np.clip(first, 0, self.counts - 1), np.clip(last, 0, self.counts - 1)
            entries = int((last - first + 1).prod(axis=1).sum())
            if entries <= MAX_ENTRIES or cells <= 4:
                break
            cells //= 2
        self.origin = low.astype(np.float32)
        self.starts, self.members = _cell_lists(first, last, self.counts, entries)


def opacity_field(gaussians: Gaussians, *, min_scale: float = 0.0) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return the function points [M, 3] -> [M]: the sum of opacity * exp(-d^T S^-1 d / 2) over the Gaussians.

    Gaussians fainter than 0.005 are left out, and each ends at three standard deviations. Source: DreamGaussian
    (Tang et al. 2023), section 3.2, local density query.
    """
    sums = GaussianSums(gaussians, min_scale=min_scale)

    def field(points: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(sums(points.detach().cpu().numpy())[:, 0])

    return field


def colour_field(
    gaussians: Gaussians, *, reach: float | None = None, samples: int = 12
) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Return the function (points [M, 3], unit normals [M, 3]) -> sRGB [M, 3] in [0, 1] as seen from outside.

    Light is composited front to back along a short ray that starts `reach` outside the surface, runs against the normal
    and ends as deep inside; hidden inner Gaussians therefore do not colour the surface. `reach` is three typical scales
    unless given. A base colour has no view direction, so only the constant harmonic enters. A ray that meets nothing
    takes the colour of the nearest Gaussian. Raises ValueError when there is no Gaussian to take a colour from.
    """
    from scipy.spatial import KDTree

    sums = GaussianSums(gaussians, weight="density")
    if len(sums) == 0:
        raise ValueError(
            f"none of {len(gaussians.means)} Gaussians is more opaque than {FAINTEST}: there is no colour to bake"
        )
    length = float(np.clip(CUT * sums.typical_scale, 0.01, 0.2)) if reach is None else reach
    offsets = (1.0 - 2.0 * (np.arange(samples) + 0.5) / samples) * length  # from outside to inside
    step = 2.0 * length / samples
    tree = KDTree(sums.means)

    def colour(points: torch.Tensor, normals: torch.Tensor) -> torch.Tensor:
        positions, directions = points.detach().cpu().numpy(), normals.detach().cpu().numpy()
        seen = np.zeros((len(positions), 3))
        covered = np.zeros(len(positions))
        transmittance = np.ones(len(positions))
        for offset in offsets:
            unfinished = np.flatnonzero(transmittance > 0.01)  # the other rays have seen all that they will
            here = sums(positions[unfinished] + np.float32(offset) * directions[unfinished])  # [K, 4]
            alpha = -np.expm1(-here[:, 0].astype(np.float64) * step)
            weight = transmittance[unfinished] * alpha
            seen[unfinished] += (weight / np.maximum(here[:, 0], 1e-12))[:, None] * here[:, 1:]
            covered[unfinished] += weight
            transmittance[unfinished] *= 1.0 - alpha
        rgb = seen / np.maximum(covered, 1e-12)[:, None]
        missed = covered < 1e-3
        if missed.any():
            rgb[missed] = sums.colours[tree.query(positions[missed])[1]]
        return torch.from_numpy(np.clip(rgb, 0.0, 1.0).astype(np.float32))

    return colour


@numba.njit(cache=True)
def _cell_lists(first, last, counts, entries):  # type: ignore[no-untyped-def]
    """List the Gaussians of each cell by counting sort: starts [cells + 1], members [entries] in ascending order."""
    starts = np.zeros(counts[0] * counts[1] * counts[2] + 1, dtype=np.int64)
    members = np.empty(entries, dtype=np.int32)
    for fill in range(2):
        for n in range(len(first)):
            for i in range(first[n, 0], last[n, 0] + 1):
                for j in range(first[n, 1], last[n, 1] + 1):
                    for k in range(first[n, 2], last[n, 2] + 1):
                        cell = (i * counts[1] + j) * counts[2] + k
                        if fill:
                            members[starts[cell]] = n
                            starts[cell] += 1
                        else:
                            starts[cell + 1] += 1
        if not fill:
            starts = np.cumsum(starts)
    # Filling has moved each start to the next cell's: move them back.
    starts[1:] = starts[:-1].copy()
    starts[0] = 0
    return starts, members


@numba.njit(parallel=True, cache=True)
def _sum_at(  # type: ignore[no-untyped-def]
    points, origin, cell, counts, starts, members, means, whitening, weights, colours, sums
):
    cut = np.float32(CUT * CUT)
    for m in numba.prange(len(points)):
        x, y, z = points[m, 0], points[m, 1], points[m, 2]
        i = int(np.floor((x - origin[0]) / cell))
        j = int(np.floor((y - origin[1]) / cell))
        k = int(np.floor((z - origin[2]) / cell))
        if i < 0 or j < 0 or k < 0 or i >= counts[0] or j >= counts[1] or k >= counts[2]:
            continue
        at = (i * counts[1] + j) * counts[2] + k
        total, red, green, blue = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
        for entry in range(starts[at], starts[at + 1]):
            n = members[entry]
            dx, dy, dz = x - means[n, 0], y - means[n, 1], z - means[n, 2]
            a = whitening[n, 0, 0] * dx + whitening[n, 0, 1] * dy + whitening[n, 0, 2] * dz
            b = whitening[n, 1, 0] * dx + whitening[n, 1, 1] * dy + whitening[n, 1, 2] * dz
            c = whitening[n, 2, 0] * dx + whitening[n, 2, 1] * dy + whitening[n, 2, 2] * dz
            squared = a * a + b * b + c * c
            if squared < cut:
                value = weights[n] * np.exp(np.float32(-0.5) * squared)
                total += value
                red += value * colours[n, 0]
                green += value * colours[n, 1]
                blue += value * colours[n, 2]
        sums[m, 0], sums[m, 1], sums[m, 2], sums[m, 3] = total, red, green, blue
