"""What is known of every job of a folder, kept fresh a few milliseconds at a time. No bpy.

    catalogue = Catalogue(folder)
    changed = catalogue.refresh(0.002)         # in Blender: from a timer; panels only look at `entries`

Only what has changed since it was read is read again, so that a thousand jobs cost a few looks at the clock.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from . import jobs, protocol

PASS_SECONDS = 2.0  # between the beginnings of two passes over all jobs

Stamp = tuple[tuple[int, int], ...]  # time and size of the files that tell


@dataclass(frozen=True)
class Entry:
    """One job. `state` is one of `jobs`; `problem` is a sentence if the folder cannot be read: then little is known.

    `size` is in bytes on disk; `outcome` says in a sentence how the job failed, or after which stage it stopped.
    """

    job: Path
    state: str = jobs.WAITING
    request: protocol.Request | None = None
    size: int = 0
    thumbnail: Path | None = None
    has_results: bool = False
    outcome: str = ""
    problem: str = ""


class Catalogue:
    """The jobs of a folder, the newest first, in `entries`; what is there at first is nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: list[Entry] = []
        self.reads = 0  # how many jobs were read so far
        self._known: dict[str, tuple[Stamp, Entry]] = {}
        self._names: list[str] = []  # of the pass, the newest first
        self._next = 0  # the place in them
        self._begin = -PASS_SECONDS
        self._is_changed = False

    @property
    def size(self) -> int:
        """Return the bytes of all jobs."""
        return sum(entry.size for entry in self.entries)

    @property
    def is_busy(self) -> bool:
        """Say whether a pass is on its way."""
        return self._next < len(self._names)

    def find(self, name: str) -> Entry | None:
        """Return what is known of the job folder of this name."""
        known = self._known.get(name)
        return known[1] if known else None

    def refresh(self, seconds: float) -> bool:
        """Work for about so long; return whether `entries` is another list now, which it is at the end of a pass."""
        end = time.perf_counter() + seconds
        if self._next >= len(self._names):
            if time.monotonic() < self._begin + PASS_SECONDS:
                return False
            self._begin = time.monotonic()
            self._names, self._next = _folders(self.folder), 0
        while self._next < len(self._names):
            self._look_at(self._names[self._next])
            self._next += 1
            if time.perf_counter() > end:
                break
        return self._next >= len(self._names) and self._end_pass()

    def refresh_all(self) -> None:
        """Read everything that has changed, now; for scripts, and after the artist has done something."""
        self._begin, self._next = -PASS_SECONDS, len(self._names)
        self.refresh(float("inf"))

    def _look_at(self, name: str) -> None:
        job = self.folder / name
        known = self._known.get(name)
        stamp = _stamp(job)
        if known and known[0] == stamp and known[1].state != jobs.RUNNING:
            return
        self.reads += 1
        entry = read_entry(job)
        if entry is None:
            self._is_changed |= self._known.pop(name, None) is not None
        else:
            self._is_changed |= known is None or known[1] != entry
            self._known[name] = stamp, entry

    def _end_pass(self) -> bool:
        for name in self._known.keys() - set(self._names):
            del self._known[name]
            self._is_changed = True
        changed, self._is_changed = self._is_changed, False
        if changed:
            self.entries = [self._known[name][1] for name in self._names if name in self._known]
        return changed


def read_entry(job: Path) -> Entry | None:
    """Read what a job folder says; None if it is none. Whatever is wrong with it becomes its `problem`."""
    if not (job / protocol.REQUEST_FILE).is_file():
        return None
    try:
        request = protocol.read_request(job)
        state, size, thumbnail = jobs.state(job), jobs.size_on_disk(job), jobs.thumbnail(job)
        outcome = ""
        match jobs.last_message(job):
            case protocol.Failed(message=message, hint=hint):
                outcome = f"{message} {hint}".strip()
            case protocol.Finished(stopped_after=stage) if stage:
                outcome = f"Stopped after {stage}."
        return Entry(job, state, request, size, thumbnail, bool(jobs.results(job)), outcome)
    except (protocol.ProtocolError, OSError) as error:
        return Entry(job, jobs.FAILED, problem=str(error))


def _folders(folder: Path) -> list[str]:
    """Return the names of the folders in a folder that may be jobs, the newest first."""
    try:
        with os.scandir(folder) as found:
            names = [item.name for item in found if item.is_dir(follow_symlinks=False)]
    except OSError:  # not there yet, or no longer
        return []
    return sorted((name for name in names if not name.endswith(".tmp")), reverse=True)


def _stamp(job: Path) -> Stamp:
    """Return what changes when a job does something: it writes events, and files appear in its folder and result."""
    found = []
    for path in (job / protocol.EVENTS_FILE, job / protocol.REQUEST_FILE, job, job / protocol.RESULT_FOLDER):
        try:
            status = path.stat()
            found.append((status.st_mtime_ns, status.st_size))
        except OSError:  # not there: that is something that may change, too
            found.append((0, 0))
    return tuple(found)
