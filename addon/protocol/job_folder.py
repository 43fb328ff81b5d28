"""A job folder: the names of its files, whether it runs, and how one is made.

The folder is the truth about a job: whoever has it, has everything, on any machine. Names are relative to the folder.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from .inside import OPEN, PRIVATE, file_size, open_file, write_whole
from .request import INPUT_FOLDER, Request, decode_request, encode_request
from .shared_files import is_locked
from .typed_json import ProtocolError

REQUEST_FILE = "request.json"
EVENTS_FILE = "events.jsonl"
LOG_FILE = "log.txt"
CORES_FILE = "cores.json"  # how many threads the job began with, where it was given all the cores that were free
LOCK_FILE = ".lock"  # held by the process that runs the folder; its text is the number of that process
STAGES_FOLDER = "stages"  # in it NUMBER-NAME for each stage
RECORD_FILE = "stage.json"  # in the folder of each stage that is done
PREVIEW_FILE = "preview/latest.png"  # how it stands

RESULT_FOLDER = "result"
MESH_FILE = f"{RESULT_FOLDER}/model.glb"
POINTS_FILE = f"{RESULT_FOLDER}/points.ply"
SPLATS_FILE = f"{RESULT_FOLDER}/splats.glb"
PICTURE_FILE = f"{RESULT_FOLDER}/preview.png"
TURNTABLE_FILE = f"{RESULT_FOLDER}/turntable.webp"
RESULT_FILE = f"{RESULT_FOLDER}/result.json"  # what the others were made of and with
RESULT_FILES = (MESH_FILE, POINTS_FILE, SPLATS_FILE, PICTURE_FILE, TURNTABLE_FILE, RESULT_FILE)

REQUEST_BYTES = 1 << 20
INPUT_BYTES = 256 << 20  # of one file; 100 million pixels as a PNG of noise
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


# ---- what is in one --------------------------------------------------------------------------------------------------


def write_request(folder: Path, request: Request) -> None:
    """Write request.json of a job folder, whole or not at all."""
    write_whole(folder, REQUEST_FILE, encode_request(request).encode())


def read_request(folder: Path) -> Request:
    """Return the request of a job folder; raise ProtocolError if there is none, or a wrong one."""
    size = file_size(folder, REQUEST_FILE)
    if size is None:
        raise ProtocolError(f"{folder} is not a job folder: it has no {REQUEST_FILE}.")
    if size > REQUEST_BYTES:
        raise ProtocolError(f"{folder / REQUEST_FILE} has {size} bytes; a request has at most {REQUEST_BYTES}.")
    with open_file(folder, REQUEST_FILE, "rb") as file:
        return decode_request(file.read(REQUEST_BYTES))


def is_running(folder: Path) -> bool:
    """Say whether a process holds a job folder, or a queue's, by trying to lock it for an instant."""
    return is_locked(folder / LOCK_FILE)


# ---- making one ------------------------------------------------------------------------------------------------------


def make_job(
    folder: Path,
    request: Request,
    sources: Sequence[Path],
    mode: int = PRIVATE,
    *,
    more: Mapping[str, Path | bytes] | None = None,
) -> Path:
    """Write a new job folder below `folder`, with a copy of each file that the request names, and return it.

    `more` are further files to copy, or their content, by their names in it. Nobody else may look into it, nor into
    `folder` if that is made, too, unless `mode` lets them.

    Raises ValueError if there are not as many sources as files or one is too large, OSError with a sentence if one
    cannot be copied; then it leaves nothing.
    """
    sizes = [source.stat().st_size for source in sources]
    further = (more or {}).values()
    copied = sum(sizes) + sum(s.stat().st_size if isinstance(s, Path) else len(s) for s in further)
    for source, size in zip(sources, sizes, strict=True):
        if size > INPUT_BYTES:
            raise ValueError(f"{source} has {megabytes(size)}; an input has at most {megabytes(INPUT_BYTES)}.")
    job = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
    try:
        folder.mkdir(mode, parents=True, exist_ok=True)
        make_folder(job, request, sources, mode, more=more)
    except OSError as error:
        if error.errno in DISK_FULL:
            needed = f"{megabytes(copied)} were to be copied"
            message = f"No room for a new job in {folder}: {needed}, {_free(folder)} are free. Remove old jobs."
            raise OSError(error.errno, message) from error
        raise
    return job


def make_folder(
    folder: Path,
    request: Request,
    sources: Sequence[Path],
    mode: int = OPEN,
    *,
    more: Mapping[str, Path | bytes] | None = None,
) -> None:
    """Write a job folder with a copy of each file that the request names, in the place of none or of an empty one.

    `mode` is who may look into it, as far as the umask lets them; `more` are further files or their content.

    Raises ValueError if there are not as many sources as files, OSError if one cannot be copied; then it leaves
    nothing.
    """
    if len(sources) != len(request.files):
        raise ValueError(f"{len(request.files)} files in the request, but {len(sources)} are given")
    # The name under which nobody runs it. A kill leaves this one, and the other free.
    unfinished = folder.with_name(f"{folder.name}-{secrets.token_hex(3)}.tmp")
    try:
        (unfinished / INPUT_FOLDER).mkdir(parents=True)
        if mode != OPEN:  # nothing lies in it yet
            unfinished.chmod(mode)
        for name, source in [*zip(request.files, sources, strict=True), *(more or {}).items()]:
            target = unfinished / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(source, Path):
                shutil.copyfile(source, target)
            else:
                target.write_bytes(source)
        write_request(unfinished, request)
        if folder.exists():  # and is empty; Windows renames nothing onto it
            folder.rmdir()
        os.replace(unfinished, folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def megabytes(size: int) -> str:
    """Return a number of bytes as an artist reads it."""
    if size < 1e5:
        return f"{(size + 999) // 1000} kB"
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def _free(folder: Path) -> str:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return megabytes(shutil.disk_usage(folder).free)
