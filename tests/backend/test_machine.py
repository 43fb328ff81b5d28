"""Replacing files as Windows allows it, on a pretended Windows."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from backend.machine import replace_file


@pytest.mark.parametrize(("system", "attempts"), [("win32", 3), ("linux", 1)])
def test_a_file_that_is_being_read_is_replaced_a_moment_later_on_windows(
    system: str, attempts: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "new").write_text("new")
    replace, tried = os.replace, []

    def held_open(source: Path, target: Path) -> None:
        tried.append(source)
        if len(tried) < 3:
            raise PermissionError(13, "used by another process")
        replace(source, target)

    monkeypatch.setattr(os, "replace", held_open)
    monkeypatch.setattr(sys, "platform", system)
    if system == "win32":
        replace_file(tmp_path / "new", tmp_path / "old")
        assert (tmp_path / "old").read_text() == "new"
    else:
        with pytest.raises(PermissionError):
            replace_file(tmp_path / "new", tmp_path / "old")
    assert len(tried) == attempts
    monkeypatch.setattr(sys, "platform", "win32")
    tried.clear()
    with pytest.raises(PermissionError):
        replace_file(tmp_path / "nothing", tmp_path / "old", seconds=-1.0)
