"""How many threads a job that may have every core is given: as many as there are free cores when it begins.

Threads that wait for each other crawl where another program has one of their cores: two beside busy programs are slower
than one. The number stands in the job folder, since a job that goes on makes the same bytes with the same number only.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path

from addon.protocol import CORES_FILE, Phrase, ProtocolError, file_size, open_file, parse, write_whole
from backend.runtime.machine import available_threads

LOOKS, LOOK_SECONDS = 4, 0.25  # a program that is busy for less than a second, as one that opens a result, counts not
MOST_BYTES = 1000
PROCESSOR_TIMES = Path("/proc/stat")


def threads_of(folder: Path, asked: int) -> int:
    """Return the threads that a job begins or goes on with: as many as were asked for, or else its own number.

    Where 0 is asked for, that is what it began with; a new one gets the free cores, and the number is written down.
    """
    if asked:
        return asked
    known = _read(folder)
    if known:
        return min(known, available_threads())
    count = free_threads()
    write_whole(folder, CORES_FILE, (json.dumps({"threads": count}) + "\n").encode())
    return count


def free_threads() -> int:
    """Return how many cores no other program keeps busy, at least one; every core where the system does not tell.

    Workers of a queue share the cores among them as MAQUETTE_THREADS says, and have theirs.
    """
    cores = available_threads()
    if cores == 1 or os.environ.get("MAQUETTE_THREADS"):
        return cores
    return min(max(round(max(_free() for _ in range(LOOKS))), 1), cores)


def fewer(threads: int) -> tuple[str, str]:
    """Return the sentence, and what to do, of a job that began with fewer threads than there are cores."""
    sentence = "The job uses {count} of {cores} processor cores: other programs kept the rest busy when it began."
    hint = "For another number set Processor Cores (on the command line --threads); the last digits become others."
    return Phrase(sentence, count=threads, cores=available_threads()), Phrase(hint)


def _free() -> float:
    """Return how many cores had nothing to do, or worked for this process, for a moment."""
    idle, own, began = _idle_seconds(), time.process_time(), time.monotonic()
    if idle is None:
        return float(available_threads())
    time.sleep(LOOK_SECONDS)
    now = _idle_seconds()
    passed = time.monotonic() - began
    return ((now or idle) - idle + time.process_time() - own) / passed


def _idle_seconds() -> float | None:
    """Return how long the cores that this process may use have had nothing to do, all together; None where unknown."""
    try:
        cores = {f"cpu{number}" for number in os.sched_getaffinity(0)}
        lines = [line.split() for line in PROCESSOR_TIMES.read_text(encoding="ascii").splitlines()]
        ticks = [int(line[4]) + int(line[5]) for line in lines if line and line[0] in cores]  # idle; waits for a disk
        return sum(ticks) / os.sysconf("SC_CLK_TCK") if ticks else None
    except (AttributeError, OSError, ValueError, IndexError):
        return None


def _read(folder: Path) -> int:
    """Return the number that a job began with, 0 where it has none that can be read."""
    with contextlib.suppress(OSError, ProtocolError, UnicodeDecodeError):
        if 0 < (file_size(folder, CORES_FILE) or 0) <= MOST_BYTES:
            with open_file(folder, CORES_FILE, "rb") as file:
                count = parse(file.read(MOST_BYTES), CORES_FILE).get("threads")
            if isinstance(count, int) and not isinstance(count, bool) and 0 < count <= 1024:
                return count
    return 0
