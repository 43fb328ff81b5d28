"""Points that cover a surface evenly: of many random ones, those that stand closest together are left out.

Source: Yuksel, Sample Elimination for Generating Poisson Disk Sample Sets, 2015, sections 3 and 4.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numba import njit
from scipy.spatial import KDTree

from backend.meshes.mesh import Mesh, area, sample_surface

TIMES = 4  # as many random points to choose from
ALPHA, BETA, GAMMA = 8.0, 0.65, 1.5  # the paper's


def poisson_disk(mesh: Mesh, count: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Return `count` points [N, 3] spread evenly over a surface, and the unit normals [N, 3] of their faces.

    Their nearest neighbours are about 0.7 of `widest_spacing` away, where random ones may coincide. Distances are
    straight, so that the two sides of a thin wall share its points. Raises ValueError when the surface has no area.
    """
    points, normals = sample_surface(mesh, TIMES * count, generator)
    kept = torch.from_numpy(eliminate(points.double().numpy(), count, widest_spacing(area(mesh), count)))
    return points[kept], normals[kept]


def widest_spacing(surface: float, count: int) -> float:
    """Return how far apart `count` points on a plane of an area can be at most: in a hexagonal lattice."""
    return math.sqrt(2 * surface / (math.sqrt(3) * count))


def eliminate(points: np.ndarray, count: int, spacing: float) -> np.ndarray:
    """Return the indices, ascending, of the `count` of points [M, 3] that are left when the most crowded one is taken
    away again and again.

    A point is as crowded as the sum of (1 - d / spacing)^ALPHA over those nearer than `spacing` that are still there.
    """
    if count >= len(points):
        return np.arange(len(points))
    pairs = KDTree(points).query_pairs(spacing, output_type="ndarray")  # [P, 2]
    distances = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
    least = spacing * BETA * (1 - (count / len(points)) ** GAMMA)  # so that pairs of points do not count too much
    crowding = (1 - np.maximum(distances, least) / spacing) ** ALPHA
    first = np.concatenate([pairs[:, 0], pairs[:, 1]])
    order = np.argsort(first, kind="stable")
    others = np.concatenate([pairs[:, 1], pairs[:, 0]])[order]
    starts = np.searchsorted(first[order], np.arange(len(points) + 1))
    kept = _eliminate(starts, others, np.concatenate([crowding, crowding])[order], count)
    return np.flatnonzero(kept)


@njit(cache=True)
def _eliminate(starts, others, crowding, count):  # type: ignore[no-untyped-def]
    """Return which points are kept, [M] bool; the neighbours of point i are others[starts[i] : starts[i + 1]].

    A heap of all points, the most crowded on top, and the place of each in it.
    """
    total = len(starts) - 1
    sums = np.zeros(total)
    for i in range(total):
        for k in range(starts[i], starts[i + 1]):
            sums[i] += crowding[k]
    heap, place = np.arange(total), np.arange(total)
    for i in range(total // 2 - 1, -1, -1):
        _sink(heap, place, sums, i, total)
    kept = np.ones(total, dtype=np.bool_)
    size = total
    while size > count:
        top = heap[0]
        kept[top] = False
        size -= 1
        heap[0] = heap[size]
        place[heap[0]] = 0
        _sink(heap, place, sums, 0, size)
        for k in range(starts[top], starts[top + 1]):
            other = others[k]
            if kept[other]:
                sums[other] -= crowding[k]
                _sink(heap, place, sums, place[other], size)
    return kept


@njit(cache=True)
def _sink(heap, place, sums, i, size):  # type: ignore[no-untyped-def]
    """Let what stands at i sink until nothing below it is more crowded."""
    while True:
        below = 2 * i + 1
        if below >= size:
            return
        if below + 1 < size and sums[heap[below + 1]] > sums[heap[below]]:
            below += 1
        if sums[heap[below]] <= sums[heap[i]]:
            return
        heap[i], heap[below] = heap[below], heap[i]
        place[heap[i]], place[heap[below]] = i, below
        i = below
