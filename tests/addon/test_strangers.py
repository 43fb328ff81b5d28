"""A job folder from a stranger: paths that lead out, links, files without end. Refused, or read within bounds."""

from __future__ import annotations

import json
import os
import shutil
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from addon import course, jobs, journal, protocol
from addon.catalogue import read_entry
from tests.addon.test_catalogue import PNG, make
from tests.addon.test_jobs import HELLO, say

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
        jobs.repeat_job(job)


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
    assert jobs.list_jobs(tmp_path / "jobs") == [job]
    assert jobs.results(job) == [] and jobs.thumbnail(job) is None
    with pytest.raises(ValueError, match="a link in its place"):
        jobs.repeat_job(job)
    before = jobs.size_on_disk(job)
    sparse(outside / "large")
    assert jobs.size_on_disk(job) == before
    with pytest.raises(ValueError, match="not a job folder"):
        jobs.remove(tmp_path / "jobs/link")
    jobs.remove(job)
    assert not job.exists() and (outside / "picture.png").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="sparse files")
def test_files_of_two_gigabytes_are_not_read(tmp_path: Path, little_memory: None) -> None:
    job = make(tmp_path, "a")
    with pytest.raises(ValueError, match=r"has 2\.1 GB; an input has at most 268\.4 MB"):
        jobs.make_job(tmp_path / "new", protocol.Request(
            system="tv3dg", prompt="a mug", images=(protocol.InputImage(path="inputs/00.png"),)
        ), [sparse(tmp_path / "image.png")])  # fmt: skip
    assert not (tmp_path / "new").exists()
    sparse(job / "result/preview.png")
    (job / "preview").mkdir()
    (job / "preview/latest.png").write_bytes(PNG)
    sparse(job / "log.txt")
    assert jobs.thumbnail(job) == job / "preview/latest.png"
    (job / "preview/latest.png").write_bytes(PNG[:16] + struct.pack(">II", 60_000, 60_000))  # 14 GB when decoded
    assert jobs.thumbnail(job) is None
    sparse(job / "events.jsonl")
    assert jobs.state(job) == jobs.INTERRUPTED and journal.latest_run(job)[0] == []
    with pytest.raises(protocol.ProtocolError, match="a line of more than"):
        jobs.read_events(job)
    shutil.copytree(job, tmp_path / "b", ignore=lambda *_: ["events.jsonl", "log.txt", "result", "preview"])
    sparse(tmp_path / "b/request.json")
    entry = read_entry(tmp_path / "b")
    assert entry is not None and "a request has at most" in entry.problem


def test_a_million_events_are_summed_up_from_a_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = make(tmp_path, "a")
    say(job, HELLO, protocol.Failed(kind="K", message="of an earlier run", hint=""))
    say(job, HELLO, protocol.Stage(number=1, name="gaussians", stages=2))
    with (job / "events.jsonl").open("ab") as file:
        for _ in range(1000):
            file.write(PROGRESS * 999 + protocol.encode(protocol.Preview()).encode())
        file.write(PROGRESS.replace(b'"step": 1', b'"step": 3'))
        file.write(b'{"type": "Prog')  # it is being written
    assert jobs.state(job) == jobs.INTERRUPTED
    decoded: list[object] = []
    original = protocol.decode
    monkeypatch.setattr(protocol, "decode", lambda line: decoded.append(line) or original(line))
    events, offset = journal.latest_run(job)
    assert len(decoded) < 10 and offset == (job / "events.jsonl").stat().st_size - 14
    where = course.Course()
    for event in events:
        where = course.follow(where, event)
    assert (where.step, where.previews, where.last) == (3, 1, None)
    assert where.stage == ""  # announced too far before the end
    monkeypatch.setattr(journal, "RUN_BYTES", 1 << 30)
    assert journal.latest_run(job)[0][1] == protocol.Stage(number=1, name="gaussians", stages=2)
    fresh, offset = jobs.read_events(job)
    assert 0 < offset <= journal.READ_BYTES and len(fresh) < 10**5  # a bounded part in one call
    assert read_entry(job) is not None


