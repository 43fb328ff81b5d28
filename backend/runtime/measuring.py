"""How far a stage is, in steps of one length, whose speed is measured, or in parts, each of a length of its own."""

from __future__ import annotations

from collections.abc import Sequence

from addon.protocol import Progress
from backend.runtime.machine import peak_memory_bytes


def measured(progress: Sequence[tuple[float, int]], total: int) -> Progress:
    """Return what is to be told of steps, given moments in seconds and how many were done then."""
    (begin, first), (now, step) = progress[0], progress[-1]
    if first == 0 and len(progress) > 2:  # the first step compiles kernels and says nothing about the others
        begin, first = progress[1]
    rate = (step - first) / max(now - begin, 1e-9)
    return Progress(
        step=step,
        steps=total,
        seconds_left=round((total - step) / max(rate, 1e-9), 1),
        steps_per_second=round(rate, 3),
        memory_bytes=peak_memory_bytes(),
    )


def part(done: int, count: int) -> Progress:
    """Return what is to be told of parts: no speed, and no time left."""
    memory = peak_memory_bytes()
    return Progress(step=done, steps=count, seconds_left=0.0, steps_per_second=0.0, memory_bytes=memory)
