"""Finished textures: what pictures show comes back as it is, and what they do not show stays."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from backend.cameras import Cameras, orbit
from backend.meshes.baking import bake_from_views, unwrap
from backend.meshes.extraction import mesh_from_field
from backend.meshes.finishing import finish_texture, nearest_chart_texel
from backend.meshes.mesh import Mesh
from backend.meshes.rasteriser import rasterise_uv, render_mesh

SIZE = 96
CAMERAS = orbit([0.0, 60, 120, 180, 240, 300, 0, 0], [20.0, -20, 20, -20, 20, -20, 80, -80], size=64)
GREEN = (0.0, 1.0, 0.0)


@cache
def ball() -> Mesh:
    mesh = mesh_from_field(lambda p: 0.8 - p.norm(dim=-1), resolution=24, threshold=0.0, max_faces=1_000)
    return replace(unwrap(mesh, size=SIZE), texture=torch.full((SIZE, SIZE, 3), 0.5))


def speckled() -> Mesh:
    """The ball with a texture of which no two texels are alike: more than its pictures can tell apart."""
    return replace(ball(), texture=torch.rand(SIZE, SIZE, 3, generator=torch.Generator().manual_seed(0)))


def difference(mesh: Mesh, cameras: Cameras, images: torch.Tensor) -> float:
    """The root mean square of what a mesh looks like and images, where both are the object alone."""
    seen = render_mesh(mesh, cameras)
    return float((seen.rgb - images)[seen.alpha[..., 0] > 0.99].square().mean().sqrt())


def test_a_flat_patch_of_four_texels_is_solved_by_hand() -> None:
    # The camera sees the middle of four texels in every pixel: pixels are 1/64 of the quad, texels half of it.
    quad = torch.tensor([[-1.0, 0, -1], [1, 0, -1], [1, 0, 1], [-1, 0, 1]])
    uv = torch.tensor([[0.0, 1], [1, 1], [1, 0], [0, 0]])
    texture = torch.tensor([[0.2, 0.4], [0.6, 0.8]])[..., None].expand(2, 2, 3).contiguous()
    mesh = Mesh(quad, torch.tensor([[0, 1, 2], [0, 2, 3]]), uv, texture)
    camera = orbit([0.0], 0.0, size=64)
    goal = torch.tensor([[0.9, 0.1], [0.3, 0.7]])[..., None].expand(2, 2, 3)
    drawn = render_mesh(replace(mesh, texture=goal.contiguous()), camera)
    made = finish_texture(mesh, camera, drawn.rgb, alpha=drawn.alpha, background=(1.0, 1.0, 1.0), steps=200)
    assert made.texture is not None
    torch.testing.assert_close(made.texture, goal, atol=0.01, rtol=0)
    # One step moves a texel by the mean error of what it is seen in: all of it where the error is the same everywhere.
    same = render_mesh(replace(mesh, texture=texture + 0.1), camera)
    once = finish_texture(mesh, camera, same.rgb, alpha=same.alpha, background=(1.0, 1.0, 1.0), steps=1).texture
    assert once is not None
    torch.testing.assert_close(once, texture + 0.1, atol=1e-4, rtol=0)


def test_finishing_comes_nearer_to_the_pictures_with_every_step_and_than_baking() -> None:
    drawn = render_mesh(speckled(), CAMERAS, background=GREEN)
    baked = bake_from_views(ball(), CAMERAS, drawn.rgb, alpha=drawn.alpha, background=GREEN, size=SIZE)
    made = [
        finish_texture(baked, CAMERAS, drawn.rgb, alpha=drawn.alpha, background=GREEN, steps=steps)
        for steps in (0, 1, 5, 20)
    ]
    errors = [difference(mesh, CAMERAS, render_mesh(speckled(), CAMERAS).rgb) for mesh in made]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.6 * errors[0]


def test_what_no_picture_sees_keeps_its_colour_and_nothing_of_the_background_comes_in() -> None:
    camera = orbit([0.0], 0.0, size=64)
    alpha = torch.nn.functional.avg_pool2d(render_mesh(ball(), camera).alpha.permute(0, 3, 1, 2), 3, 1, 1)
    alpha = alpha.permute(0, 2, 3, 1)  # softer than the mesh is, as splats are
    red = torch.tensor([0.9, 0.1, 0.1])
    picture = alpha * red + (1 - alpha) * torch.tensor(GREEN)
    made = finish_texture(ball(), camera, picture, alpha=alpha, background=GREEN, steps=10).texture
    assert made is not None
    on_charts = made[torch.from_numpy(rasterise_uv(ball(), SIZE).face >= 0)]
    away_from_grey = (on_charts - 0.5).abs().amax(-1)
    assert 0.2 < float((away_from_grey < 1e-6).float().mean()) < 0.8  # what lies behind
    # Everything else lies between grey and red, on the straight line.
    share = (on_charts[:, :1] - 0.5) / 0.4
    torch.testing.assert_close(on_charts, torch.lerp(torch.tensor([0.5, 0.5, 0.5]), red, share), atol=1e-4, rtol=0)
    assert float(share.max()) > 0.99


def test_a_nearer_surface_lends_no_colour_to_one_behind_it() -> None:
    sheet = torch.tensor([[-0.5, 0, -0.5], [0.5, 0, -0.5], [0.5, 0, 0.5], [-0.5, 0, 0.5]])
    uv = torch.tensor([[0.02, 0.48], [0.48, 0.48], [0.48, 0.02], [0.02, 0.02]])
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
    near = 0.5 * sheet - torch.tensor([0, 0.4, 0])
    mesh = Mesh(torch.cat([sheet, near]), torch.cat([faces, faces + 4]), torch.cat([uv, uv + 0.5]))
    blue_behind, wider = torch.full((64, 64, 3), 0.5), 1.08
    texture = blue_behind.clone()
    texture[:32, :32], texture[32:, 32:] = torch.tensor([0, 0, 1.0]), torch.tensor([1.0, 0, 0])
    camera = orbit([0.0], 0.0, size=64)
    shown = Mesh(torch.cat([sheet, near * torch.tensor([wider, 1, wider])]), mesh.faces, mesh.uv, texture)
    drawn = render_mesh(shown, camera)  # the picture's near sheet is a little larger than the mesh's
    start = replace(mesh, texture=texture)
    made = finish_texture(start, camera, drawn.rgb, alpha=drawn.alpha, background=(1.0, 1.0, 1.0), steps=10).texture
    assert made is not None
    assert float(made[:32, :32, 0].max()) < 0.05  # no red rim around it


def test_the_gutter_follows_its_chart() -> None:
    nearest = nearest_chart_texel(ball(), SIZE)
    covered = rasterise_uv(ball(), SIZE).face.reshape(-1) >= 0
    assert np.array_equal(nearest[covered], np.flatnonzero(covered))
    drawn = render_mesh(speckled(), CAMERAS)
    made = finish_texture(ball(), CAMERAS, drawn.rgb, alpha=drawn.alpha, background=(1.0, 1.0, 1.0), steps=3).texture
    assert made is not None
    flat = made.reshape(-1, 3)
    assert torch.equal(flat, flat[torch.from_numpy(nearest)])


def test_without_a_texture_there_is_nothing_to_finish() -> None:
    with pytest.raises(ValueError, match="bake one first"):
        finish_texture(
            replace(ball(), texture=None), CAMERAS, torch.zeros(8, 64, 64, 3), alpha=torch.ones(8, 64, 64, 1)
        )