def test_the_latest_run_is_found_among_several(tmp_path: Path) -> None:
    job = make(tmp_path, "a")
    assert journal.latest_run(job) == ([], 0)
    first = [HELLO, protocol.Stage(number=1, name="old"), protocol.Cancelled(seconds=1.0)]
    progress = [
        protocol.Progress(step=n, steps=9, seconds_left=1.0, steps_per_second=1.0, memory_bytes=1) for n in range(4)
    ]
    stages = [protocol.Stage(number=1, name="perceive", loaded=True), protocol.Stage(number=2, name="gaussians")]
    warning, finished = protocol.Warning(message="w"), protocol.Finished(results=(), seconds=2.0)
    say(job, *first)
    assert journal.latest_run(job)[0] == first
    say(job, HELLO, stages[0], progress[0], progress[1], stages[1], warning, progress[2], progress[3], finished)
    assert journal.latest_run(job)[0] == [HELLO, stages[0], progress[1], stages[1], warning, progress[3], finished]
    assert jobs.last_message(job) == finished
    say(job, HELLO)
    assert journal.latest_run(job)[0] == [HELLO] and jobs.last_message(job) is None


def test_lines_of_nonsense_do_not_hide_the_history(tmp_path: Path) -> None:
    job = make(tmp_path, "a")
    (job / "events.jsonl").write_bytes(b'{"type": "Finished", "results": ["../../x"], "seconds": 1.0}\n')
    entry = read_entry(job)
    assert entry is not None and "leads out" in entry.problem
    (job / "events.jsonl").write_bytes(os.urandom(3_000_000).replace(b"\n", b"") + b"\n")
    assert read_entry(job) is not None and journal.latest_run(job)[0] == []
    (job / "events.jsonl").write_bytes(b"\n" * 3_000_000)
    assert read_entry(job) is not None and jobs.state(job) == jobs.INTERRUPTED


@pytest.mark.parametrize("name", ["a folder with spaces", "Ordner äöü 日本語 🫖", "x" * 200])
def test_folders_of_any_name_work(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name / name
    picture = tmp_path / name / "käse 1.png"
    picture.parent.mkdir()
    picture.write_bytes(PNG)
    request = protocol.Request(system="tv3dg", prompt="a mug", images=(protocol.InputImage(path="inputs/00.png"),))
    job = jobs.make_job(folder, request, [picture])
    again = jobs.repeat_job(job)
    assert set(jobs.list_jobs(folder)) == {job, again} and jobs.state(again) == jobs.WAITING
    assert (again / "inputs/00.png").read_bytes() == PNG and protocol.read_request(again) == request
    assert sorted(jobs.remove_old(folder, keep=0)) == sorted([job, again]) and list(folder.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="RLIMIT_FSIZE")
def test_a_full_disk_leaves_no_half_a_job_and_says_what_to_do(tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    picture.write_bytes(PNG + bytes(3_000_000))
    request = protocol.Request(system="tv3dg", prompt="a mug", images=(protocol.InputImage(path="inputs/00.png"),))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limits[1]))  # as on a full disk, writing ends in an OSError
    try:
        with pytest.raises(OSError, match=r"No room for a new job .* 3\.0 MB were to be copied, .* are free\. Remove"):
            jobs.make_job(tmp_path / "jobs", request, [picture])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list((tmp_path / "jobs").iterdir()) == []


def test_a_job_that_runs_or_is_none_is_not_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job, other = make(tmp_path, "a"), make(tmp_path, "b")
    monkeypatch.setattr(jobs, "is_running", lambda path: path == job)
    with pytest.raises(ValueError, match="is running: cancel it first"):
        jobs.remove(job)
    (tmp_path / "mine").mkdir()
    with pytest.raises(ValueError, match="not a job folder"):
        jobs.remove(tmp_path / "mine")
    assert jobs.remove_old(tmp_path, 0, spare=[other]) == [] and job.exists() and other.exists()
    assert jobs.remove_old(tmp_path, 0) == [other]


def test_sizes_are_said_as_an_artist_reads_them() -> None:
    sizes = (0, 1, 99_000, 100_000, 3_800_000, 2_000_000_000)
    assert [jobs.megabytes(size) for size in sizes] == ["0 kB", "1 kB", "99 kB", "0.1 MB", "3.8 MB", "2.0 GB"]


def test_a_run_of_nobody_is_closed_once(tmp_path: Path) -> None:
    job = make(tmp_path, "a")
    failed = protocol.Failed(kind="Died", message="m", hint="h")
    assert not jobs.close_run(job, failed)  # it never ran
    say(job, HELLO)
    with (job / "events.jsonl").open("ab") as file:
        file.write(PROGRESS[:20])  # torn
    assert jobs.close_run(job, failed) and jobs.last_message(job) == failed
    assert not jobs.close_run(job, protocol.Cancelled(seconds=1.0)) and jobs.state(job) == jobs.FAILED
    assert jobs.read_events(job)[0] == [HELLO, failed]
