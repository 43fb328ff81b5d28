"""Which Python the backend is installed from: the artist's choice, then the path, then Blender's own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from addon import processes
from addon.install import interpreters
from addon.install.interpreters import UnfitPython
from tests.fake_python import write_fake_python


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on the path; sh lies elsewhere."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def python(path: Path, version: str = "3, 11, 7") -> Path:
    write_fake_python(path).write_text(path.read_text().replace("${VERSION:-3, 11, 7}", version))
    return path


def test_the_choice_comes_first(programs: Path, tmp_path: Path) -> None:
    python(programs / "python3.11")
    chosen = python(tmp_path / "mine", "3, 13, 2")
    assert interpreters.choose(str(chosen)) == (chosen, (3, 13, 2), True)
    assert interpreters.choose().path == programs / "python3.11"


def test_a_choice_that_does_not_fit_is_refused_though_others_would(programs: Path, tmp_path: Path) -> None:
    python(programs / "python3.11")
    chosen = python(tmp_path / "mine", "3, 14, 1")
    with pytest.raises(UnfitPython, match=r"runs on Python 3.11, 3.12 or 3.13, and .*mine is 3.14.1"):
        interpreters.choose(str(chosen))


def test_the_path_comes_before_blenders_own(programs: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    blenders = python(tmp_path / "bpython")
    monkeypatch.setattr(sys, "executable", str(blenders))
    python(programs / "python3", "3, 9, 0")
    assert interpreters.choose().path == blenders
    python(programs / "python3.13", "3, 13, 0")
    assert [path.name for path in interpreters.candidates()] == ["python3.13", "python3", "bpython"]
    assert interpreters.choose().path == programs / "python3.13"


def test_without_any_it_says_what_it_found(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python(programs / "python3", "3, 9, 0")
    monkeypatch.setattr(sys, "executable", str(python(programs / "blenders", "3, 14, 0")))
    with pytest.raises(UnfitPython, match=r"No Python here can run the backend\. .*3\.9\.0\. .*3\.14\.0\.") as raised:
        interpreters.choose()
    assert raised.value.hint == "Install Python 3.11, 3.12 or 3.13, or say where it is."


def test_one_that_makes_no_environments_is_told_what_it_lacks(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAKES_ENVIRONMENTS", "false")
    with pytest.raises(UnfitPython, match="apt-get install python3.11-venv"):
        interpreters.choose(str(python(programs / "python3.11")))


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("#!/bin/sh\necho 'python3.13: command not found' >&2\nexit 127\n", "command not found"),
        ("#!/bin/sh\necho '[1]'\n", "does not answer as a Python does"),
        ("not a program", "cannot be run"),
    ],
)
def test_what_is_no_python_is_told(script: str, sentence: str, tmp_path: Path) -> None:
    program = tmp_path / "python3.13"
    program.write_text(script)
    program.chmod(0o755)
    with pytest.raises(UnfitPython, match=sentence):
        interpreters.probe(program)


def test_a_hung_python_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "python3.11"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setattr(interpreters, "ANSWER_SECONDS", 0.1)
    with pytest.raises(UnfitPython, match="timed out"):
        interpreters.probe(program)


def test_real_ones_answer_and_environments_name_what_they_were_made_from() -> None:
    found = interpreters.probe(Path(sys.executable))
    assert found == interpreters.this() and found.version == sys.version_info[:3]
    assert found.path == Path(getattr(sys, "_base_executable", sys.executable))


def test_a_sandboxed_blender_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "sandbox", lambda: "flatpak")
    with pytest.raises(UnfitPython, match="no Python at /usr/local/bin/python3.11 that Blender's flatpak can see") as r:
        interpreters.probe(Path("/usr/local/bin/python3.11"))
    assert "archive" in r.value.hint


def test_the_stores_python_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "is_store_alias", lambda path: True)
    with pytest.raises(UnfitPython, match="Microsoft Store"):
        interpreters.choose(r"C:\WindowsApps\python.exe")


LISTING = """ -V:3.14 *        C:\\Python314\\python.exe
 -V:3.13          C:\\Users\\Ann Lee\\Python313\\python.exe
 -3.11-64         C:\\Python311\\python.exe
"""


def test_windows_launcher_is_asked(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(interpreters.shutil, "which", lambda name, **_: "py.exe" if name == "py" else None)
    done = subprocess.CompletedProcess([], 0, stdout=LISTING)
    monkeypatch.setattr(subprocess, "run", lambda command, **_: done if command == ["py.exe", "-0p"] else None)
    found = [str(path) for path in interpreters._on_the_path()]
    assert found == [r"C:\Python311\python.exe", r"C:\Users\Ann Lee\Python313\python.exe"]


def test_macos_is_searched_where_its_pythons_are_and_not_for_apples(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def which(name: str, path: str) -> str | None:
        asked.extend(path.split(os.pathsep))
        return {"python3.13": "/opt/homebrew/bin/python3.13", "python3": "/usr/bin/python3"}.get(name)

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(interpreters.shutil, "which", which)
    assert list(interpreters._on_the_path()) == [Path("/opt/homebrew/bin/python3.13")]
    assert {"/opt/homebrew/bin", "/Library/Frameworks/Python.framework/Versions/3.11/bin"} <= set(asked)
