"""What an optimisation begins from: the sides, the reference among them, and whether both show one object."""

from __future__ import annotations

import torch

from backend.cameras import Cameras, orbit, rays
from backend.preparation import COVERED, coarse_shape, coverage
from backend.vision.calibration import Sides, calibration_cameras
from backend.vision.reference import Target

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


def shape(given: Sides, target: Target | None) -> tuple[torch.Tensor, torch.Tensor] | None:
    return coarse_shape(given, target, 1_000, torch.Generator().manual_seed(0))


def test_a_reference_that_fits_lends_its_colour_to_its_own_side() -> None:
    found = shape(sides(0.5), reference(0.5))
    assert found is not None and coverage(found[0], reference(0.5)) > 0.97
    points, colours = found
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
