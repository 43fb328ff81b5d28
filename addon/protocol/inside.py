"""What lies in a folder that may come from a stranger: opened, made, renamed and removed here, never through a link.

Each function takes a folder and a name in it with "/". Links on the way to the folder are followed; no part of the name
may be one, nor a second name of a file elsewhere if it is written. Where the system has `dir_fd` and O_NOFOLLOW, each
part is opened from the one before, so that nothing can be exchanged in between; elsewhere each is looked at first.
"""

from __future__ import annotations

import contextlib
import io
import os
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, overload

from .typed_json import ProtocolError

HAS_DIR_FD = hasattr(os, "O_NOFOLLOW") and os.open in os.supports_dir_fd
OPEN, PRIVATE = 0o777, 0o700  # modes of folders: what the umask says, or only for who makes it
LINK_HINT = "Put the file or the folder itself in its place, or remove it."

# A named pipe must not keep whoever opens it; Windows' text mode would change the bytes.
_ALWAYS = sum(getattr(os, flag, 0) for flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"))
_FOLDER = os.O_RDONLY | sum(getattr(os, flag, 0) for flag in ("O_DIRECTORY", "O_CLOEXEC"))
_MODES = {"rb": os.O_RDONLY, "ab": os.O_WRONLY | os.O_APPEND | os.O_CREAT, "wb": os.O_WRONLY | os.O_CREAT | os.O_EXCL}


class LinkInside(ProtocolError):
    """A link stands where a job folder has a file or a folder of its own, or something that is neither."""


def open_descriptor(folder: Path, name: str, flags: int) -> int:
    """Open a file as os.open does, of mode 0666 where it is made, with the folders on the way to it.

    Raises LinkInside, OSError. Nothing is opened, let alone changed, if a link is in the way.
    """
    path, writes = os.path.join(folder, name), flags & (os.O_WRONLY | os.O_RDWR)
    with _named(path), _parent(folder, name, make=OPEN if flags & os.O_CREAT else 0) as (leaf, where):
        with contextlib.suppress(FileNotFoundError):
            # First, because to open a file and close it gives up this process's locks on it.
            _expect_file(os.lstat(leaf, **where), path, is_written=bool(writes))
        descriptor = os.open(leaf, flags | _ALWAYS, 0o666, **where)
        try:
            _expect_file(os.fstat(descriptor), path, is_written=bool(writes))
        except LinkInside:
            os.close(descriptor)
            raise
        return descriptor


@overload
def open_file(folder: Path, name: str, mode: Literal["rb"]) -> io.BufferedReader: ...
@overload
def open_file(folder: Path, name: str, mode: Literal["ab", "wb"]) -> io.BufferedWriter: ...
def open_file(folder: Path, name: str, mode: Literal["rb", "ab", "wb"]) -> io.BufferedReader | io.BufferedWriter:
    """Open a file to read it, to append to it, or as a new one in the place of what was there."""
    if mode == "wb":
        remove_inside(folder, name)
    opened: Any = os.fdopen(open_descriptor(folder, name, _MODES[mode]), mode)
    return opened


def write_whole(folder: Path, name: str, content: bytes, *, temporary: str = "", flush: bool = False) -> None:
    """Write a file under a temporary name and rename it, so that a crash leaves the old one or the new one.

    `flush` waits until it is on the disk, for a power failure. Who writes it beside others names the temporary file.
    """
    temporary = temporary or f"{'/'.join(_parts(name))}.tmp"
    with open_file(folder, temporary, "wb") as file:
        file.write(content)
        if flush:
            file.flush()
            os.fsync(file.fileno())
    rename_inside(folder, temporary, name)


def rename_inside(folder: Path, source: str, target: str, seconds: float = 2.0) -> None:
    """Put a file in the place of another one of the same folder at once, as os.replace does.

    On Windows that fails while a reader, such as Blender, or a virus scanner has the other one open: try again for so
    long, then raise the PermissionError.
    """
    end = time.monotonic() + seconds
    with _named(os.path.join(folder, target)), _parent(folder, source) as (leaf, where):
        old, new = leaf, leaf.removesuffix(_parts(source)[-1]) + _parts(target)[-1]
        descriptors = {"src_dir_fd": where["dir_fd"], "dst_dir_fd": where["dir_fd"]} if where else {}
        while True:
            try:
                os.replace(old, new, **descriptors)
                return
            except PermissionError:
                if sys.platform != "win32" or time.monotonic() > end:
                    raise
                time.sleep(0.05)


def remove_inside(folder: Path, name: str) -> bool:
    """Remove a file, or a link and not what it leads to; return whether it was there."""
    try:
        with _named(os.path.join(folder, name)), _parent(folder, name) as (leaf, where):
            os.unlink(leaf, **where)
    except FileNotFoundError:
        return False
    return True


def remove_halves(folder: Path, name: str, seconds: float) -> None:
    """Remove what programs that were killed have left of a file, `NAME.*.tmp`, once it is so old."""
    with os.scandir(folder) as entries:
        halves = [entry for entry in entries if entry.name.startswith(f"{name}.") and entry.name.endswith(".tmp")]
    for half in halves:
        with contextlib.suppress(OSError):  # its program was quicker
            if time.time() - half.stat(follow_symlinks=False).st_mtime > seconds:
                remove_inside(folder, half.name)


def make_folder_in(folder: Path, name: str, mode: int = OPEN) -> None:
    """Make a folder, with those on the way to it, unless it is there."""
    with _named(os.path.join(folder, name)), _parent(folder, name + "/.", make=mode):
        return


def file_size(folder: Path, name: str) -> int | None:
    """Return how many bytes a file has, None if there is none. Raises LinkInside."""
    path = os.path.join(folder, name)
    try:
        with _named(path), _parent(folder, name) as (leaf, where):
            status = os.lstat(leaf, **where)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISDIR(status.st_mode) and not _is_link(status):
        return None
    _expect_file(status, path)
    return status.st_size


def is_inside(folder: Path, name: str) -> bool:
    """Say whether a file is there, and no link on the way to it."""
    try:
        return file_size(folder, name) is not None
    except LinkInside:
        return False


def is_folder_inside(folder: Path, name: str) -> bool:
    """Say whether a folder is there, and no link on the way to it."""
    try:
        with _parent(folder, f"{name}/."):
            return True
    except (ProtocolError, FileNotFoundError, NotADirectoryError):
        return False


def check_writable(folder: Path, name: str) -> None:
    """Raise LinkInside where a library that opens files itself would write to another place than this file."""
    os.close(open_descriptor(folder, name, os.O_WRONLY))


def path_inside(folder: Path, name: str) -> Path:
    """Return the path of a file for a library that opens files itself. Raises LinkInside, FileNotFoundError."""
    if file_size(folder, name) is None:
        raise FileNotFoundError(2, "No such file", str(folder / name))
    return folder / name


def files_inside(folder: Path, name: str, *, pass_over: bool = False) -> list[str]:
    """Return the files below a folder, as names in the other one, sorted; none if it is not there.

    Raises LinkInside for the first link among them, or for anything that is neither file nor folder, unless these are
    to be passed over.
    """
    try:
        with _named(os.path.join(folder, name)), _parent(folder, name) as (leaf, where):
            _expect_folder(os.lstat(leaf, **where), os.path.join(folder, name))
    except FileNotFoundError:
        return []
    found, waiting = [], [name]
    while waiting:
        below = waiting.pop()
        with os.scandir(os.path.join(folder, below)) as entries:
            for entry in entries:
                status, place = entry.stat(follow_symlinks=False), f"{below}/{entry.name}"
                if stat.S_ISDIR(status.st_mode) and not _is_link(status):
                    waiting.append(place)
                elif stat.S_ISREG(status.st_mode) or not pass_over:
                    _expect_file(status, os.path.join(folder, place))
                    found.append(place)
    return sorted(found, key=lambda place: place.split("/"))


# ---- parts of a name -------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _parent(folder: Path, name: str, make: int = 0) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what to call the last part of a name, and the keyword that says of which folder, if that is open.

    `make` is the mode of folders that are made on the way, 0 if none are to be.
    """
    *parts, leaf = _parts(name)
    place = str(folder)
    if not parts or not HAS_DIR_FD:
        for part in parts:
            place = os.path.join(place, part)
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(place, make)
            _expect_folder(os.lstat(place), place)
        yield os.path.join(place, leaf), {}
        return
    descriptor = os.open(folder, _FOLDER)
    try:
        for part in parts:
            place = os.path.join(place, part)
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, make, dir_fd=descriptor)
            _expect_folder(os.lstat(part, dir_fd=descriptor), place)
            below = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
        yield leaf, {"dir_fd": descriptor}
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _named(path: str) -> Iterator[None]:
    """Let errors name the whole path, rather than the part that was opened."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            error.filename = path
        raise


def _parts(name: str) -> list[str]:
    parts = name.split("/")
    if "" in parts or ".." in parts:
        raise ProtocolError(f"{name[:80]!r} is no name of a file in a folder.")
    return parts


def _is_link(status: os.stat_result) -> bool:
    junction = getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", None)  # Windows' link to a folder
    return stat.S_ISLNK(status.st_mode) or (junction is not None and getattr(status, "st_reparse_tag", 0) == junction)


def _expect_folder(status: os.stat_result, path: str) -> None:
    if _is_link(status):
        raise LinkInside(f"{path} is a link; in a job folder none is followed.")
    if not stat.S_ISDIR(status.st_mode):
        raise LinkInside(f"{path} is not a folder.")


def _expect_file(status: os.stat_result, path: str, *, is_written: bool = False) -> None:
    if _is_link(status):
        raise LinkInside(f"{path} is a link; in a job folder none is followed.")
    if not stat.S_ISREG(status.st_mode):
        raise LinkInside(f"{path} is not a file.")
    if is_written and status.st_nlink > 1:
        raise LinkInside(f"{path} is one of {status.st_nlink} names of the same file (hard links): it is not written.")
