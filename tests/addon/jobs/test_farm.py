"""The backend's answer about a farm, as the add-on gets it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from addon import protocol
from addon.jobs import farm


def words(tmp_path: Path, *more: str) -> list[str]:
    job = tmp_path / "job"
    job.mkdir()
    protocol.write_request(job, protocol.Request(system=protocol.DEFAULT_SYSTEM, prompt="a mug"))
    return ["--engine", "openjd", str(job), "--out", str(tmp_path / "out"), *more]


def test_the_command_comes_back_and_the_files_are_there(tmp_path: Path) -> None:
    answer = farm.send(Path(sys.executable), words(tmp_path))
    assert answer.jobs == (str(tmp_path / "job"),) and not answer.submitted and answer.skipped == ()
    assert answer.command == f"deadline bundle submit {tmp_path / 'out'}"
    assert (Path(answer.out) / "template.json").is_file()


def test_what_is_wrong_comes_back_with_its_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(farm.NotSent, match="^deadline is not installed here") as refused:
        farm.send(Path(sys.executable), words(tmp_path, "--submit"))
    assert refused.value.exit_code == 3
    with pytest.raises(farm.NotSent, match="cannot be started") as refused:
        farm.send(tmp_path / "no python", [])
    assert refused.value.exit_code == 3
