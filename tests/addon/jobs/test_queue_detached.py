"""The queue when Blender is killed, closed or started again, or when two share it: what goes on, and what ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from addon import protocol
from addon.jobs import store
from addon.jobs.queue import Queue
from tests.addon.jobs.test_client import is_alive
from tests.addon.jobs.test_queue import ROOT, ends, is_done, make, pids, run, started
from tests.addon.jobs.test_queue import start as start

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the fake queue uses signals of Unix")

BLENDER = """
import sys, time
from pathlib import Path
from addon.jobs.client import Patience
from addon.jobs.queue import Queue
folder = Path(sys.argv[1])
queue = Queue(folder, [sys.executable], root=Path(sys.argv[2]), module="tests.addon.fake_queue")
queue.resume()
if "detach" in sys.argv:
    queue.detach()
if "tie" in sys.argv:
    queue.attach()
while True:
    for job, event in queue.poll():
        print(job.name, type(event).__name__, flush=True)
    time.sleep(0.01)
"""


def killed_blender(folder: Path, *options: str) -> None:
    """Let another process own the queue, and kill it with SIGKILL when the first job works."""
    command = [sys.executable, "-c", textwrap.dedent(BLENDER), str(folder), str(ROOT), *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        while "Stage" not in owner.stdout.readline():
            assert owner.poll() is None
        os.kill(owner.pid, signal.SIGKILL)


def is_gone(pid: int, most: float = 240.0) -> bool:
    """Wait until a process is gone; return whether that came. It takes five seconds, and on a busy machine far more."""
    begin = time.monotonic()
    while is_alive(pid) and time.monotonic() < begin + most:
        time.sleep(0.02)
    return not is_alive(pid)


@pytest.mark.parametrize("manner", ["waits", "does not hear", "holds Python"])
def test_a_process_is_gone_soon_after_blender_was_killed_and_the_job_is_not_lost(
    tmp_path: Path, start: Callable[..., Queue], manner: str
) -> None:
    a, b = make(tmp_path, "a", manner), make(tmp_path, "b")
    before = start()
    before.add(a)
    before.add(b)
    killed_blender(tmp_path)
    (pid,) = pids(tmp_path)
    assert is_gone(pid)
    assert store.state(a) == store.INTERRUPTED
    if manner != "holds Python":
        assert isinstance(store.last_message(a), protocol.Interrupted)
    again = start()
    assert again.waiting == [a, b] and again.is_held and not again.is_foreign


def test_a_job_whose_process_was_killed_before_its_first_word_waits_again(
    tmp_path: Path, start: Callable[..., Queue]
) -> None:
    a, b = make(tmp_path, "a"), make(tmp_path, "b")
    (a / protocol.EVENTS_FILE).write_text(protocol.encode(protocol.Failed(kind="x", message="x", hint="")))  # earlier
    taken = [protocol.Turn(job="a", ticket="1", begin=(a / protocol.EVENTS_FILE).stat().st_size)]
    taken += [protocol.Turn(job="removed", ticket="2")]
    order = [*taken, protocol.Turn(job="b", ticket="3")]
    protocol.write_turns(tmp_path / protocol.QUEUE_FILE, order)
    protocol.write_turns(tmp_path / protocol.TAKEN_FILE, taken)
    assert start().waiting == [a, b]
    protocol.write_turns(tmp_path / protocol.QUEUE_FILE, order)
    protocol.write_turns(tmp_path / protocol.TAKEN_FILE, [protocol.Turn(job="a", ticket="1")])  # it has said something
    assert [job.name for job in start().waiting] == ["removed", "b"]


def test_a_detached_queue_goes_on_when_blender_was_killed_and_the_next_one_attaches_to_it(
    tmp_path: Path, start: Callable[..., Queue]
) -> None:
    a, b = make(tmp_path, "a", "waits"), make(tmp_path, "b", "waits")
    before = start()
    before.add(a)
    before.add(b)
    killed_blender(tmp_path, "detach")
    (pid,) = pids(tmp_path)
    time.sleep(0.5)
    assert is_alive(pid) and store.state(a) == store.RUNNING
    queue = start()
    assert queue.is_foreign and not queue.is_held
    queue.attach()  # it is tied to this one now
    told = run(queue, lambda told: started(told, a))
    assert queue.running == a and queue.waiting == [b]
    late = make(tmp_path, "late")
    queue.add(late)
    queue.finish(a)  # through the file
    told += run(queue, lambda told: started(told, b))
    queue.cancel(b)
    told += run(queue, is_done(queue))
    assert ends(told) == [("a", "Finished"), ("b", "Cancelled"), ("late", "Finished")]
    assert pids(tmp_path) == {pid}
    assert is_gone(pid)  # nobody is there to bring more
    last = make(tmp_path, "last")
    queue.add(last)
    assert ends(run(queue, is_done(queue))) == [("last", "Finished")]
    assert not queue.is_foreign and len(pids(tmp_path)) == 2


def test_when_a_process_of_others_crashes_its_job_has_failed_and_ours_goes_on(
    tmp_path: Path, start: Callable[..., Queue]
) -> None:
    a, b = make(tmp_path, "a", "waits"), make(tmp_path, "b")
    before = start()
    before.add(a)
    before.add(b)
    killed_blender(tmp_path, "detach")
    queue = start()
    run(queue, lambda told: started(told, a))
    (pid,) = pids(tmp_path)
    os.kill(pid, signal.SIGKILL)
    told = run(queue, is_done(queue))
    assert ends(told) == [("a", "Failed"), ("b", "Finished")]
    assert store.state(a) == store.FAILED


def test_detaching_lets_the_process_go_on_when_the_queue_is_closed(tmp_path: Path, start: Callable[..., Queue]) -> None:
    a = make(tmp_path, "a", "waits")
    queue = start()
    queue.add(a)
    run(queue, lambda told: started(told, a))
    queue.detach()
    queue.close()
    time.sleep(0.5)
    (pid,) = pids(tmp_path)
    assert is_alive(pid) and store.state(a) == store.RUNNING
    again = start()
    assert again.is_foreign and again.is_detached
    run(again, lambda told: started(told, a))
    again.cancel(a)
    assert ends(run(again, is_done(again))) == [("a", "Cancelled")]


def test_closing_ends_the_process_and_the_job_waits_again(tmp_path: Path, start: Callable[..., Queue]) -> None:
    a = make(tmp_path, "a", "waits")
    queue = start()
    queue.add(a)
    run(queue, lambda told: started(told, a))
    queue.close()
    queue.close()
    assert not is_alive(pids(tmp_path).pop())
    assert isinstance(store.last_message(a), protocol.Interrupted)
    assert start().waiting == [a]


@pytest.mark.parametrize("manner", ["waits", "holds Python"])
def test_a_detached_process_is_tied_to_the_next_blender_and_ends_with_it(
    tmp_path: Path, start: Callable[..., Queue], manner: str
) -> None:
    a, b = make(tmp_path, "a", manner), make(tmp_path, "b", "waits")
    before = start()
    before.add(a)
    before.add(b)
    killed_blender(tmp_path, "detach")
    (pid,) = pids(tmp_path)
    time.sleep(0.5)
    killed_blender(tmp_path, "tie")
    assert is_gone(pid)
    if manner != "holds Python":
        assert isinstance(store.last_message(a), protocol.Interrupted)
    again = start()
    assert again.waiting == [a, b] and again.is_held and not again.is_foreign


def test_closing_ends_a_process_that_was_tied_again_but_not_one_that_stays_detached(
    tmp_path: Path, start: Callable[..., Queue]
) -> None:
    a = make(tmp_path, "a", "waits")
    before = start()
    before.add(a)
    killed_blender(tmp_path, "detach")
    (pid,) = pids(tmp_path)
    second = start()
    run(second, lambda told: started(told, a))
    second.close()
    time.sleep(2.5)
    assert is_alive(pid) and store.state(a) == store.RUNNING
    third = start()
    run(third, lambda told: started(told, a))
    third.attach()
    time.sleep(2.5)
    assert is_alive(pid)  # third is there
    third.close()
    assert is_gone(pid)
    assert isinstance(store.last_message(a), protocol.Interrupted)


def test_a_second_blender_follows_the_process_of_the_first(tmp_path: Path, start: Callable[..., Queue]) -> None:
    a, b = make(tmp_path, "a", "waits"), make(tmp_path, "b")
    first, second = start(), start()
    first.add(a)
    run(first, lambda told: started(told, a))
    second.add(b)
    told = run(second, lambda told: started(told, a))
    assert second.is_foreign and second.running == a and second.waiting == [b]
    second.finish(a)
    run(first, is_done(first))
    told += run(second, is_done(second))
    assert ends(told) == [("a", "Finished"), ("b", "Finished")] and len(pids(tmp_path)) == 1
