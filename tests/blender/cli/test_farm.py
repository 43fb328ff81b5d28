"""`blender --command maquette farm`: the backend's own command, with the interpreter of the preferences."""

# Blender makes its module at run time; pyright sees an almost empty one.
# pyright: reportMissingImports=false

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.blender.cli.test_commands import Runner, run
from tests.blender.made_jobs import make

__all__ = ["run"]


@pytest.fixture(autouse=True)
def own_python(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAQUETTE_PYTHON", sys.executable)


def test_jobs_are_written_for_a_farm(run: Runner, tmp_path: Path) -> None:
    job = make(tmp_path / "jobs", "mug")
    answer = run("farm", "--engine", "openjd", job, "--out", tmp_path / "out", "--json")
    assert answer.code == 0 and [each["state"] for each in answer.json["jobs"]] == ["written"]
    assert answer.json["report"] == f"deadline bundle submit {tmp_path / 'out'}"
    assert run("farm", "--engine", "openjd", job, "--out", tmp_path / "out").out == answer.json["report"] + "\n"


def test_what_cannot_be_sent_has_the_backends_code_and_sentence(run: Runner, tmp_path: Path) -> None:
    answer = run("farm", "--engine", "slurm", make(tmp_path / "jobs", "mug"), "--out", tmp_path / "out")
    assert answer.code == 2 and "other machines cannot see it" in answer.err and answer.out == ""
    assert run("farm", "--engine", "none", "x", "--out", "y").code == 2
