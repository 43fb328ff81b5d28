"""What is measured of one object: its words, and no figure that is no number."""

from __future__ import annotations

import torch

from benchmarks.data.cases import choose, true_mesh, true_views
from benchmarks.data.draw import moved
from benchmarks.data.references import Thing
from benchmarks.judges.bench import Judges
from benchmarks.judges.towers import TOWERS
from benchmarks.metrics.framing import frame_of
from benchmarks.metrics.measure import GALLERY, against_truth, finite, spoken
from benchmarks.metrics.surfaces import Similarity, place


def test_the_gallery_has_240_captions_and_the_cases_own_words(judges: Judges) -> None:
    assert len(GALLERY) == len(set(GALLERY)) == 240
    figures = spoken(torch.rand(2, 64, 64, 3), choose("prompt-bird")[0], judges)
    assert {f"r_precision_{name}" for name in TOWERS} <= figures.keys()
    assert {"read_category", "read_colour", "read_pattern", "read_hat"} <= figures.keys()
    assert spoken(torch.rand(2, 64, 64, 3), choose("image-monkey")[0], judges) == {}  # no word of theirs


def test_what_was_made_of_an_image_is_compared_where_it_stands(judges: Judges) -> None:
    """The true object brought into its crop's world is found again there; taken for one in its own world it is not."""
    case = choose("image-robot")[0]
    frame = frame_of(case)
    inverse = Similarity(1 / frame.scale, -frame.shift / frame.scale)
    mesh = place(true_mesh(case), inverse)
    thing = Thing(moved(true_views(case), inverse), mesh, framed=True)
    figures = against_truth(thing, case, judges)
    assert figures["framed_psnr"] > 35 and figures["framed_iou"] > 0.98 and figures["framed_back_psnr"] > 35
    astray = against_truth(Thing(true_views(case), true_mesh(case), framed=True), case, judges)
    assert astray["framed_psnr"] < 20 and astray["psnr"] > 30
    assert "framed_psnr" not in against_truth(Thing(true_views(case), true_mesh(case)), case, judges)


def test_figures_that_are_no_numbers_are_left_out() -> None:
    assert finite({"a": 1.234567, "b": float("nan"), "c": float("inf")}) == {"a": 1.23457}
