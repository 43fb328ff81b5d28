"""The standard streams of the process, kept for ourselves, and where the lines of one job go."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol, TextIO

from addon import protocol
from backend.runtime.control import Control

LAST_TRIES = 5  # to write the last line of a job, without which it would count as interrupted
TRY_SECONDS = 0.2  # between two of them

_log = logging.getLogger(__name__)


class Sink(Protocol):
    """What takes the lines of a job: a file, or what makes other lines of them."""

    def write(self, line: bytes, /) -> object:
        """Take a line."""

    def flush(self) -> None:
        """Let it be read."""


class Streams(NamedTuple):
    """The three standard streams as they were before `reserve_streams`."""

    commands: int  # a file descriptor, for os.read: a buffered reader would hold its lock while Python shuts down
    events: BinaryIO
    console: TextIO


def reserve_streams() -> Streams:
    """Keep stdin, stdout and stderr for ourselves; whatever libraries print to stdout goes to stderr from now on.

    Call it before anything heavy is imported: C++ and child processes know only the numbers 0, 1 and 2.
    """
    sys.stdout.flush()
    commands, events, console = os.dup(0), os.dup(1), os.dup(2)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return Streams(
        commands,
        os.fdopen(events, "wb"),
        os.fdopen(console, "w", encoding="utf-8", errors="replace", buffering=1),
    )


@contextlib.contextmanager
def output_to(path: Path) -> Iterator[None]:
    """Append everything that this process and its children print to a file, for as long as the block runs.

    Raises LinkInside where a link stands in its place.
    """
    file = protocol.open_descriptor(path.parent, path.name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    kept = os.dup(1), os.dup(2)
    try:
        _redirect(file, file)
        yield
    finally:
        _redirect(*kept)
        for descriptor in (file, *kept):
            os.close(descriptor)


def _redirect(output: int, error: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(output, 1)
    os.dup2(error, 2)


class Outbox:
    """Where the lines of one job go: its events file, and a stream if anybody reads it. The last line closes it.

    Raises LinkInside where a link stands in the place of the file.
    """

    def __init__(self, file: Path | None, stream: Sink | None, control: Control) -> None:
        self._path = file
        self._is_closed = False
        self._stream = stream
        self._control = control
        self._lock = threading.Lock()
        self._unwritten = b""  # lines that a disk did not take, as far as they fit into one
        self._is_torn = file is not None and _ends_torn(
            file
        )  # then the first line must not go on in what a power failure has left

    def send(self, line: str, *, last: bool = False) -> None:
        """Write one line at once; do nothing after the last one."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = last
            self._to_file(line.encode(), tries=LAST_TRIES if last else 1)
            self._to_stream(line)

    def close_file(self) -> None:
        """Write no more to the file; the stream goes on."""
        with self._lock:
            self._path = None

    def _to_file(self, line: bytes, tries: int) -> None:
        """Append a line, with those before it that could not be written; what fails is tried again with the next."""
        if self._path is None:
            return
        is_first = not self._unwritten
        lines = self._unwritten + line
        lines = lines if len(lines) <= protocol.LINE_BYTES else line
        self._unwritten = lines
        for left in reversed(range(tries)):
            try:
                with protocol.open_file(self._path.parent, self._path.name, "ab") as file:
                    file.write(b"\n" * self._is_torn + lines)
                self._is_torn, self._unwritten = False, b""
                return
            except protocol.LinkInside:
                _log.exception("No more events can be written to %s.", self._path)
                self._path = None
                return
            except OSError:  # a full disk must not keep the news from whoever reads the stream
                self._is_torn = True  # perhaps a part was written
                if is_first:
                    _log.exception("An event could not be written to %s; it is tried again.", self._path)
                is_first = False
                if left:
                    time.sleep(TRY_SECONDS)

    def _to_stream(self, line: str) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(line.encode())
            self._stream.flush()
        except OSError:  # nobody reads any more
            self._stream = None
            self._control.left_alone("the program that reads the events is gone")


def _ends_torn(path: Path) -> bool:
    """Say whether the last line of a file is not complete."""
    if not protocol.file_size(path.parent, path.name):
        return False
    with contextlib.suppress(PermissionError):  # which the first line meets, too
        protocol.check_writable(path.parent, path.name)
    with protocol.open_file(path.parent, path.name, "rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() != b"\n"
