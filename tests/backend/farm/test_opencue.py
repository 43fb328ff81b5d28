"""The file of commands for OpenCue, whose lines are run by the shell."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from backend.farm import opencue
from tests.backend.farm.job_folders import made, recorder, write_jobs


def test_every_line_is_a_command_that_runs_one_job(tmp_path: Path) -> None:
    if os.name == "nt":
        pytest.skip("cuecmd runs its lines by a shell of POSIX")
    jobs = write_jobs(tmp_path, ["it's a mug; rm", "two"], threads=2)
    plan = made(jobs, tmp_path / "out", python=str(recorder(tmp_path)))
    order = opencue.made(plan)
    file = tmp_path / "out" / "maquette.txt"
    assert order.command == ["cuecmd", str(file), "--memory", "3.5", "--cores", "2"] and order.notes == ()
    subprocess.run(["bash", "-n", file], check=True)
    record = tmp_path / "record"
    for line in file.read_text().splitlines():
        subprocess.run(line, shell=True, check=True, env=os.environ | {"RECORD": str(record)})
    said = [line.partition(" run ")[2] for line in record.read_text().splitlines()]
    assert said == [f"{job} --progress text --patience 30" for job in jobs]


def test_a_gpu_is_left_to_the_person_who_knows_the_tags(tmp_path: Path) -> None:
    order = opencue.made(made(write_jobs(tmp_path, ["a"]), tmp_path / "out", gpus=1))
    assert order.command[-1] == "--pause" and "cannot ask for a GPU" in order.notes[0]
