"""From a field to a mesh, redrawn views and coloured points."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from backend.cameras import azimuth_elevation, fields_of_view, orbit
from backend.diffusion.denoiser import kept_prior
from backend.errors import BadInput
from backend.images import load_image, save_image
from backend.meshes.mesh import Mesh
from backend.meshes.rasteriser import render_mesh
from backend.representations.radiance import raw_of
from backend.representations.radiance_grid import RadianceGrid, grid_points
from backend.systems.customize_it_3d import surface
from backend.systems.customize_it_3d.surface import (
    cameras_around,
    coloured_points,
    depth_points,
    draw_points,
    enhance_views,
    find_surface,
)
from tests.backend.systems.customize_it_3d.closed_form import GREEN, RADIUS, SIZE, SMALL, ball_seen, open_stage

SETTINGS = replace(SMALL, enhanced_views=4, points=400)


def solid_ball(nodes: int = 32) -> RadianceGrid:
    points = grid_points(nodes)
    thick = torch.where(points.norm(dim=1) < RADIUS, 60.0, 1e-3)
    values = torch.cat([raw_of(thick)[:, None], torch.logit(GREEN).expand(len(points), 3)], dim=1)
    return RadianceGrid(values.reshape(nodes, nodes, nodes, 4), torch.zeros(3))


@pytest.fixture(scope="module")
def mesh() -> Mesh:
    made, facts = find_surface(solid_ball(), SETTINGS, ball_seen().photo, SIZE)
    assert facts["silhouette_iou"] > 0.85 and made.texture is not None
    return made


def test_the_surface_is_the_balls_in_its_colour(mesh: Mesh) -> None:
    assert float(mesh.vertices.norm(dim=1).mean()) == pytest.approx(RADIUS, abs=0.06)
    assert mesh.texture is not None and torch.allclose(mesh.texture.mean((0, 1)), GREEN, atol=0.08)


def test_views_stand_evenly_around_from_the_images_side_on() -> None:
    reference = orbit([20.0], 15.0, fov_degrees=33.0)
    cameras = cameras_around(reference, 5, SETTINGS, 32)
    azimuths, heights = azimuth_elevation(cameras)
    assert ((azimuths - 20) % 360).tolist() == pytest.approx([0, 72, 144, 216, 288], abs=1e-3)
    assert SETTINGS.low_elevation <= heights.min() < heights.max() <= SETTINGS.high_elevation
    assert len(heights.round().unique()) == 5 and torch.allclose(fields_of_view(cameras), torch.full((5,), 33.0))


def test_views_near_the_image_are_redrawn_less_and_may_be_replaced(
    tmp_path: Path, mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught, strengths = kept_prior("embedded"), []

    def redraw(prior: Any, pictures: torch.Tensor, said: list[str], *, strength: float, **more: Any) -> torch.Tensor:
        strengths.append((said[0], strength))
        return pictures

    monkeypatch.setattr(surface, "image_to_image", redraw)
    seen = ball_seen(azimuth=90.0)
    cameras, pictures, masks = enhance_views(open_stage(tmp_path), taught, mesh, seen, SETTINGS, {})
    near, far = SETTINGS.enhance_near, SETTINGS.enhance_far
    assert [strength for _, strength in strengths] == [near, far, far, far]
    assert strengths[1][0] == "a rgb photo of sks ball, back view"  # from 180 degrees
    assert pictures.shape == (4, 128, 128, 3) and masks.shape == (4, 128, 128, 1)
    assert torch.allclose(pictures, render_mesh(mesh, cameras).rgb, atol=0.01)

    save_image(tmp_path / "stages/1-enhanced/side-03.png", torch.full((128, 128, 3), 0.25))
    again = enhance_views(open_stage(tmp_path), taught, mesh, seen, SETTINGS, {})[1]
    assert torch.allclose(again[2], torch.full((128, 128, 3), 0.25), atol=0.01) and len(strengths) == 4
    save_image(
        tmp_path / "stages/1-enhanced/side-03.png", load_image(tmp_path / "stages/1-enhanced/side-01.png")[0][:9]
    )
    with pytest.raises(BadInput, match="side-03.png has 128 x 9 pixels, not 128 x 128"):
        enhance_views(open_stage(tmp_path), taught, mesh, seen, SETTINGS, {})


def test_where_background_is_drawn_onto_the_surface_that_stays(
    tmp_path: Path, mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    def matting(pictures: torch.Tensor) -> torch.Tensor:
        return (pictures.mean(-1, keepdim=True) < 0.98).float()

    monkeypatch.setattr(surface, "image_to_image", lambda prior, images, *rest, **options: torch.ones_like(images))
    monkeypatch.setattr(surface, "load_matting", lambda *named: matting)
    cameras, pictures, _ = enhance_views(
        open_stage(tmp_path), kept_prior("embedded"), mesh, ball_seen(), replace(SETTINGS, enhanced_views=1), {}
    )
    assert torch.allclose(pictures, render_mesh(mesh, cameras).rgb, atol=0.01)


def test_points_lie_on_the_surface_evenly_or_as_cameras_see_it(mesh: Mesh) -> None:
    from scipy.spatial import KDTree

    cameras, generator = orbit([0.0, 10.0, 20.0], 0.0, size=48), torch.Generator()
    even, normals = draw_points(mesh, SETTINGS, cameras, generator.manual_seed(0))
    seen, facing = draw_points(mesh, replace(SETTINGS, points_from="depth"), cameras, generator.manual_seed(0))
    for points, towards in ((even, normals), (seen, facing)):
        assert points.shape == (400, 3) and torch.allclose(points.norm(dim=1), torch.full((400,), RADIUS), atol=0.08)
        assert (torch.nn.functional.cosine_similarity(points, towards) > 0.8).all()
    assert float(even[:, 1].mean()) == pytest.approx(0, abs=0.05) and seen[:, 1].max() < 0.2  # only the front
    apart = [KDTree(points.numpy()).query(points.numpy(), k=2)[0][:, 1] for points in (even, seen)]
    assert apart[0].min() > 5 * apart[1].min()
    assert len(depth_points(mesh, cameras, 10**6, generator)[0]) == int(
        (render_mesh(mesh, cameras, samples=1).alpha > 0).sum()
    )


def test_points_take_the_images_colours_in_front_and_the_views_elsewhere(mesh: Mesh) -> None:
    seen = ball_seen()
    cameras = cameras_around(seen.target.camera, 4, SETTINGS, 48)
    masks = render_mesh(mesh, cameras).alpha
    red = torch.tensor([0.8, 0.1, 0.1])
    made = coloured_points(
        mesh, seen, (cameras, red * masks + 1 - masks, masks), SETTINGS, torch.Generator().manual_seed(0)
    )
    known = made.is_known[:, 0]
    assert 0.2 < float(known.float().mean()) < 0.6 and (made.points[known, 1] < 0.15).all()
    assert torch.allclose(made.colours[known].mean(0), GREEN, atol=0.03)
    assert torch.allclose(made.colours[~known].mean(0), red, atol=0.03)
