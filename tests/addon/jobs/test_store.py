"""The job folder as the add-on sees it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from addon import protocol
from addon.jobs import store

REQUEST = protocol.Request(
    system="tv3dg", prompt="a mug", images=(protocol.InputImage(path="inputs/00.png", role="visual_prompt"),)
)


def make(folder: Path, tmp_path: Path) -> Path:
    """Make a job with one input."""
    source = tmp_path / "picture.png"
    source.write_bytes(b"pixels")
    return protocol.make_job(folder, REQUEST, [source])


def say(job: Path, *events: protocol.Event) -> None:
    """Append events, as the backend does."""
    with (job / "events.jsonl").open("a") as file:
        file.write("".join(protocol.encode(event) for event in events))


HELLO = protocol.Hello(job="j", backend="0", pid=1)


def test_a_new_job_has_its_request_and_a_copy_of_its_input(tmp_path: Path) -> None:
    job = make(tmp_path / "jobs", tmp_path)
    (tmp_path / "picture.png").write_bytes(b"edited later")
    assert protocol.read_request(job) == REQUEST
    assert (job / "inputs/00.png").read_bytes() == b"pixels"
    assert store.state(job) == store.WAITING
    assert store.list_jobs(tmp_path / "jobs") == [job]
    assert store.list_jobs(tmp_path / "nowhere") == []


def test_the_state_is_that_of_the_latest_run(tmp_path: Path) -> None:
    job = make(tmp_path / "jobs", tmp_path)
    say(job, HELLO)
    assert store.state(job) == store.INTERRUPTED  # killed: nobody holds the folder
    for last, state in [
        (protocol.Interrupted(reason="SIGTERM", seconds=1), store.INTERRUPTED),
        (protocol.Cancelled(seconds=1), store.CANCELLED),
        (protocol.Failed(kind="BadInput", message="m", hint="h"), store.FAILED),
        (protocol.Finished(results=("result/model.glb", "result/gone.ply"), seconds=1), store.FINISHED),
    ]:
        say(job, HELLO, last)
        assert store.state(job) == state
    (job / "result").mkdir()
    (job / "result/model.glb").write_bytes(b"x")
    assert store.results(job) == [job / "result/model.glb"]
    say(job, HELLO)
    assert store.results(job) == []


def test_events_are_read_on_from_where_they_were(tmp_path: Path) -> None:
    job = make(tmp_path / "jobs", tmp_path)
    assert store.read_events(job) == ([], 0)
    say(job, HELLO, protocol.Preview())
    events, offset = store.read_events(job)
    assert events == [HELLO, protocol.Preview()]
    line = protocol.encode(protocol.Stage(number=1, name="ümlaut"))
    with (job / "events.jsonl").open("a") as file:
        file.write(line[:10])
    assert store.read_events(job, offset) == ([], offset)  # the line is not complete
    with (job / "events.jsonl").open("a") as file:
        file.write(line[10:])
    assert store.read_events(job, offset)[0] == [protocol.Stage(number=1, name="ümlaut")]


def test_a_line_that_a_power_failure_has_torn_is_passed_over(tmp_path: Path) -> None:
    job = make(tmp_path / "jobs", tmp_path)
    say(job, HELLO)
    with (job / "events.jsonl").open("ab") as file:
        file.write(protocol.encode(protocol.Preview()).encode()[:-9] + b"\n" + b"\0" * 20 + b"\n")
    say(job, HELLO, protocol.Cancelled(seconds=1))
    assert store.state(job) == store.CANCELLED
    assert store.read_events(job)[0] == [HELLO, HELLO, protocol.Cancelled(seconds=1)]
    with (job / "events.jsonl").open("a") as file:
        file.write('{"type": "Unheard"}\n')
    with pytest.raises(protocol.ProtocolError, match="'Unheard' is not a type"):  # whole, and wrong
        store.read_events(job)


def test_only_the_newest_jobs_are_kept(tmp_path: Path) -> None:
    for name in ("20260101-000000-a", "20260102-000000-b", "20260103-000000-c"):
        (tmp_path / name).mkdir()
        protocol.write_request(tmp_path / name, REQUEST)
    (tmp_path / "a folder of somebody else").mkdir()
    removed = store.remove_old(tmp_path, keep=1)
    assert [path.name for path in removed] == ["20260102-000000-b", "20260101-000000-a"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["20260103-000000-c", "a folder of somebody else"]


def test_the_newest_are_those_whose_requests_are_whatever_their_names(tmp_path: Path) -> None:
    for age, name in enumerate(("apple", "20260101-000000-a", "zebra", "banana")):  # the first is the newest
        (tmp_path / name).mkdir()
        protocol.write_request(tmp_path / name, REQUEST)
        os.utime(tmp_path / name / "request.json", ns=(10**18, 10**18 - age * 10**9))
    assert [job.name for job in store.list_jobs(tmp_path)] == ["apple", "20260101-000000-a", "zebra", "banana"]
    assert [job.name for job in store.remove_old(tmp_path, keep=2)] == ["zebra", "banana"]


@pytest.mark.parametrize("left", ["20260101-000000-aaaaaa.tmp", "20260101-000000-aaaaaa-123456.removed.tmp"])
def test_what_a_removal_has_left_is_in_nobody_s_way_and_is_cleaned(tmp_path: Path, left: str) -> None:
    job = tmp_path / "20260101-000000-aaaaaa"
    for path in (job, tmp_path / left / "stages/1-a"):
        path.mkdir(parents=True)
    protocol.write_request(job, REQUEST)
    store.remove(job)
    assert not job.exists() and store.leftovers(tmp_path) == [tmp_path / left]
    assert store.remove_leftovers(tmp_path) == 1 and list(tmp_path.iterdir()) == []
    assert store.remove_leftovers(tmp_path / "nowhere") == 0


def test_what_is_being_made_or_is_somebody_s_is_no_leftover(tmp_path: Path) -> None:
    names = ["20260101-000000-aaaaaa-123456.tmp", "mug-123456.tmp", "mine.tmp", "mug.tmp"]
    for name in names:
        (tmp_path / name / ("notes" if name == "mine.tmp" else "inputs")).mkdir(parents=True)
    (tmp_path / "file.tmp").touch()
    (tmp_path / "link.tmp").symlink_to(tmp_path / "mine.tmp")
    assert store.leftovers(tmp_path) == []  # somebody may be at it
    later = time.time() + 2 * store.LEFT_SECONDS
    assert store.leftovers(tmp_path, later) == sorted(tmp_path / name for name in names if name != "mine.tmp")


def test_one_job_that_cannot_be_removed_keeps_none_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for age, name in enumerate("abcd"):
        (tmp_path / name).mkdir()
        protocol.write_request(tmp_path / name, REQUEST)
        os.utime(tmp_path / name / "request.json", ns=(10**18, 10**18 - age * 10**9))
    replace = os.replace

    def refuse(source: Path, target: Path) -> None:
        if source.name == "b":
            raise PermissionError(13, "Permission denied", str(source))
        replace(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="1 of 3 jobs could not be deleted: .*Permission denied"):
        store.remove_old(tmp_path, keep=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
