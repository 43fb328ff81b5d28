"""What a person sees of a job: at a terminal one line that is rewritten, in a file a line every quarter of a minute."""

from __future__ import annotations

import shutil
import time
from typing import TextIO

BAR = 24
QUIET_SECONDS = 15.0  # between two lines of progress in a file


class Console:
    """Show the course of one job on a text stream."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._stage = ""
        self._started = self._written = time.monotonic()

    def stage(self, number: int, name: str, is_loaded: bool) -> None:
        """Announce a stage."""
        self._stage = f"{number}. {name}"
        suffix = " (done before)" if is_loaded else ""
        if self._is_terminal:
            self._rewrite(self._stage + suffix)
        else:
            self.say(f"{self._stage}{suffix}, after {clock(time.monotonic() - self._started)}")

    def progress(self, step: int, steps: int, seconds_left: float, steps_per_second: float) -> None:
        """Show how far the running stage is."""
        full = BAR * step // max(steps, 1)
        bar = "#" * full + "." * (BAR - full)
        rate = f"{steps_per_second:.1f} it/s" if steps_per_second >= 1 else f"{1 / steps_per_second:.1f} s/it"
        speed = f"{rate}, {clock(seconds_left)} left" if step > 1 or steps == 1 else "measuring the speed"
        line = f"{self._stage} [{bar}] {step}/{steps}, {speed}"
        if self._is_terminal:
            self._rewrite(line)
        elif time.monotonic() - self._written > QUIET_SECONDS:
            self.say(line)

    def say(self, text: str) -> None:
        """Write a line of its own."""
        if self._is_terminal:
            self._rewrite("")
        self._written = time.monotonic()
        self._stream.write(text + "\n")
        self._stream.flush()

    def _rewrite(self, text: str) -> None:
        width = shutil.get_terminal_size().columns - 1
        self._stream.write("\r\x1b[K" + text[:width])
        self._stream.flush()


def clock(seconds: float) -> str:
    """Return a duration as 0:07, 12:34 or 1:02:03."""
    minutes, rest = divmod(int(round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
