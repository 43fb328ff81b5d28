"""What judges are trained on: other objects than the prior's, described in known words, varied and never mirrored."""

from __future__ import annotations

import random

import torch

from backend.embedded.objects.captions import vocabulary
from backend.embedded.objects.shapes import HELD_OUT
from benchmarks.judges import renders
from benchmarks.judges.towers import Tower


def test_every_word_of_a_caption_is_known(two_objects: tuple[torch.Tensor, list[dict]]) -> None:
    tower, rng = Tower("conv_s", vocabulary()), random.Random(0)
    said = [renders.describe(fact | {"pattern": "dots", "hat": True}, rng) for fact in two_objects[1][:40]]
    assert all(tower.unknown(words) == [] for words in said) and len(set(said)) > 20


def test_variations_never_mirror() -> None:
    images = torch.zeros(64, 64, 64, 3)
    images[:, :, :20] = 1.0
    varied = renders.augmented(images, torch.Generator().manual_seed(0))
    assert (varied[:, :, :10].mean((1, 2, 3)) > varied[:, :, 40:].mean((1, 2, 3)) + 0.5).all()
    assert 0 <= varied.min() and varied.max() <= 1 and not torch.allclose(varied[0], varied[1], atol=0.05)


def test_averaging_down_keeps_the_mean() -> None:
    images = torch.rand(2, 128, 128, 3)
    small = renders.shrink(images)
    assert small.shape == (2, 64, 64, 3) and torch.allclose(small.mean(), images.mean(), atol=1e-5)


def test_judges_see_other_objects_than_the_prior() -> None:
    assert 100_000 < renders.FIRST_SEED < renders.TEST_SEED < HELD_OUT.first_seed
