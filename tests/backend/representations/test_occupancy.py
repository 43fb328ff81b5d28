"""The occupancy grid: culls nothing that it saw, forgets slowly, and looks into all cells at first."""

from __future__ import annotations

import math

import pytest
import torch

from backend.representations import occupancy
from backend.representations.occupancy import DECAY, LEAST_OPACITY, OccupancyGrid
from backend.representations.radiance import raw_of
from backend.representations.radiance_grid import RadianceGrid

STEP = 0.05


def ball(density: float = 30.0, radius: float = 0.5) -> RadianceGrid:
    """A ball of one density, its edge one cell wide."""
    axis = torch.linspace(-1, 1, 33)
    distance = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij")).norm(dim=0)
    values = torch.zeros(33, 33, 33, 4)
    values[..., 0] = torch.where(distance < radius, raw_of(torch.tensor(density)), -20.0)
    return RadianceGrid(values, torch.zeros(3))


def test_before_an_update_everything_is_occupied() -> None:
    assert OccupancyGrid(4, step=STEP).occupied.all()


def test_an_update_keeps_each_cell_that_exceeds_the_threshold() -> None:
    grid = OccupancyGrid(16, step=STEP)
    grid.update(ball(), torch.Generator().manual_seed(0))
    opacity = -torch.expm1(-grid.seen * STEP)
    threshold = min(opacity.mean().item(), LEAST_OPACITY)
    assert grid.occupied[opacity > threshold].all()
    generator = torch.Generator().manual_seed(1)
    inside = torch.nn.functional.normalize(torch.randn(500, 3, generator=generator), dim=-1) * 0.35
    assert grid.at(inside).all()
    assert not grid.at(inside / 0.35 * 0.9).any()
    assert 0.1 < grid.occupied.float().mean() < 0.25  # a ball of radius 0.5 fills 6.5 % of the box, with two cells 22 %


def test_a_faint_field_is_not_culled_as_a_whole() -> None:
    grid = OccupancyGrid(8, step=STEP)
    grid.update(ball(density=1e-2), torch.Generator().manual_seed(0))
    assert grid.occupied.any()


def test_what_is_gone_fades_by_the_decay() -> None:
    grid = OccupancyGrid(8, step=STEP)
    generator = torch.Generator().manual_seed(0)
    grid.update(ball(), generator)
    before = grid.seen.clone()
    empty = ball()
    empty.values[..., 0] = -20.0
    grid.update(empty, generator)
    torch.testing.assert_close(grid.seen, DECAY * before)
    needed = math.ceil(math.log(-math.log1p(-LEAST_OPACITY) / STEP / 30.0) / math.log(DECAY))
    assert 50 < needed < 150  # updates until a solid cell is culled


def test_later_updates_look_into_what_holds_something_and_a_quarter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(occupancy, "WARM_UP", 1)
    grid, counts = OccupancyGrid(16, step=STEP), []
    field = ball()

    def raw_density(points: torch.Tensor) -> torch.Tensor:
        counts.append(len(points))
        return RadianceGrid.raw_density(field, points)

    field.raw_density = raw_density  # type: ignore[method-assign]
    generator = torch.Generator().manual_seed(0)
    grid.update(field, generator)
    occupied = int(grid.occupied.sum())
    grid.update(field, generator)
    assert counts[0] == 16**3 and counts[1] == pytest.approx(occupied + (16**3 - occupied) / 4, rel=0.1)


def test_its_state_comes_back() -> None:
    grid, other = OccupancyGrid(8, step=STEP), OccupancyGrid(8, step=STEP)
    grid.update(ball(), torch.Generator().manual_seed(0))
    other.load_state_dict(grid.state_dict())
    assert torch.equal(other.seen, grid.seen) and other.updates == 1
