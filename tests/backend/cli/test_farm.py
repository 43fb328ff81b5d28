"""`python -m backend farm`: what it writes, prints and submits, and its exit codes."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from addon import protocol
from backend.__main__ import main
from tests.backend.farm.job_folders import DONE, end, write_jobs


@pytest.mark.parametrize("engine", protocol.FARMS)
def test_each_engine_gets_its_files_and_one_command(engine: str, tmp_path: Path, capsys) -> None:
    jobs = write_jobs(tmp_path, "ab")
    end(jobs[0], DONE)
    out = tmp_path / "out"
    assert main(["farm", "--engine", engine, *map(str, jobs), "--out", str(out), "--same-machine"]) == 0
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 1 and str(out) in said.out
    assert "a is done already and is skipped." in said.err
    assert any(path.is_file() for path in out.rglob("*"))
    assert not {path.name for path in jobs[1].iterdir()} - {protocol.REQUEST_FILE, protocol.LOCK_FILE}


def test_a_program_gets_json(tmp_path: Path, capsys) -> None:
    jobs = write_jobs(tmp_path, "ab")
    end(jobs[0], DONE)
    arguments = ["farm", "--engine", "openjd", *map(str, jobs), "--out", str(tmp_path / "out"), "--json"]
    assert main(arguments) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["jobs"] == [str(jobs[1])] and answer["skipped"] == ["a is done already and is skipped."]
    assert answer["command"].startswith("deadline bundle submit") and answer["submitted"] is False


def test_what_cannot_be_sent_is_one_sentence_and_a_code(tmp_path: Path, capsys, monkeypatch) -> None:
    jobs = write_jobs(tmp_path, "a")
    monkeypatch.setenv("PATH", str(tmp_path))

    def refusal(*arguments: object) -> tuple[int, str]:
        code = main(["farm", *map(str, arguments)])
        said = capsys.readouterr().err
        return code, said.splitlines()[-1]

    code, text = refusal("--engine", "openjd", *jobs, "--out", tmp_path / "out", "--submit")
    assert code == 3 and "deadline is not installed here, so nothing is submitted." in text
    code, text = refusal("--engine", "slurm", *jobs, "--out", tmp_path / "out", "--submit", "--same-machine")
    assert code == 3 and "sbatch is not installed here" in text
    code, text = refusal("--engine", "slurm", *jobs, "--out", tmp_path / "out")
    assert code == 2 and "other machines cannot see it" in text
    code, text = refusal("--engine", "openjd", tmp_path / "b", "--out", tmp_path / "out")
    assert code == 2 and "There is no folder" in text
    (tmp_path / "empty").mkdir()
    code, text = refusal("--engine", "openjd", tmp_path / "empty", "--out", tmp_path / "out")
    assert code == 2 and "is not a job folder" in text
    (tmp_path / "file").touch()
    code, text = refusal("--engine", "openjd", *jobs, "--out", tmp_path / "file")
    assert code != 0 and text.startswith("error: ")


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a script of POSIX")
def test_a_client_that_is_there_is_run_and_its_failure_told(tmp_path: Path, capfd, monkeypatch) -> None:
    jobs = write_jobs(tmp_path, "a")
    client = tmp_path / "deadline"
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    for code in (0, 7):
        client.write_text(f'#!/bin/sh\necho "asked: $*"\nexit {code}\n')
        client.chmod(0o755)
        arguments = ["farm", "--engine", "openjd", *map(str, jobs), "--out", str(tmp_path / "out"), "--submit"]
        assert main(arguments) == (1 if code else 0)
        said = capfd.readouterr()
        assert f"asked: bundle submit {tmp_path / 'out'}" in said.out
        assert ("deadline ended with code 7" in said.err) == bool(code)


@pytest.mark.parametrize("option", list(protocol.FARM_OPTIONS))
def test_an_option_that_an_engine_cannot_take_is_refused_and_nothing_is_written(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (job,), out = write_jobs(tmp_path, "a"), tmp_path / "out"
    for engine in protocol.FARMS:
        written = f"--{option.replace('_', '-')}"
        words = ["farm", "--engine", engine, str(job), "--out", str(out), "--same-machine", written, "7"]
        is_taken = engine in protocol.FARM_OPTIONS[option][0]
        assert main(words) == (0 if is_taken else 2)
        said = capsys.readouterr().err
        assert is_taken or f"error: {written} is of no effect with {engine}: only " in said
        assert out.exists() == is_taken
        shutil.rmtree(out, ignore_errors=True)
