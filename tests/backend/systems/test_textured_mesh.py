"""From Gaussians to a textured mesh: it covers what they cover, in their colours, and a photo goes on top of it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from backend.cameras import Cameras, orbit
from backend.meshes.extraction import mesh_from_field
from backend.meshes.mesh import Mesh, is_watertight
from backend.meshes.mirroring import mirrored
from backend.meshes.rasteriser import render_mesh
from backend.rendering.renderer import Rendering
from backend.representations.gaussians import gaussians_from_points
from backend.representations.radiance import raw_of
from backend.representations.radiance_grid import RadianceGrid, grid_points
from backend.systems import textured_mesh as module
from backend.systems.reference import Target
from backend.systems.textured_mesh import (
    PARTS,
    simplified,
    surface_of_field,
    textured_gaussians,
    textured_mesh,
    with_photo,
)

RED, BLUE = torch.tensor([0.8, 0.1, 0.1]), torch.tensor([0.1, 0.1, 0.8])


@pytest.fixture(scope="module")
def made():
    """A shell that is red in front (-Y) and blue behind, as a mesh."""
    directions = torch.nn.functional.normalize(
        torch.randn(1_200, 3, generator=torch.Generator().manual_seed(0)), dim=-1
    )
    colours = torch.where(directions[:, 1:2] < 0, RED, BLUE)
    gaussians = gaussians_from_points(0.5 * directions, colours, opacity=0.95)
    parts: list[tuple[int, int]] = []
    made = textured_gaussians(
        gaussians, resolution=32, max_faces=1_500, texture_size=128, tell=lambda *part: parts.append(part)
    )
    assert parts == [(done, PARTS) for done in range(1, PARTS)]
    return made


def centre(mesh, azimuth: float) -> torch.Tensor:
    """The colour in the middle of the mesh, seen from a side."""
    return render_mesh(mesh, orbit([azimuth], 0.0, size=64)).rgb[0, 28:36, 28:36].mean((0, 1))


def test_the_mesh_covers_the_gaussians_and_shows_their_colours(made) -> None:
    mesh, facts = made
    assert is_watertight(mesh) and facts["silhouette_iou"] > 0.93 and 0 < facts["threshold"] < 1
    torch.testing.assert_close(centre(mesh, 0.0), RED, atol=0.08, rtol=0)
    torch.testing.assert_close(centre(mesh, 180.0), BLUE, atol=0.08, rtol=0)


def test_a_photo_goes_onto_what_it_sees_and_one_that_sees_nothing_changes_nothing(made) -> None:
    mesh, _ = made
    camera = orbit([0.0], 0.0, size=64)
    green = torch.tensor([0.1, 0.7, 0.1])
    mask = (render_mesh(mesh, camera).alpha > 0.5).float()
    photographed = with_photo(mesh, Target(rgb=green * mask + (1 - mask), mask=mask, camera=camera), 128)
    torch.testing.assert_close(centre(photographed, 0.0), green, atol=0.05, rtol=0)
    torch.testing.assert_close(centre(photographed, 180.0), BLUE, atol=0.08, rtol=0)
    assert with_photo(mesh, Target(rgb=mask.expand(1, 64, 64, 3), mask=0 * mask, camera=camera), 128) is mesh


def test_the_light_of_a_photo_is_taken_out_where_that_is_asked_for(made) -> None:
    mesh, _ = made
    camera = orbit([0.0], 0.0, size=64)
    seen = render_mesh(mesh, camera)
    mask = (seen.alpha > 0.5).float()
    shade = 0.65 + 0.3 * seen.normal[..., :1]  # light from the right
    photo = Target(rgb=torch.tensor([0.7, 0.5, 0.3]) * shade * mask + (1 - mask), mask=mask, camera=camera)

    def render(cameras, background, *, geometry=False):
        drawn = render_mesh(mesh, cameras, background=(0.0, 0.0, 0.0))
        return Rendering(drawn.rgb, drawn.alpha, None)

    def slope(remove_light: bool) -> float:
        textured, _ = textured_mesh(
            Mesh(mesh.vertices, mesh.faces), lambda points, normals: RED.expand(len(points), 3), render, 128, photo,
            view_size=64, remove_light=remove_light,
        )  # fmt: skip
        shown = render_mesh(textured, camera).rgb[0, 28:36]
        return float(shown[:, 40:44].mean() / shown[:, 20:24].mean())

    assert slope(False) > 1.25
    assert slope(True) == pytest.approx(1.0, abs=0.08)


def test_the_texture_is_finished_against_other_pictures_where_they_are_given(made) -> None:
    mesh, _ = made
    bare = Mesh(mesh.vertices, mesh.faces)

    def render(cameras, background, *, geometry=False):
        drawn = render_mesh(bare, cameras, background=(0.0, 0.0, 0.0))
        return Rendering(drawn.rgb, drawn.alpha, None)

    def redraw(cameras, pictures, alpha):
        assert pictures.shape == (len(cameras), 48, 48, 3) and alpha.shape == (len(cameras), 48, 48, 1)
        return alpha * torch.tensor([0.1, 0.7, 0.1])

    red = lambda points, normals: RED.expand(len(points), 3)  # noqa: E731
    finished, facts = textured_mesh(bare, red, render, 128, view_size=48, texture_steps=5, redraw=redraw)
    torch.testing.assert_close(centre(finished, 90.0), torch.tensor([0.1, 0.7, 0.1]), atol=0.02, rtol=0)
    assert facts["silhouette_iou"] > 0.97


def test_the_texture_is_baked_from_views_of_the_size_that_is_asked_for() -> None:
    """Of the prior's: smaller views would throw away what it has drawn."""
    sizes: list[int] = []

    class Seen(Exception):
        pass

    def render(cameras: Cameras, background: torch.Tensor) -> None:
        sizes.append(cameras.width)
        raise Seen

    triangle = Mesh(torch.eye(3), torch.tensor([[0, 1, 2]]))
    for size in (128, 512):
        with pytest.raises(Seen):
            textured_mesh(triangle, None, render, 32, view_size=size)  # pyright: ignore[reportArgumentType]
        assert sizes.pop() == size


