"""Light is divided out of a picture: known light on known paint comes off, and what is no light stays."""

from __future__ import annotations

import pytest
import torch

from backend.cameras import Cameras, orbit
from backend.meshes.mesh import Mesh
from backend.meshes.rasteriser import interpolate, rasterise
from backend.meshes.relighting import MOST, log_light, quadratic, without_light
from benchmarks.data.references import ball

CAMERA = orbit([0.0], 15.0, size=64)
SUN = torch.nn.functional.normalize(torch.tensor([-0.6, -0.6, 0.5]), dim=-1)


def normals_seen(mesh: Mesh, camera: Cameras) -> tuple[torch.Tensor, torch.Tensor]:
    """Return normals [P, 3] of a ball about the origin, and where they are seen, [H, W]."""
    fragments = rasterise(mesh, camera)
    covered = torch.from_numpy(fragments.face >= 0)
    return torch.nn.functional.normalize(interpolate(fragments, mesh.faces, mesh.vertices), dim=-1), covered


@pytest.fixture(scope="module")
def sphere() -> Mesh:
    return ball(torch.tensor([1.0, 1, 1]), 0.8).mesh


def painted(normals: torch.Tensor, kind: str) -> torch.Tensor:
    """Return paint [P, 3] on a ball: all orange, half blue, or small checks of two greys."""
    orange, blue = torch.tensor([0.8, 0.4, 0.2]), torch.tensor([0.15, 0.25, 0.6])
    match kind:
        case "one":
            return orange.expand(len(normals), 3)
        case "two":
            return torch.where(normals[:, :1] > 0.1, orange, blue)
    checks = ((normals * 14).floor().sum(-1, keepdim=True) % 2) == 0
    return torch.where(checks, torch.tensor(0.7), torch.tensor(0.2)).expand(-1, 3)


def spread(values: torch.Tensor) -> float:
    """Return the standard deviation of ratios, in their mean."""
    return float(values.std() / values.mean())


@pytest.mark.parametrize("kind", ["one", "two", "checks"])
def test_known_light_comes_off_known_paint(sphere: Mesh, kind: str) -> None:
    normals, covered = normals_seen(sphere, CAMERA)
    paint = painted(normals, kind)
    light = 0.55 + 0.1 * normals[:, 2:] + 0.45 * (normals @ SUN).clamp_min(0)[:, None]
    rgb = torch.ones(64, 64, 3)
    rgb[covered] = paint * light
    unlit = without_light(sphere, CAMERA, rgb, covered[..., None].float())
    before, after = spread((rgb[covered] / paint).mean(-1)), spread((unlit[covered] / paint).mean(-1))
    assert before > 0.15
    assert after < (0.6 if kind == "checks" else 0.25) * before
    assert torch.equal(unlit[~covered], rgb[~covered])


def test_even_light_leaves_the_paint(sphere: Mesh) -> None:
    normals, covered = normals_seen(sphere, CAMERA)
    rgb = torch.ones(64, 64, 3)
    rgb[covered] = painted(normals, "two")
    unlit = without_light(sphere, CAMERA, rgb, covered[..., None].float())
    assert float((unlit - rgb).abs().max()) < 0.02  # blue is darker than orange, and that is no light


def test_a_pixel_changes_by_no_more_than_is_said(sphere: Mesh) -> None:
    normals, covered = normals_seen(sphere, CAMERA)
    rgb = torch.ones(64, 64, 3)
    rgb[covered] = 0.3 * (2.5 * normals[:, :1]).exp().expand(-1, 3).clamp(0.05, 1)
    unlit = without_light(sphere, CAMERA, rgb, covered[..., None].float())
    ratio = (unlit / rgb)[covered]
    assert float(ratio.max()) <= MOST + 1e-4 and float(ratio.min()) >= 1 / MOST - 1e-4


def test_where_too_little_is_seen_nothing_is_told(sphere: Mesh) -> None:
    rgb = torch.rand(64, 64, 3, generator=torch.Generator().manual_seed(1))
    assert torch.equal(without_light(sphere, CAMERA, rgb, torch.zeros(64, 64, 1)), rgb)


def test_light_of_degree_two_is_found_to_the_ridge() -> None:
    generator = torch.Generator().manual_seed(2)
    normals = torch.nn.functional.normalize(torch.randn(4000, 3, generator=generator), dim=-1)
    wanted = 0.2 * torch.randn(8, generator=generator)
    brightness = 0.4 * (quadratic(normals) @ wanted).exp()
    found = log_light(brightness[:, None] * torch.tensor([1.2, 1.0, 0.8]), normals)
    torch.testing.assert_close(found, wanted, rtol=0.15, atol=0.03)
