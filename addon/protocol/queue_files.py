"""A queue: a folder of job folders and files in it that programs share. Who has a turn, and whose the process is.

The add-on writes the order, the backend what it has taken, and each reads the other's file: neither waits.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from .events import Turn, decode, encode
from .inside import LinkInside, file_size, open_file, remove_halves, write_whole
from .job_folder import EVENTS_FILE, LOCK_FILE
from .shared_files import take_lock
from .typed_json import ProtocolError

# The add-on writes all but the second.
QUEUE_FILE = "queue.jsonl"  # a Turn for each job, in order
TAKEN_FILE = "taken.jsonl"  # a Turn for each job that has had it, written by the backend when it begins
COMMANDS_FILE = "commands.jsonl"  # each with its job, from who has no pipe to the backend; emptied at its start
STAY_FILE = "stay"  # while it is there, the backend goes on when stdin closes
OWNER_FILE = "owner"  # locked by the Blender that a backend without a pipe is tied to: its end is the backend's end
HOLD_FILE = "hold"  # while it is there, no job has its turn
TURNS_LOCK_FILE = ".turns"  # held by the worker that is just taking a turn
TURNS_BYTES = 4 << 20  # no more is read of a file of turns
MOST_WORKERS = 16  # of a queue
LEFT_SECONDS = 60.0  # after which a half written file of turns is one that a killed program has left


def worker_lock(worker: int) -> str:
    """Return the file in a queue's folder that its worker of this number holds; 0 is the one that is always there."""
    return f"{LOCK_FILE}-{worker}" if worker else LOCK_FILE


def new_turn(job: str) -> Turn:
    """Return a turn with a ticket of its own."""
    return Turn(job=job, ticket=secrets.token_hex(8))


def read_turns(path: Path) -> list[Turn]:
    """Return the turns in a file, none if there is no file; lines that are none, or torn, are passed over."""
    try:
        with open_file(path.parent, path.name, "rb") as file:
            lines = [line for line in file.read(TURNS_BYTES).splitlines() if line.startswith(b"{")]
    except FileNotFoundError:
        return []
    turns = []
    for line in lines:
        with contextlib.suppress(ProtocolError):
            turns.append(decode(line))
    return [turn for turn in turns if isinstance(turn, Turn)]


def write_turns(path: Path, turns: Sequence[Turn]) -> None:
    """Replace a file of turns, whole or not at all; what killed programs have left of it goes."""
    content = "".join(map(encode, turns)).encode()
    write_whole(path.parent, path.name, content, temporary=f"{path.name}.{os.getpid()}.tmp")
    remove_halves(path.parent, path.name, LEFT_SECONDS)


def has_begun(job: Path, turn: Turn) -> bool:
    """Say whether a job has said anything since it was its turn."""
    try:
        return (file_size(job, EVENTS_FILE) or 0) > turn.begin
    except LinkInside:  # it is never written
        return False


class Tie:
    """What binds the process that another Blender has left behind to this one: it ends when `cut` is called, or when
    this program is gone, however it died, unless the queue is detached. Only one Blender at a time has it.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / OWNER_FILE
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Take the tie if nobody has it; return whether it is ours."""
        if self._descriptor is None:
            self._descriptor = take_lock(self._file)
        return self._descriptor is not None

    def cut(self) -> None:
        """Give it up."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
