"""The job folders as the add-on sees them: list, state, results, repeat and edit, throw old ones away. No bpy.

The folder is the truth: nothing here is remembered anywhere else, so that everything is found again after a restart.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import struct
import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from .. import protocol
from ..protocol import Phrase
from .event_log import last_message as last_message
from .event_log import latest_run as latest_run
from .event_log import read_events as read_events

THUMBNAIL_BYTES = 32 << 20
THUMBNAIL_SIDE = 4096
MAX_FILES = 2_000  # that are counted in a job folder
REMOVED = ".removed.tmp"  # how the name of a folder ends that is being removed
OF_A_REMOVAL = re.compile(r"\.removed\.tmp$|^\d{8}-\d{6}-[0-9a-f]{6}\.tmp$")  # the second of earlier versions
OF_A_JOB = {
    protocol.REQUEST_FILE, protocol.EVENTS_FILE, protocol.LOG_FILE, protocol.LOCK_FILE, protocol.CORES_FILE,
    protocol.INPUT_FOLDER, protocol.STAGES_FOLDER, protocol.RESULT_FOLDER, "preview",
}  # fmt: skip
LEFT_SECONDS = 600.0  # after which nobody is making a job any more

WAITING, RUNNING, FINISHED, CANCELLED, FAILED, INTERRUPTED = (
    "waiting",
    "running",
    "finished",
    "cancelled",
    "failed",
    "interrupted",
)


def repeat_job(job: Path) -> Path:
    """Write a new job with the request and the inputs of another one, and return it.

    Raises ProtocolError for a request that is wrong, ValueError for an input that is missing or that a link leads out
    of the folder, and as `protocol.make_job` does.
    """
    request = protocol.read_request(job)
    for name in request.files:
        if not protocol.is_inside(job, name):
            told = "{job} has no {file}, or a link in its place: it cannot be run again."
            raise ValueError(Phrase(told, job=job.name, file=name))
    return protocol.make_job(job.parent, request, [job / name for name in request.files])


def edit_job(folder: Path, job: Path, prompt: str, **changes: Any) -> Path:
    """Write a new job below `folder` that changes the result of another one by words, and return it.

    It begins from that job's points, or from what a stage has left and its subject, and has copies of its visual
    prompts. `changes` are as in Request.edited, whose ProtocolError it raises; ValueError for a job that cannot be
    edited, and as `protocol.make_job` does.
    """
    if reason := why_not_edit(protocol.read_request(job), state(job)):
        raise ValueError(Phrase("{job} cannot be edited: {reason}.", job=job.name, reason=reason))
    return protocol.make_job(folder, *protocol.describe_edit(job, prompt, **changes))


def remesh_job(folder: Path, job: Path, settings: Mapping[str, protocol.Setting]) -> Path:
    """Write a new job below `folder` that makes the mesh of a finished one again, and return it.

    Raises ProtocolError as `protocol.describe_remesh` does, and for a job that has no result; ValueError and OSError as
    `protocol.make_job` does.
    """
    if state(job) != FINISHED:
        raise protocol.ProtocolError(Phrase("{job} has no result yet: run it to its end first.", job=job.name))
    request, sources, made = protocol.describe_remesh(job, settings)
    return protocol.make_job(folder, request, sources, more=made)


def why_not_edit(request: protocol.Request, state: str) -> str:
    """Return why a job in a state cannot be edited by text, else nothing; no file is read."""
    system = protocol.SYSTEMS[request.system]
    if not system.can_be_edited:
        return Phrase("results of the system {system} cannot be changed by words", system=Phrase(system.label))
    if state != FINISHED:
        return Phrase("it has no result yet")
    has_start = system.edit_stage or "points" in request.outputs
    return "" if has_start else Phrase("it made no points, which an edit begins from")


def lacking(job: Path, request: protocol.Request) -> str:
    """Return which file an edit would begin from and the folder does not have any more, else nothing."""
    needs_points = not protocol.SYSTEMS[request.system].edit_stage
    if not needs_points or protocol.is_inside(job, protocol.POINTS_FILE):
        return ""
    return Phrase("{file}, which an edit begins from, is not there any more", file=protocol.POINTS_FILE)


def came_to_no_end(job: Path, turn: protocol.Turn) -> bool:
    """Say whether a job has had its turn and came to no end in it, or not even to its first word."""
    try:
        is_there = protocol.is_inside(job, protocol.REQUEST_FILE)
        return is_there and (not protocol.has_begun(job, turn) or state(job) == INTERRUPTED)
    except (OSError, protocol.ProtocolError):  # whatever is the matter with it, it does not run by itself
        return False


def list_jobs(folder: Path) -> list[Path]:
    """Return the job folders in a folder, the newest first. Links are left out: they may lead anywhere."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    names = [n for n in names if not n.endswith(".tmp") and protocol.is_inside(folder / n, protocol.REQUEST_FILE)]
    return sorted((folder / name for name in names), key=made_at, reverse=True)


