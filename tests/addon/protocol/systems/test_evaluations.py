"""Counts of single steps; tests/backend/systems/test_floors.py counts those of whole jobs."""

from __future__ import annotations

from addon.protocol.systems.evaluations import (
    Asked,
    Knows,
    mean_inversions,
    redrawn,
    sampled,
    scored,
    sliding,
    small_steps,
)


def test_a_large_base_encodes_each_view_twice() -> None:
    assert scored("sds", 4, 0.0, Knows(large=True)).encoded == 4
    assert scored("sds", 4, 0.0, Knows()).encoded == 0


def test_most_steps_go_through_the_small_encoder_and_the_last_never_does() -> None:
    assert [small_steps(total) for total in (1, 2, 5, 6, 45, 200)] == [0, 1, 4, 4, 36, 160]
    whole, most = (scored("sds", 4, 0.0, Knows(large=True), beside=1, small=share) for share in (0.0, 0.75))
    assert (most.encoded, most.pulled) == (1 + 1, 1) and (most.encoded_small, most.pulled_small) == (3, 3)
    assert (most.drawn, most.told, most.views) == (whole.drawn, whole.told, whole.views)


def test_drawing_and_redrawing_ask_twice_for_each_step() -> None:
    assert sampled(3, 10) == Asked(drawn=60, decoded=3, told=6)
    assert redrawn(2, 9, 0.5) == Asked(drawn=16, encoded=2, decoded=2, told=4)
    assert redrawn(2, 9, 0.0).drawn == 0


def test_what_is_reused_goes_through_the_outermost_layers_alone() -> None:
    whole, half = (scored("csm", 4, 9.0, Knows(), asked=asked) for asked in (None, 5.0))
    assert (whole.drawn, whole.reused) == (44, 0) and (half.drawn, half.reused) == (28, 16)
    assert mean_inversions("csm", 100, (0.5, 0.5), 2) == 3 and mean_inversions("csm", 100, (0.5, 0.5)) == 5
    assert sliding("csm", 50, 100, 0.5, 2) < 0.6 * sliding("csm", 50, 100, 0.5)
