"""How a process leaves that is asked to: which signals ask, and what they do before a job hears of them itself.

Importing this imports next to nothing: it comes before everything that takes a busy machine seconds to import.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType

LEFT = 4  # the exit code of a run that was cancelled or interrupted


def ending_signals() -> list[signal.Signals]:
    """Return the signals that ask a process to leave: a terminal's end, too, unless it was started to ignore that."""
    numbers = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    return numbers


def leave_when_told() -> None:
    """Let those signals end the process at once: while packages are imported, which may swallow KeyboardInterrupt."""
    for number in ending_signals():
        signal.signal(number, _leave)


def _leave(number: int, frame: FrameType | None) -> None:
    os.write(2, b"interrupted\n")
    os._exit(LEFT)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """While the block runs, let those signals raise KeyboardInterrupt, so that it clears away what is half-made."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in ending_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_process(code: int) -> None:
    """End the process, without what packages do at its end: it takes seconds, and they log to the terminal."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # nobody reads, or it is closed
            stream.flush()
    os._exit(code)
