"""The client against every kind of bad backend: each ends in a typed error with a remedy, and leaves no process."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from addon import processes, protocol
from addon.jobs.client import Client, ClientError, Died, Garbled, NotStarted, Patience, Silent, WrongVersion

PATIENCE = Patience(hello=20.0, event=20.0, leave=0.5)
IMPATIENT = Patience(hello=1.0, event=1.0, leave=0.5)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the fake backend uses signals of Unix")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Client]]:
    """Return a function that starts the fake backend in the given manners, one job each; check that all are gone."""
    clients: list[Client] = []

    def start(*manners: str, patience: Patience = PATIENCE) -> Client:
        folders = []
        for manner in manners:
            folder = tmp_path / f"job{len(folders)}"
            folder.mkdir()
            protocol.write_request(folder, protocol.Request(system="tv3dg", prompt=manner))
            folders.append(folder)
        client = Client.start(Path(sys.executable), folders, module="tests.addon.fake_backend", patience=patience)
        clients.append(client)
        return client

    yield start
    for client in clients:
        client.close(0.0)
        assert not is_alive(client._process.pid)


def is_alive(pid: int) -> bool:
    """Say whether a process exists and is not a zombie that only waits for its parent.

    Its first thread may be one while others still end: until then the locks of the process are held.
    """
    if Path("/proc/self/stat").exists():
        return any(not _is_zombie(thread) for thread in Path(f"/proc/{pid}/task").glob("*/stat"))
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _is_zombie(stat: Path) -> bool:
    try:
        return stat.read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):  # it has ended since it was listed
        return True


def test_a_good_job_gives_its_events_in_order(start: Callable[..., Client]) -> None:
    events = start("ok").wait(30)
    assert [type(event) for event in events] == [protocol.Hello, protocol.Stage, protocol.Finished]
    assert events[-1] == protocol.Finished(results=("result/model.glb",), seconds=0.1)


def test_poll_never_waits_for_a_slow_backend(start: Callable[..., Client]) -> None:
    client = start("slow")
    polls, empty = 0, 0
    while not client.is_done:
        empty += not client.poll()
        polls += 1
        time.sleep(0.005)
    assert empty > 10 and polls > empty  # most polls came back with nothing, although the job was not done
    assert client.poll() == []


def test_a_failed_job_is_an_event_and_not_an_error_of_the_client(start: Callable[..., Client]) -> None:
    assert start("fails").wait(30)[-1] == protocol.Failed(
        kind="BadInput", message="The mask is empty.", hint="Use another.", exit_code=2
    )


def test_several_jobs_end_one_by_one_and_a_failure_does_not_stop_the_next(start: Callable[..., Client]) -> None:
    events = start("ok", "fails", "ok").wait(30)
    ends = [type(event) for event in events if isinstance(event, protocol.LAST)]
    assert ends == [protocol.Finished, protocol.Failed, protocol.Finished]
    assert [event.job for event in events if isinstance(event, protocol.Hello)] == ["job0", "job1", "job2"]


ONLY_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="signal 35 is one of Linux")


@pytest.mark.parametrize(
    ("manner", "kind", "words"),
    [
        ("crashes", Died, "SIGSEGV"),
        pytest.param("is signalled", Died, "ended by the signal 35 without", marks=ONLY_LINUX),
        ("raises", Died, "division by zero in the backend"),
        ("never started", Died, "No module named 'torch'"),
        ("dies", Died, "exit code 0"),
        ("closes", Died, "closed its output"),
        ("newer version", WrongVersion, "version 2"),
        ("garbage", Garbled, "Loading pipeline"),
        ("binary", Garbled, "not JSON"),
        ("long line", Garbled, "longer than a message"),
        ("says too much", Garbled, "Stage out of turn"),
        ("two ends", Garbled, "Finished out of turn"),
    ],
)
def test_a_broken_backend_ends_in_a_typed_error(
    start: Callable[..., Client], manner: str, kind: type[ClientError], words: str
) -> None:
    client = start(manner)
    with pytest.raises(kind) as caught:
        client.wait(30)
    assert words in caught.value.message
    assert caught.value.hint.endswith(".")
    assert client.is_done and not is_alive(client._process.pid)
    assert client.poll() == []  # the error comes once


@pytest.mark.parametrize("manner", ["mute", "hangs", "hangs and ignores"])
def test_a_silent_backend_is_given_up_after_the_patience(start: Callable[..., Client], manner: str) -> None:
    client = start(manner, patience=IMPATIENT)
    with pytest.raises(Silent, match="nothing for 1 seconds"):
        client.wait(30)
    assert not is_alive(client._process.pid)


def test_events_before_the_error_are_delivered_first(start: Callable[..., Client]) -> None:
    client = start("garbage")
    events: list[protocol.Event] = []
    with pytest.raises(Garbled):
        while True:
            events += client.poll()
    assert [type(event) for event in events] == [protocol.Hello]


def test_a_finished_backend_that_does_not_leave_is_ended(start: Callable[..., Client]) -> None:
    client = start("hangs at the end")
    assert isinstance(client.wait(30)[-1], protocol.Finished)
    assert not is_alive(client._process.pid)


def test_the_children_of_a_dead_backend_are_ended_too(start: Callable[..., Client], tmp_path: Path) -> None:
    client = start("has children")
    with pytest.raises(Died):
        client.wait(30)
    child = int((tmp_path / "job0" / "child").read_text())
    end = time.monotonic() + 10
    while is_alive(child) and time.monotonic() < end:
        time.sleep(0.01)
    assert not is_alive(child)


@pytest.mark.parametrize(("command", "end"), [("cancel", protocol.Cancelled), ("finish", protocol.Finished)])
def test_commands_arrive(start: Callable[..., Client], command: str, end: type) -> None:
    client = start("listens")
    getattr(client, command)()
    assert type(client.wait(30)[-1]) is end


def test_a_cancel_that_is_not_obeyed_ends_the_process(start: Callable[..., Client]) -> None:
    client = start("hangs and ignores")
    while not client.poll():
        time.sleep(0.01)
    client.cancel()
    assert [type(event) for event in client.wait(30)] == [protocol.Cancelled]
    assert not is_alive(client._process.pid)


def test_close_ends_what_runs(start: Callable[..., Client]) -> None:
    client = start("hangs and ignores")
    while not client.poll():
        time.sleep(0.01)
    client.close(0.1)
    client.close(0.1)
    assert client.is_done and client.poll() == [] and not is_alive(client._process.pid)
    client.cancel()  # to nobody, without an error


def test_a_missing_interpreter_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(NotStarted, match="could not be started"):
        Client.start(tmp_path / "no" / "python", [tmp_path])


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_no_process_is_started_where_a_link_stands_for_its_log(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("mine")
    job = tmp_path / "job"
    job.mkdir()
    (job / "log.txt").symlink_to(tmp_path / "victim")
    with pytest.raises(NotStarted, match="log.txt is a link"):
        Client.start(Path(sys.executable), [job], module="tests.addon.fake_backend")
    assert (tmp_path / "victim").read_text() == "mine"


def test_the_variables_of_blenders_python_are_not_handed_on(
    start: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHOME", "/nowhere")  # with which no Python would start
    assert isinstance(start("ok").wait(30)[-1], protocol.Finished)
    assert "PYTHONHOME" in processes.NEEDLESS


# ---- a queue, whose number of jobs nobody knows ----------------------------------------------------------------------


@pytest.fixture
def start_queue(tmp_path: Path) -> Iterator[Callable[[str], Client]]:
    """Return a function that starts the fake backend as a queue in a manner; check that all are gone."""
    clients: list[Client] = []

    def start(manner: str) -> Client:
        (tmp_path / "manner").write_text(manner)
        patience = IMPATIENT if manner == "idle for ever" else PATIENCE  # a busy machine starts a process in seconds
        clients.append(
            Client.start_queue([sys.executable], tmp_path, module="tests.addon.fake_backend", patience=patience)
        )
        return clients[-1]

    yield start
    for client in clients:
        client.close(0.0)
        assert not is_alive(client._process.pid)


@pytest.mark.parametrize("manner", ["idle", "idle and dead"])
def test_a_queue_that_leaves_when_it_is_idle_has_done_its_duty(
    start_queue: Callable[[str], Client], manner: str
) -> None:
    client = start_queue(manner)
    assert [type(event) for event in client.wait(30)] == [protocol.Idle]


@pytest.mark.parametrize(
    ("manner", "kind", "words"),
    [
        ("idle for ever", Silent, "nothing for 1 seconds"),  # 0.1 and 0.5, rounded
        ("idle out of turn", Garbled, "Idle out of turn"),
        ("dies between", Died, "exit code 0"),
        ("unheard", Died, "ValueError: unheard"),
    ],
)
def test_a_broken_queue_ends_in_a_typed_error(
    start_queue: Callable[[str], Client], manner: str, kind: type[ClientError], words: str
) -> None:
    client = start_queue(manner)
    with pytest.raises(kind, match=words):
        client.wait(30)
    assert not is_alive(client._process.pid)


def test_a_full_disk_is_told_from_a_broken_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(processes, "start", full)
    with pytest.raises(NotStarted) as caught:
        Client.start(Path(sys.executable), [tmp_path])
    assert caught.value.hint.startswith("Free some disk space")
