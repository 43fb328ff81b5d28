"""Where things lie."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from addon import paths


def test_the_root_is_where_the_backend_can_be_started() -> None:
    assert (paths.ROOT / "backend" / "__main__.py").is_file() and paths.EXTENSION == ""


def test_the_interpreter_of_an_environment_lies_where_its_system_puts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for system, place in (("linux", "bin/python"), ("darwin", "bin/python"), ("win32", "Scripts/python.exe")):
        monkeypatch.setattr(sys, "platform", system)
        assert paths.backend_python(Path("venv")) == Path("venv") / place


def test_the_version_is_the_manifests() -> None:
    assert f'version = "{paths.version()}"' in (paths.ROOT / "blender_manifest.toml").read_text(encoding="utf-8")
