"""Events as the lines that Open Job Description engines read on stdout: progress, status, and why a task failed."""

from __future__ import annotations

from typing import BinaryIO

from addon import protocol
from backend.cli.console import clock

# Source: OpenJobDescription/openjd-specifications, "Stdout Messages". They count only at the beginning of a line.
PROGRESS, STATUS, FAIL = "openjd_progress: ", "openjd_status: ", "openjd_fail: "


class OpenJDLines:
    """A stream for events, which writes those lines to another one. Each stage counts the same in the progress."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._stage = protocol.Stage(number=0, name="")
        self._percent = -1

    def write(self, line: bytes) -> None:
        """Write what an event comes to, with nothing new for a step of less than one percent. Raises OSError."""
        for text in self._lines(protocol.decode(line)):
            self._stream.write((" ".join(protocol.plain_text(text).split()) + "\n").encode())

    def flush(self) -> None:
        """Let the lines be read."""
        self._stream.flush()

    def isatty(self) -> bool:
        """Say that programs read this."""
        return False

    def _lines(self, event: protocol.Message) -> list[str]:
        match event:
            case protocol.Hello():
                self._percent = -1
                return [f"{STATUS}{event.job} begins"]
            case protocol.Stage():
                self._stage = event
                return [*self._progress(0.0), f"{STATUS}{self._where()}{' (done before)' * event.loaded}"]
            case protocol.Progress():
                lines = self._progress(event.step / max(event.steps, 1))
                left = f"{event.step} of {event.steps}, {clock(event.seconds_left)} left"
                return [*lines, f"{STATUS}{self._where()}, {left}"] if lines else []
            case protocol.Warning():
                return [f"warning: {event.message} {event.hint}"]
            case protocol.Finished():
                end = f"stopped after {event.stopped_after}" if event.stopped_after else "done"
                return [f"{PROGRESS}100", f"{STATUS}{end} in {clock(event.seconds)}"]
            case protocol.Failed():
                return [f"{FAIL}{event.message} {event.hint}"]
            case protocol.Cancelled():
                return [f"{FAIL}cancelled"]
            case protocol.Interrupted():
                return [f"{FAIL}interrupted ({event.reason}); the next try goes on from the last checkpoint"]
            case _:
                return []

    def _where(self) -> str:
        return f"{self._stage.number}. {self._stage.name}"

    def _progress(self, part: float) -> list[str]:
        """Return a line if the whole has come further by a percent, of which a running job never has 100."""
        stages = max(self._stage.stages, self._stage.number, 1)
        percent = min(int(100 * (max(self._stage.number - 1, 0) + part) / stages), 99)
        if percent <= self._percent:
            return []
        self._percent = percent
        return [f"{PROGRESS}{percent}"]
