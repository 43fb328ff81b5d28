"""Counts of single steps; tests/backend/systems/test_floors.py counts those of whole jobs."""

from __future__ import annotations

from addon.protocol.systems.evaluations import Asked, Knows, redrawn, sampled, scored


def test_a_large_base_encodes_each_view_twice() -> None:
    assert scored("sds", 4, 0.0, Knows(large=True)).encoded == 4
    assert scored("sds", 4, 0.0, Knows()).encoded == 0


def test_drawing_and_redrawing_ask_twice_for_each_step() -> None:
    assert sampled(3, 10) == Asked(drawn=60, decoded=3, told=6)
    assert redrawn(2, 9, 0.5) == Asked(drawn=16, encoded=2, decoded=2, told=4)
    assert redrawn(2, 9, 0.0).drawn == 0
