"""A small process that kills this one when nobody wants it any more and no thread of it comes to its turn."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from pathlib import Path

from addon import protocol

LOOKS = 4  # in a row, before a process is killed that nobody wants


def is_wanted(stay_file: Path | None, owner_file: Path | None) -> bool:
    """Say whether a file is there, or another one is locked by another process."""
    if stay_file is not None and stay_file.exists():
        return True
    return owner_file is not None and protocol.is_locked(owner_file)


def start_watchdog(
    commands: int, seconds: float, stay_file: Path | None = None, owner_file: Path | None = None
) -> None:
    """Let a small process kill this one so many seconds after the other end of a pipe has closed.

    It is for what the thread of `control.read_commands` cannot end: native code that keeps every thread of Python
    waiting for minutes. Nothing happens while the process is wanted all the same, and nothing at all on Windows,
    where the add-on uses a job object.
    """
    if not hasattr(os, "fork"):
        return
    pid = os.getpid()
    alive, end = os.pipe()  # the guard sees the end of this process as the end of this pipe
    if os.fork() > 0:
        os.close(alive)
        return
    try:
        for descriptor in {0, 1, 2, end} - {commands, alive}:
            os.close(descriptor)
        os.closerange(max(commands, alive) + 1, 256)
        for descriptor in set(range(3, max(commands, alive))) - {commands, alive}:
            with contextlib.suppress(OSError):  # not open
                os.close(descriptor)
        poll = select.poll()
        poll.register(commands, 0)  # only its end; the lines are not for us
        poll.register(alive, 0)
        gone = {descriptor for descriptor, _ in poll.poll()}
        poll.unregister(commands)
        is_over, stays, unwanted = alive in gone, stay_file is not None and stay_file.exists(), 0
        while not is_over:
            is_over = bool(poll.poll(seconds * 1000 / LOOKS))
            unwanted = 0 if stays and is_wanted(stay_file, owner_file) else unwanted + 1
            if not is_over and os.getppid() == pid and unwanted >= LOOKS:
                os.kill(pid, signal.SIGKILL)
    finally:
        os._exit(0)
