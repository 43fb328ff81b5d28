"""Points on a surface that keep their distance."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
import torch
from scipy.spatial import KDTree

from backend.meshes.mesh import Mesh, area, mesh_from_arrays, sample_surface
from backend.meshes.poisson_disk import ALPHA, BETA, GAMMA, eliminate, poisson_disk, widest_spacing


def sphere(radius: float = 0.8) -> Mesh:
    import trimesh

    made = trimesh.creation.icosphere(4, radius)
    return mesh_from_arrays(made.vertices, made.faces)


def nearest(points: torch.Tensor) -> np.ndarray:
    return KDTree(points.numpy()).query(points.numpy(), k=2)[0][:, 1]


def slowly(points: np.ndarray, count: int, spacing: float) -> list[int]:
    """Say the same as `eliminate` with nothing but sums over all that is left."""
    least = spacing * BETA * (1 - (count / len(points)) ** GAMMA)
    left = list(range(len(points)))
    while len(left) > count:
        apart = np.linalg.norm(points[left][:, None] - points[left][None], axis=-1)
        weight = np.where(apart < spacing, (1 - np.maximum(apart, least) / spacing) ** ALPHA, 0)
        np.fill_diagonal(weight, 0)
        del left[int(weight.sum(1).argmax())]
    return left


def test_points_keep_their_distance_where_random_ones_do_not() -> None:
    mesh, count = sphere(), 2_000
    points, normals = poisson_disk(mesh, count, torch.Generator().manual_seed(0))
    widest = widest_spacing(area(mesh), count)
    assert points.shape == normals.shape == (count, 3)
    assert nearest(points).min() >= 0.6 * widest
    drawn, _ = sample_surface(mesh, count, torch.Generator().manual_seed(0))
    assert nearest(drawn).min() < 0.1 * widest
    gap = KDTree(points.numpy()).query(drawn.numpy())[0].max()
    assert gap < 1.1 * widest  # and nowhere is a hole


def test_points_lie_on_the_faces_whose_normals_they_have() -> None:
    square = Mesh(
        torch.tensor([[0.0, 0, 0.5], [1, 0, 0.5], [1, 1, 0.5], [0, 1, 0.5]]), torch.tensor([[0, 1, 2], [0, 2, 3]])
    )
    points, normals = poisson_disk(square, 100, torch.Generator().manual_seed(1))
    assert (points[:, 2] - 0.5).abs().max() < 1e-6 and torch.equal(normals, torch.tensor([[0.0, 0, 1]]).expand(100, 3))


def test_the_heap_takes_away_what_a_plain_search_does() -> None:
    points = np.random.default_rng(3).random((60, 3)) * [1, 1, 0]
    for count in (59, 30, 12):
        spacing = widest_spacing(1.0, count)
        assert eliminate(points, count, spacing).tolist() == slowly(points, count, spacing)
    assert eliminate(points, 60, 0.1).tolist() == list(range(60))


def test_the_widest_spacing_is_that_of_a_hexagonal_lattice() -> None:
    side = 0.5  # each point of a lattice of that side has two triangles for itself
    assert widest_spacing(10 * 2 * math.sqrt(3) / 4 * side**2, 10) == pytest.approx(side)


def test_the_same_seed_gives_the_same_points_in_less_than_a_second() -> None:
    mesh = sphere()
    poisson_disk(mesh, 100, torch.Generator().manual_seed(0))  # compiles
    started = time.process_time()
    first = poisson_disk(mesh, 20_000, torch.Generator().manual_seed(2))[0]
    seconds = time.process_time() - started
    assert torch.equal(first, poisson_disk(mesh, 20_000, torch.Generator().manual_seed(2))[0])
    assert seconds < 2.0  # of processor time; 0.5 was measured
