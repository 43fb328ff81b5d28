"""A queue with several workers, with the real command line behind it: who runs what, and what is left."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from addon import protocol
from addon.jobs.client import Client, NotStarted
from addon.jobs.queue import Queue
from addon.jobs.workers import Workers
from tests.addon.jobs.test_client import is_alive
from tests.addon.jobs.test_queue import MODULE, PATIENCE, ROOT, Told, make, pids

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the fake queue uses signals of Unix")


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    """Return a queue with two workers, on a GPU each; at the end no process may be left."""
    gpus = [{"CUDA_VISIBLE_DEVICES": name} for name in ("first", "second")]
    options: dict[str, Any] = {"root": ROOT, "module": MODULE, "patience": PATIENCE, "idle_seconds": 5.0}
    made = Queue(tmp_path, [sys.executable], variables=gpus[0], further=gpus[1:], **options)
    yield made
    made.attach()
    made.close(0.5)
    end = time.monotonic() + 10
    while any(map(is_alive, pids(tmp_path))) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(map(is_alive, pids(tmp_path)))


def until(queue: Queue, is_so: Callable[[Told], bool]) -> Told:
    """Poll until something is so; return what was told meanwhile."""
    told: Told = []
    end = time.monotonic() + 60
    while not is_so(told):
        told += queue.poll()
        assert time.monotonic() < end, told
        time.sleep(0.01)
    return told


def ends(told: Told) -> dict[str, protocol.Event]:
    return {job.name: event for job, event in told if isinstance(event, protocol.LAST)}


def test_two_jobs_run_at_once_in_processes_of_their_own(queue: Queue, tmp_path: Path) -> None:
    jobs = [make(tmp_path, name, "waits") for name in "abc"]
    for job in jobs:
        queue.add(job)
    told = until(queue, lambda _: len(queue.all_running) == 2)
    assert queue.all_running == jobs[:2] and queue.waiting == jobs[2:] and queue.running == jobs[0]
    assert len(pids(tmp_path)) == 2
    queue.finish(jobs[1])
    told += until(queue, lambda _: jobs[2] in queue.all_running)
    queue.cancel(jobs[2])
    queue.finish(jobs[0])
    told += until(queue, lambda _: not queue.all_running)
    kinds = {name: type(end) for name, end in ends(told).items()}
    assert kinds == {"a": protocol.Finished, "b": protocol.Finished, "c": protocol.Cancelled}
    assert [job.name for job, event in told if isinstance(event, protocol.Hello)] == ["a", "b", "c"]


def test_each_has_its_own_gpu_and_each_job_ends_once(queue: Queue, tmp_path: Path) -> None:
    first = make(tmp_path, "first", "waits")
    queue.add(first)
    until(queue, lambda _: queue.all_running == [first])
    others = [make(tmp_path, f"other-{number}", "tells") for number in range(4)]
    for job in others:
        queue.add(job)
    told = until(queue, lambda told: len(ends(told)) == 4)
    assert {end.message for end in ends(told).values() if isinstance(end, protocol.Failed)} == {"second"}
    assert sum(isinstance(event, protocol.LAST) for _, event in told) == 4
    queue.finish(first)
    until(queue, lambda _: not queue.all_running)


def test_a_crash_of_one_ends_only_its_job(queue: Queue, tmp_path: Path) -> None:
    first, bad = make(tmp_path, "first", "waits"), make(tmp_path, "bad", "crashes")
    for job in (first, bad):
        queue.add(job)
    told = until(queue, lambda told: "bad" in ends(told))
    end = ends(told)["bad"]
    assert isinstance(end, protocol.Failed) and "SIGSEGV" in end.message
    assert queue.all_running == [first] and queue.problem is None
    after = make(tmp_path, "after")
    queue.add(after)
    assert isinstance(ends(until(queue, lambda told: "after" in ends(told)))["after"], protocol.Finished)
    queue.cancel(first)
    until(queue, lambda _: not queue.all_running)


@pytest.mark.parametrize("is_left", [False, True])
def test_both_end_with_the_queue_unless_they_are_left(queue: Queue, tmp_path: Path, is_left: bool) -> None:
    for name in "ab":
        queue.add(make(tmp_path, name, "waits"))
    until(queue, lambda _: len(queue.all_running) == 2)
    if is_left:
        queue.detach()
    queue.close(5.0)
    assert [is_alive(pid) for pid in pids(tmp_path)] == [is_left, is_left]


def test_a_worker_that_cannot_begin_is_not_started_again_and_again(tmp_path: Path) -> None:
    started = []

    def start(number: int) -> Client:
        started.append(number)
        raise NotStarted("no", "hint")

    workers = Workers(tmp_path, 2, start)
    for _ in range(20):
        workers.begin(5)
        assert workers.poll() == []
        time.sleep(0.01)
    assert sorted(started) == [1, 2]
    workers.mend()
    workers.begin(1)
    workers.close(0.0, goes_on=False)
    assert sorted(started) == [1, 1, 2]
