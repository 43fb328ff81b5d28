"""A queue of jobs: whose turn it is, and the commands of whoever has no pipe to this process.

A queue may have several workers, each a process: one of them takes a turn at a time, each has a lock of its own.
A queue is a folder of job folders; `addon.protocol` says which files in it speak of turns. The add-on writes the order,
this process what it has taken, and each reads the other's file: neither waits for the other.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from addon import protocol
from backend.runtime.control import Control

LOOK_SECONDS = 0.2  # between two looks at a file
ALONE_SECONDS = 0.01  # between two tries for the lock of the turns, which is held for milliseconds

_log = logging.getLogger(__name__)


class Turns:
    """The jobs of a queue in their order. Each worker makes one, when it holds the lock of its number."""

    def __init__(self, folder: Path, worker: int = 0) -> None:
        self.folder = folder
        with self._alone():
            others = (number for number in range(protocol.MOST_WORKERS) if number != worker)
            if any(protocol.is_locked(folder / protocol.worker_lock(number)) for number in others):
                self._taken = self._read_taken()
                return
            waiting = {turn.ticket for turn in self._in_order()}
            taken = [turn for turn in protocol.read_turns(folder / protocol.TAKEN_FILE) if turn.ticket in waiting]
            self._taken = {turn.ticket for turn in taken}
            # Under a name that the next process uses, too: nobody else writes it, and a kill leaves nothing for ever.
            protocol.write_whole(folder, protocol.TAKEN_FILE, "".join(map(protocol.encode, taken)).encode())
            protocol.write_whole(folder, protocol.COMMANDS_FILE, b"")  # they were for the process before

    def take(self) -> Path | None:
        """Return the job folder whose turn it is, and note that it was taken; None if none waits or all are held."""
        with self._alone():
            return self._take()

    def _take(self) -> Path | None:
        self._taken |= self._read_taken()  # by other workers; our own may not have fitted onto the disk
        turn = next((turn for turn in self._in_order() if turn.ticket not in self._taken), None)
        if turn is None or (self.folder / protocol.HOLD_FILE).exists():
            return None
        self._taken.add(turn.ticket)
        job = self.folder / turn.job
        try:
            turn = replace(turn, begin=_size(job))
            with protocol.open_file(self.folder, protocol.TAKEN_FILE, "ab") as file:
                file.write(protocol.encode(turn).encode())
        except OSError:  # a full disk: the job itself will say so
            _log.exception("It could not be noted that %s has had its turn.", turn.job)
        return job

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Let no other worker of the queue take a turn until the block ends."""
        while (descriptor := protocol.take_lock(self.folder / protocol.TURNS_LOCK_FILE)) is None:
            time.sleep(ALONE_SECONDS)
        try:
            yield
        finally:
            os.close(descriptor)

    def _read_taken(self) -> set[str]:
        return {turn.ticket for turn in protocol.read_turns(self.folder / protocol.TAKEN_FILE)}

    def _in_order(self) -> list[protocol.Turn]:
        return protocol.read_turns(self.folder / protocol.QUEUE_FILE)


def _size(job: Path) -> int:
    try:
        return protocol.file_size(job, protocol.EVENTS_FILE) or 0
    except protocol.LinkInside:  # the job itself will say so
        return 0


def jobs_in_turn(
    turns: Turns, control: Control, idle_seconds: float, say: Callable[[protocol.Event], None]
) -> Iterator[Path]:
    """Yield each job when it is its turn; end when the process should leave, or none has come for so long.

    Once the program that started the process is gone, it ends as soon as none waits.
    """
    while not control.interrupted:
        job = turns.take()
        if job is None:
            say(protocol.Idle(seconds=idle_seconds))
            end = time.monotonic() + idle_seconds
            while (job := turns.take()) is None:
                if control.interrupted or control.is_alone or time.monotonic() > end:
                    return
                time.sleep(LOOK_SECONDS)
        control.forget()  # wishes about jobs that are over
        yield job


def read_commands(folder: Path, obey: Callable[[bytes], None], look: Callable[[], None]) -> None:
    """Call `obey` with every line that is appended to the queue's file of commands from now on, in a thread.

    `look` is called between two looks at the file.
    """

    def read() -> None:
        offset, is_too_long = 0, False
        while True:
            time.sleep(LOOK_SECONDS)
            look()
            try:
                if (protocol.file_size(folder, protocol.COMMANDS_FILE) or 0) <= offset:
                    continue
                with protocol.open_file(folder, protocol.COMMANDS_FILE, "rb") as file:
                    file.seek(offset)
                    lines = file.read(protocol.LINE_BYTES)
            except (OSError, protocol.LinkInside) as error:
                _log.warning("The commands in %s cannot be read: %s", folder, error)
                return
            end = lines.rfind(b"\n") + 1
            complete = lines[:end].splitlines()
            if is_too_long:
                complete = complete[1:]  # the end of the line that is no command
            if end == 0 and len(lines) == protocol.LINE_BYTES:
                is_too_long, end = True, len(lines)  # pass over it, and hear what comes behind
            elif end:
                is_too_long = False
            offset += end
            for line in complete:
                if line.strip():
                    obey(line)

    threading.Thread(target=read, name="commands of the queue", daemon=True).start()
