"""How well pictures go with words, against values computed by hand."""

from __future__ import annotations

import math

import pytest
import torch

from benchmarks.metrics import words


def test_r_precision_of_orthogonal_and_permuted_features() -> None:
    captions = torch.eye(4)
    assert words.r_precision(3 * captions, captions, torch.arange(4)) == 1
    assert words.r_precision(captions.roll(1, 0), captions, torch.arange(4)) == 0
    assert words.r_precision(captions, captions, 2) == 0.25
    assert words.r_precision(torch.ones(2, 4), captions, 0) == 0  # ties


def test_clip_score_is_a_mean_cosine() -> None:
    images = torch.tensor([[1.0, 0], [0, 5], [-1, 0]])
    assert words.clip_score(images, torch.tensor([2.0, 0])) == pytest.approx(0.0)
    assert words.clip_score(images[:2], torch.tensor([1.0, 1])) == pytest.approx(math.sqrt(0.5))


def test_a_readers_answers_are_counted() -> None:
    said = {"colour": torch.tensor([3, 3, 1, 3]), "hat": torch.tensor([True, False, False, False])}
    assert words.read_right(said, {"colour": 3, "hat": False}) == {"colour": 0.75, "hat": 0.75}
