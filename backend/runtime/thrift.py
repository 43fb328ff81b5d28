"""How sparingly this process uses memory: a level that goes down when memory runs out, and up again with the next job.

A lower level asks the networks about fewer pictures at a time, takes views one by one through the encoder and back,
and last computes layers again on the way back instead of keeping what they said. That takes longer and changes nothing
but the last digits, so that a job goes on from its checkpoint.
"""

from __future__ import annotations

import gc
from typing import NamedTuple

from addon.protocol import Phrase
from addon.protocol.preflight import TOGETHER
from backend.runtime import devices


class Level(NamedTuple):
    """One level."""

    together: int  # pictures that a network is asked about at a time; 0: all of a step's, and views as settings say
    again: bool  # whether layers are computed again on the way back, also those of a small base
    words: Phrase  # what is done, behind "with"


LEVELS = (
    Level(TOGETHER[0], False, Phrase("all pictures of a step at a time")),
    Level(TOGETHER[1], False, Phrase("{count} pictures at a time and views encoded one by one", count=TOGETHER[1])),
    Level(TOGETHER[2], False, Phrase("one picture at a time")),
    Level(TOGETHER[2], True, Phrase("one picture at a time and layers computed again on the way back")),
)

_level = 0


def level() -> Level:
    """Return the level that this process is at."""
    return LEVELS[_level]


def most_together() -> int:
    """Return how many pictures a network may be asked about at a time; 0 where there is no limit."""
    return level().together


def step_down() -> bool:
    """Go to the next lower level and let go of what torch holds; return whether there was one."""
    global _level
    if _level + 1 == len(LEVELS):
        return False
    _level += 1
    gc.collect()
    devices.release_memory()
    return True


def begin_anew() -> None:
    """Start with no limit, for another job."""
    global _level
    _level = 0


def begin_at(level: int) -> None:
    """Start at a level, where a job is known to need it; one that has stepped down already stays there."""
    global _level
    _level = max(_level, level)
