"""How sparingly this process uses memory: a level that goes down when memory runs out, and up again with the next job.

A lower level asks the networks about fewer pictures at a time. That takes longer and changes nothing else, so that a
job goes on from its checkpoint.
"""

from __future__ import annotations

import gc

from backend.runtime import devices

TOGETHER = (0, 4, 1)  # pictures that a network is asked about at a time, by level; 0: all of a step's

_level = 0


def most_together() -> int:
    """Return how many pictures a network may be asked about at a time; 0 where there is no limit."""
    return TOGETHER[_level]


def step_down() -> bool:
    """Go to the next lower level and let go of what torch holds; return whether there was one."""
    global _level
    if _level + 1 == len(TOGETHER):
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
