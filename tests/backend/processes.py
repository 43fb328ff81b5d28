"""Run the command line of the fake systems in processes of their own, forked from one that has imported torch already.

They are processes in every respect (signals, exit codes, locks, file descriptors 0-2) but the seconds of the import.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext, SpawnContext
from pathlib import Path
from typing import Any

from addon import protocol
from backend.runtime.job import Job
from tests.backend import fake_system


@dataclass(frozen=True)
class Done:
    """A process that has ended."""

    returncode: int
    stdout: str
    stderr: str


class Process:
    """The command line on its way, with the fake systems unless told; its standard input is empty.

    `ignored` is a signal that it was started to ignore, as by nohup.
    """

    def __init__(
        self,
        folder: Path,
        *arguments: object,
        run_system: Callable[[Job], None] = fake_system.run_fake,
        ignored: int = 0,
    ) -> None:
        number = sum(1 for _ in folder.glob("*.stdout"))
        self._streams = folder / f"{number}.stdout", folder / f"{number}.stderr"
        for path in self._streams:
            path.touch()
        texts = [str(argument) for argument in arguments]
        self._process = _context().Process(target=_main, args=(run_system, texts, *map(str, self._streams), ignored))
        self._process.start()

    @property
    def pid(self) -> int:
        """Return the number of the process."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Say whether it still runs."""
        return self._process.is_alive()

    def wait(self, seconds: float = 60.0) -> Done:
        """Return what it has done; kill it and raise TimeoutError if that takes too long."""
        self._process.join(seconds)
        if self._process.exitcode is None:
            self._process.kill()
            raise TimeoutError(f"the process is not done after {seconds} seconds")
        return Done(self._process.exitcode, *(path.read_text() for path in self._streams))


def run(folder: Path, *arguments: object) -> Done:
    """Run the command line to its end; its streams are kept in a folder."""
    return Process(folder, *arguments).wait()


def _context() -> ForkServerContext | SpawnContext:
    if sys.platform == "win32":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    # torch.optim imports the compiler when it is first used.
    context.set_forkserver_preload(["backend.runtime.job", "tests.backend.fake_system", "torch._dynamo"])
    return context


def _main(run_system: Callable[[Job], None], arguments: list[str], stdout: str, stderr: str, ignored: int = 0) -> None:
    if ignored:  # a signal
        signal.signal(ignored, signal.SIG_IGN)
    for number, (path, mode) in enumerate([(os.devnull, os.O_RDONLY), (stdout, os.O_WRONLY), (stderr, os.O_WRONLY)]):
        os.dup2(os.open(path, mode), number)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w", buffering=1)
    from backend import __main__ as command_line
    from backend.cli import job_runner

    job_runner.ORPHAN_SECONDS = 1.0
    code = command_line.main(arguments, run_system)
    sys.stdout.flush()
    sys.exit(code)


def events(text: str) -> list[Any]:
    """Return the messages of an output that has nothing else in it."""
    return [protocol.decode(line) for line in text.splitlines()]


def last(text: str) -> Any:
    """Return the last message, and check that it is the only one of its kind behind a Hello."""
    messages = events(text)
    assert isinstance(messages[0], protocol.Hello)
    assert [isinstance(message, protocol.LAST) for message in messages] == [False] * (len(messages) - 1) + [True]
    return messages[-1]
