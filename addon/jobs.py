"""The job folder as the add-on sees it: make one, list them, their state and results, throw old ones away. No bpy.

The folder is the truth: nothing here is remembered anywhere else, so that everything is found again after a restart.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import struct
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from . import protocol
from .journal import last_message as last_message
from .journal import latest_run as latest_run
from .journal import read_events as read_events

INPUT_BYTES = 256 << 20  # of one; 100 million pixels as a PNG of noise
THUMBNAIL_BYTES = 32 << 20
THUMBNAIL_SIDE = 4096
MOST_FILES = 2_000  # that are counted in a job folder
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

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
    """Write a new job folder below `folder`, with a copy of each file that the request names, and return it.

    Raises ValueError if there are not as many sources as files or one is too large, OSError with a sentence if one
    cannot be copied; then it leaves nothing.
    """
    if len(sources) != len(request.files):
        raise ValueError(f"{len(request.files)} files in the request, but {len(sources)} are given")
    sizes = [source.stat().st_size for source in sources]
    for source, size in zip(sources, sizes, strict=True):
        if size > INPUT_BYTES:
            raise ValueError(f"{source} has {megabytes(size)}; an input has at most {megabytes(INPUT_BYTES)}.")
    job = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
    unfinished = job.with_name(job.name + ".tmp")  # the name under which nobody runs it
    try:
        (unfinished / protocol.INPUT_FOLDER).mkdir(parents=True)
        for name, source in zip(request.files, sources, strict=True):
            target = unfinished / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        protocol.write_request(unfinished, request)
        os.replace(unfinished, job)
    except OSError as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        if error.errno in DISK_FULL:
            needed = f"{megabytes(sum(sizes))} were to be copied"
            message = f"No room for a new job in {folder}: {needed}, {_free(folder)} are free. Remove old jobs."
            raise OSError(error.errno, message) from error
        raise
    return job


def repeat_job(job: Path) -> Path:
    """Write a new job with the request and the inputs of another one, and return it.

    Raises ProtocolError for a request that is wrong, ValueError for an input that is missing or that a link leads out
    of the folder, and as `make_job` does.
    """
    request = protocol.read_request(job)
    for name in request.files:
        if not _is_inside(job, name):
            raise ValueError(f"{job.name} has no {name}, or a link in its place: it cannot be run again.")
    return make_job(job.parent, request, [job / name for name in request.files])


def edit_job(folder: Path, job: Path, prompt: str, **changes: Any) -> Path:
    """Write a new job below `folder` that changes the result of another one by words, and return it.

    It begins from that job's points and has copies of its visual prompts. `changes` are as in Request.edited, whose
    ProtocolError it raises; ValueError for a job that cannot be edited, and as `make_job` does.
    """
    request = protocol.read_request(job)
    if reason := why_not_edit(request, state(job)):
        raise ValueError(f"{job.name} cannot be edited: {reason}.")
    edited = request.edited(prompt, **changes)
    names = [*(image.path for image in edited.images), protocol.POINTS_FILE]
    for name in names:
        if not _is_inside(job, name):
            raise ValueError(f"{job.name} has no {name}, or a link in its place: it cannot be edited.")
    return make_job(folder, edited, [job / name for name in names])


def why_not_edit(request: protocol.Request, state: str) -> str:
    """Return why a job in a state cannot be edited by text, else nothing; no file is read."""
    if request.system != "tv3dg":
        return f"results of the system {request.system} cannot be changed by words"
    if state != FINISHED:
        return "it has no result yet"
    return "" if "points" in request.outputs else "it made no points, which an edit begins from"


def list_jobs(folder: Path) -> list[Path]:
    """Return the job folders in a folder, the newest first. Links are left out: they may lead anywhere."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    names = [name for name in names if not name.endswith(".tmp") and (folder / name / protocol.REQUEST_FILE).is_file()]
    return [folder / name for name in sorted(names, reverse=True)]


def state(job: Path) -> str:
    """Return WAITING, RUNNING, FINISHED, CANCELLED, FAILED or INTERRUPTED; the last also for a run that was killed.

    Raises ProtocolError where events.jsonl is not of a backend.
    """
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
            if is_running(job):
                return RUNNING
            return INTERRUPTED if (job / protocol.EVENTS_FILE).exists() else WAITING


