"""Shading by hand, lights that are drawn, and how the compiled marcher lights a plane."""

from __future__ import annotations

import pytest
import torch

from backend.cameras import orbit
from backend.rendering.volume import volume_renderer
from backend.rendering.volume_shading import ALBEDO, Shading, draw_light
from backend.representations.radiance_grid import RadianceGrid, grid_points

UP = torch.tensor([[0.0, 0.0, 1.0]])
VIEW = torch.zeros(1, dtype=torch.long)


def test_a_surface_is_lit_by_its_cosine_and_never_darker_than_the_ambient() -> None:
    shading = Shading("lambertian", torch.tensor([0.0, 3.0, 4.0]), ambient=0.2, diffuse=0.5)
    assert shading.factor(UP, torch.zeros(1, 3), VIEW).item() == pytest.approx(0.2 + 0.5 * 0.8)
    assert shading.factor(-UP, torch.zeros(1, 3), VIEW).item() == pytest.approx(0.2)
    moved = torch.tensor([[0.0, 3.0, 0.0]])  # right below a point light; a far one does not move
    assert shading.factor(UP, moved, VIEW).item() == pytest.approx(0.7)
    far = Shading("lambertian", torch.tensor([0.0, 3.0, 4.0]), True, 0.2, 0.5)
    assert far.factor(UP, moved, VIEW).item() == pytest.approx(0.6)


def test_each_view_may_have_a_light_of_its_own() -> None:
    shading = Shading("textureless", torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]]))
    found = shading.factor(UP.expand(2, 3), torch.zeros(2, 3), torch.tensor([0, 1]))
    assert found[:, 0].tolist() == pytest.approx([1.0, 0.1])


def test_a_shading_without_a_light_says_so() -> None:
    with pytest.raises(ValueError, match="light"):
        Shading("lambertian")
    assert ALBEDO.light is None


def test_lights_lie_about_the_cameras_side_at_their_distance() -> None:
    cameras = orbit([0.0] * 500, 0.0)
    lights = draw_light(cameras, torch.Generator().manual_seed(0))
    distance = lights.norm(dim=-1)
    assert 0.8 <= distance.min() and distance.max() <= 1.5 and distance.mean() == pytest.approx(1.15, abs=0.03)
    assert (lights[:, 1] < 0).float().mean() > 0.95  # in front


def slab() -> RadianceGrid:
    """An opaque half space y > 0, its albedo sigmoid(1)."""
    values = torch.ones(27**3, 4)
    values[:, 0] = 40 * grid_points(27)[:, 1]
    return RadianceGrid(values.reshape(27, 27, 27, 4), torch.zeros(3))


@pytest.mark.parametrize("is_far", [False, True])
@pytest.mark.parametrize("kind", ["lambertian", "textureless"])
def test_the_marcher_lights_a_plane_by_hand(kind, is_far: bool) -> None:
    light = torch.tensor([0.0, -0.6, 0.8]) * 50  # so far that both kinds agree
    shading = Shading(kind, light, is_far, ambient=0.3, diffuse=0.6)
    drawn = volume_renderer(slab(), shading=shading)(orbit([0.0], 0.0, fov_degrees=2.0, size=3), torch.zeros(3))
    albedo = torch.tensor(1.0).sigmoid().item() if kind == "lambertian" else 1.0
    assert drawn.rgb[0, 1, 1, 0].item() == pytest.approx(albedo * (0.3 + 0.6 * 0.6), abs=5e-3)


def test_a_plane_turned_from_the_light_shows_the_ambient_alone() -> None:
    shading = Shading("textureless", torch.tensor([0.0, 1.0, 0.0]), True)
    drawn = volume_renderer(slab(), shading=shading)(orbit([0.0], 0.0, fov_degrees=2.0, size=3), torch.zeros(3))
    assert drawn.rgb[0, 1, 1, 0].item() == pytest.approx(0.1, abs=1e-3)
