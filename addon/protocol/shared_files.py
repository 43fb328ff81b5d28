"""Locks on files that several programs use at once: they end with their process, however that dies.

processes.hold of the add-on is another lock: a child that inherits it holds it as well.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from .inside import LinkInside, file_size, open_descriptor

LOCK_BYTE = 1 << 20  # far behind the text of the file, because Windows lets nobody read a locked byte


def is_locked(path: Path) -> bool:
    """Say whether another process holds a file, by trying to lock it for an instant; False if there is none.

    Nobody holds a link: to open what it leads to, and close it, would give up a lock that this process has on that.
    """
    try:
        if file_size(path.parent, path.name) is None:
            return False
        descriptor = open_descriptor(path.parent, path.name, os.O_RDWR)
    except (LinkInside, FileNotFoundError):
        return False
    try:
        return not try_lock(descriptor, keep=False)
    finally:
        os.close(descriptor)


def take_lock(path: Path) -> int | None:
    """Lock a file, made if need be, and return its descriptor; None if another process has it.

    The lock lasts until the descriptor is closed or this process is gone. No other part of it may open the file.
    Raises LinkInside where a link stands in its place.
    """
    descriptor = open_descriptor(path.parent, path.name, os.O_RDWR | os.O_CREAT)
    if try_lock(descriptor):
        return descriptor
    os.close(descriptor)
    return None


if sys.platform == "win32":
    import msvcrt

    def try_lock(descriptor: int, *, keep: bool = True) -> bool:
        """Lock an open file; return whether no other process has it. Closing it gives the lock back.

        If the lock is not to be kept, it may be given back at once.
        """
        os.lseek(descriptor, LOCK_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        else:
            if not keep:
                os.lseek(descriptor, LOCK_BYTE, os.SEEK_SET)
                msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
            return True
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)

else:
    import fcntl

    def try_lock(descriptor: int, *, keep: bool = True) -> bool:
        """Lock an open file; return whether no other process has it. Closing it gives the lock back.

        If the lock is not to be kept, it may be given back at once.
        """
        # lockf, not flock: a child that was forked and outlives us must not go on holding the folder.
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, LOCK_BYTE)
        except (BlockingIOError, PermissionError):
            return False
        return True
