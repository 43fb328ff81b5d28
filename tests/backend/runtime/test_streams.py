"""Where the lines of a job go."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from addon import protocol
from addon.jobs import store
from backend.runtime import streams
from backend.runtime.control import Control
from backend.runtime.streams import Outbox, output_to
from tests.backend.fake_system import write_job
from tests.backend.processes import run


def test_a_run_after_a_power_failure_writes_readable_events(tmp_path: Path) -> None:
    job = write_job(tmp_path / "job")
    (job / "events.jsonl").write_text('{"type": "Hello", "jo')
    done = run(tmp_path, "run", job)
    assert done.returncode == 0
    assert (job / "events.jsonl").read_text() == '{"type": "Hello", "jo\n' + done.stdout
    assert store.state(job) == store.FINISHED


def test_the_last_line_closes_an_outbox_and_a_reader_that_is_gone_is_noted(tmp_path: Path) -> None:
    class Gone(io.BytesIO):
        def flush(self) -> None:
            raise BrokenPipeError

    control, stream = Control(), io.BytesIO()
    outbox = Outbox(tmp_path / "events.jsonl", stream, control)
    outbox.send("a\n")
    outbox.send("b\n", last=True)
    outbox.send("c\n")
    assert stream.getvalue() == (tmp_path / "events.jsonl").read_bytes() == b"a\nb\n" and not control.interrupted
    Outbox(tmp_path / "events.jsonl", Gone(), control).send("d\n")
    assert control.is_alone and control.interrupted == "the program that reads the events is gone"
    assert (tmp_path / "events.jsonl").read_bytes() == b"a\nb\nd\n"  # the file has it all the same


def test_what_is_printed_goes_to_the_file_for_as_long_as_the_block_runs(tmp_path: Path, capfd) -> None:
    with output_to(tmp_path / "log.txt"):
        os.write(1, b"from C\n")
        os.write(2, b"an error\n")
    os.write(1, b"afterwards\n")
    assert (tmp_path / "log.txt").read_bytes() == b"from C\nan error\n"
    assert capfd.readouterr().out == "afterwards\n"


def test_a_line_that_a_disk_did_not_take_is_written_with_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stream, path = io.BytesIO(), tmp_path / "events.jsonl"
    outbox = Outbox(path, stream, Control())
    outbox.send("a\n")
    monkeypatch.setattr(protocol, "open_file", full(protocol.open_file, times=2, torn=b'{"type'))
    outbox.send("b\n")
    outbox.send("c\n")
    assert path.read_bytes() == b'a\n{"type{"type' and stream.getvalue() == b"a\nb\nc\n"
    outbox.send("d\n")
    assert path.read_bytes() == b'a\n{"type{"type\nb\nc\nd\n'  # what was torn is passed over by whoever reads
    assert caplog.text.count("it is tried again") == 1  # not for each line


def test_the_last_line_is_tried_until_the_file_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "TRY_SECONDS", 0.0)
    monkeypatch.setattr(protocol, "open_file", full(protocol.open_file, times=3))
    Outbox(tmp_path / "events.jsonl", None, Control()).send("b\n", last=True)
    assert (tmp_path / "events.jsonl").read_bytes().strip() == b"b"
    monkeypatch.setattr(protocol, "open_file", full(protocol.open_file, times=99))
    Outbox(tmp_path / "other.jsonl", None, Control()).send("b\n", last=True)  # and given up at some time
    assert not (tmp_path / "other.jsonl").exists()


def test_lines_are_not_kept_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outbox = Outbox(tmp_path / "events.jsonl", None, Control())
    with monkeypatch.context() as patch:
        patch.setattr(protocol, "open_file", full(protocol.open_file, times=99))
        for _ in range(40):
            outbox.send("x" * 100_000 + "\n")
    outbox.send("end\n")
    assert (tmp_path / "events.jsonl").stat().st_size <= protocol.LINE_BYTES + 10


def full(original: Callable[..., Any], times: int, torn: bytes = b"") -> Callable[..., Any]:
    """Return an `open_file` that fails so many times, as on a full disk, after it has written a part."""
    left = times

    def open_file(folder: Path, name: str, mode: Any) -> Any:
        nonlocal left
        if mode != "ab" or left == 0:
            return original(folder, name, mode)
        left -= 1
        if torn:
            with original(folder, name, mode) as file:
                file.write(torn)
        raise OSError(errno.ENOSPC, "No space left on device")

    return open_file
