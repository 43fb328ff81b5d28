"""Which .blend wants the result of which job, as files beside the job folders, so that it outlives Blender. No bpy.

`DIR/imports/JOB.json` stands for one wish. It is not in the job folder: that may go to another machine, where nobody
has wished for anything. Whoever removes the file may import, so that two Blenders do not both do it.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from . import processes, protocol

FOLDER = "imports"  # in the folder of job folders
WISH_BYTES = 1 << 16
MOST_WISHES = 10_000  # that are read
_token = secrets.token_hex(8)  # of this Blender

_locks: dict[Path, int] = {}  # folder -> descriptor of the file that says that this Blender runs


@dataclass(frozen=True)
class Wish:
    """Import the result of a job into a .blend: `file` is its path, empty for one that was never saved.

    The latter is meant by its Blender alone, whose `session` it is, and after that one's end by any unsaved file.
    """

    file: str
    session: str

    @property
    def is_ours(self) -> bool:
        """Say whether this Blender has made it."""
        return self.session == _token


def wish(file: str) -> Wish:
    """Return a wish of this Blender."""
    return Wish(file, _token)


def write(job: Path, wanted: Wish) -> None:
    """Note that a .blend wants the result of a job. Raises OSError where that cannot be written."""
    folder = job.parent / FOLDER
    folder.mkdir(exist_ok=True)
    _say_that_we_run(folder)
    temporary = folder / f"{job.name}.{os.getpid()}.tmp"
    temporary.write_text(json.dumps(asdict(wanted)), encoding="utf-8")
    processes.replace_file(temporary, _path(job))


def take(job: Path) -> bool:
    """Remove the wish about a job; return whether there was one, which only one of several Blenders is told."""
    try:
        _path(job).unlink()
    except FileNotFoundError:
        return False
    return True


def read(folder: Path) -> dict[Path, Wish]:
    """Return the wishes about jobs of a folder, by job; those about jobs that are gone are removed."""
    found = {}
    for _, path in zip(range(MOST_WISHES), sorted((folder / FOLDER).glob("*.json")), strict=False):
        job = folder / path.stem
        try:
            if not (job / protocol.REQUEST_FILE).is_file():
                path.unlink(missing_ok=True)
            elif path.stat().st_size <= WISH_BYTES:
                content = json.loads(path.read_bytes())
                found[job] = Wish(str(content["file"]), str(content["session"]))
        except (OSError, ValueError, TypeError, KeyError):  # torn, or not ours: nobody has wished for anything
            continue
    return found


def is_left_behind(folder: Path, left: Wish) -> bool:
    """Say whether the Blender is gone whose unsaved file a wish is about."""
    path = folder / FOLDER / f"{left.session}.session"
    if left.is_ours or not path.is_file():
        return not left.is_ours
    descriptor = os.open(path, os.O_RDWR)
    try:
        processes.try_lock(descriptor)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    with contextlib.suppress(OSError):  # another one has just removed it
        path.unlink()
    return True


def leave() -> None:
    """Say that this Blender is at its end, as the system does for one that is killed."""
    for folder, descriptor in _locks.items():
        os.close(descriptor)
        (folder / f"{_token}.session").unlink(missing_ok=True)
    _locks.clear()


def _say_that_we_run(folder: Path) -> None:
    if folder not in _locks:
        descriptor = os.open(folder / f"{_token}.session", os.O_RDWR | os.O_CREAT, 0o600)
        processes.try_lock(descriptor)
        _locks[folder] = descriptor


def _path(job: Path) -> Path:
    return job.parent / FOLDER / f"{job.name}.json"
