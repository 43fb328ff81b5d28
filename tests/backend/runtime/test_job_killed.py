"""A run that is killed five times and resumed each time ends in the same bytes as one that nobody disturbed.

What it was writing when it was killed does not stay.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from addon import protocol
from addon.jobs import store
from tests.backend.fake_system import fit, write_job
from tests.backend.processes import Process
from tests.backend.runtime.test_job import Setup

SETTINGS = {"steps": 120, "pause": 0.02, "checkpoint_steps": 4}


def events_after(folder: Path, offset: int, kind: type) -> list[Any]:
    return [event for event in store.read_events(folder, offset)[0] if isinstance(event, kind)]


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_a_killed_job_ends_in_the_same_bytes(tmp_path: Path) -> None:
    whole = write_job(tmp_path / "whole", settings=SETTINGS)
    undisturbed = Process(tmp_path, "run", whole)
    killed = write_job(tmp_path / "killed", settings=SETTINGS)
    moments = random.Random(5)
    positions = []
    for _ in range(5):
        offset = (killed / "events.jsonl").stat().st_size if (killed / "events.jsonl").exists() else 0
        process = Process(tmp_path, "run", killed)
        # Steps take 20 ms, so that the moment lies in the first or the second loop, or in the writing of a checkpoint.
        while not events_after(killed, offset, protocol.Progress):
            assert process.is_alive
            time.sleep(0.005)
        time.sleep(moments.uniform(0.0, 0.2))
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait().returncode == -signal.SIGKILL
        assert store.state(killed) == store.INTERRUPTED
        progress = events_after(killed, offset, protocol.Progress)[0]
        positions.append(progress.step + (120 if progress.steps == 60 else 0))  # the second loop has half the steps
    assert Process(tmp_path, "run", killed).wait().returncode == 0
    assert undisturbed.wait().returncode == 0
    assert positions[-1] > positions[0] == 1  # the runs did go on, rather than begin again
    expected = (whole / "result/points.bin").read_bytes()
    assert len(expected) > 400 and (killed / "result/points.bin").read_bytes() == expected
    assert store.state(killed) == store.FINISHED and store.results(killed) == [killed / "result/points.bin"]


def test_what_a_killed_run_had_half_written_is_cleared_away(tmp_path: Path) -> None:
    fit(Setup(tmp_path / "a", settings={"steps": 4}).job)
    whole = {path for path in (tmp_path / "a").rglob("*") if path.is_file()}
    for name in (
        "preview/latest.png.tmp",
        "result/points.bin.tmp",
        "stages/1-prepare/stage.json.tmp",
        "stages/2-fit-weights/checkpoint-1.safetensors",  # the stage is done: nobody goes on from it
        "stages/2-fit-weights/checkpoint-1.safetensors.tmp",
    ):
        (tmp_path / "a" / name).write_bytes(b"half of it")
    setup = Setup(tmp_path / "a")
    fit(setup.job)
    assert {path for path in (tmp_path / "a").rglob("*") if path.is_file()} == whole
    assert all(event.loaded for event in setup.of(protocol.Stage)) and not setup.of(protocol.Warning)