def made_at(job: Path) -> tuple[int, str]:
    """Return what orders jobs by age: when its request was written, in nanoseconds, and its name.

    Names are no measure: those that `--out` gives say nothing of the time.
    """
    try:
        return (job / protocol.REQUEST_FILE).lstat().st_mtime_ns, job.name
    except OSError:  # it is just being removed
        return 0, job.name


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
            if protocol.is_running(job):
                return RUNNING
            return INTERRUPTED if (job / protocol.EVENTS_FILE).exists() else WAITING


def results(job: Path) -> list[Path]:
    """Return the files that a finished job names and that are there; none that a link leads out of the folder."""
    match last_message(job):
        case protocol.Finished(results=paths):
            return [job / path for path in paths if protocol.is_inside(job, path)]
        case _:
            return []


def thumbnail(job: Path) -> Path | None:
    """Return a small picture that shows the job: of its result, or how it stood last; None if there is none."""
    for name in (protocol.PICTURE_FILE, protocol.PREVIEW_FILE):
        if protocol.is_inside(job, name) and _is_small_png(job, name):
            return job / name
    return None


def _is_small_png(job: Path, name: str) -> bool:
    """Say whether a file is a PNG that Blender may decode while the artist waits: the header says how large it is."""
    if (protocol.file_size(job, name) or 0) > THUMBNAIL_BYTES:
        return False
    with protocol.open_file(job, name, "rb") as file:
        header = file.read(24)  # signature, then the chunk IHDR: length, name, width, height
    is_png = header[:8] == b"\x89PNG\r\n\x1a\n" and header[12:16] == b"IHDR" and len(header) == 24
    return is_png and all(0 < side <= THUMBNAIL_SIDE for side in struct.unpack(">II", header[16:]))


def size_on_disk(job: Path) -> int:
    """Return the bytes of the files of a job, as they are long; links count nothing. Counts MAX_FILES at most."""
    size = 0
    for _, path in zip(range(MAX_FILES), _files(job), strict=False):
        with contextlib.suppress(FileNotFoundError):  # a temporary file of a running job
            size += path.lstat().st_size
    return size


def close_run(job: Path, last: protocol.Last) -> bool:
    """Note how a run ended whose process could not say so itself; return whether there was an open run of nobody."""
    if not protocol.is_inside(job, protocol.EVENTS_FILE) or last_message(job) is not None or protocol.is_running(job):
        return False
    with protocol.open_file(job, protocol.EVENTS_FILE, "ab") as file:
        file.write(b"\n" + protocol.encode(last).encode())  # the line before may be torn
    return True


def remove(job: Path) -> None:
    """Remove a job folder and all that is in it; files that links in it lead to stay.

    Raises ValueError, with a sentence, if it is no job folder or runs, and OSError if it cannot be removed.
    """
    if job.is_symlink() or not protocol.is_inside(job, protocol.REQUEST_FILE):
        raise ValueError(Phrase("{job} is not a job folder: it was not removed.", job=job))
    if protocol.is_running(job):
        raise ValueError(Phrase("{job} is running: cancel it first.", job=job.name))
    # So that half a folder is no job any more; a name that no leftover of an earlier attempt has.
    doomed = job.with_name(f"{job.name}-{secrets.token_hex(3)}{REMOVED}")
    os.replace(job, doomed)
    shutil.rmtree(doomed)


def remove_old(folder: Path, keep: int, spare: Collection[Path] = ()) -> list[Path]:
    """Remove all but the newest `keep` job folders, those that run and `spare`; return the removed ones.

    One that cannot be removed keeps none of the others: OSError, with a sentence, is raised after them.
    """
    removed, failed = [], []
    for job in list_jobs(folder)[max(keep, 0) :]:
        if job not in spare and not protocol.is_running(job):
            try:
                remove(job)
                removed.append(job)
            except (OSError, ValueError) as error:
                failed.append(str(error))
    if failed:
        raise OSError(f"{len(failed)} of {len(removed) + len(failed)} jobs could not be deleted: {failed[0]}")
    return removed


def leftovers(folder: Path, now: float | None = None) -> list[Path]:
    """Return what attempts to make or to remove a job have left in a folder of job folders, less those on their way.

    They end in .tmp and hold what a job has, or nothing: those of a removal always, others after LEFT_SECONDS.
    """
    now = time.time() if now is None else now
    try:
        with os.scandir(folder) as entries:
            found = [e for e in entries if e.name.endswith(".tmp") and e.is_dir(follow_symlinks=False)]
            return sorted(folder / e.name for e in found if _is_left(folder / e.name, now))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _is_left(path: Path, now: float) -> bool:
    try:
        if (
            protocol.is_running(path)
            or now - path.lstat().st_mtime < LEFT_SECONDS
            and not OF_A_REMOVAL.search(path.name)
        ):
            return False
        with os.scandir(path) as entries:
            names = {entry.name for entry in entries}
    except OSError:  # another program is removing it
        return False
    return not names or bool(names & OF_A_JOB)


def remove_leftovers(folder: Path) -> int:
    """Remove what `leftovers` finds; return how many are gone. What cannot be removed stays for the next time."""
    found = leftovers(folder)
    for path in found:
        shutil.rmtree(path, ignore_errors=True)
    return sum(not path.exists() for path in found)


def _files(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):  # which follows no links
        for name in names:
            yield Path(parent, name)
