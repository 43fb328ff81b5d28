"""The job folder as the add-on sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from addon import jobs, paths, protocol

REQUEST = protocol.Request(
    system="tv3dg", prompt="a mug", images=(protocol.InputImage(path="inputs/00.png", role="visual_prompt"),)
)


def make(folder: Path, tmp_path: Path) -> Path:
    """Make a job with one input."""
    source = tmp_path / "picture.png"
    source.write_bytes(b"pixels")
    return jobs.make_job(folder, REQUEST, [source])


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
    assert jobs.state(job) == jobs.WAITING
    assert jobs.list_jobs(tmp_path / "jobs") == [job]
    assert jobs.list_jobs(tmp_path / "nowhere") == []


def test_nothing_is_left_of_a_job_that_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="missing.png"):
        jobs.make_job(tmp_path / "jobs", REQUEST, [tmp_path / "missing.png"])
    with pytest.raises(IsADirectoryError):
        jobs.make_job(tmp_path / "jobs", REQUEST, [tmp_path])
    assert list((tmp_path / "jobs").iterdir()) == []
    with pytest.raises(ValueError, match="1 files in the request, but 0 are given"):
        jobs.make_job(tmp_path / "jobs", REQUEST, [])


def test_the_state_is_that_of_the_latest_run(tmp_path: Path) -> None:
    job = make(tmp_path / "jobs", tmp_path)
    say(job, HELLO)
    assert jobs.state(job) == jobs.INTERRUPTED  # killed: nobody holds the folder
    for last, state in [
        (protocol.Interrupted(reason="SIGTERM", seconds=1), jobs.INTERRUPTED),
        (protocol.Cancelled(seconds=1), jobs.CANCELLED),
        (protocol.Failed(kind="BadInput", message="m", hint="h"), jobs.FAILED),
        (protocol.Finished(results=("result/model.glb", "result/gone.ply"), seconds=1), jobs.FINISHED),
    ]:
        say(job, HELLO, last)
        assert jobs.state(job) == state
    (job / "result").mkdir()
    (job / "result/model.glb").write_bytes(b"x")
    assert jobs.results(job) == [job / "result/model.glb"]
    say(job, HELLO)
    assert jobs.results(job) == []


def test_events_are_read_on_from_where_they_were(tmp_path: Path) -> None:
    job = make(tmp_path / "jobs", tmp_path)
    assert jobs.read_events(job) == ([], 0)
    say(job, HELLO, protocol.Preview())
    events, offset = jobs.read_events(job)
    assert events == [HELLO, protocol.Preview()]
    line = protocol.encode(protocol.Stage(number=1, name="ümlaut"))
    with (job / "events.jsonl").open("a") as file:
        file.write(line[:10])
    assert jobs.read_events(job, offset) == ([], offset)  # the line is not complete
    with (job / "events.jsonl").open("a") as file:
        file.write(line[10:])
    assert jobs.read_events(job, offset)[0] == [protocol.Stage(number=1, name="ümlaut")]


def test_a_line_that_a_power_failure_has_torn_is_passed_over(tmp_path: Path) -> None:
    job = make(tmp_path / "jobs", tmp_path)
    say(job, HELLO)
    with (job / "events.jsonl").open("ab") as file:
        file.write(protocol.encode(protocol.Preview()).encode()[:-9] + b"\n" + b"\0" * 20 + b"\n")
    say(job, HELLO, protocol.Cancelled(seconds=1))
    assert jobs.state(job) == jobs.CANCELLED
    assert jobs.read_events(job)[0] == [HELLO, HELLO, protocol.Cancelled(seconds=1)]
    with (job / "events.jsonl").open("a") as file:
        file.write('{"type": "Unheard"}\n')
    with pytest.raises(protocol.ProtocolError, match="'Unheard' is not a type"):  # whole, and wrong
        jobs.read_events(job)


def test_only_the_newest_jobs_are_kept(tmp_path: Path) -> None:
    for name in ("20260101-000000-a", "20260102-000000-b", "20260103-000000-c"):
        (tmp_path / name).mkdir()
        protocol.write_request(tmp_path / name, REQUEST)
    (tmp_path / "a folder of somebody else").mkdir()
    removed = jobs.remove_old(tmp_path, keep=1)
    assert [path.name for path in removed] == ["20260102-000000-b", "20260101-000000-a"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["20260103-000000-c", "a folder of somebody else"]


def test_the_root_is_where_the_backend_can_be_started() -> None:
    assert (paths.ROOT / "backend" / "__main__.py").is_file() and paths.EXTENSION == ""
