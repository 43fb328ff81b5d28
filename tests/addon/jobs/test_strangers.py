"""A job folder from a stranger: paths that lead out, links, files without end. Refused, or read within bounds."""

from __future__ import annotations

import json
import shutil
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from addon import protocol
from addon.jobs import event_log, store
from addon.jobs.index import read_entry
from tests.addon.jobs.test_index import PNG, make
from tests.addon.jobs.test_store import HELLO, say

if sys.platform != "win32":  # where the tests that limit anything are skipped
    import resource

HUGE = 2 << 30

PROGRESS = protocol.encode(
    protocol.Progress(step=1, steps=9, seconds_left=8.0, steps_per_second=1.0, memory_bytes=1)
).encode()


def sparse(path: Path, size: int = HUGE) -> Path:
    """Make a file that is long and takes no room."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.truncate(size)
    return path


@pytest.fixture
def little_memory() -> Iterator[None]:
    """Let whatever wants half a gigabyte more memory than now fail."""
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if sys.platform == "linux" else 0
    limits = resource.getrlimit(resource.RLIMIT_AS)
    if pages:
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (512 << 20), limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, limits)


@pytest.mark.parametrize("path", ["../../secret.png", "/etc/passwd", "C:\\secret.png", "inputs/../../x.png"])
def test_a_request_whose_paths_lead_out_is_refused_with_a_sentence(tmp_path: Path, path: str) -> None:
    job = make(tmp_path, "a")
    content = json.loads((job / "request.json").read_text()) | {"images": [{"path": path}]}
    (job / "request.json").write_text(json.dumps(content))
    entry = read_entry(job)
    assert entry is not None and "leads out of the job folder" in entry.problem
    with pytest.raises(protocol.ProtocolError, match="leads out"):
        store.repeat_job(job)


def test_links_are_not_followed(tmp_path: Path) -> None:
    outside = make(tmp_path / "outside", "victim")
    (outside / "picture.png").write_bytes(PNG)
    job = make(tmp_path / "jobs", "a")
    content = json.loads((job / "request.json").read_text()) | {"images": [{"path": "inputs/00.png"}]}
    (job / "request.json").write_text(json.dumps(content))
    (job / "inputs").mkdir()
    (job / "inputs/00.png").symlink_to(outside / "picture.png")
    (job / "result").symlink_to(outside)
    (tmp_path / "jobs/link").symlink_to(outside)
    say(job, HELLO, protocol.Finished(results=("result/picture.png", "inputs/00.png"), seconds=1.0))
    (outside / "preview.png").write_bytes(PNG)
    assert store.list_jobs(tmp_path / "jobs") == [job]
    assert store.results(job) == [] and store.thumbnail(job) is None
    with pytest.raises(ValueError, match="a link in its place"):
        store.repeat_job(job)
    before = store.size_on_disk(job)
    sparse(outside / "large")
    assert store.size_on_disk(job) == before
    with pytest.raises(ValueError, match="not a job folder"):
        store.remove(tmp_path / "jobs/link")
    store.remove(job)
    assert not job.exists() and (outside / "picture.png").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="sparse files")
def test_files_of_two_gigabytes_are_not_read(tmp_path: Path, little_memory: None) -> None:
    job = make(tmp_path, "a")
    with pytest.raises(ValueError, match=r"has 2\.1 GB; an input has at most 268\.4 MB"):
        protocol.make_job(tmp_path / "new", protocol.Request(
            system="tv3dg", prompt="a mug", images=(protocol.InputImage(path="inputs/00.png"),)
        ), [sparse(tmp_path / "image.png")])  # fmt: skip
    assert not (tmp_path / "new").exists()
    sparse(job / "result/preview.png")
    (job / "preview").mkdir()
    (job / "preview/latest.png").write_bytes(PNG)
    sparse(job / "log.txt")
    assert store.thumbnail(job) == job / "preview/latest.png"
    (job / "preview/latest.png").write_bytes(PNG[:16] + struct.pack(">II", 60_000, 60_000))  # 14 GB when decoded
    assert store.thumbnail(job) is None
    sparse(job / "events.jsonl")
    assert store.state(job) == store.INTERRUPTED and event_log.latest_run(job)[0] == []
    with pytest.raises(protocol.ProtocolError, match="a line of more than"):
        store.read_events(job)
    shutil.copytree(job, tmp_path / "b", ignore=lambda *_: ["events.jsonl", "log.txt", "result", "preview"])
    sparse(tmp_path / "b/request.json")
    entry = read_entry(tmp_path / "b")
    assert entry is not None and "a request has at most" in entry.problem


@pytest.mark.parametrize("name", ["a folder with spaces", "Ordner äöü 日本語 🫖", "x" * 200])
def test_folders_of_any_name_work(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name / name
    picture = tmp_path / name / "käse 1.png"
    picture.parent.mkdir()
    picture.write_bytes(PNG)
    request = protocol.Request(system="tv3dg", prompt="a mug", images=(protocol.InputImage(path="inputs/00.png"),))
    job = protocol.make_job(folder, request, [picture])
    again = store.repeat_job(job)
    assert set(store.list_jobs(folder)) == {job, again} and store.state(again) == store.WAITING
    assert (again / "inputs/00.png").read_bytes() == PNG and protocol.read_request(again) == request
    assert sorted(store.remove_old(folder, keep=0)) == sorted([job, again]) and list(folder.iterdir()) == []


def test_a_job_that_runs_or_is_none_is_not_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job, other = make(tmp_path, "a"), make(tmp_path, "b")
    monkeypatch.setattr(protocol, "is_running", lambda path: path == job)
    with pytest.raises(ValueError, match="is running: cancel it first"):
        store.remove(job)
    (tmp_path / "mine").mkdir()
    with pytest.raises(ValueError, match="not a job folder"):
        store.remove(tmp_path / "mine")
    assert store.remove_old(tmp_path, 0, spare=[other]) == [] and job.exists() and other.exists()
    assert store.remove_old(tmp_path, 0) == [other]


def test_a_run_of_nobody_is_closed_once(tmp_path: Path) -> None:
    job = make(tmp_path, "a")
    failed = protocol.Failed(kind="Died", message="m", hint="h")
    assert not store.close_run(job, failed)  # it never ran
    say(job, HELLO)
    with (job / "events.jsonl").open("ab") as file:
        file.write(PROGRESS[:20])  # torn
    assert store.close_run(job, failed) and store.last_message(job) == failed
    assert not store.close_run(job, protocol.Cancelled(seconds=1.0)) and store.state(job) == store.FAILED
    assert store.read_events(job)[0] == [HELLO, failed]


@pytest.mark.parametrize("line", [b"\n", b"\r\n", b" \t\n"])
def test_four_mebibytes_of_empty_lines_are_passed_over_at_once(
    tmp_path: Path, line: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, decode, decoded = make(tmp_path, "a"), protocol.decode, []
    said = protocol.encode(HELLO).encode()
    (job / "events.jsonl").write_bytes(said + line * ((4 << 20) // len(line) - len(said)) + said)
    monkeypatch.setattr(protocol, "decode", lambda text: decoded.append(text) or decode(text))
    events, offset = store.read_events(job)
    events += store.read_events(job, offset)[0]
    assert events == [HELLO, HELLO] and store.last_message(job) is None and len(decoded) < 10


def test_a_file_of_lines_that_are_no_events_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, decode, decoded = make(tmp_path, "a"), protocol.decode, []
    (job / "events.jsonl").write_bytes(b"x\n" * (2 << 20))
    monkeypatch.setattr(protocol, "decode", lambda text: decoded.append(text) or decode(text))
    with pytest.raises(protocol.ProtocolError, match="1001 lines that are no JSON"):
        store.read_events(job)
    assert store.last_message(job) is None and len(decoded) < 3_000


@pytest.mark.parametrize("digits", [19, 20, 310, 4_301])
def test_numbers_of_many_digits_are_refused_or_counted_with(tmp_path: Path, digits: int) -> None:
    job, number = make(tmp_path, "a"), "9" * digits
    fields = {"step": number, "steps": number, "seconds_left": f"1e{digits}", "steps_per_second": 1, "memory_bytes": 1}
    text = ", ".join(f'"{name}": {value}' for name, value in fields.items())
    line = f'{{"type": "Progress", {text}}}\n'.encode()
    say(job, HELLO)
    with (job / "events.jsonl").open("ab") as file:
        file.write(line)
    if digits == 4_301:  # Python does not even read it: a torn line
        assert store.read_events(job)[0] == [HELLO]
        return
    with pytest.raises(protocol.ProtocolError, match=f"number of {digits} digits; it must fit 64 bits"):
        store.read_events(job)
    events = [event for event in store.latest_run(job)[0] if isinstance(event, protocol.Progress)]
    assert events == []
