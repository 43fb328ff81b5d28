"""One half of a mesh becomes both: the same to the bit, closed, wound outwards, in the same colours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from backend.cameras import orbit
from backend.meshes.baking import bake_texture, unwrap
from backend.meshes.extraction import mesh_from_field
from backend.meshes.mesh import Mesh, is_watertight, volume, weld
from backend.meshes.mirroring import NEAREST, mirrored, mirrored_faces
from backend.meshes.rasteriser import render_mesh

CORNERS = torch.tensor([[x, y, z] for x in (0.0, 1.0) for y in (0.0, 1.0) for z in (0.0, 1.0)])
SQUARES = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
BOX = torch.tensor([[s[i], s[j], s[k]] for s in SQUARES for i, j, k in ((0, 1, 2), (0, 2, 3))])


def boxes(*reaches: tuple[float, float]) -> Mesh:
    """Return boxes of 1 x 1 along Y and Z that reach from one x to another."""
    corners = [CORNERS * torch.tensor([high - low, 1, 1]) + torch.tensor([low, 0, 0]) for low, high in reaches]
    return Mesh(torch.cat(corners), torch.cat([BOX + 8 * number for number in range(len(reaches))]))


@pytest.fixture(scope="module")
def lump() -> Mesh:
    """A closed lump unlike itself in the mirror, unwrapped, its texture red on the left and green on the right."""

    def field(p: torch.Tensor) -> torch.Tensor:
        ball = 0.5 - (p - torch.tensor([0.1, 0.0, 0.0])).norm(dim=-1)
        return torch.maximum(ball, 0.3 - (p - torch.tensor([0.5, -0.3, 0.4])).norm(dim=-1))

    def colour(points: torch.Tensor, normals: torch.Tensor) -> torch.Tensor:
        right = (points[:, :1] > 0).float()
        height = (points[:, 2:] + 1) / 2
        return torch.cat([1 - right, right, height], dim=1)

    mesh = unwrap(mesh_from_field(field, resolution=40, threshold=0.0, max_faces=1_500), size=256)
    return bake_texture(mesh, colour, 256)


def is_symmetric(mesh: Mesh) -> bool:
    """Say whether the mirror image of each vertex is a vertex, to the bit."""
    other = replace(mesh, vertices=mesh.vertices * torch.tensor([-1.0, 1.0, 1.0]))
    return torch.equal(weld(mesh)[0], weld(other)[0])


@pytest.mark.parametrize(
    ("reaches", "kept", "size"),
    [
        ([(-0.25, 0.75)], "right", 1.5),
        ([(-0.25, 0.75)], "left", 0.5),
        ([(0.0, 0.75)], "right", 1.5),  # its wall on the plane goes: it would be between the halves
        ([(-0.25, 0.75), (1.0, 1.5)], "right", 2.5),
        ([(-0.5, -0.25), (0.5, 1.5)], "right", 2.0),  # the left one goes, nothing is cut
        ([(-0.5, -0.25), (0.5, 1.5)], "left", 0.5),
    ],
)
def test_a_box_becomes_what_is_kept_of_it_twice(reaches: list[tuple[float, float]], kept: str, size: float) -> None:
    made = mirrored(boxes(*reaches), kept)
    assert is_watertight(made) and is_symmetric(made)
    assert volume(made) == pytest.approx(size, abs=4 * NEAREST)  # above 0: wound outwards
    assert len(made.faces) == mirrored_faces(boxes(*reaches), kept)


def test_the_halves_share_the_vertices_on_the_plane() -> None:
    box = boxes((-0.25, 0.75))
    made = mirrored(box, "right")
    on_plane = made.vertices[:, 0] == 0
    assert int(on_plane.sum()) == 8  # four edges, and the diagonals of four squares
    assert len(made.vertices) == 4 + 8 + 4
    left = (made.vertices[made.faces][..., 0].mean(dim=1) < 0).numpy()
    touched = [set(made.faces[torch.from_numpy(which)].flatten().tolist()) for which in (left, ~left)]
    assert touched[0] & touched[1] == set(torch.nonzero(on_plane).flatten().tolist())


def test_nothing_on_the_side_is_a_mesh_without_faces() -> None:
    box = boxes((0.25, 0.75))
    assert len(mirrored(box, "left").faces) == mirrored_faces(box, "left") == 0
    apart = mirrored(box, "right")
    assert len(apart.faces) == 2 * len(box.faces) and is_watertight(apart)


@pytest.mark.parametrize("x", [0.0, 1e-9, -1e-9, 1e-5])
def test_vertices_on_the_plane_or_beside_it_leave_no_hole_and_no_triangle_without_area(x: float, lump: Mesh) -> None:
    """An edge loop is put on the plane, or almost."""
    welded, index = weld(lump)
    near = welded[:, 0].abs() < 0.02
    assert int(near.sum()) > 10
    welded[near, 0] = x
    made = mirrored(Mesh(welded, index[lump.faces]), "right")
    assert is_watertight(made) and is_symmetric(made)
    first, second, third = made.vertices.double()[made.faces].unbind(1)
    assert float(torch.linalg.cross(second - first, third - first).norm(dim=-1).min()) > 0


@pytest.mark.parametrize("kept", ["left", "right"])
def test_a_textured_mesh_stays_closed_and_both_halves_have_the_colours_of_the_kept_one(kept: str, lump: Mesh) -> None:
    made = mirrored(lump, kept)
    assert is_watertight(lump) and is_watertight(made) and is_symmetric(made) and volume(made) > 0
    assert made.texture is lump.texture and made.uv is not None and len(made.uv) == len(made.vertices)
    picture, before = (render_mesh(each, orbit([0.0], 10.0, size=96)) for each in (made, lump))
    np.testing.assert_allclose(picture.rgb, picture.rgb.flip(2), atol=0.02)  # the plane is the middle column
    half = slice(0, 46) if kept == "left" else slice(50, 96)
    np.testing.assert_allclose(picture.rgb[:, :, half], before.rgb[:, :, half], atol=0.02)  # that half as it was
    seen = picture.rgb[picture.alpha[..., 0] > 0.999]
    red, green = float((seen[:, 0] > 0.9).float().mean()), float((seen[:, 1] > 0.9).float().mean())
    assert (red > 0.95) if kept == "left" else (green > 0.95)
