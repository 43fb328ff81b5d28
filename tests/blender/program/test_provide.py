"""Why there is no Blender for the tests is one sentence, and nothing is begun that cannot be finished."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.blender.program import provide

URIS = "".join(f"'http://archive.example/{name}/dists/x/InRelease' file 0\n" for name in ("debian-security", "debian"))


@pytest.fixture
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "geteuid", lambda: 0)


def test_others_than_root_are_told_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(provide.NotProvided, match="takes root on Linux; name your own Blender"):
        provide.provide(tmp_path / "blender")
    assert list(tmp_path.iterdir()) == []


def test_little_disk_is_told_with_both_numbers(as_root: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=2**30))
    monkeypatch.setattr(provide, "run", lambda *command: pytest.fail("something was run"))
    with pytest.raises(provide.NotProvided, match=r"has 1\.0 GiB of free disk, and .* needs 3\.0"):
        provide.provide(tmp_path)


def test_the_archive_is_the_one_that_apt_is_configured_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provide, "run", lambda *command: URIS)
    assert provide.find_mirror() == "http://archive.example/debian"
    monkeypatch.setattr(provide, "run", lambda *command: URIS.replace("/debian/", "/ubuntu/"))
    with pytest.raises(provide.NotProvided, match="not configured for a Debian archive"):
        provide.find_mirror()


def test_what_fails_is_told_with_its_last_line() -> None:
    with pytest.raises(provide.NotProvided, match="debootstrap failed: E: no network$"):
        provide.run(["sh", "-c", "echo I: begun; echo E: no network >&2; exit 1"], "debootstrap failed")
    with pytest.raises(provide.NotProvided, match="No such file"):
        provide.run(["/nowhere/debootstrap"], "debootstrap failed")


def test_a_root_that_is_not_whole_is_made_anew(as_root: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = []
    monkeypatch.setattr(provide, "make_root", lambda partial: made.append(partial.mkdir(parents=True)))
    monkeypatch.setattr(provide, "run", lambda *command: "Blender 5.2.2 LTS\n")
    (tmp_path / "root.partial/half").mkdir(parents=True)
    assert provide.provide(tmp_path) == provide.provide(tmp_path) == tmp_path / "bin/blender"
    assert len(made) == 1 and not (tmp_path / "root/half").exists()
    monkeypatch.setattr(provide, "run", lambda *command: "Blender 3.4.1\n")
    with pytest.raises(provide.NotProvided, match=r"no Blender 4\.5 or later"):
        provide.provide(tmp_path)
