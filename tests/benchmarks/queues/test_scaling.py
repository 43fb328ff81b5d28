"""The table of workers: what is counted, and that each job is made once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from addon import protocol
from addon.jobs import store
from benchmarks.queues import scaling


def test_the_table_counts_jobs_an_hour_and_compares_with_the_first_row() -> None:
    text = scaling.table(6, {1: 360.0, 2: 200.0}, 0.25)
    assert "| 1 | 60 | 1.00 |" in text and "| 2 | 108 | 1.80 |" in text and "load before: 0.2" in text


@pytest.mark.skipif(sys.platform == "win32", reason="the fake queue uses signals of Unix")
def test_all_jobs_are_made_once_by_two_workers(tmp_path: Path) -> None:
    scaling.write_jobs(tmp_path, 3)
    for job in store.list_jobs(tmp_path):
        protocol.write_request(job, protocol.Request(system=protocol.DEFAULT_SYSTEM, prompt="ok"))
    assert scaling.seconds_of(tmp_path, 2, "tests.addon.fake_queue") > 0
    runs = [store.read_events(job)[0] for job in store.list_jobs(tmp_path)]
    assert [sum(isinstance(event, protocol.Finished) for event in run) for run in runs] == [1, 1, 1]
    protocol.write_request(tmp_path / "job-000", protocol.Request(system=protocol.DEFAULT_SYSTEM, prompt="fails"))
    protocol.write_turns(tmp_path / protocol.QUEUE_FILE, [protocol.new_turn("job-000")])
    with pytest.raises(RuntimeError, match="codes"):
        scaling.seconds_of(tmp_path, 1, "tests.addon.fake_queue")
