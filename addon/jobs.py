"""The job folder as the add-on sees it: make one, list them, their state and results, throw old ones away. No bpy.

The folder is the truth: nothing here is remembered anywhere else, so that everything is found again after a restart.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from . import protocol

LOCK_FILE = ".lock"
LOCK_BYTE = 1 << 20  # the byte that the backend locks in it

WAITING, RUNNING, FINISHED, CANCELLED, FAILED, INTERRUPTED = (
    "waiting",
    "running",
    "finished",
    "cancelled",
    "failed",
    "interrupted",
)


def make_job(folder: Path, request: protocol.Request, sources: Sequence[Path]) -> Path:
    """Write a new job folder below `folder`, with a copy of the file of each image of the request, and return it.

    Raises ValueError if there are not as many sources as images, OSError if one cannot be copied, and leaves nothing.
    """
    if len(sources) != len(request.images):
        raise ValueError(f"{len(request.images)} images in the request, but {len(sources)} files")
    job = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
    unfinished = job.with_name(job.name + ".tmp")  # the name under which nobody runs it
    try:
        (unfinished / protocol.INPUT_FOLDER).mkdir(parents=True)
        for image, source in zip(request.images, sources, strict=True):
            target = unfinished / image.path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        protocol.write_request(unfinished, request)
        os.replace(unfinished, job)
    except OSError:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return job


def list_jobs(folder: Path) -> list[Path]:
    """Return the job folders in a folder, the newest first."""
    if not folder.is_dir():
        return []
    return sorted((path.parent for path in folder.glob(f"*/{protocol.REQUEST_FILE}")), reverse=True)


def read_events(job: Path, offset: int = 0) -> tuple[list[protocol.Event], int]:
    """Return the events from a byte of events.jsonl on, and the byte to go on from: so a running job is watched again.

    A line that is not complete yet is left for the next call; one that was torn by a power failure is passed over, and
    any other that is no event raises ProtocolError.
    """
    path = job / protocol.EVENTS_FILE
    if not path.is_file():
        return [], 0
    with path.open("rb") as file:
        file.seek(offset)
        content = file.read()
    end = content.rfind(b"\n") + 1
    messages = []
    for line in content[:end].splitlines():
        with contextlib.suppress(protocol.NotJson):  # torn: whoever wrote it was gone in the same moment
            messages.append(protocol.decode(line))
    return [message for message in messages if isinstance(message, protocol.Event)], offset + end


def last_message(job: Path) -> protocol.Last | None:
    """Return how the latest run of a job ended, None if it has not, or was killed, or never began."""
    events, _ = read_events(job)
    match events[-1:]:
        case [protocol.Finished() | protocol.Cancelled() | protocol.Failed() | protocol.Interrupted() as last]:
            return last
        case _:
            return None


def state(job: Path) -> str:
    """Return WAITING, RUNNING, FINISHED, CANCELLED, FAILED or INTERRUPTED; the last also for a run that was killed."""
    if is_running(job):
        return RUNNING
    match last_message(job):
        case protocol.Finished():
            return FINISHED
        case protocol.Cancelled():
            return CANCELLED
        case protocol.Failed():
            return FAILED
        case protocol.Interrupted():
            return INTERRUPTED
        case None:
            return INTERRUPTED if (job / protocol.EVENTS_FILE).exists() else WAITING


def results(job: Path) -> list[Path]:
    """Return the files that a finished job names and that are there."""
    match last_message(job):
        case protocol.Finished(results=paths):
            return [job / path for path in paths if (job / path).is_file()]
        case _:
            return []


def remove_old(folder: Path, keep: int) -> list[Path]:
    """Remove all but the newest `keep` job folders and those that run; return the removed ones."""
    removed = [job for job in list_jobs(folder)[keep:] if not is_running(job)]
    for job in removed:
        shutil.rmtree(job)
    return removed


def is_running(job: Path) -> bool:
    """Say whether a process holds the folder, by trying to lock it for an instant."""
    path = job / LOCK_FILE
    if not path.is_file():
        return False
    with path.open("r+b", buffering=0) as file:
        return not _try_lock(file.fileno())


if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        os.lseek(descriptor, LOCK_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        os.lseek(descriptor, LOCK_BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
        return True

else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, LOCK_BYTE)  # closing the file gives it back
        except (BlockingIOError, PermissionError):
            return False
        return True
