"""The process around a job: its standard streams, the wishes of whoever started it, and the lock on the folder."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import BinaryIO, NamedTuple, TextIO

from backend.errors import BackendError

_log = logging.getLogger(__name__)

GUARD_LOOKS = 4  # in a row, before a process is killed that nobody wants
LOCK_FILE = ".lock"
LOCK_BYTE = 1 << 20  # far behind the text of the file, because Windows lets nobody read a locked byte


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
    """Append everything that this process and its children print to a file, for as long as the block runs."""
    kept = os.dup(1), os.dup(2)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
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


class Control:
    """What the outside wants of the running job: written by the stdin thread and by signals, read between steps."""

    def __init__(self, job: str = "", stay_file: Path | None = None, owner_file: Path | None = None) -> None:
        self.job = job  # the running folder's name, which a wish without a name means; empty while none runs
        self.is_alone = False  # the program that started us is gone
        self._stay_file, self._owner_file = stay_file, owner_file
        self._stays = False  # all the same; decided once, when it is gone
        self.interrupted = ""  # why the process should leave; empty while it should not
        self._cancelled: set[str] = set()  # names of folders; "" is a wish about the next job, whichever that is
        self._finished: set[str] = set()
        self._lock = threading.Lock()

    def begin(self, job: str) -> None:
        """Let a job run: it takes over the wishes without a name that came while none ran."""
        with self._lock:
            self.job = job
            for wishes in (self._cancelled, self._finished):
                if "" in wishes:
                    wishes.remove("")
                    wishes.add(job)

    def end(self) -> None:
        """Let the running job be done, with its wishes; call it before the others are told."""
        with self._lock:
            self._cancelled.discard(self.job)
            self._finished.discard(self.job)
            self.job = ""

    def cancel(self, job: str = "") -> None:
        """Give up a job: the named one, even before its turn, or the running one, or the next if none runs."""
        with self._lock:
            self._cancelled.add(job or self.job)

    def finish(self, job: str = "") -> None:
        """Make the steps of a job end early; without a name, of the running or the next one."""
        with self._lock:
            self._finished.add(job or self.job)

    def forget(self) -> None:
        """Drop all wishes, which came too late for the jobs that they were about."""
        with self._lock:
            self._cancelled.clear()
            self._finished.clear()

    def left_alone(self, reason: str) -> bool:
        """Note that the program that started us is gone; return whether to go on, else be interrupted."""
        with self._lock:
            if not self.is_alone:
                self._stays = self._stay_file is not None and self._stay_file.exists()
            self.is_alone = True
        if not self._stays:
            self.interrupt(reason)
        return self._stays

    def is_deserted(self) -> bool:
        """Say whether what went on without its parent should end: nobody wants that any more, or is tied to it."""
        return self._stays and not is_wanted(self._stay_file, self._owner_file)

    def interrupt(self, reason: str) -> None:
        """Make the process leave; the first reason counts."""
        self.interrupted = self.interrupted or reason

    @property
    def is_cancelled(self) -> bool:
        """Say whether the running job should be given up."""
        return self.job in self._cancelled

    @property
    def is_finishing(self) -> bool:
        """Say whether the running job should end with what it has."""
        return self.job in self._finished


def heed_signals(control: Control) -> None:
    """Let the first SIGINT or SIGTERM interrupt the run at its next step, and a second one at once."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        if control.interrupted:
            raise KeyboardInterrupt
        control.interrupt(f"the process received {signal.Signals(number).name}")

    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)


def listen(commands: int, obey: Callable[[bytes], None], parent_gone: Callable[[], None]) -> None:
    """Call `obey` with every line that comes in on a file descriptor and `parent_gone` at its end, in a thread."""

    def read() -> None:
        rest = b""
        while chunk := os.read(commands, 4096):
            *lines, rest = (rest + chunk).split(b"\n")
            rest = rest[-(1 << 20) :]
            for line in lines:
                obey(line)
        parent_gone()

    threading.Thread(target=read, name="commands", daemon=True).start()


