"""The queue, with the real command line behind it: the order, cancelling, crashes, detaching, a process of others."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from addon import protocol
from addon.jobs import store
from addon.jobs.client import Patience
from addon.jobs.queue import MAX_CRASHES, Queue
from tests.addon.jobs.test_client import is_alive

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the fake queue uses signals of Unix")

ROOT = Path(__file__).resolve().parent.parent.parent.parent
MODULE = "tests.addon.fake_queue"
PATIENCE = Patience(hello=30.0, event=30.0, leave=0.5)

Told = list[tuple[Path, protocol.Event]]


def make(folder: Path, name: str, manner: str = "ok") -> Path:
    """Write a job folder that behaves so."""
    (folder / name).mkdir(parents=True)
    protocol.write_request(folder / name, protocol.Request(system="tv3dg", prompt=manner))
    return folder / name


def pids(folder: Path) -> set[int]:
    """Return the processes that have run jobs of the folder."""
    found = set()
    for job in store.list_jobs(folder):
        found |= {event.pid for event in store.read_events(job)[0] if isinstance(event, protocol.Hello)}
    return found


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Queue]]:
    """Return a function that makes a Queue of tmp_path; at the end no process may be left."""
    queues: list[Queue] = []

    def start(idle_seconds: float = 5.0) -> Queue:
        made = Queue(tmp_path, [sys.executable], root=ROOT, module=MODULE, patience=PATIENCE, idle_seconds=idle_seconds)
        queues.append(made)
        return made

    yield start
    for made in queues:
        made.attach()
        made.close(0.2)
    end = time.monotonic() + 10
    while any(map(is_alive, pids(tmp_path))) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(map(is_alive, pids(tmp_path)))


def run(queue: Queue, until: Callable[[Told], bool], seconds: float = 60.0) -> Told:
    """Poll until something is so; return all that was told."""
    told: Told = []
    end = time.monotonic() + seconds
    while not until(told):
        assert time.monotonic() < end, told
        told += queue.poll()
        time.sleep(0.01)
    return told


def is_done(queue: Queue) -> Callable[[Told], bool]:
    """Return what says whether nothing runs or waits."""
    return lambda told: bool(told) and queue.running is None and not queue.waiting


def ends(told: Told) -> list[tuple[str, str]]:
    """Return name and end of each job that has ended."""
    return [(job.name, type(event).__name__) for job, event in told if isinstance(event, protocol.LAST)]


def started(told: Told, job: Path) -> bool:
    """Say whether a job has begun to work."""
    return any(who == job and isinstance(event, protocol.Stage) for who, event in told)


def test_jobs_run_in_order_in_one_process_and_a_failure_does_not_stop_the_others(
    tmp_path: Path, start: Callable[..., Queue]
) -> None:
    a, b, c = make(tmp_path, "a"), make(tmp_path, "b", "fails"), make(tmp_path, "c ü")
    queue = start()
    for job in (a, b, c):
        queue.add(job)
    assert queue.waiting == [a, b, c] and not queue.is_held
    told = run(queue, is_done(queue))
    assert ends(told) == [("a", "Finished"), ("b", "Failed"), ("c ü", "Finished")]
    assert [type(event) for job, event in told if job == a] == [protocol.Hello, protocol.Stage, protocol.Finished]
    assert len(pids(tmp_path)) == 1
    late = make(tmp_path, "late")
    queue.add(late)
    assert ends(run(queue, is_done(queue))) == [("late", "Finished")]
    assert len(pids(tmp_path)) == 1  # it had stayed warm
    queue.close(0.5)
    assert not is_alive(pids(tmp_path).pop())
    queue.add(make(tmp_path, "later"))
    run(queue, is_done(queue))
    assert len(pids(tmp_path)) == 2


def test_the_process_leaves_when_nothing_comes(tmp_path: Path, start: Callable[..., Queue]) -> None:
    queue = start(idle_seconds=0.1)
    queue.add(make(tmp_path, "a"))
    told = run(queue, lambda told: bool(ends(told)) and queue._client is None)
    assert ends(told) == [("a", "Finished")] and not is_alive(pids(tmp_path).pop())


def test_the_order_can_be_changed_and_outlives_the_queue(tmp_path: Path, start: Callable[..., Queue]) -> None:
    a, b, c, d = (make(tmp_path, name) for name in "abcd")
    queue = start()
    queue.hold()
    for job in (a, b, c, d, b):
        queue.add(job)
        queue.hold()
    assert queue.waiting == [a, b, c, d]  # b once
    queue.move(c, -1)
    queue.move(a, 99)
    queue.remove(d)
    queue.remove(d)
    queue.move(d, 1)
    queue.retry(a)
    queue.hold()
    assert queue.waiting == [a, c, b] and queue.poll() == []
    again = start()
    assert again.waiting == [a, c, b] and again.is_held  # nothing runs by itself when Blender starts
    assert again.poll() == [] and again._client is None
    again.resume()
    assert ends(run(again, is_done(again))) == [("a", "Finished"), ("c", "Finished"), ("b", "Finished")]
    assert store.state(d) == store.WAITING


def test_what_is_no_job_of_the_folder_is_refused_with_a_sentence(tmp_path: Path, start: Callable[..., Queue]) -> None:
    queue = start()
    elsewhere = make(tmp_path / "other", "a")
    (tmp_path / "link").symlink_to(elsewhere)
    (tmp_path / "empty").mkdir()
    for job, words in [
        (elsewhere, "one folder"),
        (tmp_path / "link", "one folder"),
        (tmp_path / "empty", "no request"),
    ]:
        with pytest.raises(ValueError, match=words):
            queue.add(job)
    assert queue.waiting == []


def test_the_running_and_a_waiting_job_are_cancelled(tmp_path: Path, start: Callable[..., Queue]) -> None:
    a, b, c, d = make(tmp_path, "a", "waits"), make(tmp_path, "b"), make(tmp_path, "c"), make(tmp_path, "d", "waits")
    queue = start()
    for job in (a, b, c, d):
        queue.add(job)
    told = run(queue, lambda told: started(told, a))
    queue.cancel(b)
    queue.cancel(a)
    told += run(queue, lambda told: started(told, d))
    queue.finish(d)
    told += run(queue, is_done(queue))
    assert ends(told) == [("a", "Cancelled"), ("c", "Finished"), ("d", "Finished")]
    assert store.state(b) == store.WAITING and len(pids(tmp_path)) == 1
    queue.retry(a)  # a wish about its first run must not meet the second
    told = run(queue, lambda told: started(told, a))
    assert queue.running == a and ends(told) == []


def test_a_job_that_does_not_obey_is_ended_and_the_next_one_runs(tmp_path: Path, start: Callable[..., Queue]) -> None:
    a, b = make(tmp_path, "a", "does not hear"), make(tmp_path, "b")
    queue = start()
    queue.add(a)
    queue.add(b)
    told = run(queue, lambda told: started(told, a))
    queue.cancel(a)
    told += run(queue, is_done(queue))
    assert ends(told) == [("a", "Cancelled"), ("b", "Finished")]
    assert store.state(a) == store.CANCELLED and len(pids(tmp_path)) == 2


def test_a_crash_fails_the_job_and_the_others_go_on_in_a_new_process(
    tmp_path: Path, start: Callable[..., Queue]
) -> None:
    a, b, c = make(tmp_path, "a", "crashes"), make(tmp_path, "b", "crashes"), make(tmp_path, "c")
    queue = start()
    for job in (a, b, c):
        queue.add(job)
    told = run(queue, is_done(queue))
    assert ends(told) == [("a", "Failed"), ("b", "Failed"), ("c", "Finished")]
    failure = next(event for job, event in told if job == a and isinstance(event, protocol.Failed))
    assert "SIGSEGV" in failure.message and failure.hint and store.last_message(a) == failure
    assert len(pids(tmp_path)) == 3 and not queue.is_held


def test_crashes_do_not_go_on_for_ever(tmp_path: Path, start: Callable[..., Queue]) -> None:
    made = [make(tmp_path, f"job{number}", "crashes") for number in range(MAX_CRASHES + 2)]
    queue = start()
    for job in made:
        queue.add(job)
    told = run(queue, lambda told: queue.is_held)
    assert len(ends(told)) == MAX_CRASHES and queue.waiting == made[MAX_CRASHES:]
    assert queue.problem is not None and "SIGSEGV" in queue.problem.message
    assert [queue.poll() for _ in range(5)] == [[]] * 5 and queue._client is None
    queue.resume()
    assert ends(run(queue, is_done(queue)))[-1] == (made[-1].name, "Failed")


@pytest.mark.parametrize("command", [["/nowhere/python"], [sys.executable, "-c", "raise SystemExit('no torch')"]])
def test_a_backend_that_does_not_start_is_told_once_and_the_jobs_wait(tmp_path: Path, command: list[str]) -> None:
    a, b = make(tmp_path, "a"), make(tmp_path, "b")
    queue = Queue(tmp_path, command, root=ROOT, module=MODULE, patience=PATIENCE)
    queue.add(a)
    queue.add(b)
    told = run(queue, lambda told: bool(told))
    time.sleep(0.1)
    told += queue.poll()
    assert ends(told) == [("a", "Failed")] and queue.waiting == [a, b] and queue.is_held
    assert queue.problem is not None and queue.problem.hint and store.state(a) == store.WAITING


def test_a_full_disk_loses_no_event(
    tmp_path: Path, start: Callable[..., Queue], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    queue = start()
    for name in "abc":
        queue.add(make(tmp_path, name))
    monkeypatch.setattr(protocol, "write_turns", full)
    assert ends(run(queue, is_done(queue))) == [("a", "Finished"), ("b", "Finished"), ("c", "Finished")]
    with pytest.raises(OSError, match="No space left"):
        queue.add(make(tmp_path, "d"))
    assert queue.waiting == [] and not queue.is_held


def test_no_job_begins_while_the_queue_is_held(tmp_path: Path, start: Callable[..., Queue]) -> None:
    a, b = make(tmp_path, "a", "waits"), make(tmp_path, "b")
    queue = start(idle_seconds=60.0)
    queue.add(a)
    queue.add(b)
    run(queue, lambda told: started(told, a))
    queue.hold()
    queue.finish(a)
    told = run(queue, lambda told: bool(ends(told)))
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        told += queue.poll()
        time.sleep(0.02)
    assert ends(told) == [("a", "Finished")] and queue.waiting == [b] and queue.is_held
    queue.resume()
    assert ends(run(queue, is_done(queue))) == [("b", "Finished")] and len(pids(tmp_path)) == 1
