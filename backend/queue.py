"""A queue of jobs: whose turn it is, and the commands of whoever has no pipe to this process.

A queue is a folder of job folders; `addon.protocol` says which files in it speak of turns. The add-on writes the order,
this process what it has taken, and each reads the other's file: neither waits for the other.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from addon import protocol
from backend.machine import replace_file
from backend.supervision import Control

LOOK_SECONDS = 0.2  # between two looks at a file

_log = logging.getLogger(__name__)


class Turns:
    """The jobs of a queue in their order. Only the process that holds the queue's lock makes one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        waiting = {turn.ticket for turn in self._in_order()}
        taken = [turn for turn in protocol.read_turns(folder / protocol.TAKEN_FILE) if turn.ticket in waiting]
        self._taken = {turn.ticket for turn in taken}
        temporary = folder / (protocol.TAKEN_FILE + ".tmp")
        temporary.write_text("".join(map(protocol.encode, taken)), encoding="utf-8")
        replace_file(temporary, folder / protocol.TAKEN_FILE)
        (folder / protocol.COMMANDS_FILE).write_bytes(b"")  # they were for the process before

    def take(self) -> Path | None:
        """Return the job folder whose turn it is, and note that it was taken; None if none waits or all are held."""
        turn = next((turn for turn in self._in_order() if turn.ticket not in self._taken), None)
        if turn is None or (self.folder / protocol.HOLD_FILE).exists():
            return None
        self._taken.add(turn.ticket)
        job = self.folder / turn.job
        try:
            events = job / protocol.EVENTS_FILE
            turn = replace(turn, begin=events.stat().st_size if events.is_file() else 0)
            with (self.folder / protocol.TAKEN_FILE).open("a", encoding="utf-8") as file:
                file.write(protocol.encode(turn))
        except OSError:  # a full disk: the job itself will say so
            _log.exception("It could not be noted that %s has had its turn.", turn.job)
        return job

    def _in_order(self) -> list[protocol.Turn]:
        return protocol.read_turns(self.folder / protocol.QUEUE_FILE)


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
    path = folder / protocol.COMMANDS_FILE

    def read() -> None:
        offset = 0
        while True:
            time.sleep(LOOK_SECONDS)
            look()
            try:
                if path.stat().st_size <= offset:
                    continue
                with path.open("rb") as file:
                    file.seek(offset)
                    lines = file.read(protocol.LINE_BYTES)
            except OSError as error:
                _log.warning("The commands in %s cannot be read: %s", path, error)
                return
            end = lines.rfind(b"\n") + 1
            offset += end
            for line in lines[:end].splitlines():
                obey(line)

    threading.Thread(target=read, name="commands of the queue", daemon=True).start()
