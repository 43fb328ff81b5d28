"""What a person sees of a job in a terminal, and a program in a pipe."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from addon import protocol
from backend.cli import console
from backend.runtime.machine import ROOT
from backend.runtime.measuring import part
from tests.backend.fake_system import write_job

FAKE = "tests.backend.fake_system"


def read_to_the_end(descriptor: int) -> bytes:
    """Return all that comes from a terminal."""
    text = b""
    while True:
        try:
            chunk = os.read(descriptor, 4096)
        except OSError:  # how Linux says that the other end is closed
            return text
        if not chunk:
            return text
        text += chunk


def test_the_progress_line_of_a_terminal(tmp_path: Path) -> None:
    pty = pytest.importorskip("pty", reason="no pseudo-terminals on this system")
    job = write_job(tmp_path / "job", settings={"steps": 30})
    arguments = ["--prompt", "fit", "--seed", "3", "--threads", "1", "--set", "steps=30"]
    arguments += ["--preset", "standard", "--out", str(job)]
    screen, end = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", FAKE, "generate", *arguments], cwd=ROOT, stderr=end, stdout=subprocess.DEVNULL
    )
    os.close(end)
    text = read_to_the_end(screen)
    assert process.wait() == 0
    lines = text.decode().split("\r\x1b[K")
    progress = [line for line in lines if "30," in line]
    assert progress[-1].startswith("2. Fit weights [########################] 30/30, ")
    assert progress[-1].endswith(" it/s, 0:00 left")
    assert lines[-1].strip().startswith("done in 0:")


def test_a_run_in_a_terminal_speaks_to_a_person_and_elsewhere_in_events(tmp_path: Path) -> None:
    pty = pytest.importorskip("pty", reason="no pseudo-terminals on this system")
    job = write_job(tmp_path / "job", settings={"steps": 3, "pause": 0.0})
    command = [sys.executable, "-m", FAKE, "run", str(job)]
    screen, end = pty.openpty()
    process = subprocess.Popen(command, cwd=ROOT, stderr=end, stdout=end)
    os.close(end)
    text = read_to_the_end(screen).decode()
    assert process.wait() == 0
    assert '{"' not in text and "done in 0:" in text and str(job / "result") in text.replace("\r\n", "")
    piped = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    assert [type(protocol.decode(line)).__name__ for line in piped.stdout.splitlines()][0] == "Hello"


def test_a_file_gets_a_line_of_progress_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(console.time, "monotonic", lambda: now)
    stream = io.StringIO()
    shown = console.Console(stream)
    shown.stage(2, "Fit", is_loaded=False)
    for step in range(1, 41):  # one a second
        now = float(step)
        shown.progress(step, 80, 80.0 - step, 1.0)
    assert stream.getvalue().splitlines() == [
        "2. Fit, after 0:00",
        "2. Fit [####....................] 16/80, 1.0 it/s, 1:04 left",
        "2. Fit [#########...............] 32/80, 1.0 it/s, 0:48 left",
    ]


class Terminal(io.StringIO):
    """A stream that somebody watches."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_parts_of_a_stage_have_no_speed(stream: type[io.StringIO], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "QUIET_SECONDS", -1.0)
    written = stream()
    shown = console.Console(written)
    shown.stage(3, "Mesh", is_loaded=False)
    told = part(1, 4)
    shown.progress(told.step, told.steps, told.seconds_left, told.steps_per_second)
    assert written.getvalue().endswith(("[######..................] 1/4", "[######..................] 1/4\n"))


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_what_a_stranger_has_written_moves_no_cursor(stream: type[io.StringIO]) -> None:
    evil, text = "\x1b]52;c;aGk=\x07\x1b[2J\r", stream()
    shown = console.Console(text)
    for event in (
        protocol.Stage(number=1, name=evil),
        protocol.Progress(step=1, steps=2**60, seconds_left=0.0, steps_per_second=1.0, memory_bytes=0),
        protocol.Warning(message=evil),
        protocol.Failed(kind="BadInput", message=evil, hint=evil),
        protocol.Finished(results=(), seconds=0.0, stopped_after=evil),
    ):
        console.show(event, shown, Path("a"))
    left = text.getvalue().replace("\r\x1b[K", "")  # what rewrites the line is ours
    assert not set(left) & set("\x1b\x07\r") and left.count(r"\x1b]52;c;aGk=\x07\x1b[2J") >= 5


def test_a_stage_that_says_nothing_is_heard_of_in_a_file_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(console.time, "monotonic", lambda: now)
    stream, screen = io.StringIO(), Terminal()
    shown = console.Console(stream)
    shown.still_at_it()  # no stage runs
    shown.stage(3, "Mesh", is_loaded=False)
    for second in range(95):
        now = float(second)
        shown.still_at_it()
    shown.stage(4, "Export", is_loaded=False)
    assert stream.getvalue().splitlines() == [
        "3. Mesh, after 0:00",
        "3. Mesh, still at work after 0:30",
        "3. Mesh, still at work after 1:00",
        "3. Mesh, still at work after 1:30",
        "4. Export, after 1:34",
    ]
    with console.Console(screen).sign_of_life():  # a terminal shows the stage all along
        assert "signs of life" not in [thread.name for thread in threading.enumerate()]


def test_signs_of_life_come_from_beside_and_end_with_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "SILENT_SECONDS", 0.0)
    shown, seen = console.Console(io.StringIO()), threading.Event()
    monkeypatch.setattr(shown, "still_at_it", seen.set)
    with shown.sign_of_life():
        watchers = [thread for thread in threading.enumerate() if thread.name == "signs of life"]
        assert seen.wait(60)
    assert len(watchers) == 1
    watchers[0].join(60)
    assert not watchers[0].is_alive()


def test_a_hint_is_what_is_typed_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(console.os, "name", "posix")
    monkeypatch.setattr(console.sys, "executable", str(tmp_path / ".venv" / "bin" / "python"))
    assert console.typed("run", Path("my job")) == ".venv/bin/python -m backend run 'my job'"
    monkeypatch.setattr(console.sys, "executable", "/opt/python3")
    stream = io.StringIO()
    console.show(protocol.Interrupted(reason="so", seconds=1.0), console.Console(stream), Path("job"))
    assert stream.getvalue() == "interrupted (so); go on with: /opt/python3 -m backend run job\n"


def test_whoever_reads_no_more_does_not_end_the_job(tmp_path: Path) -> None:
    job = tmp_path / "job"
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", FAKE, "generate", "--prompt", "fit", "--threads", "1", "--out", str(job)]
    done = subprocess.run(command, cwd=ROOT, stderr=writer, stdout=subprocess.PIPE, text=True)
    os.close(writer)
    assert done.returncode == 0 and done.stdout == f"{job}/result/points.bin\n"
