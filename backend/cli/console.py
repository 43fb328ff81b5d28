"""What a person sees of a job: at a terminal one line that is rewritten, in a file a line every quarter of a minute."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO, assert_never

from addon import protocol
from addon.protocol import preflight

BAR = 24
QUIET_SECONDS = 15.0  # between two lines of progress in a file
SILENT_SECONDS = 30.0  # after which a file gets a sign of life from a stage that has no steps, or long ones


class Console:
    """Show the course of one job on a text stream."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._stage = ""
        self._started = self._written = self._stage_started = time.monotonic()
        self._lock = threading.Lock()  # signs of life come from a thread of their own

    @contextlib.contextmanager
    def sign_of_life(self) -> Iterator[None]:
        """While the block runs, let a stage that says nothing be heard of in a file; a terminal shows it all along."""
        is_over = threading.Event()

        def watch() -> None:
            while not is_over.wait(1.0):
                self.still_at_it()

        watcher = threading.Thread(target=watch, name="signs of life", daemon=True)
        if not self._is_terminal:
            watcher.start()
        try:
            yield
        finally:
            is_over.set()

    def still_at_it(self) -> None:
        """Write that the running stage goes on, if nothing was written for SILENT_SECONDS."""
        now = time.monotonic()
        if self._stage and now - self._written >= SILENT_SECONDS:
            self.say(f"{self._stage}, still at work after {clock(now - self._stage_started)}")

    def stage(self, number: int, name: str, is_loaded: bool) -> None:
        """Announce a stage."""
        self._stage, self._stage_started = f"{number}. {name}", time.monotonic()
        suffix = " (done before)" if is_loaded else ""
        if self._is_terminal:
            self._rewrite(self._stage + suffix)
        else:
            self.say(f"{self._stage}{suffix}, after {clock(time.monotonic() - self._started)}")

    def progress(self, step: int, steps: int, seconds_left: float, steps_per_second: float) -> None:
        """Show how far the running stage is; parts that are not of one length have no speed, which is then 0."""
        full = min(max(BAR * step // max(steps, 1), 0), BAR)
        bar = "#" * full + "." * (BAR - full)
        line = f"{self._stage} [{bar}] {step}/{steps}"
        if steps_per_second > 0:
            rate = f"{steps_per_second:.1f} it/s" if steps_per_second >= 1 else f"{1 / steps_per_second:.1f} s/it"
            speed = f"{rate}, {clock(seconds_left)} left" if step > 1 or steps == 1 else "measuring the speed"
            line = f"{line}, {speed}"
        if self._is_terminal:
            self._rewrite(line)
        elif time.monotonic() - self._written > QUIET_SECONDS:
            self.say(line)

    def say(self, text: str) -> None:
        """Write a line of its own."""
        with self._lock:
            if self._is_terminal:
                self._rewrite("")
            self._written = time.monotonic()
            self._write(protocol.plain_text(text) + "\n")

    def _rewrite(self, text: str) -> None:
        width = shutil.get_terminal_size().columns - 1
        self._write("\r\x1b[K" + protocol.plain_text(text)[:width])

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):  # nobody reads any more, or a disk is full: the job is no worse for it
            self._stream.write(text)
            self._stream.flush()


def clock(seconds: float) -> str:
    """Return a duration as 0:07, 12:34 or 1:02:03."""
    minutes, rest = divmod(int(round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def typed(*arguments: str | Path) -> str:
    """Return `python -m backend` with arguments as it is typed here: with the interpreter that runs this."""
    program = Path(sys.executable or "python")
    with contextlib.suppress(ValueError):
        program = program.relative_to(Path.cwd())  # .venv/bin/python, in a checkout
    words = [str(word) for word in (program, "-m", "backend", *arguments)]
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def show(event: protocol.Event, console: Console, folder: Path) -> None:
    """Tell a person about an event of a job folder."""
    match event:
        case protocol.Hello() | protocol.Preview() | protocol.Compiling() | protocol.Idle():
            pass
        case protocol.Forecast():
            free = f" of {event.free_bytes / preflight.GB:.1f} GB that are free" if event.free_bytes else ""
            console.say(f"{preflight.words(event.seconds, event.memory_bytes)}{free}, as predicted")
        case protocol.Stage():
            console.stage(event.number, event.name, event.loaded)
        case protocol.Progress():
            console.progress(event.step, event.steps, event.seconds_left, event.steps_per_second)
        case protocol.Warning():
            console.say(f"warning: {event.message} {event.hint}".rstrip())
        case protocol.Finished(stopped_after=""):
            console.say(f"done in {clock(event.seconds)}")
        case protocol.Finished():
            console.say(f"stopped after {event.stopped_after}; go on with: {typed('run', folder)}")
        case protocol.Cancelled():
            console.say("cancelled")
        case protocol.Failed():
            console.say(f"error: {event.message} {event.hint}".rstrip())
        case protocol.Interrupted():
            console.say(f"interrupted ({event.reason}); go on with: {typed('run', folder)}")
        case _:
            assert_never(event)
