"""Distances of surfaces, and what brings one upon the other, against values computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from backend.meshes.mesh import Mesh
from benchmarks.metrics import surfaces


def box(low: tuple[float, float, float], high: tuple[float, float, float]) -> Mesh:
    """A closed box of twelve triangles, wound outwards."""
    corner = [[(low, high)[(i >> axis) & 1][axis] for axis in range(3)] for i in range(8)]
    quads = [(0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (2, 6, 7, 3), (0, 4, 6, 2), (1, 3, 7, 5)]
    faces = [triangle for a, b, c, d in quads for triangle in ((a, b, c), (a, c, d))]
    return Mesh(torch.tensor(corner, dtype=torch.float32), torch.tensor(faces))


def test_chamfer_and_f_score_of_points_on_a_line() -> None:
    true = np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0]])  # largest side 2
    made = np.array([[0.0, 0, 0], [1, 0, 0.08], [2, 0, 1]])
    assert surfaces.chamfer_l1(true, true) == 0 and surfaces.f_score(true, true) == 1
    to_true, to_made = (0 + 0.08 + 1) / 3, (0 + 0.08 + 1) / 3
    assert surfaces.chamfer_l1(made, true) == pytest.approx(0.5 * (to_true + to_made) / 2)
    assert surfaces.f_score(made, true) == pytest.approx(2 / 3)  # 0.08 / 2 is within 0.05; 1 / 2 is not
    assert surfaces.f_score(made[:1], true) == pytest.approx(2 * 1 * (1 / 3) / (1 + 1 / 3))
    assert surfaces.f_score(made + 9, true) == 0


def test_volume_iou_of_boxes() -> None:
    one = box((0, 0, 0), (1, 1, 1))
    assert surfaces.volume_iou(one, one) == 1
    assert surfaces.volume_iou(one, box((0, 0, 0), (1, 1, 0.5))) == pytest.approx(0.5, abs=0.02)
    assert surfaces.volume_iou(one, box((0.5, 0, 0), (1.5, 1, 1))) == pytest.approx(1 / 3, abs=0.02)
    assert surfaces.volume_iou(one, box((2, 2, 2), (3, 3, 3))) == 0


def test_voxels_know_a_hollow() -> None:
    outer, inner = box((0, 0, 0), (1, 1, 1)), box((0.25, 0.25, 0.25), (0.75, 0.75, 0.75))
    both = Mesh(torch.cat([outer.vertices, inner.vertices]), torch.cat([outer.faces, inner.faces.flip(1) + 8]))
    filled = surfaces.voxels(both, np.zeros(3), 1.0, 32)
    assert filled.mean() == pytest.approx(1 - 0.125, abs=0.02)
    assert not filled[16, 16, 16] and filled[2, 16, 16]


def test_a_similarity_is_found_again() -> None:
    rng = np.random.default_rng(0)
    true = rng.random((2000, 3)) * [1.0, 0.3, 0.6] + np.where(rng.random((2000, 1)) < 0.3, [0.8, 0.2, 0.0], 0.0)
    inverse = surfaces.turn(-40.0)
    made = ((true - [0.3, -0.2, 0.1]) / 1.7) @ inverse.T
    turned = surfaces.fit_similarity(made, true, turning=True)
    assert turned.azimuth_degrees == pytest.approx(40.0)
    assert surfaces.chamfer_l1(turned(made), true) < 0.01
    still = surfaces.fit_similarity(made, true)
    assert still.azimuth_degrees == 0 and surfaces.chamfer_l1(still(made), true) > 0.03
    mesh = surfaces.place(box((0, 0, 0), (1, 1, 1)), surfaces.Similarity(2.0, np.array([1.0, 0, 0]), 90.0))
    assert torch.allclose(mesh.vertices.amin(0), torch.tensor([-1.0, 0, 0]), atol=1e-6)


def test_best_of_family_takes_the_nearest_member() -> None:
    rng = np.random.default_rng(0)
    cloud = rng.random((400, 3)) - 0.5
    family = [cloud * [1, 1, z] for z in (0.5, 1.0, 3.0)]
    assert surfaces.best_of_family(2.5 * family[1] + 4, family) < 0.005 < surfaces.family_distance(family)
    with pytest.raises(ValueError, match="at least 2"):
        surfaces.family_distance([cloud])
