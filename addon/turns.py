"""The files of a queue that programs share: who has a turn, and which Blender the process is tied to. No bpy."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from . import jobs, protocol
from .processes import replace_file


def new_turn(job: str) -> protocol.Turn:
    """Return a turn with a ticket of its own."""
    return protocol.Turn(job=job, ticket=secrets.token_hex(8))


def write_turns(folder: Path, turns: Sequence[protocol.Turn]) -> None:
    """Replace the order of a queue, whole or not at all."""
    temporary = folder / f"{protocol.QUEUE_FILE}.{os.getpid()}.tmp"
    temporary.write_text("".join(map(protocol.encode, turns)), encoding="utf-8")
    replace_file(temporary, folder / protocol.QUEUE_FILE)


def has_begun(job: Path, turn: protocol.Turn) -> bool:
    """Say whether a job has said anything since it was its turn."""
    events = job / protocol.EVENTS_FILE
    return events.is_file() and events.stat().st_size > turn.begin


class Tie:
    """What binds the process that another Blender has left behind to this one: it ends when `cut` is called, or when
    this program is gone, however it died, unless the queue is detached. Only one Blender at a time has it.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / protocol.OWNER_FILE
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Take the tie if nobody has it; return whether it is ours."""
        if self._descriptor is None:
            self._descriptor = jobs.take_lock(self._file)
        return self._descriptor is not None

    def cut(self) -> None:
        """Give it up."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
