"""The trainer of images against words, by hand-made numbers."""

from __future__ import annotations

import math
import random

import torch

from backend.embedded.training.contrastive import contrast, corrupted

FACT = {
    "category": "mug", "colour": "red", "accent": "blue", "pattern": "plain", "hat": False, "style": "matte",
    "azimuth": 170.0, "elevation": 10.0, "zoom": 1.0,
}  # fmt: skip


def test_a_corrupted_description_differs_in_one_fact():
    rng = random.Random(0)
    wrong = [corrupted(FACT, rng) for _ in range(200)]
    changed = {frozenset(k for k in FACT if fact[k] != FACT[k]) for fact in wrong}
    assert {len(keys) for keys in changed} == {1}
    assert frozenset().union(*changed) == {"category", "colour", "accent", "pattern", "hat", "azimuth", "style"}
    assert all(-180 <= corrupted(FACT, rng)["azimuth"] < 180 for _ in range(50))


def test_the_contrast_of_two_images_and_four_captions_is_what_a_hand_computes():
    seen, said = torch.eye(2), torch.tensor([[1.0, 0], [0, 1], [0, 1], [1, 0]])
    of_words = -math.log(math.e / (2 * math.e + 2))  # two captions fit each image equally well: the wrong one too
    of_images = -math.log(math.e / (math.e + 1))
    torch.testing.assert_close(contrast(seen, said, torch.tensor(0.0)), torch.tensor((of_words + of_images) / 2))
