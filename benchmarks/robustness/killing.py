"""Runs the backend's command line in a process that dies at the n-th thing that it does with the files of a job.

It is forked from one that has imported everything and loaded the prior, so that a run takes seconds; it is a process
in every other respect. What counts is the same in each run, because the clock of the job is one that counts looks.
"""

from __future__ import annotations

import functools
import io
import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from backend.runtime.job import Job

WARM = ("benchmarks.robustness.warm",)  # imported by the process that the others are forked from
LOOK = 0.15  # seconds that pass whenever a job looks at its clock: every few steps are a preview and a progress
STRAY_SECONDS = 20.0  # that what a killed process has started may take to notice
# Of the interpreter: each is heard before it is done, here and in whatever library.
EVENTS = {
    "open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.scandir", "os.listdir", "fcntl.lockf",
    "subprocess.Popen",
}  # fmt: skip


@dataclass(frozen=True)
class Kill:
    """When a process dies: at its n-th operation, from 1, before or in the middle of it, or so long after that."""

    operation: int
    milliseconds: int = 0


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code, negative for a signal, and how many operations it came to if it was let."""

    code: int
    operations: int
    strays: tuple[int, ...]  # numbers of processes that it left behind

    @property
    def was_killed(self) -> bool:
        """Say whether it died of its kill."""
        return self.code in (-signal.SIGKILL, -signal.SIGALRM)


def run_and_kill(run_system: Callable[[Job], None], arguments: list[str], root: Path, kill: Kill | None) -> Ended:
    """Run the command line to its end, or to its kill; `root` has the files whose operations count."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(WARM))  # nothing, if there is one already
    count = root.with_name(f"{root.name}.operations")
    count.unlink(missing_ok=True)
    process = context.Process(target=_main, args=(run_system, arguments, str(root), str(count), kill))
    process.start()
    process.join()
    assert process.exitcode is not None and process.pid is not None
    strays = left_behind(process.pid, STRAY_SECONDS)
    for number in strays:
        os.kill(number, signal.SIGKILL)
    operations = json.loads(count.read_text()) if count.exists() else 0
    return Ended(process.exitcode, operations, tuple(strays))


def left_behind(group: int, seconds: float) -> list[int]:
    """Return the processes of a group that are still there after so long at most, in /proc; zombies are none."""
    end = time.monotonic() + seconds
    while (found := _members(group)) and time.monotonic() < end:
        time.sleep(0.02)
    return found


def _members(group: int) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, number, *_ = entry.read_text().rpartition(")")[2].split()
        except (OSError, ValueError):  # it has just ended
            continue
        if int(number) == group and state not in "ZX":
            found.append(int(entry.parent.name))
    return found


# ---- in the child ----------------------------------------------------------------------------------------------------


def _main(run_system: Callable[[Job], None], arguments: list[str], root: str, count: str, kill: Kill | None) -> None:
    os.setsid()  # what it starts is of its group
    multiprocessing.set_start_method("fork", force=True)  # whose locks have no name that a kill would leave
    nothing, output = os.open(os.devnull, os.O_RDONLY), os.open(f"{root}.output", os.O_WRONLY | os.O_CREAT, 0o666)
    for number, descriptor in enumerate((nothing, output, output)):
        os.dup2(descriptor, number)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w", buffering=1)
    from backend import __main__ as command_line

    operations = Operations(root, kill)
    operations.listen()
    steady_clock()
    code = command_line.main(arguments, run_system)
    total = operations.count  # before the next line is one, too
    Path(count).write_text(json.dumps(total))
    sys.exit(code)


class Operations:
    """Counts what the main thread does with files below a folder, and ends the process when it is time."""

    def __init__(self, root: str, kill: Kill | None) -> None:
        self.count = 0
        self._root = os.path.join(root, "")
        self._kill = kill
        self._main = threading.main_thread().ident

    def listen(self) -> None:
        """Hear of every operation from now on, for good."""
        import safetensors.torch
        from PIL import Image

        from backend.meshes import unwrapping

        for module, name in (
            (os, "fsync"), (os, "ftruncate"), (safetensors.torch, "save"), (safetensors.torch, "load"),
            (Image.Image, "save"), (unwrapping, "receive"),
        ):  # fmt: skip
            setattr(module, name, self._counted(getattr(module, name)))
        os.fdopen = self._torn(os.fdopen)
        sys.addaudithook(self._hear)

    def next(self, torn: Callable[[], None] = lambda: None) -> None:
        """Count an operation, which is to come; where it is the last one, do half of it, if that can be, and die."""
        if threading.get_ident() != self._main:
            return
        self.count += 1
        if self._kill is None or self.count != self._kill.operation:
            return
        if self._kill.milliseconds:
            signal.setitimer(signal.ITIMER_REAL, self._kill.milliseconds / 1000)  # nobody handles it: the system kills
            return
        torn()
        os.kill(os.getpid(), signal.SIGKILL)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in EVENTS:
            return
        path = arguments[0] if arguments else None
        if event == "open" and isinstance(path, int):
            return
        if isinstance(path, bytes | os.PathLike):
            path = os.fsdecode(path)
        # Relative names are of a folder that is open; imports and caches have whole ones.
        if event == "subprocess.Popen" or not isinstance(path, str) or not os.path.isabs(path):
            self.next()
        elif path.startswith(self._root):
            self.next()

    def _counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*arguments: Any, **options: Any) -> Any:
            self.next()
            return function(*arguments, **options)

        return call

    def _torn(self, fdopen: Callable[..., Any]) -> Callable[..., Any]:
        """Return what opens files of a job to write them, whose writes are operations that can be torn."""
        operations = self

        class Writer(io.BufferedWriter):
            def write(self, content: Any, /) -> int:
                def half() -> None:
                    io.BufferedWriter.write(self, memoryview(content)[: len(content) // 2])
                    self.flush()

                operations.next(half)
                return super().write(content)

        def opened(descriptor: int, mode: str = "r", *arguments: Any, **options: Any) -> Any:
            if mode in ("wb", "ab"):
                return Writer(io.FileIO(descriptor, mode))
            return fdopen(descriptor, mode, *arguments, **options)

        return opened


def steady_clock() -> None:
    """Give jobs a clock by which the same time passes in every run: previews and progress come at the same steps."""
    from backend.runtime import job

    looks = iter(range(1 << 62))
    setattr(job, "time", SimpleNamespace(monotonic=lambda: LOOK * next(looks)))  # noqa: B010
