"""What is said of graphics cards follows from the floor, and what was tried is beside it."""

from __future__ import annotations

import json

import pytest

from benchmarks.report import card_tables
from benchmarks.report.tables import RESULTS


def test_more_memory_is_never_too_little_where_less_was_enough() -> None:
    header, *rows = card_tables.memory()
    assert header[-1] == "with 24 GB free" and all(len(row) == len(header) for row in rows)
    for row in rows:
        fits = [each != "too little" for each in row[-len(card_tables.FREE) :]]
        assert fits == sorted(fits) and fits[-1], row[0]


def test_every_system_has_its_presets_on_every_card() -> None:
    header, *rows = card_tables.times()
    assert len(header) == 1 + len(card_tables.CARDS) and len(rows) == 9
    assert all(len(row) == len(header) for row in rows)


def test_predictions_are_within_a_quarter_of_what_was_measured() -> None:
    """The figures are committed ones, in processor time: nothing is timed here."""
    _, *rows = card_tables.tried(json.loads((RESULTS / "forecasts.json").read_text(encoding="utf-8")))
    assert rows
    for row in rows:
        assert abs(float(row[3].removesuffix("%"))) <= 25, row
    _, *rows = card_tables.steps(json.loads((RESULTS / "full_size_steps.json").read_text(encoding="utf-8")))
    assert len(rows) == 4
    for row in rows:
        assert abs(float(row[3].removesuffix("%"))) <= 25, row
        if row[4]:
            assert abs(float(row[4].split()[0]) / float(row[5].split()[0]) - 1) <= 0.25, row
    with pytest.raises(KeyError):
        card_tables.tried({"jobs": [{"system": "unheard-of"}]})
