"""What `run` and `queue` do for farms: lines of an engine, waiting for a folder that is held, workers by number."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from backend.__main__ import main
from tests.backend.fake_system import write_job
from tests.backend.processes import Process, last, run
from tests.backend.runtime.test_queue import held_by_a_child


def test_the_variable_asks_for_the_lines_of_openjd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    job = write_job(tmp_path / "job", settings={"steps": 4})
    lines = run(tmp_path, "run", job, "--progress", "openjd").stdout.splitlines()
    assert lines[0] == "openjd_status: job begins" and "openjd_progress: 100" in lines
    assert all(line.startswith("openjd_") for line in lines)
    monkeypatch.setenv("MAQUETTE_PROGRESS", "loud")
    assert main(["run", str(job)]) == 2
    assert "MAQUETTE_PROGRESS is 'loud'. It may be events, text, openjd." in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="the process that holds the folder is ended as on Unix")
def test_a_folder_that_another_process_gives_back_is_run_then(tmp_path: Path) -> None:
    job = write_job(tmp_path / "job", settings={"steps": 4})
    with held_by_a_child(job / ".lock") as child:
        process = Process(tmp_path, "run", job, "--patience", "60")
        time.sleep(2.0)  # longer than without patience
        assert process.is_alive and not (job / "events.jsonl").exists()
        child.kill()
    done = process.wait()
    assert done.returncode == 0 and last(done.stdout).results == ("result/points.bin",)


def test_a_worker_of_a_number_that_there_is_not_is_refused(tmp_path: Path) -> None:
    done = run(tmp_path, "queue", tmp_path, "--worker", "99")
    assert done.returncode == 2 and "There is no worker 99. Give a number from 0 to 15." in done.stderr
