"""Measures, normals and samples of meshes against closed forms."""

from __future__ import annotations

import math

import pytest
import torch

from backend.meshes import extraction
from backend.meshes.mesh import (
    Mesh,
    area,
    is_watertight,
    sample_surface,
    vertex_normals,
    volume,
    weld,
)


def ball(radius: float = 0.6, centre: tuple[float, float, float] = (0.0, 0.0, 0.0)):
    return lambda points: radius - (points - torch.tensor(centre)).norm(dim=-1)


def ball_mesh(resolution: int = 48, radius: float = 0.6) -> Mesh:
    return extraction.mesh_from_field(ball(radius), resolution=resolution, threshold=0.0)


def tetrahedron(inwards: bool = False) -> Mesh:
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    faces = torch.tensor([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    return Mesh(vertices, faces.flip(1) if inwards else faces)


def test_measures_of_a_tetrahedron() -> None:
    # Three right triangles of area 1/2, one equilateral of side sqrt(2): sqrt(3)/4 * 2. Volume 1/6.
    assert area(tetrahedron()) == pytest.approx(1.5 + math.sqrt(3) / 2)
    assert volume(tetrahedron()) == pytest.approx(1 / 6)
    assert volume(tetrahedron(inwards=True)) == pytest.approx(-1 / 6)


def test_watertight_needs_every_face_and_one_winding() -> None:
    mesh = tetrahedron()
    assert is_watertight(mesh)
    assert not is_watertight(Mesh(mesh.vertices, mesh.faces[1:]))
    turned = mesh.faces.clone()
    turned[0] = turned[0].flip(0)
    assert not is_watertight(Mesh(mesh.vertices, turned))
    soup = Mesh(mesh.vertices[mesh.faces].reshape(-1, 3), torch.arange(12).reshape(4, 3))
    assert is_watertight(soup) and len(weld(soup)[0]) == 4


def test_negative_zero_is_the_same_position() -> None:
    mesh = tetrahedron()
    soup = mesh.vertices[mesh.faces].reshape(-1, 3)
    soup[:3] *= torch.where(soup[:3] == 0, -1.0, 1.0)
    assert is_watertight(Mesh(soup, torch.arange(12).reshape(4, 3)))


def test_normals_of_a_ball_point_outwards() -> None:
    mesh = ball_mesh()
    directions = torch.nn.functional.normalize(mesh.vertices, dim=-1)
    assert float((vertex_normals(mesh) * directions).sum(dim=-1).min()) > 0.99


def test_surface_samples_are_uniform() -> None:
    points, normals = sample_surface(ball_mesh(), 20_000, torch.Generator().manual_seed(0))
    assert torch.allclose(points.norm(dim=-1), torch.tensor(0.6), atol=5e-3)
    assert float((normals * points).sum(dim=-1).min()) > 0
    # On a sphere every coordinate is uniform (Archimedes): an eighth of the points in each eighth of its height.
    shares = torch.histc(points[:, 2], bins=8, min=-0.6, max=0.6) / len(points)
    assert torch.allclose(shares, torch.tensor(1 / 8), atol=0.01)


@pytest.mark.parametrize(
    ("vertices", "faces", "sentence"),
    [
        (torch.zeros(3, 2), torch.zeros(1, 3, dtype=torch.long), r"vertices must be \[V, 3\], not \[3, 2\]"),
        (torch.zeros(3, 3), torch.zeros(1, 4, dtype=torch.long), r"faces must be \[F, 3\], not \[1, 4\]"),
        (torch.zeros(3, 3), torch.tensor([[0, 1, 3]]), "faces name vertices 0 to 3 of 3"),
    ],
)
def test_a_malformed_mesh_is_refused(vertices: torch.Tensor, faces: torch.Tensor, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Mesh(vertices, faces)
