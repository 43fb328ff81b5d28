"""What is measured of one object: its words, and no figure that is no number."""

from __future__ import annotations

import torch

from benchmarks.data.cases import choose
from benchmarks.judges.bench import Judges
from benchmarks.judges.towers import TOWERS
from benchmarks.metrics.measure import GALLERY, finite, spoken


def test_the_gallery_has_240_captions_and_the_cases_own_words(judges: Judges) -> None:
    assert len(GALLERY) == len(set(GALLERY)) == 240
    figures = spoken(torch.rand(2, 64, 64, 3), choose("prompt-bird")[0], judges)
    assert {f"r_precision_{name}" for name in TOWERS} <= figures.keys()
    assert {"read_category", "read_colour", "read_pattern", "read_hat"} <= figures.keys()
    assert spoken(torch.rand(2, 64, 64, 3), choose("image-monkey")[0], judges) == {}  # no word of theirs


def test_figures_that_are_no_numbers_are_left_out() -> None:
    assert finite({"a": 1.234567, "b": float("nan"), "c": float("inf")}) == {"a": 1.23457}
