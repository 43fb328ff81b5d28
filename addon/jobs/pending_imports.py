"""Which .blend wants the result of which job, as files beside the job folders, so that it outlives Blender. No bpy.

`DIR/imports/JOB.json` stands for one pending import. It is not in the job folder: that may go to another machine,
where nobody wants it. Whoever removes the file may import, so that two Blenders do not both do it.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from .. import processes, protocol

FOLDER = "imports"  # in the folder of job folders
WISH_BYTES = 1 << 16
MAX_PENDING = 10_000  # that are read
SESSION = re.compile(r"[0-9a-f]{16}")  # what a token looks like: it becomes the name of a file
FARTHEST = 1e6  # from the world's origin, in units
_token = secrets.token_hex(8)  # of this Blender

_locks: dict[Path, int] = {}  # folder -> descriptor of the file that says that this Blender runs


Place = tuple[float, float, float]


@dataclass(frozen=True)
class PendingImport:
    """Import the result of a job into a .blend: `file` is its path, empty for one that was never saved.

    The latter is meant by its Blender alone, whose `session` it is, and after that one's end by any unsaved file.
    `at` is where, in the world; None leaves it to the 3D cursor of that moment.
    """

    file: str
    session: str
    at: Place | None = None

    @property
    def is_ours(self) -> bool:
        """Say whether this Blender has made it."""
        return self.session == _token


def pending_import(file: str, at: Place | None = None) -> PendingImport:
    """Return a pending import of this Blender."""
    return PendingImport(file, _token, at)


def write(job: Path, wanted: PendingImport) -> None:
    """Note that a .blend wants the result of a job. Raises OSError where that cannot be written."""
    protocol.make_folder_in(job.parent, FOLDER, protocol.PRIVATE)
    _say_that_we_run(job.parent)
    content = json.dumps(asdict(wanted)).encode()
    protocol.write_whole(job.parent, _name(job), content, temporary=f"{FOLDER}/{job.name}.{os.getpid()}.tmp")


def take(job: Path) -> bool:
    """Remove the pending import of a job; return whether there was one, which only one of several Blenders is told."""
    return protocol.remove_inside(job.parent, _name(job))


def read(folder: Path) -> dict[Path, PendingImport]:
    """Return the pending imports of a folder by job; those of jobs that are gone are removed."""
    found = {}
    try:
        names = [n for n in protocol.files_inside(folder, FOLDER, pass_over=True) if n.endswith(".json")]
    except protocol.LinkInside:  # nothing of ours
        return {}
    for name in names[:MAX_PENDING]:
        job = folder / name.removeprefix(f"{FOLDER}/").removesuffix(".json")
        try:
            if job.parent != folder or job.name == "..":
                continue  # no name of a job
            if not protocol.is_inside(job, protocol.REQUEST_FILE):
                protocol.remove_inside(folder, name)
            elif (protocol.file_size(folder, name) or 0) <= WISH_BYTES:
                found[job] = _read(folder, name)
        except (OSError, ValueError):  # torn, or not ours: nobody wants anything
            continue
    return found


def _read(folder: Path, name: str) -> PendingImport:
    with protocol.open_file(folder, name, "rb") as file:
        content = protocol.parse(file.read(WISH_BYTES), name)
    file, session = (content.get(key) for key in ("file", "session"))
    if not isinstance(file, str) or not isinstance(session, str) or not SESSION.fullmatch(session):
        raise protocol.ProtocolError(f"{name} is no wish of a Blender.")
    return PendingImport(file, session, _place(content.get("at")))


def _place(value: object) -> Place | None:
    """Return three numbers as a place, None for what is none."""
    if not isinstance(value, list) or len(value) != 3 or not all(type(each) in (int, float) for each in value):
        return None
    x, y, z = (float(each) for each in value)
    return (x, y, z) if all(math.isfinite(each) and abs(each) <= FARTHEST for each in (x, y, z)) else None


def is_left_behind(folder: Path, left: PendingImport) -> bool:
    """Say whether the Blender is gone whose unsaved file a result is for."""
    name = f"{FOLDER}/{left.session}.session"
    if left.is_ours or not SESSION.fullmatch(left.session) or not protocol.is_inside(folder, name):
        return not left.is_ours
    descriptor = protocol.open_descriptor(folder, name, os.O_RDWR)
    try:
        processes.try_lock(descriptor)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    with contextlib.suppress(OSError):  # another one has just removed it
        protocol.remove_inside(folder, name)
    return True


def leave() -> None:
    """Say that this Blender is at its end, as the system does for one that is killed."""
    for folder, descriptor in _locks.items():
        os.close(descriptor)
        protocol.remove_inside(folder, _session())
    _locks.clear()


def _say_that_we_run(folder: Path) -> None:
    if folder not in _locks:
        descriptor = protocol.open_descriptor(folder, _session(), os.O_RDWR | os.O_CREAT)
        processes.try_lock(descriptor)
        _locks[folder] = descriptor


def _session() -> str:
    return f"{FOLDER}/{_token}.session"


def _name(job: Path) -> str:
    return f"{FOLDER}/{job.name}.json"
