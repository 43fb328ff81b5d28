"""The categories of the embedded world: each fits, shows its colours, and keeps its unseen shapes apart."""

from __future__ import annotations

import random

import pytest
import torch

from backend.cameras import orbit
from backend.embedded.objects.categories import CATEGORIES
from backend.embedded.objects.shapes import COLOURS, make_subject
from backend.embedded.objects.solids import FIT_RADIUS, albedo, photograph, signed_distance


@pytest.mark.parametrize("category", list(CATEGORIES))
def test_every_category_fits_the_unit_sphere_and_shows_its_colours(category: str):
    subject = make_subject(3, category=category, colour="purple", pattern="plain")
    picture = photograph(subject.solid, orbit([20.0], 15.0, size=64), torch.ones(3))
    share = float(picture.mask.mean())
    assert 0.05 < share < 0.75
    assert float(picture.mask[0, 0].sum() + picture.mask[0, -1].sum()) == 0  # nothing touches the border
    line = torch.linspace(-1, 1, 24)
    grid = torch.stack(torch.meshgrid(line, line, line, indexing="ij"), -1).reshape(-1, 3)
    inside = grid[signed_distance(subject.solid, grid) < 0]
    assert len(inside) and float(inside.norm(dim=-1).max()) < FIT_RADIUS + 0.05
    colours = albedo(subject.solid, inside)
    assert (colours - torch.tensor(COLOURS["purple"])).abs().sum(-1).min() < 1e-6


def test_unseen_shapes_use_the_held_out_share_of_a_range():
    from backend.embedded.objects.categories import Draw

    seen = [Draw(random.Random(i), 0.9, False)(0.0, 1.0) for i in range(200)]
    unseen = [Draw(random.Random(i), 0.9, True)(0.0, 1.0) for i in range(200)]
    assert max(seen) <= 0.9 < min(unseen)
