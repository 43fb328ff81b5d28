"""`python -m backend queue DIR`: the order, what was taken, files of strangers, and folders of any name."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from addon import protocol
from addon.jobs import store
from backend.errors import BadInput
from backend.runtime import queue
from backend.runtime.control import Control
from backend.runtime.job import Job
from backend.runtime.machine import ROOT
from tests.backend.fake_system import write_job
from tests.backend.processes import Process, run
from tests.backend.runtime.test_job import Setup


def turns(folder: Path, *names: str) -> None:
    """Write the order."""
    lines = [protocol.encode(protocol.Turn(job=name, ticket=f"{n}-{name}")) for n, name in enumerate(names)]
    (folder / protocol.QUEUE_FILE).write_text("".join(lines))


def hellos(stdout: str) -> list[str]:
    """Return the names of the jobs that were begun."""
    messages = [protocol.decode(line) for line in stdout.splitlines()]
    return [message.job for message in messages if isinstance(message, protocol.Hello)]


def test_the_jobs_of_a_queue_run_in_order_in_one_process_and_in_the_same_bytes_as_alone(tmp_path: Path) -> None:
    folder = tmp_path / "jobs with spaces äö 日本語"
    for name in ("b", "a ü", "alone"):
        write_job(folder / name, settings={"steps": 10})
    write_job(folder / "bad", prompt="raise")
    turns(folder, "b", "bad", "nowhere", "a ü")
    done = run(tmp_path, "queue", folder)
    assert hellos(done.stdout) == ["b", "bad", "nowhere", "a ü"] and done.returncode == 1
    assert [store.state(folder / name) for name in ("b", "bad", "a ü", "alone")] == [
        store.FINISHED, store.FAILED, store.FINISHED, store.WAITING
    ]  # fmt: skip
    assert "nowhere is not a job folder" in done.stdout
    last = protocol.decode(done.stdout.splitlines()[-1])
    assert last == protocol.Idle(seconds=0.0)
    assert run(tmp_path, "run", folder / "alone").returncode == 0
    expected = (folder / "alone/result/points.bin").read_bytes()
    assert (folder / "b/result/points.bin").read_bytes() == (folder / "a ü/result/points.bin").read_bytes() == expected
    again = run(tmp_path, "queue", folder)  # all have had their turn, and the add-on has not tidied up
    assert hellos(again.stdout) == [] and again.returncode == 0


def test_one_process_at_a_time_runs_a_queue(tmp_path: Path) -> None:
    folder = tmp_path / "jobs"
    write_job(folder / "a", settings={"steps": 500, "pause": 0.05})
    turns(folder, "a")
    first = Process(tmp_path, "queue", folder)
    while not (folder / "a/events.jsonl").exists():
        assert first.is_alive
        time.sleep(0.02)
    second = run(tmp_path, "queue", folder)
    assert second.returncode == 1 and "is running jobs already" in second.stderr
    assert second.stdout == protocol.encode(protocol.Idle(seconds=0.0))
    os.kill(first.pid, signal.SIGTERM)
    assert first.wait().returncode == 4 and store.state(folder / "a") == store.INTERRUPTED


def test_a_process_that_is_told_to_stay_does_not_mind_that_nobody_reads(tmp_path: Path) -> None:
    folder = tmp_path / "jobs"
    write_job(folder / "a", settings={"steps": 10})
    turns(folder, "a")
    (folder / protocol.STAY_FILE).touch()
    done = run(tmp_path, "queue", folder, "--supervised")  # its stdin is at its end from the beginning
    assert done.returncode == 0 and store.state(folder / "a") == store.FINISHED
    (folder / protocol.STAY_FILE).unlink()
    write_job(folder / "b", settings={"steps": 500, "pause": 0.05})
    turns(folder, "b")
    assert run(tmp_path, "queue", folder, "--supervised").returncode == 4
    assert store.state(folder / "b") in (store.INTERRUPTED, store.WAITING)


def test_turns_are_taken_once_and_pruned_and_damaged_files_do_no_harm(tmp_path: Path) -> None:
    turns(tmp_path, "a", "b", "c")
    made = queue.Turns(tmp_path)
    assert made.take() == tmp_path / "a" and made.take() == tmp_path / "b"
    turns(tmp_path, "a", "b", "late", "c")
    assert queue.Turns(tmp_path).take() == tmp_path / "late"  # another process, after a crash
    turns(tmp_path, "c")
    queue.Turns(tmp_path)
    assert (tmp_path / protocol.TAKEN_FILE).read_text() == ""
    with (tmp_path / protocol.QUEUE_FILE).open("ab") as file:
        file.write(
            b'\0\xff{"type": "Turn", "job": "../x", "ticket": "1"}\n{"type": "Turn", "job": "/etc", "ticket": "2"}\n'
        )
        file.write(json.dumps({"type": "Turn", "job": "d", "ticket": "4"}).encode() + b"\n" + b'{"type": "Turn", "jo')
    made = queue.Turns(tmp_path)
    assert [made.take(), made.take(), made.take()] == [tmp_path / "c", tmp_path / "d", None]


def test_a_process_that_is_killed_while_it_prunes_leaves_nothing_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns(tmp_path, "a")

    def die(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", die)
    with pytest.raises(KeyboardInterrupt):
        queue.Turns(tmp_path)
    assert [path.name for path in tmp_path.glob("*.tmp")] == ["taken.jsonl.tmp"]
    monkeypatch.undo()
    queue.Turns(tmp_path)
    assert not list(tmp_path.glob("*.tmp"))


@pytest.mark.skipif(sys.platform == "win32", reason="sparse files")
def test_no_more_is_read_of_a_queue_than_it_may_be_long(tmp_path: Path) -> None:
    turns(tmp_path, "a")
    with (tmp_path / protocol.QUEUE_FILE).open("ab") as file:
        file.truncate(2 << 30)
    begin = time.monotonic()
    made = queue.Turns(tmp_path)
    assert made.take() == tmp_path / "a" and made.take() is None
    assert time.monotonic() - begin < 60  # two gigabytes of zeros would not even fit


def test_commands_reach_the_process_through_a_file_and_old_wishes_are_forgotten(tmp_path: Path) -> None:
    control = Control()
    said: list[protocol.Event] = []
    turns(tmp_path, "a", "b")
    order = queue.jobs_in_turn(queue.Turns(tmp_path), control, 0.0, said.append)
    lines: list[bytes] = []
    queue.read_commands(tmp_path, lines.append, lambda: None)
    next(order)
    control.begin("a")
    control.end()
    control.cancel("a")  # a moment too late
    control.cancel("b")
    next(order)
    control.begin("b")
    assert not control.is_cancelled
    with (tmp_path / protocol.COMMANDS_FILE).open("ab") as file:
        file.write(protocol.encode(protocol.Cancel(job="b")).encode() + b'{"type": "Fin')
    end = time.monotonic() + 20
    while not lines and time.monotonic() < end:
        time.sleep(0.02)
    assert [protocol.decode(line) for line in lines] == [protocol.Cancel(job="b")]
    assert list(order) == [] and said == [protocol.Idle(seconds=0.0)]


def test_cancel_is_heard_while_a_mesh_is_unwrapped_and_the_next_job_has_its_turn(tmp_path: Path) -> None:
    folder = tmp_path / "jobs"
    write_job(folder / "a", prompt="unwrap")
    write_job(folder / "b", settings={"steps": 4})
    turns(folder, "a", "b")
    process = Process(tmp_path, "queue", folder)
    while not any(isinstance(event, protocol.Stage) for event in store.read_events(folder / "a")[0]):
        assert process.is_alive
        time.sleep(0.01)
    time.sleep(1.0)  # into the middle of it, unless the machine is busy
    with (folder / protocol.COMMANDS_FILE).open("ab") as file:
        file.write(protocol.encode(protocol.Cancel(job="a")).encode())
    done = process.wait(60)  # the unwrapping itself takes minutes
    assert hellos(done.stdout) == ["a", "b"] and done.returncode == 4
    assert [store.state(folder / name) for name in "ab"] == [store.CANCELLED, store.FINISHED]


def test_commands_behind_a_line_without_end_are_heard(tmp_path: Path) -> None:
    turns(tmp_path, "a")
    queue.Turns(tmp_path)
    lines: list[bytes] = []
    queue.read_commands(tmp_path, lines.append, lambda: None)
    cancel = protocol.encode(protocol.Cancel(job="a")).encode()
    # The end of the long line would be a command by itself.
    with (tmp_path / protocol.COMMANDS_FILE).open("ab") as file:
        file.write(b"x" * (5 * protocol.LINE_BYTES // 2) + cancel + b"\n\n" * 1_000 + cancel)
    end = time.monotonic() + 30
    while not lines and time.monotonic() < end:
        time.sleep(0.02)
    time.sleep(2 * queue.LOOK_SECONDS)
    assert lines == [cancel.strip()]


@pytest.mark.skipif(sys.platform == "win32", reason="sparse files")
def test_an_input_of_two_gigabytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    folder = write_job(tmp_path / "a")
    (folder / "inputs").mkdir()
    with (folder / "inputs/00.png").open("wb") as file:
        file.truncate(2 << 30)
    with pytest.raises(BadInput, match="2147483648 bytes; at most"):
        Setup(folder)
    (folder / "inputs/00.png").unlink()
    (folder / "inputs/00.png").symlink_to("/dev/zero")
    assert isinstance(Setup(folder).job, Job)  # no file: it is neither hashed nor read


def test_workers_share_the_turns_and_no_job_is_taken_twice(tmp_path: Path) -> None:
    turns = [protocol.new_turn(f"job-{number}") for number in range(6)]
    protocol.write_turns(tmp_path / protocol.QUEUE_FILE, turns)
    one, two = queue.Turns(tmp_path, 0), queue.Turns(tmp_path, 1)
    taken = [worker.take() for worker in (one, two, two, one, two, one, one, two)]
    assert taken == [*(tmp_path / turn.job for turn in turns), None, None]


def test_a_worker_that_begins_beside_another_leaves_what_that_has_noted(tmp_path: Path) -> None:
    gone = protocol.new_turn("gone")
    protocol.write_turns(tmp_path / protocol.TAKEN_FILE, [gone])
    (tmp_path / protocol.COMMANDS_FILE).write_text("for the one that runs")
    with held_by_a_child(tmp_path / protocol.worker_lock(1)) as child:
        try:
            queue.Turns(tmp_path, 0)
            assert protocol.read_turns(tmp_path / protocol.TAKEN_FILE) == [gone]
            assert (tmp_path / protocol.COMMANDS_FILE).read_text() == "for the one that runs"
        finally:
            child.kill()
    queue.Turns(tmp_path, 0)
    assert protocol.read_turns(tmp_path / protocol.TAKEN_FILE) == []
    assert (tmp_path / protocol.COMMANDS_FILE).read_text() == ""


def held_by_a_child(path: Path) -> subprocess.Popen[str]:
    """Start a process that locks a file, and return it when it has."""
    code = "import sys, pathlib; from addon import protocol; protocol.take_lock(pathlib.Path(sys.argv[1]))\n"
    code += "print(flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(path)]
    child = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None and child.stdout.readline() == "\n"
    return child
