"""How many threads a job begins with that may have every core, and that it goes on with as many."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from addon import protocol
from backend.runtime import cores, machine

CORES = 4
Others = Callable[[float], float]  # seconds since the test began -> cores that other programs keep busy


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Others, float], None]:
    """Stand for a machine of four cores, whose clock goes on while somebody sleeps, with programs of some appetite."""
    monkeypatch.delenv("MAQUETTE_THREADS", raising=False)
    clock, idle, own = [0.0], [0.0], [0.0]

    def play(others: Others, ours: float = 0.0) -> None:
        def sleep(seconds: float) -> None:
            idle[0] += seconds * max(CORES - others(clock[0]) - ours, 0.0)
            own[0] += seconds * ours
            clock[0] += seconds
            write()

        def write() -> None:
            ticks = round(idle[0] * os.sysconf("SC_CLK_TCK"))
            lines = [f"cpu {9 * ticks} 0 0 {9 * ticks} 0 0 0"]
            lines += [f"cpu{core} 5 5 5 {ticks if core == 0 else 0} 0 0 0" for core in range(CORES + 2)]
            (tmp_path / "stat").write_text("\n".join([*lines, "intr 1 2 3"]))

        write()
        monkeypatch.setattr(cores, "PROCESSOR_TIMES", tmp_path / "stat")
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(CORES)), raising=False)
        monkeypatch.setattr(time, "sleep", sleep)
        monkeypatch.setattr(time, "monotonic", lambda: clock[0])
        monkeypatch.setattr(time, "process_time", lambda: own[0])

    return play


@pytest.mark.parametrize(("busy", "free"), [(0.0, 4), (0.3, 4), (1.0, 3), (1.9, 2), (3.0, 1), (4.0, 1)])
def test_cores_are_free_that_no_other_program_keeps_busy(
    busy: float, free: int, beside: Callable[[Others, float], None]
) -> None:
    beside(lambda _: busy, 0.0)
    assert cores.free_threads() == free


def test_what_this_process_does_itself_and_a_moments_work_of_another_do_not_count(
    beside: Callable[[Others, float], None],
) -> None:
    beside(lambda _: 1.0, 2.0)  # the end of the job before
    assert cores.free_threads() == 3
    beside(lambda second: 4.0 if second % 1 < 0.5 else 0.0, 0.0)  # Blender opens a result
    assert cores.free_threads() == 4


def test_a_job_goes_on_with_the_number_it_began_with(
    tmp_path: Path, beside: Callable[[Others, float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    beside(lambda _: 2.0, 0.0)
    assert cores.threads_of(tmp_path, 0) == 2
    beside(lambda _: 0.0, 0.0)
    assert cores.threads_of(tmp_path, 0) == 2
    assert cores.threads_of(tmp_path, 3) == 3 and cores.threads_of(tmp_path, 0) == 2  # asked for, and no more
    (tmp_path / protocol.CORES_FILE).write_text(json.dumps({"threads": 64}))  # another machine began it
    assert cores.threads_of(tmp_path, 0) == CORES
    for damaged in ("", "[]", '{"threads": true}', '{"threads": -1}', "\xff"):
        (tmp_path / protocol.CORES_FILE).write_text(damaged, encoding="latin-1")
        assert cores.threads_of(tmp_path, 0) == CORES


def test_a_link_in_the_place_of_the_number_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job, outside = tmp_path / "job", tmp_path / "outside.json"
    job.mkdir()
    outside.write_text('{"threads": 1}')
    (job / protocol.CORES_FILE).symlink_to(outside)
    monkeypatch.setattr(cores, "free_threads", lambda: 3)
    assert cores.threads_of(job, 0) == 3
    assert outside.read_text() == '{"threads": 1}' and not (job / protocol.CORES_FILE).is_symlink()


def test_a_system_that_does_not_tell_and_a_queue_that_shares_give_every_core(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, beside: Callable[[Others, float], None]
) -> None:
    beside(lambda _: 4.0, 0.0)
    monkeypatch.setenv("MAQUETTE_THREADS", "2")  # as all its workers are busy, they are no others
    assert cores.free_threads() == 2
    monkeypatch.delenv("MAQUETTE_THREADS")
    monkeypatch.setattr(cores, "PROCESSOR_TIMES", tmp_path / "none")
    assert cores.free_threads() == machine.available_threads() == CORES


def test_the_sentence_has_both_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "available_threads", lambda: 8)
    assert cores.fewer(3)[0].startswith("The job uses 3 of 8 processor cores")
