"""The tests in other releases of Blender: one that cannot be had is skipped aloud, one that fails is a failure."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.blender import versions

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the interpreters of these tests are shell scripts")


def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, imports: int = 0, tests: int = 0) -> None:
    """Let the environment of a release be there, with a Python whose `import bpy` and whose pytest end so."""
    program = tmp_path / ".cache/bpy-4.5.15/bin/python"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\nif [ $# -eq 2 ]; then exit {imports}; fi\nexit {tests}\n")  # -c CODE and no more
    program.chmod(0o755)
    (program.parent.parent / versions.STAMP).write_text(" ".join(("bpy==4.5.15", *versions.PACKAGES)))
    monkeypatch.setattr(versions, "CHECKOUT", tmp_path)
    monkeypatch.setitem(versions.RELEASES, "4.5.15", sys.executable)


def test_a_release_whose_tests_fail_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake(tmp_path, monkeypatch, tests=1)
    assert versions.main(["4.5.15"]) == 1 and "failed in 4.5.15" in capsys.readouterr().out


def test_a_module_that_cannot_be_loaded_is_no_success_of_its_tests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake(tmp_path, monkeypatch, imports=1, tests=1)
    assert versions.main(["4.5.15"]) == 0 and "Blender 4.5.15: skipped" in capsys.readouterr().out


def test_a_process_that_would_never_end_ends_with_its_tests(tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text(
        "import atexit, time\natexit.register(time.sleep, 1000)\ndef test_it():\n    assert 1 + 1 == 3\n"
    )
    command = [sys.executable, "-c", versions.PYTEST, "-q", "-p", "no:cacheprovider", str(tmp_path)]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1 and "1 failed" in ended.stdout


def test_packages_that_do_not_come_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stall(release: str, python: str) -> Path:
        raise subprocess.TimeoutExpired("pip", 1.0)

    monkeypatch.setattr(versions, "provide", stall)
    monkeypatch.setitem(versions.RELEASES, "4.5.15", sys.executable)
    assert versions.main(["4.5.15"]) == 0 and "could not be made" in capsys.readouterr().out
