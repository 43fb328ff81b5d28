"""The lock of the process that runs a job folder or a queue, and which folder that is."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from addon import protocol
from backend.errors import BackendError


@contextlib.contextmanager
def folder_lock(
    folder: Path,
    patience_seconds: float = 1.0,
    name: str = protocol.LOCK_FILE,
    is_over: Callable[[], bool] = lambda: False,
) -> Iterator[None]:
    """Hold a job folder until the block or the process ends, however that dies.

    Raises BackendError if it is held, LinkInside where something else than a file of its own stands for the lock.

    The patience covers other programs that only look whether it is held; it is over, too, when `is_over` says so.
    """
    descriptor = protocol.open_descriptor(folder, name, os.O_RDWR | os.O_CREAT)
    try:
        end = time.monotonic() + patience_seconds
        while not protocol.try_lock(descriptor):
            if time.monotonic() > end or is_over():
                holder = os.read(descriptor, 32).decode("ascii", "replace").strip()
                raise BackendError(
                    f"Another process (number {holder}) is running {folder.name} already.",
                    "Wait for it, or end it; a job or a queue is run by one process at a time.",
                )
            time.sleep(0.05)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)


def identity(folder: Path) -> tuple[int, int] | None:
    """Return what tells a folder from one of the same name; None where there is none."""
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