def results(job: Path) -> list[Path]:
    """Return the files that a finished job names and that are there; none that a link leads out of the folder."""
    match last_message(job):
        case protocol.Finished(results=paths):
            return [job / path for path in paths if _is_inside(job, path)]
        case _:
            return []


def thumbnail(job: Path) -> Path | None:
    """Return a small picture that shows the job: of its result, or how it stood last; None if there is none."""
    for name in (f"{protocol.RESULT_FOLDER}/preview.png", protocol.PREVIEW_FILE):
        if _is_inside(job, name) and _is_small_png(job / name):
            return job / name
    return None


def _is_small_png(path: Path) -> bool:
    """Say whether a file is a PNG that Blender may decode while the artist waits: the header says how large it is."""
    if path.stat().st_size > THUMBNAIL_BYTES:
        return False
    with path.open("rb") as file:
        header = file.read(24)  # signature, then the chunk IHDR: length, name, width, height
    is_png = header[:8] == b"\x89PNG\r\n\x1a\n" and header[12:16] == b"IHDR" and len(header) == 24
    return is_png and all(0 < side <= THUMBNAIL_SIDE for side in struct.unpack(">II", header[16:]))


def size_on_disk(job: Path) -> int:
    """Return the bytes of the files of a job, as they are long; links count nothing. Counts MOST_FILES at most."""
    size = 0
    for _, path in zip(range(MOST_FILES), _files(job), strict=False):
        with contextlib.suppress(FileNotFoundError):  # a temporary file of a running job
            size += path.lstat().st_size
    return size


def close_run(job: Path, last: protocol.Last) -> bool:
    """Note how a run ended whose process could not say so itself; return whether there was an open run of nobody."""
    path = job / protocol.EVENTS_FILE
    if not path.is_file() or last_message(job) is not None or is_running(job):
        return False
    with path.open("ab") as file:
        file.write(b"\n" + protocol.encode(last).encode())  # the line before may be torn
    return True


def remove(job: Path) -> None:
    """Remove a job folder and all that is in it; files that links in it lead to stay.

    Raises ValueError, with a sentence, if it is no job folder or runs, and OSError if it cannot be removed.
    """
    if job.is_symlink() or not (job / protocol.REQUEST_FILE).is_file():
        raise ValueError(f"{job} is not a job folder: it was not removed.")
    if is_running(job):
        raise ValueError(f"{job.name} is running: cancel it first.")
    doomed = job.with_name(job.name + ".tmp")  # so that half a folder is no job any more
    os.replace(job, doomed)
    shutil.rmtree(doomed)


def remove_old(folder: Path, keep: int, spare: Collection[Path] = ()) -> list[Path]:
    """Remove all but the newest `keep` job folders, those that run and `spare`; return the removed ones."""
    removed = [job for job in list_jobs(folder)[max(keep, 0) :] if job not in spare and not is_running(job)]
    for job in removed:
        remove(job)
    return removed


def megabytes(size: int) -> str:
    """Return a number of bytes as an artist reads it."""
    if size < 1e5:
        return f"{(size + 999) // 1000} kB"
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def _free(folder: Path) -> str:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return megabytes(shutil.disk_usage(folder).free)


def _files(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):  # which follows no links
        for name in names:
            yield Path(parent, name)


def _is_inside(job: Path, name: str) -> bool:
    """Say whether a file of a job is there, and in the job folder itself."""
    path = job / name
    return path.is_file() and path.resolve().is_relative_to(job.resolve())


def is_running(job: Path) -> bool:
    """Say whether a process holds the folder, by trying to lock it for an instant."""
    path = job / LOCK_FILE
    if not path.is_file():
        return False
    with path.open("r+b", buffering=0) as file:
        return not _try_lock(file.fileno())


def take_lock(path: Path) -> int | None:
    """Lock a file, made if need be, and return its descriptor; None if another process has it.

    The lock lasts until the descriptor is closed or this process is gone. No other part of it may open the file.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    if _try_lock(descriptor, keep=True):
        return descriptor
    os.close(descriptor)
    return None


if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int, keep: bool = False) -> bool:
        os.lseek(descriptor, LOCK_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        if keep:
            return True
        os.lseek(descriptor, LOCK_BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
        return True

else:
    import fcntl

    def _try_lock(descriptor: int, keep: bool = False) -> bool:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, LOCK_BYTE)  # closing the file gives it back
        except (BlockingIOError, PermissionError):
            return False
        return True
