"""Which points a camera sees, and which colours they take from its picture."""

from __future__ import annotations

import torch

from backend.cameras import orbit
from backend.meshes.mesh import Mesh, mesh_from_arrays, sample_surface
from backend.meshes.point_colours import LEAST_COSINE, colour_points, seen_colours
from backend.meshes.rasteriser import render_mesh

SIZE = 96
RED, BLUE = torch.tensor([0.9, 0.1, 0.1]), torch.tensor([0.1, 0.2, 0.9])


def box(low: tuple[float, float, float], high: tuple[float, float, float]) -> Mesh:
    import trimesh

    made = trimesh.creation.box(bounds=[low, high])
    return mesh_from_arrays(made.vertices, made.faces)


def both(one: Mesh, other: Mesh) -> Mesh:
    return Mesh(torch.cat([one.vertices, other.vertices]), torch.cat([one.faces, other.faces + len(one.vertices)]))


def test_of_a_ball_the_side_towards_the_camera_is_seen() -> None:
    import trimesh

    made = trimesh.creation.icosphere(4, 0.8)
    mesh = mesh_from_arrays(made.vertices, made.faces)
    points, normals = sample_surface(mesh, 2_000, torch.Generator().manual_seed(0))
    camera = orbit([0.0], 0.0, size=SIZE)
    mask = render_mesh(mesh, camera, samples=1).alpha[0]
    _, weight = seen_colours(mesh, points, normals, camera, torch.ones(SIZE, SIZE, 3), mask)
    cosine = torch.nn.functional.cosine_similarity(camera.position - points, normals, dim=-1)
    clear = (cosine > LEAST_COSINE + 0.15) | (cosine < LEAST_COSINE)  # not at the very rim, where the mask ends
    assert torch.equal((weight > 0)[clear, 0], (cosine > LEAST_COSINE)[clear])
    assert torch.allclose(weight[weight > 0], (cosine[:, None] ** 4)[weight > 0])


def test_faces_take_the_pictures_colours_and_what_is_hidden_takes_none() -> None:
    """A small box stands before the lower half of a large one, which is red above and blue below in the picture."""
    large, small = box((-0.6, 0.0, -0.6), (0.6, 0.5, 0.6)), box((-0.3, -0.4, -0.6), (0.3, -0.3, 0.0))
    mesh, camera = both(large, small), orbit([0.0], 0.0, size=SIZE)
    mask = render_mesh(mesh, camera, samples=1).alpha[0]
    picture = torch.where(torch.arange(SIZE)[:, None, None] < SIZE // 2, RED, BLUE).expand(SIZE, SIZE, 3)
    points = torch.tensor([[0.0, 0.0, 0.3], [0.5, 0.0, -0.3], [0.0, 0.0, -0.3], [0.0, -0.4, -0.3], [0.0, 0.5, 0.3]])
    normals = torch.tensor([[0.0, -1, 0]] * 4 + [[0.0, 1, 0]])
    colours, weight = seen_colours(mesh, points, normals, camera, picture, mask)
    assert (weight[:, 0] > 0).tolist() == [True, True, False, True, False]  # the third is behind the small box
    assert torch.allclose(colours[0], RED, atol=1e-5)
    assert torch.allclose(colours[[1, 3]], BLUE.expand(2, 3), atol=1e-5)


def test_the_first_view_has_the_last_word_and_others_fill_what_it_does_not_see() -> None:
    mesh = box((-0.5, -0.5, -0.5), (0.5, 0.5, 0.5))
    points = torch.tensor([[0.0, -0.5, 0.0], [0.0, 0.5, 0.0], [0.0, 0.0, -0.5], [0.5, 0.0, 0.0]])
    normals = torch.tensor([[0.0, -1, 0], [0, 1, 0], [0, 0, -1], [1, 0, 0]])
    front, others = orbit([0.0], 0.0, size=SIZE), orbit([0.0, 180.0, 180.0, 90.0], 0.0, size=SIZE)

    def plain(colour: torch.Tensor, count: int) -> torch.Tensor:
        return colour.expand(count, SIZE, SIZE, 3)

    masks = render_mesh(mesh, others, samples=1).alpha
    pictures = torch.cat([plain(BLUE, 1), plain(RED, 1), plain(BLUE, 1), plain(BLUE, 1)])
    grey = torch.full((4, 3), 0.5)
    made = colour_points(mesh, points, normals, (front, plain(RED, 1)[0], masks[0]), others, pictures, masks, grey)
    assert made.is_known[:, 0].tolist() == [True, False, False, False] and len(made) == 4
    assert torch.allclose(made.colours, torch.stack([RED, (RED + BLUE) / 2, grey[0], BLUE]), atol=1e-5)
