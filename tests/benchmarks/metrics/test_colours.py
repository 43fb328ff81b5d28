"""The distance of colours: what a shift, a share of another colour and an order of pixels do to it."""

from __future__ import annotations

import math

import pytest
import torch

from benchmarks.metrics.colours import colour_distance, from_behind, in_lab
from benchmarks.metrics.geometry import held_out_cameras

ALL = torch.ones(1, 8, 8, 1)


def grey(value: float) -> torch.Tensor:
    return torch.full((1, 8, 8, 3), value)


def test_one_colour_against_another_is_their_distance_in_lab() -> None:
    one, other = torch.tensor([0.8, 0.3, 0.2]), torch.tensor([0.3, 0.4, 0.7])
    apart = float(((in_lab(one[None]) - in_lab(other[None])) ** 2).sum() ** 0.5)
    found = colour_distance(one.expand(1, 8, 8, 3), ALL, other.expand(1, 8, 8, 3), ALL)
    assert found == pytest.approx(apart, rel=0.02)
    assert colour_distance(grey(0.0), ALL, grey(1.0), ALL) == pytest.approx(100, rel=0.02)  # black and white


def test_where_colours_lie_does_not_matter_and_a_share_counts_as_a_share() -> None:
    left = grey(0.0)
    left[:, :, :4] = 1.0
    assert colour_distance(left, ALL, left.transpose(1, 2), ALL) == pytest.approx(0, abs=1e-6)
    assert colour_distance(left, ALL, grey(1.0), ALL) == pytest.approx(50, rel=0.05)  # half of it is to be repainted


def test_what_lies_outside_a_mask_does_not_count() -> None:
    mask = ALL.clone()
    mask[:, 4:] = 0
    picture = grey(0.5)
    picture[:, 4:] = 1.0
    assert colour_distance(picture, mask, grey(0.5), ALL) == pytest.approx(0, abs=1e-6)
    assert math.isnan(colour_distance(picture, 0 * mask, grey(0.5), ALL))


def test_half_of_the_judging_cameras_see_the_back() -> None:
    assert from_behind(held_out_cameras()) == list(range(6, 18))
    assert from_behind(held_out_cameras(), 180.0) == [*range(6), *range(18, 24)]
