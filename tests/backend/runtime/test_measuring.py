"""The first step says nothing of the speed, and parts have none."""

from __future__ import annotations

import pytest

from backend.runtime.measuring import measured, part


def test_the_speed_is_that_of_the_steps_after_the_first() -> None:
    told = measured([(0.0, 0), (60.0, 1), (62.0, 5)], 25)
    assert (told.step, told.steps, told.steps_per_second, told.seconds_left) == (5, 25, 2.0, 10.0)
    assert told.memory_bytes > 0


def test_of_the_first_step_alone_it_is_what_it_is() -> None:
    assert measured([(0.0, 0), (60.0, 1)], 25).seconds_left == pytest.approx(24 * 60.0, rel=0.05)
    assert measured([(0.0, 20), (4.0, 22)], 22).seconds_left == 0.0  # of a run that goes on


def test_parts_have_no_speed() -> None:
    told = part(3, 7)
    assert (told.step, told.steps, told.steps_per_second, told.seconds_left) == (3, 7, 0.0, 0.0)
