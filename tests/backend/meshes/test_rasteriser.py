"""Drawn triangles: cover, order, perspective."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from backend.cameras import orbit
from backend.meshes import extraction
from backend.meshes.mesh import (
    Mesh,
    mesh_from_arrays,
)
from backend.meshes.rasteriser import rasterise, render_mesh, silhouette_iou


def ball(radius: float = 0.6, centre: tuple[float, float, float] = (0.0, 0.0, 0.0)):
    return lambda points: radius - (points - torch.tensor(centre)).norm(dim=-1)


def ball_mesh(resolution: int = 48, radius: float = 0.6) -> Mesh:
    return extraction.mesh_from_field(ball(radius), resolution=resolution, threshold=0.0)


def tetrahedron(inwards: bool = False) -> Mesh:
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    faces = torch.tensor([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    return Mesh(vertices, faces.flip(1) if inwards else faces)


def test_drawn_ball_covers_its_disc_at_its_distance() -> None:
    cameras = orbit([0.0, 90.0], [0.0, 30.0], distance=4.0, size=64)
    drawn = render_mesh(ball_mesh(64), cameras, samples=4)
    # The outline of a ball of radius r at distance d has the angular radius asin(r / d).
    disc = math.pi * (float(cameras.intrinsics[0, 0, 0]) * math.tan(math.asin(0.6 / 4))) ** 2
    assert drawn.alpha.sum(dim=(1, 2, 3)).tolist() == pytest.approx([disc, disc], rel=0.01)
    assert float(drawn.depth[0, 32, 32]) == pytest.approx(3.4, abs=0.01)
    assert torch.allclose(drawn.normal[0, 31:33, 31:33].mean(dim=(0, 1)), torch.tensor([0.0, -1, 0]), atol=0.02)
    assert torch.equal(drawn.depth[0, 0, 0], torch.zeros(1)) and torch.equal(drawn.rgb[0, 0, 0], torch.ones(3))


def test_nearer_triangle_hides_the_farther_one_in_any_order() -> None:
    triangle = torch.tensor([[-1.0, 0, -1], [1, 0, -1], [0, 0, 1]])
    vertices = torch.cat([triangle * 0.5 - torch.tensor([0, 0.3, 0]), triangle])
    camera = orbit([0.0], 0.0, size=33)
    for faces in (torch.tensor([[0, 1, 2], [3, 4, 5]]), torch.tensor([[3, 4, 5], [0, 1, 2]])):
        fragments = rasterise(Mesh(vertices, faces), camera)
        assert int(faces[fragments.face[16, 16], 0]) == 0
        assert fragments.depth[16, 16] == pytest.approx(float(camera.position.norm()) - 0.3, abs=1e-5)


def test_interpolation_is_perspective_correct() -> None:
    # A floor seen at an angle: the point under a pixel must project back to that pixel.
    floor = mesh_from_arrays(
        np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]), np.array([[0, 1, 2], [0, 2, 3]])
    )
    camera = orbit([30.0], 25.0, size=48)
    fragments = rasterise(floor, camera)
    covered = fragments.face >= 0
    weights = torch.from_numpy(fragments.barycentric[covered])
    points = (floor.vertices[floor.faces[fragments.face[covered]]] * weights[..., None]).sum(dim=1)
    to_camera = camera.world_to_camera[0]
    pixels = (points @ to_camera[:3, :3].T + to_camera[:3, 3]) @ camera.intrinsics[0].T
    expected = np.argwhere(covered)[:, ::-1] + 0.5
    assert np.abs((pixels[:, :2] / pixels[:, 2:]).numpy() - expected).max() < 1e-3


def test_triangles_behind_the_camera_are_not_drawn() -> None:
    behind = Mesh(tetrahedron().vertices - torch.tensor([0.0, 9, 0]), tetrahedron().faces)
    assert (rasterise(behind, orbit([0.0], 0.0, size=16)).face == -1).all()


def test_silhouette_iou_counts_pixels() -> None:
    one, other = torch.zeros(2, 4, 4, 1), torch.zeros(2, 4, 4, 1)
    one[0, :, :2], other[0, :, 1:3] = 1, 1
    assert silhouette_iou(one, other).tolist() == pytest.approx([4 / 12, 1.0])
