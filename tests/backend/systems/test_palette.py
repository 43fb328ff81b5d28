"""Colours from behind: distances in closed form, gradients by finite differences, and a map that keeps statistics."""

from __future__ import annotations

import pytest
import torch

from backend.cameras import orbit
from backend.systems.palette import (
    CELLS,
    Palette,
    at_levels,
    palette_of,
    recoloured,
    sliced_distance,
    solid_colours,
    transfer,
    unseen,
)
from backend.systems.reference import Target

FRONT = orbit([0.0], 15.0, size=CELLS)
GREY = torch.full((40, 3), 0.5)


def cloud(seed: int, count: int = 60) -> torch.Tensor:
    return 0.3 + 0.4 * torch.rand(count, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_a_shift_costs_its_length_and_an_order_costs_nothing() -> None:
    shift = torch.tensor([0.1, -0.2, 0.2])  # 0.3 long
    colours = cloud(0).float()
    assert float(sliced_distance(colours, colours + shift)) == pytest.approx(0.3, rel=0.03)
    assert float(sliced_distance(colours.flip(0), colours)) == pytest.approx(0, abs=1e-6)
    half = torch.cat([GREY, GREY + shift])
    assert float(sliced_distance(half, GREY)) == pytest.approx(0.15, rel=0.05)  # how much of it counts
    assert float(sliced_distance(half, half.repeat(3, 1))) == pytest.approx(0, abs=5e-3)  # how many do not


def test_levels_lie_between_neighbours() -> None:
    ordered = torch.tensor([[0.0], [1.0], [4.0]])  # at levels 1/6, 1/2, 5/6
    found = at_levels(ordered, torch.tensor([0.0, 1 / 6, 1 / 3, 0.5, 2 / 3, 1.0]))[:, 0]
    assert found.tolist() == pytest.approx([0, 0, 0.5, 1, 2.5, 4], abs=1e-6)


def test_the_gradient_is_that_of_finite_differences() -> None:
    wanted = cloud(4, 45)
    assert torch.autograd.gradcheck(lambda colours: sliced_distance(colours, wanted), cloud(0).requires_grad_())
    size = 6
    rgb = torch.rand(2, size, size, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    alpha = 0.6 + 0.4 * torch.rand(2, size, size, 1, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    cameras, palette = orbit([180.0, 100.0], 15.0, size=size), Palette(FRONT, wanted)
    background = torch.tensor([0.2, 0.9, 0.4], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: palette.loss(x, alpha, background, cameras), rgb.requires_grad_())


def test_what_the_image_sees_is_left_alone_and_the_weight_has_no_step() -> None:
    weights = unseen(orbit([0.0, 45.0, 90.0, 135.0, 180.0, -90.0], 0.0), orbit([0.0], 0.0))
    assert weights.tolist() == pytest.approx([0, 0, 0.5, 1, 1, 0.5], abs=1e-4)
    assert unseen(orbit([0.0], 85.0), orbit([0.0], 0.0)).item() == pytest.approx(0.3762, abs=1e-3)  # from above
    around = unseen(orbit(range(360), 0.0), orbit([40.0], 0.0))
    assert (around - around.roll(1)).abs().max() < 0.03


def test_only_the_object_counts_not_what_is_behind_it_nor_how_much_it_covers() -> None:
    colour, size = torch.tensor([0.7, 0.3, 0.1]), CELLS
    alpha = torch.zeros(size, size, 1)
    alpha[8:24, 8:24] = 0.8
    for background in (torch.zeros(3), torch.ones(3)):
        found = solid_colours(colour * alpha + background * (1 - alpha), alpha, background)
        assert len(found) == 256 and torch.allclose(found, colour.expand(256, 3), atol=1e-6)
    palette = palette_of(Target(FRONT, colour.expand(1, size, size, 3), (alpha > 0.5).float()[None]))
    assert torch.allclose(palette.colours, colour.expand(256, 3), atol=1e-6)
    seen = (torch.full((1, size, size, 3), 0.2) * alpha)[:1]
    shown = [float(palette.loss(seen, alpha[None], torch.zeros(3), orbit([a], 15.0))) for a in (0.0, 180.0)]
    apart = ((colour - 0.2) ** 2).sum().sqrt()
    assert shown == pytest.approx([0, float(apart)], rel=0.06)
    assert float(palette.loss(0 * seen, 0 * alpha[None], torch.zeros(3), orbit([180.0], 15.0))) == 0  # nothing is there


def test_a_transfer_gives_colours_the_wanted_mean_and_covariance() -> None:
    colours, wanted = cloud(0, 500), cloud(1, 500) * torch.tensor([0.5, 1.0, 0.8], dtype=torch.float64)
    matrix, mean, target_mean = transfer(colours, wanted)
    made = (colours - mean) @ matrix.T + target_mean
    assert torch.allclose(made.mean(0), wanted.mean(0))
    assert torch.allclose(made.T.cov(correction=0), wanted.T.cov(correction=0), atol=2e-4)  # but for the floor
    assert torch.allclose(matrix, matrix.T)  # the map of least movement is symmetric
    same, _, _ = transfer(colours, colours)
    assert torch.allclose(same, torch.eye(3, dtype=same.dtype), atol=1e-6)


def test_a_side_that_disagrees_is_recoloured_and_one_that_is_seen_or_agrees_stays() -> None:
    generator = torch.Generator().manual_seed(0)
    brown = torch.tensor([0.5, 0.35, 0.2]) + 0.05 * torch.randn(CELLS, CELLS, 3, generator=generator)
    mask = torch.zeros(4, CELLS, CELLS, 1)
    mask[:, 6:26, 6:26] = 1.0
    palette = palette_of(Target(FRONT, brown[None], mask[:1]))
    blue = torch.tensor([0.2, 0.3, 0.9]) + 0.05 * torch.randn(CELLS, CELLS, 3, generator=generator)
    pictures = torch.stack([blue, blue, blue, brown]) * mask + 1 - mask
    cameras = orbit([0.0, 90.0, 180.0, 180.0], 15.0, size=CELLS)
    made = recoloured(pictures, mask, cameras, palette)
    assert torch.equal(made[0], pictures[0])  # the image sees it
    assert torch.allclose(made[3], pictures[3], atol=1e-6)  # it agrees
    assert torch.equal(made[:, :6], pictures[:, :6])  # the background
    inside = mask[2, ..., 0] > 0
    assert torch.allclose(made[2][inside].mean(0), brown[inside].mean(0), atol=0.01)
    half = unseen(cameras, FRONT)[1]  # of what the right side shows
    assert 0.3 < half < 0.5
    assert torch.allclose(made[1][inside].mean(0), torch.lerp(blue, brown, half)[inside].mean(0), atol=0.02)
