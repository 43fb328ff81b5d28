"""The latest run of a job, read from the end of its events: a few lines of a million."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from addon import protocol
from addon.jobs import event_log, store
from addon.jobs import progress as course
from addon.jobs.index import read_entry
from tests.addon.jobs.test_index import make
from tests.addon.jobs.test_store import HELLO, say

PROGRESS = protocol.encode(
    protocol.Progress(step=1, steps=9, seconds_left=8.0, steps_per_second=1.0, memory_bytes=1)
).encode()


def test_a_million_events_are_summed_up_from_a_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = make(tmp_path, "a")
    say(job, HELLO, protocol.Failed(kind="K", message="of an earlier run", hint=""))
    say(job, HELLO, protocol.Stage(number=1, name="gaussians", stages=2))
    with (job / "events.jsonl").open("ab") as file:
        for _ in range(1000):
            file.write(PROGRESS * 999 + protocol.encode(protocol.Preview()).encode())
        file.write(PROGRESS.replace(b'"step": 1', b'"step": 3'))
        file.write(b'{"type": "Prog')  # it is being written
    assert store.state(job) == store.INTERRUPTED
    decoded: list[object] = []
    original = protocol.decode
    monkeypatch.setattr(protocol, "decode", lambda line: decoded.append(line) or original(line))
    events, offset = event_log.latest_run(job)
    assert len(decoded) < 10 and offset == (job / "events.jsonl").stat().st_size - 14
    where = course.JobProgress()
    for event in events:
        where = course.follow(where, event)
    assert (where.step, where.previews, where.last) == (3, 1, None)
    assert where.stage == ""  # announced too far before the end
    monkeypatch.setattr(event_log, "RUN_BYTES", 1 << 30)
    assert event_log.latest_run(job)[0][1] == protocol.Stage(number=1, name="gaussians", stages=2)
    fresh, offset = store.read_events(job)
    assert 0 < offset <= event_log.READ_BYTES and len(fresh) < 10**5  # a bounded part in one call
    assert read_entry(job) is not None


def test_the_latest_run_is_found_among_several(tmp_path: Path) -> None:
    job = make(tmp_path, "a")
    assert event_log.latest_run(job) == ([], 0)
    first = [HELLO, protocol.Stage(number=1, name="old"), protocol.Cancelled(seconds=1.0)]
    progress = [
        protocol.Progress(step=n, steps=9, seconds_left=1.0, steps_per_second=1.0, memory_bytes=1) for n in range(4)
    ]
    stages = [protocol.Stage(number=1, name="perceive", loaded=True), protocol.Stage(number=2, name="gaussians")]
    warning, finished = protocol.Warning(message="w"), protocol.Finished(results=(), seconds=2.0)
    say(job, *first)
    assert event_log.latest_run(job)[0] == first
    say(job, HELLO, stages[0], progress[0], progress[1], stages[1], warning, progress[2], progress[3], finished)
    assert event_log.latest_run(job)[0] == [HELLO, stages[0], progress[1], stages[1], warning, progress[3], finished]
    assert store.last_message(job) == finished
    say(job, HELLO)
    assert event_log.latest_run(job)[0] == [HELLO] and store.last_message(job) is None


def test_lines_of_nonsense_do_not_hide_the_history(tmp_path: Path) -> None:
    job = make(tmp_path, "a")
    (job / "events.jsonl").write_bytes(b'{"type": "Finished", "results": ["../../x"], "seconds": 1.0}\n')
    entry = read_entry(job)
    assert entry is not None and "leads out" in entry.problem
    (job / "events.jsonl").write_bytes(os.urandom(3_000_000).replace(b"\n", b"") + b"\n")
    assert read_entry(job) is not None and event_log.latest_run(job)[0] == []
    (job / "events.jsonl").write_bytes(b"\n" * 3_000_000)
    assert read_entry(job) is not None and store.state(job) == store.INTERRUPTED
