"""What an optimisation begins from: the sides, the reference among them, and whether both show one object."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from addon.protocol.systems.tv3dg import TV3DG
from backend.cameras import Cameras, azimuth_elevation, orbit, rays
from backend.diffusion.denoiser import load_prior
from backend.diffusion.guidance import Contexts, Guidance, GuidanceOptions, guidance_for
from backend.diffusion.joint_attention import make_joint
from backend.representations.hull import HullPoints
from backend.systems.overrides import options_of
from backend.systems.reference import Target
from backend.systems.tv3dg import multiview
from backend.systems.tv3dg.multiview import COVERED, coarse_shape, coverage, imagine_sides, side_turn, unseen_sides
from backend.vision.calibration import Sides, calibration_cameras
from tests.backend.systems.tv3dg.small_jobs import new_job, open_job

SIZE = 48


def silhouettes(cameras: Cameras, radius: float, height: float = 0.0) -> torch.Tensor:
    """Return masks [V, H, W, 1] of a ball at a height above the origin."""
    origins, directions = rays(cameras)
    origins = origins - torch.tensor([0.0, 0.0, height])
    closest = origins - (origins * directions).sum(-1, keepdim=True) * directions
    return (closest.norm(dim=-1, keepdim=True) < radius).float()


def sides(radius: float, height: float = 0.0) -> Sides:
    cameras = calibration_cameras(SIZE)
    return Sides(cameras, torch.full((4, SIZE, SIZE, 3), 0.2), silhouettes(cameras, radius, height))


def reference(radius: float, azimuth: float = 0.0) -> Target:
    camera = orbit([azimuth], 15.0, size=SIZE)
    mask = silhouettes(camera, radius)
    return Target(camera, torch.tensor([0.9, 0.1, 0.1]).expand(1, SIZE, SIZE, 3), mask)


def shape(given: Sides, target: Target | None) -> HullPoints | None:
    return coarse_shape(given, target, 1_000, torch.Generator().manual_seed(0))


def test_a_reference_that_fits_lends_its_colour_to_its_own_side() -> None:
    found = shape(sides(0.5), reference(0.5))
    assert found is not None and coverage(found[0], reference(0.5)) > 0.97
    points, colours, _ = found
    front, back = points[:, 1] < -0.35, points[:, 1] > 0.35
    assert colours[front, 0].mean() > 0.7 and colours[back, 0].mean() < 0.35


def test_a_smaller_reference_cuts_away_what_the_sides_show_too_much() -> None:
    found = shape(sides(0.5), reference(0.3))
    assert found is not None and found[0][:, 2].abs().max() < 0.45


def test_sides_of_another_object_are_not_begun_from() -> None:
    assert shape(sides(0.3), None) is not None
    assert shape(sides(0.3), reference(0.55)) is None  # it covers a third of what the image shows
    assert shape(sides(0.5, height=0.4), reference(0.5)) is None


def test_coverage_counts_cells_of_the_mask() -> None:
    target = reference(0.5)
    assert coverage(torch.zeros(400, 3), target) < 0.1  # all in one of ten times ten
    points = torch.nn.functional.normalize(torch.randn(20_000, 3, generator=torch.manual_seed(0)), dim=-1)
    assert coverage(0.5 * points, target) > 0.97
    half = coverage(0.5 * points[points[:, 0] > 0], target)
    assert 0.4 < half < 0.65 < COVERED


@pytest.mark.parametrize(
    ("azimuth", "turn"), [(0, 0), (30, 30), (-30, -30), (60, -30), (90, 0), (200, 20), (-100, -10), (180, 0)]
)
def test_sides_are_turned_until_the_reference_is_one_of_them(azimuth: float, turn: float) -> None:
    target = reference(0.5, azimuth)
    assert side_turn(target) == pytest.approx(turn, abs=1e-3) and side_turn(None) == 0
    away = azimuth_elevation(calibration_cameras(SIZE, side_turn(target)))[0] - azimuth
    apart = ((away + 180) % 360 - 180).abs().sort().values
    assert apart.tolist() == pytest.approx([0, 90, 90, 180], abs=1e-3)


def test_a_slanted_reference_takes_the_place_of_one_side_and_lends_it_its_colour() -> None:
    """At 45 degrees from the front it would otherwise take that of two."""
    target, blue = reference(0.5, 45.0), torch.tensor([0.1, 0.2, 0.9])
    cameras = calibration_cameras(SIZE, side_turn(target))
    drawn = Sides(cameras, blue.expand(4, SIZE, SIZE, 3), silhouettes(cameras, 0.5))
    found = shape(drawn, target)
    assert found is not None
    points, colours, _ = found
    towards = points @ torch.tensor([1.0, -1.0, 0.0]) / 2**0.5  # to where the reference was seen from
    assert colours[towards > 0.35, 0].mean() > 0.7 and colours[towards < -0.35, 0].mean() < 0.35


def test_the_prior_is_told_the_turned_cameras_and_zero123_where_the_image_was_seen_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Cameras] = []
    asked: list[torch.Tensor] = []

    def contexts(self: Guidance, prompt: str, negative: str, cameras: Cameras, **_: Any) -> Contexts:
        told.append(cameras)
        return Contexts(torch.zeros(4, 1), torch.zeros(4, 1))

    def novel_views(model: None, images: torch.Tensor, poses: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        asked.append(poses)
        return torch.ones(4, SIZE, SIZE, 3)

    monkeypatch.setattr(Guidance, "contexts", contexts)
    monkeypatch.setattr(multiview, "denoise", lambda predict, noise, *_, **__: noise)
    monkeypatch.setattr(multiview, "load_zero123", lambda *_: None)
    monkeypatch.setattr(multiview, "novel_views", novel_views)
    settings, target = TV3DG.presets["bench"], reference(0.5, 30.0)
    guidance = guidance_for(load_prior("embedded"), options_of(GuidanceOptions, settings))
    job = open_job(new_job(tmp_path / "job"))
    job.stage("told", lambda: imagine_sides(job, guidance, settings, "a mug", target=target))
    assert azimuth_elevation(told[0])[0].tolist() == pytest.approx([30, 120, -150, -60], abs=1e-3)
    turned = replace(settings, multi_view="zero123")
    white, low = torch.ones(SIZE, SIZE, 3), orbit([30.0], 5.0, size=SIZE)
    job.stage("asked", lambda: imagine_sides(job, guidance, turned, "a mug", white, target, low))
    assert (asked[0][:, 1] % 360).tolist() == pytest.approx([0, 90, 180, 270], abs=1e-3)
    assert asked[0][:, 0].tolist() == pytest.approx([10] * 4, abs=1e-3)  # it was seen from lower down


@pytest.mark.parametrize(
    ("changes", "rows", "is_one_noise"),
    [({}, 5, False), ({"see_reference": False}, 4, False), ({"joint_views": False}, None, True)],
)
def test_a_prior_that_sees_draws_the_sides_together_beside_the_image(
    changes: dict[str, bool], rows: int | None, is_one_noise: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stock = load_prior("embedded")
    prior = replace(stock, unet=copy.deepcopy(stock.unet), sees_reference=True)
    make_joint(prior.unet)
    begun: list[tuple[torch.Tensor, torch.Tensor]] = []

    def denoise(_: Any, noise: torch.Tensor, alphas: Any, conditional: torch.Tensor, *__: Any, **___: Any) -> Any:
        begun.append((noise, conditional))
        return noise

    monkeypatch.setattr(multiview, "denoise", denoise)
    settings = replace(TV3DG.presets["bench"], **changes)
    guidance = guidance_for(prior, options_of(GuidanceOptions, settings))
    camera = orbit([30.0], 15.0, size=prior.image_size)
    target = Target(camera, torch.rand(1, 128, 128, 3), silhouettes(camera, 0.5))
    job = open_job(new_job(tmp_path / "job"))
    job.stage("sides", lambda: imagine_sides(job, guidance, settings, "a mug", target=target))
    [(noise, conditional)] = begun
    assert conditional.shape[:-2] == ((4,) if rows is None else (1, rows))
    assert bool((noise == noise[:1]).all()) == is_one_noise


def test_sides_that_the_image_does_not_show_are_those_beyond_45_degrees() -> None:
    given = sides(0.5)
    kept = unseen_sides(given, reference(0.5, 10.0))
    assert azimuth_elevation(kept.cameras)[0].abs().tolist() == pytest.approx([90, 180, 90], abs=1e-3)
    assert torch.equal(kept.mask, given.mask[1:]) and len(kept.pictures) == 3
    assert len(unseen_sides(given, reference(0.5, 45.5)).pictures) == 3  # and of two the nearer one