def is_wanted(stay_file: Path | None, owner_file: Path | None) -> bool:
    """Say whether a file is there, or another one is locked by another process."""
    if stay_file is not None and stay_file.exists():
        return True
    if owner_file is None or not owner_file.is_file():
        return False
    descriptor = os.open(owner_file, os.O_RDWR)
    try:
        return not _try_lock(descriptor)
    finally:
        os.close(descriptor)  # which gives the lock back


def guard(commands: int, seconds: float, stay_file: Path | None = None, owner_file: Path | None = None) -> None:
    """Let a small process kill this one so many seconds after the other end of a pipe has closed.

    It is for what the thread of `listen` cannot end: native code that keeps every thread of Python waiting for minutes.
    Nothing happens while the process is wanted all the same, and nothing at all on Windows, where the add-on uses a
    job object.
    """
    if not hasattr(os, "fork"):
        return
    pid = os.getpid()
    alive, end = os.pipe()  # the guard sees the end of this process as the end of this pipe
    if os.fork() > 0:
        os.close(alive)
        return
    try:
        for descriptor in {0, 1, 2, end} - {commands, alive}:
            os.close(descriptor)
        os.closerange(max(commands, alive) + 1, 256)
        for descriptor in set(range(3, max(commands, alive))) - {commands, alive}:
            with contextlib.suppress(OSError):  # not open
                os.close(descriptor)
        poll = select.poll()
        poll.register(commands, 0)  # only its end; the lines are not for us
        poll.register(alive, 0)
        gone = {descriptor for descriptor, _ in poll.poll()}
        poll.unregister(commands)
        is_over, stays, unwanted = alive in gone, stay_file is not None and stay_file.exists(), 0
        while not is_over:
            is_over = bool(poll.poll(seconds * 1000 / GUARD_LOOKS))
            unwanted = 0 if stays and is_wanted(stay_file, owner_file) else unwanted + 1
            if not is_over and os.getppid() == pid and unwanted >= GUARD_LOOKS:
                os.kill(pid, signal.SIGKILL)
    finally:
        os._exit(0)


class Outbox:
    """Where the lines of one job go: its events file, and a stream if anybody reads it. The last line closes it."""

    def __init__(self, file: Path, stream: BinaryIO | None, control: Control) -> None:
        self._path: Path | None = file
        self._is_closed = False
        self._stream = stream
        self._control = control
        self._lock = threading.Lock()
        self._is_torn = _ends_torn(file)  # then the first line must not go on in what a power failure has left

    def send(self, line: str, *, last: bool = False) -> None:
        """Write one line at once; do nothing after the last one."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = last
            self._to_file(line)
            self._to_stream(line)

    def _to_file(self, line: str) -> None:
        if self._path is None:
            return
        try:
            with self._path.open("ab") as file:
                file.write(b"\n" * self._is_torn + line.encode())
            self._is_torn = False
        except OSError:  # a full disk must not keep the news from whoever reads the stream
            _log.exception("No more events can be written to %s.", self._path)
            self._path = None

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
    if not path.is_file() or path.stat().st_size == 0:
        return False
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() != b"\n"


@contextlib.contextmanager
def folder_lock(folder: Path, patience_seconds: float = 1.0) -> Iterator[None]:
    """Hold a job folder until the block or the process ends, however that dies. Raises BackendError if it is held.

    The patience covers other programs that only look whether it is held.
    """
    descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        end = time.monotonic() + patience_seconds
        while not _try_lock(descriptor):
            if time.monotonic() > end:
                holder = os.read(descriptor, 32).decode("ascii", "replace").strip()
                raise BackendError(
                    f"Another process (number {holder}) is running {folder.name} already.",
                    "Wait for it, or end it; a job or a queue is run by one process at a time.",
                )
            time.sleep(0.05)
        os.truncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)


if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        os.lseek(descriptor, LOCK_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            return True
        except OSError:
            return False
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)

else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        # lockf, not flock: a child that was forked and outlives us must not go on holding the folder.
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, LOCK_BYTE)
            return True
        except (BlockingIOError, PermissionError):
            return False
