"""The command that kills jobs counts them by kind, writes them down, and fails where one is not as it should be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.commands import kills
from benchmarks.robustness.kills import Found

FAULTS = {"lost": ["prompt 0: a"], "different": ["prompt 0: b"], "leftovers": ["prompt 0: c"]}


def test_kills_are_shared_out_and_no_kind_is_left_out() -> None:
    assert kills.shares(8, ["a", "b", "c"]) == {"a": 3, "b": 3, "c": 2}
    assert kills.shares(2, ["a", "b", "c"]) == {"a": 1, "b": 1, "c": 0}


def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: Found, *arguments: str) -> int:
    """Run the command with something else in the place of jobs."""
    monkeypatch.setattr(kills, "prepare", lambda kind, *others: kind)
    monkeypatch.setattr(kills, "campaign", lambda kind, *others: found)
    return kills.main(["--out", str(tmp_path / "a.json"), *arguments])


def test_a_table_has_a_line_for_each_kind_and_one_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, monkeypatch, Found(kills=3, jobs=2), "--kills", "18", "--seed", "4") == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["job", "kills", "jobs", "lost", "different", "leftovers"]
    assert lines[1] == ["prompt", "3", "2", "0", "0", "0"] and lines[-1] == ["all", "18", "12", "0", "0", "0"]
    written = json.loads((tmp_path / "a.json").read_text())
    kinds = ["prompt", "image", "edit", "dreambooth3d", "customize_it_3d", "queue"]
    assert written["seed"] == 4 and list(written["kinds"]) == kinds


@pytest.mark.parametrize("fault", FAULTS)
def test_each_kind_of_fault_fails_and_is_told(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = Found(kills=1, jobs=1, **{fault: FAULTS[fault]})
    assert run(tmp_path, monkeypatch, found, "--only", "prompt") == 1
    said = capsys.readouterr()
    assert FAULTS[fault][0] in said.err.splitlines()
    column = 3 + list(FAULTS).index(fault)
    assert said.out.splitlines()[1].split()[column] == "1" and said.out.splitlines()[1].split().count("1") == 3
