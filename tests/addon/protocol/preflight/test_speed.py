"""The measured speed is kept in a file that may be missing, damaged or nobody's to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from addon.protocol import ProtocolError, preflight

SPEED = preflight.Speed(device="cpu", threads=2, processor=50.0, small=50.0)


@pytest.fixture(autouse=True)
def _own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAQUETTE_SPEED", raising=False)


def test_it_comes_back_as_it_was_measured_and_a_variable_names_another_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert preflight.read_speed(tmp_path) is None
    preflight.write_speed(tmp_path, SPEED)
    assert preflight.read_speed(tmp_path) == SPEED and [path.name for path in tmp_path.iterdir()] == [
        preflight.SPEED_FILE
    ]
    monkeypatch.setenv("MAQUETTE_SPEED", str(tmp_path / "other"))
    assert preflight.read_speed(tmp_path) is None
    preflight.write_speed(tmp_path, SPEED)  # there is no such folder: nothing is kept, and nothing goes wrong
    assert preflight.read_speed(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{", '{"device": "cpu"}', '{"version": 2}', "x" * (1 << 17)])
def test_what_is_no_speed_is_none(text: str, tmp_path: Path) -> None:
    (tmp_path / preflight.SPEED_FILE).write_text(text)
    assert preflight.read_speed(tmp_path) is None


def test_nothing_is_infinitely_fast_or_stands_still() -> None:
    for small in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(ProtocolError):
            preflight.Speed(device="cpu", threads=1, processor=1.0, small=small)


def test_other_numbers_of_threads_scale_a_processor_and_leave_a_card_alone() -> None:
    one = SPEED.with_threads(1)
    assert (one.threads, one.small, one.large) == (1, pytest.approx(50.0 / preflight.gain(2)), 0.0)
    assert one.with_threads(2).processor == pytest.approx(50.0) and one.with_threads(8).small > 2 * SPEED.small
    card = preflight.Speed(device="a GPU", threads=2, processor=1.0, small=1.0)
    assert card.with_threads(7) == card
