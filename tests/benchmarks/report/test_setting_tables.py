"""The documents' tables of settings say what the table of systems says."""

from __future__ import annotations

import pytest

from benchmarks.report.setting_tables import presets, recipes, settings


def test_presets_are_named_as_in_the_panel_and_on_the_command_line() -> None:
    head, *rows = presets("tv3dg")
    assert [row[:3] for row in rows] == [
        ["Quick Test", "`bench`", "40"],
        ["Draft", "`draft`", "200"],
        ["Standard", "`standard`", "800"],
        ["Paper", "`paper`", "4,000"],
    ]
    assert all(len(row) == len(head) for row in rows)


def test_recipes_show_the_word_to_change() -> None:
    head, *rows = recipes()
    assert ["Another Colour", "The same shape in another colour", "a *blue* sks bear"] in rows and len(rows) == 7
    assert all(len(row) == len(head) for row in rows) and rows[-1][-1] == "a 3D model of a sks bear"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("steps", ["200", "`bench`: 40, `standard`: 800, `paper`: 4000", "1, 4000"]),
        ("camera_tokens", ["true", "`paper`: false", ""]),
        ("multi_view", ["prior", "", "`prior`, `zero123`"]),
        ("adapter", ["-", "", ""]),
        ("particle_rate", ["0.0001", "", "1e-09, 0.01"]),
    ],
)
def test_a_setting_has_its_values_and_bounds(name: str, said: list[str]) -> None:
    head, *rows = settings("tv3dg")
    (row,) = (row for row in rows if row[0] == f"`{name}`")
    assert row[2:5] == said and len(row) == len(head)
    assert "|" not in "".join(row)