@pytest.mark.parametrize("shift", [-0.2, 0.0, 0.2])
def test_a_mesh_that_will_be_mirrored_is_simplified_until_that_has_no_more_faces_than_asked_for(shift: float) -> None:
    """The half that is kept has more of them than the other, as many, or fewer; the cut has some."""
    centre = torch.tensor([shift, 0.0, 0.0])
    mesh = mesh_from_field(lambda p: 0.6 - (p - centre).norm(dim=-1), resolution=40, threshold=0.0)
    made = mirrored(simplified(mesh, 1_000, "right"), "right")
    assert is_watertight(made) and len(made.faces) <= 1_000
    assert len(made.faces) > 900 or shift < 0
    assert shift < 0 or len(mirrored(simplified(mesh, 1_000), "right").faces) > 1_000
    assert len(simplified(mesh, 1_000).faces) > 990


@pytest.mark.parametrize("resolution", [32, 56])
def test_a_fields_density_is_fitted_as_finely_as_its_mesh_is_made(
    resolution: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a coarser grid the blur takes more away, and a lower density, which has fog in it, seems to fit."""
    real, fitted = module.fit_density, []

    def fit(*given: Any, **options: Any) -> tuple[float, float]:
        fitted.append(real(*given, **options))
        assert fitted == [real(*given, **options | {"resolution": resolution})]
        assert fitted != [real(*given, **options | {"resolution": 90 - resolution})]
        return fitted[0]

    monkeypatch.setattr(module, "fit_density", fit)
    points = grid_points(32)
    thick = raw_of(torch.where(points.norm(dim=1) < 0.5, 60.0, 1e-3))
    values = torch.cat([thick[:, None], torch.logit(RED).expand(len(points), 3)], dim=1)
    field = RadianceGrid(values.reshape(32, 32, 32, 4), torch.zeros(3))
    mesh, threshold, _ = surface_of_field(field, resolution, 32)
    assert [threshold] == [found for found, _ in fitted]
    assert float(mesh.vertices.norm(dim=1).mean()) == pytest.approx(0.5, abs=0.06)
