"""The measure of found cameras: what a line says, and where a photo was taken."""

from __future__ import annotations

import random

import pytest

from benchmarks.data.cases import PHOTOS, choose, photo_place
from benchmarks.subjects.photo_cameras import sentence


def test_a_line_says_how_far_off_the_sure_ones_are() -> None:
    rows = [{"error": error, "sureness": sure} for error, sure in ((4.0, 3.0), (170.0, 0.5), (30.0, 2.0))]
    assert sentence("bear", rows) == (
        "bear: 1 of 3 within 20 degrees, median 30; 2 sure, of which 1 within 20, median 17"
    )
    assert sentence("none", []).endswith("0 sure, of which 0 within 20, median -")


def test_a_photo_s_place_is_that_of_the_draws_it_is_made_with() -> None:
    (case,) = choose("subject-chair")
    for number in range(PHOTOS):
        rng = random.Random(1000 * case.seed + number)
        rng.uniform(30, 50)  # the field of view is drawn first
        azimuth, elevation = rng.uniform(-180, 180), rng.uniform(-5, 40)
        assert photo_place(case, number) == pytest.approx((azimuth, elevation), abs=1e-2)
