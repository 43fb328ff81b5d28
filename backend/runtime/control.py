"""What the outside wants of the running job: commands by stdin, signals, and whether anybody still waits for it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from backend.errors import JobCancelled
from backend.runtime.leaving import ending_signals
from backend.runtime.watchdog import is_wanted

NATIVE_SECONDS = 0.6  # until a process leaves whose main thread does not come to a signal


class Control:
    """What the outside wants of the running job: written by the stdin thread and by signals, read between steps."""

    def __init__(self, job: str = "", stay_file: Path | None = None, owner_file: Path | None = None) -> None:
        self.job = job  # the running folder's name, which a command without a name means; empty while none runs
        self.is_alone = False  # the program that started us is gone
        self._stay_file, self._owner_file = stay_file, owner_file
        self._stays = False  # all the same; decided once, when it is gone
        self.interrupted = ""  # why the process should leave; empty while it should not
        self.may_leave_at_once = False  # nothing is lost but the part of a stage that has no steps
        self._cancelled: set[str] = set()  # names of folders; "" is a command about the next job, whichever that is
        self._finished: set[str] = set()
        self._lock = threading.Lock()
        self.wake: Callable[[], None] = lambda: None  # lets the main thread hear at once that its job is given up

    def begin(self, job: str) -> None:
        """Let a job run: it takes over the commands without a name that came while none ran."""
        with self._lock:
            self.job = job
            for commands in (self._cancelled, self._finished):
                if "" in commands:
                    commands.remove("")
                    commands.add(job)

    def end(self) -> None:
        """Let the running job be done, with its commands; call it before the others are told."""
        with self._lock:
            self._cancelled.discard(self.job)
            self._finished.discard(self.job)
            self.job = ""

    def cancel(self, job: str = "") -> None:
        """Give up a job: the named one, even before its turn, or the running one, or the next if none runs."""
        with self._lock:
            self._cancelled.add(job or self.job)
        if self.may_leave_at_once and self.is_cancelled:
            self.wake()

    def finish(self, job: str = "") -> None:
        """Make the steps of a job end early; without a name, of the running or the next one."""
        with self._lock:
            self._finished.add(job or self.job)

    def forget(self) -> None:
        """Drop all commands, which came too late for the jobs that they were about."""
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

    @contextlib.contextmanager
    def undisturbed(self) -> Iterator[bool]:
        """Let a signal, or a wish to cancel, wait for the end of the block, rather than tear what is written in it.

        Yields whether that could leave at once before.
        """
        kept, self.may_leave_at_once = self.may_leave_at_once, False
        try:
            yield kept
        finally:
            self.may_leave_at_once = kept
        if kept and threading.current_thread() is threading.main_thread():
            self.leave_if_told()

    def leave_if_told(self) -> None:
        """Leave the job, in the main thread, where nothing is lost by it: KeyboardInterrupt or JobCancelled."""
        if self.may_leave_at_once and (self.interrupted or self.is_cancelled):
            self.may_leave_at_once = False
            raise KeyboardInterrupt if self.interrupted else JobCancelled

    @contextlib.contextmanager
    def disturbed(self, at_once: bool) -> Iterator[None]:
        """Inside of `undisturbed`: let the block be left at once after all, as before that, if it was so."""
        self.may_leave_at_once = at_once
        try:
            self.leave_if_told()
            yield
        finally:
            self.may_leave_at_once = False

    @property
    def is_cancelled(self) -> bool:
        """Say whether the running job should be given up."""
        return self.job in self._cancelled

    @property
    def is_finishing(self) -> bool:
        """Say whether the running job should end with what it has."""
        return self.job in self._finished


def install_signal_handlers(control: Control) -> None:
    """Let the first signal that asks to leave interrupt the run at its next step, or at once where there are none.

    A second one does so at once. A wish to cancel is heard as soon, where the system has signals for that.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        is_second = bool(control.interrupted)
        control.interrupt(f"the process received {signal.Signals(number).name}")
        if is_second or control.may_leave_at_once:
            raise KeyboardInterrupt

    for number in ending_signals():
        signal.signal(number, interrupt)
    if sys.platform != "win32":  # there a job is given up when the main thread comes to its next step
        signal.signal(signal.SIGUSR1, lambda number, frame: control.leave_if_told())
        main = threading.main_thread().ident
        assert main is not None
        control.wake = lambda: signal.pthread_kill(main, signal.SIGUSR1)


def leave_native_code(control: Control, leave: Callable[[], None]) -> None:
    """Call `leave`, in a thread, when a signal has come and the main thread has not left the job in NATIVE_SECONDS.

    It may be in native code and not have heard; or a package that was being imported has swallowed KeyboardInterrupt.
    Native code that lets no thread of Python run delays it further.
    """
    if sys.platform == "win32":
        return
    heard, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    numbers = {int(number) for number in ending_signals()}

    def wait() -> None:
        while found := os.read(heard, 1):
            if found[0] in numbers and control.may_leave_at_once:
                time.sleep(NATIVE_SECONDS)
                if control.may_leave_at_once:
                    control.may_leave_at_once = False
                    control.interrupt(f"the process received {signal.Signals(found[0]).name}")
                    leave()

    threading.Thread(target=wait, name="signals", daemon=True).start()


def read_commands(commands: int, handle: Callable[[bytes], None], parent_gone: Callable[[], None]) -> None:
    """Call `handle` with every line that comes in on a file descriptor and `parent_gone` at its end, in a thread."""

    def read() -> None:
        rest = b""
        while chunk := os.read(commands, 4096):
            *lines, rest = (rest + chunk).split(b"\n")
            rest = rest[-(1 << 20) :]
            for line in lines:
                handle(line)
        parent_gone()

    threading.Thread(target=read, name="commands", daemon=True).start()
