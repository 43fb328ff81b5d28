"""What a person at a terminal sees of a job: one line that is rewritten, or a line now and then in a log. No bpy."""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path
from typing import TextIO

from .. import protocol
from ..jobs.progress import JobProgress, follow, new_course
from ..wording import time_left

BAR = 24
LOG_SECONDS = 10.0  # between two lines of a stage, where nobody watches


class Terminal:
    """Show the course of a job on a text stream; call it with each event. `job`: its folder, for better estimates."""

    def __init__(self, stream: TextIO, *, name: str = "", job: Path | None = None) -> None:
        self._stream = stream
        self._name = f"{name}: " if name else ""
        self._course = new_course(job) if job else JobProgress()
        self._is_rewriting = stream.isatty()
        self._written = time.monotonic()

    def __call__(self, event: protocol.Event) -> None:
        """Show an event. The last message of a job is for the caller to tell."""
        self._course = follow(self._course, event)
        course = self._course
        match event:
            case protocol.Stage():
                of = f"/{event.stages}" if event.stages else ""
                self.say(f"{self._name}{event.number}{of} {event.name}{' (done before)' if event.loaded else ''}")
            case protocol.Progress():
                left = "" if course.seconds_left is None else f", {time_left(course.seconds_left).lower()}"
                state = f"{event.step}/{event.steps}, {course.share:.0%} of all{left}"
                if self._is_rewriting:
                    full = round(BAR * course.share)
                    self._rewrite(f"{self._name}{course.stage} [{'#' * full:.<{BAR}}] {state}")
                elif time.monotonic() - self._written >= LOG_SECONDS:
                    self.say(f"{self._name}{course.stage} {state}")
            case protocol.Warning():
                self.say(f"{self._name}warning: {event.message} {event.hint}".rstrip())
            case _:
                pass

    def say(self, text: str) -> None:
        """Write a line of its own."""
        self._written = time.monotonic()
        self._write(("\r\x1b[K" if self._is_rewriting else "") + protocol.plain_text(text) + "\n")

    def _rewrite(self, text: str) -> None:
        self._write("\r\x1b[K" + protocol.plain_text(text)[: shutil.get_terminal_size().columns - 1])

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):  # nobody reads any more, or a disk is full: the job is no worse for it
            self._stream.write(text)
            self._stream.flush()
