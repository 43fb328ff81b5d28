"""The command that lets readers read damaged files says what became of them, and fails where one did what none may."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.commands import readers
from benchmarks.robustness.readers import Found


def test_one_reader_is_tried_and_written_down(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert readers.main(["--out", str(tmp_path / "a.json"), "--inputs", "30", "--only", "event"]) == 0
    written = json.loads((tmp_path / "a.json").read_text())
    assert list(written["readers"]) == ["event"]
    assert written["readers"]["event"]["read"] + written["readers"]["event"]["refused"] == 30
    printed = capsys.readouterr().out.splitlines()
    assert printed[1].split()[0] == "event" and printed[2].startswith("most memory: ")


@pytest.mark.parametrize(
    "found", [Found(faults=["7: KeyError: 'a'"]), Found(slowest=6.0)], ids=["not caught", "too slow"]
)
def test_what_none_may_do_fails(
    found: Found, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(readers, "try_out", lambda *arguments: found)
    assert readers.main(["--out", str(tmp_path / "a.json"), "--only", "event"]) == 1
    assert capsys.readouterr().err == "".join(f"event {fault}\n" for fault in found.faults)


def test_growing_beyond_the_bound_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = iter([5 << 30, (7 << 30) + 1])  # at the start and at the end: what the process held before does not count
    monkeypatch.setattr(readers, "peak_memory_bytes", lambda: next(sizes))
    monkeypatch.setattr(readers, "try_out", lambda *arguments: Found())
    assert readers.main(["--out", str(tmp_path / "a.json"), "--only", "event"]) == 1
    assert json.loads((tmp_path / "a.json").read_text())["peak_bytes"] == (2 << 30) + 1
