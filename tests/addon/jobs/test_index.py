"""The history without Blender: what is read, how seldom, and what becomes of folders that nobody should trust."""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

import pytest

from addon import protocol
from addon.jobs import index as catalogue_module
from addon.jobs import store
from addon.jobs.index import JobIndex, shown
from tests.addon.jobs.test_store import HELLO, say

PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 8, 8)


def make(folder: Path, name: str, prompt: str = "a mug") -> Path:
    """Write a job folder."""
    (folder / name).mkdir(parents=True)
    protocol.write_request(folder / name, protocol.Request(system="tv3dg", prompt=prompt, seed=7))
    return folder / name


def finish(job: Path) -> None:
    """Let a job have finished with a result and a picture."""
    (job / "result").mkdir()
    (job / "result/model.glb").write_bytes(b"x" * 1000)
    (job / "result/preview.png").write_bytes(PNG)
    say(job, HELLO, protocol.Finished(results=("result/model.glb",), seconds=1.0))


def read(folder: Path) -> JobIndex:
    """Return the catalogue of a folder, complete."""
    known = JobIndex(folder)
    known.refresh_all()
    return known


def test_an_entry_says_what_the_folder_says(tmp_path: Path) -> None:
    finish(make(tmp_path, "a", "a red mug"))
    failed = make(tmp_path, "b")
    say(failed, HELLO, protocol.Failed(kind="K", message="The mask is empty.", hint="Use another."))
    stopped = make(tmp_path, "c")
    say(stopped, HELLO, protocol.Finished(results=(), seconds=1.0, stopped_after="perceive"))
    make(tmp_path, "d")
    (tmp_path / "not a job").mkdir()
    (tmp_path / "file").write_bytes(b"")
    known = read(tmp_path)
    assert [entry.job.name for entry in known.entries] == ["d", "c", "b", "a"]  # the newest first
    waiting, stopped_entry, failed_entry, finished = known.entries
    assert finished.request is not None and (finished.request.prompt, finished.request.seed) == ("a red mug", 7)
    assert finished.state == store.FINISHED and finished.has_results and finished.outcome == ""
    assert finished.thumbnail == tmp_path / "a/result/preview.png"
    assert finished.size == sum(path.stat().st_size for path in (tmp_path / "a").rglob("*") if path.is_file()) > 1000
    assert (failed_entry.state, failed_entry.outcome) == (store.FAILED, "The mask is empty. Use another.")
    assert stopped_entry.outcome == "Stopped after Cutting Out." and not stopped_entry.has_results
    assert waiting.state == store.WAITING and known.size == sum(entry.size for entry in known.entries)
    assert JobIndex(tmp_path / "nowhere").refresh(1.0) is False


def test_a_thousand_jobs_are_read_once_and_then_only_what_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1000):
        make(tmp_path, f"job{number:04}")
    monkeypatch.setattr(catalogue_module, "PASS_SECONDS", 0.0)
    known = JobIndex(tmp_path)
    assert known.refresh(60.0) and len(known.entries) == 1000 and known.reads == 1000
    opened: list[str] = []
    original = Path.open
    monkeypatch.setattr(Path, "open", lambda self, *a, **k: opened.append(self.name) or original(self, *a, **k))
    monkeypatch.setattr(Path, "read_bytes", lambda self: pytest.fail(f"{self} was read again"))
    entries = known.entries
    assert not known.refresh(60.0) and known.entries is entries and known.reads == 1000 and opened == []
    monkeypatch.undo()
    monkeypatch.setattr(catalogue_module, "PASS_SECONDS", 0.0)
    finish(tmp_path / "job0500")
    store.remove(tmp_path / "job0000")
    assert known.refresh(60.0) and known.reads == 1001
    assert len(known.entries) == 999 and known.entries[499].state == store.FINISHED
    assert known.find("job0500") == known.entries[499] and known.find("job0000") is None


def test_the_work_is_done_in_slices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(20):
        make(tmp_path, f"job{number:02}")
    clock = iter(range(10**6))
    monkeypatch.setattr(catalogue_module.time, "perf_counter", lambda: next(clock))
    known = JobIndex(tmp_path)
    slices = 1
    while not known.refresh(4.5):  # the clock goes on by one at each look: five jobs
        assert known.entries == [] and known.reads == 5 * slices and known.is_busy
        slices += 1
    assert slices == 4 and len(known.entries) == 20 and not known.is_busy
    assert not known.refresh(4.5) and known.reads == 20  # the next pass is not due yet


def test_a_running_job_is_looked_at_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "a")
    monkeypatch.setattr(protocol, "is_running", lambda job: True)
    known = read(tmp_path)
    assert known.entries[0].state == store.RUNNING
    monkeypatch.undo()
    known.refresh_all()
    assert known.entries[0].state == store.WAITING  # it left without a word, and no file has changed


ODD = [os.fsdecode(b"caf\xe9"), os.fsdecode(b"\xff\xfe")]


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes there")
@pytest.mark.parametrize("name", ODD)
def test_one_odd_name_spoils_one_row(tmp_path: Path, name: str) -> None:
    finish(make(tmp_path, "good"))
    make(tmp_path, name)
    half = make(tmp_path, "half")
    text = (half / "request.json").read_text().replace("a mug", "a \\udcff mug")
    (half / "request.json").write_text(text)
    failed = make(tmp_path, "failed")
    say(failed, HELLO, protocol.Failed(kind="K", message="half \udcff", hint=""))
    known = read(tmp_path)
    rows = {entry.name: entry for entry in known.entries}
    assert len(rows) == 4 and rows["good"].state == store.FINISHED and not rows["good"].problem
    odd = rows[shown(name)]
    assert odd.is_odd and "is not in UTF-8: rename the folder." in odd.problem
    assert "half a character, \\udcff" in rows["half"].problem
    assert rows["failed"].outcome == "half \\udcff"
    assert known.find(odd.name) == odd and known.find("good") == rows["good"]
    for entry in rows.values():
        (entry.name + entry.problem + entry.outcome).encode()  # as Blender takes it
    assert set(store.remove_old(tmp_path, keep=0)) == {entry.job for entry in rows.values()}


def test_what_was_left_of_others_is_counted_and_the_newest_come_first(tmp_path: Path) -> None:
    for age, name in enumerate(("b", "c", "a")):
        os.utime(make(tmp_path, name) / "request.json", ns=(10**18, 10**18 - age * 10**9))
    left = tmp_path / "20260101-000000-aaaaaa.tmp"
    left.mkdir()
    (left / "log.txt").write_bytes(b"x" * 5000)
    known = read(tmp_path)
    assert [entry.job.name for entry in known.entries] == ["b", "c", "a"]
    assert known.left_bytes == 5000 and known.size == 5000 + sum(entry.size for entry in known.entries)
    store.remove_leftovers(tmp_path)
    known.refresh_all()
    assert known.left_bytes == 0
