"""What is known of every job of a folder, kept fresh a few milliseconds at a time. No bpy.

    catalogue = JobIndex(folder)
    changed = catalogue.refresh(0.002)         # in Blender: from a timer; panels only look at `entries`

Only what has changed since it was read is read again, so that a thousand jobs cost a few looks at the clock.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from .. import protocol
from . import store

PASS_SECONDS = 2.0  # between the beginnings of two passes over all jobs

OF_REQUEST = 1  # place in a stamp
Stamp = tuple[tuple[int, int], ...]  # time and size of the files that tell


@dataclass(frozen=True)
class Entry:
    """One job. `state` is one of `jobs`; `problem` is a sentence if the folder cannot be read: then little is known.

    `size` is in bytes on disk; `outcome` says in a sentence how the job failed, or after which stage it stopped.
    """

    job: Path
    state: str = store.WAITING
    request: protocol.Request | None = None
    size: int = 0
    thumbnail: Path | None = None
    has_results: bool = False
    outcome: str = ""
    problem: str = ""

    @property
    def name(self) -> str:
        """Return the name of the folder as Blender can show it."""
        return shown(self.job.name)

    @property
    def is_odd(self) -> bool:
        """Say whether the folder's path is no text: then nothing in Blender can name it."""
        return shown(str(self.job)) != str(self.job)


def shown(name: str) -> str:
    """Return a name with bytes that are no UTF-8 written out."""
    return name.encode("utf-8", "backslashreplace").decode()


class JobIndex:
    """The jobs of a folder, the newest first, in `entries`; what is there at first is nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: list[Entry] = []
        self.left_bytes = 0
        self.reads = 0  # how many jobs were read so far
        self._known: dict[str, tuple[Stamp, Entry]] = {}
        self._names: list[str] = []  # of the pass, the newest first
        self._next = 0  # the place in them
        self._begin = -PASS_SECONDS
        self._is_changed = False

    @property
    def size(self) -> int:
        """Return the bytes of all jobs, and of what attempts to make or to remove some have left."""
        return sum(entry.size for entry in self.entries) + self.left_bytes

    @property
    def is_busy(self) -> bool:
        """Say whether a pass is on its way."""
        return self._next < len(self._names)

    def find(self, name: str) -> Entry | None:
        """Return what is known of the job folder of this name, or of that which is shown so."""
        known = self._known.get(name)
        if known is None:
            known = next((other for own, other in self._known.items() if shown(own) == name), None)
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
        if known and known[0] == stamp and known[1].state != store.RUNNING:
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
        left = sum(map(store.size_on_disk, store.leftovers(self.folder)))
        self._is_changed |= left != self.left_bytes
        self.left_bytes = left
        changed, self._is_changed = self._is_changed, False
        if changed:
            known = [(self._known[name][0][OF_REQUEST], name) for name in self._names if name in self._known]
            self.entries = [self._known[name][1] for _, name in sorted(known, reverse=True)]
        return changed


def read_entry(job: Path) -> Entry | None:
    """Read what a job folder says; None if it is none. Whatever is wrong with it becomes its `problem`."""
    if not protocol.is_inside(job, protocol.REQUEST_FILE):
        return None
    if shown(str(job)) != str(job):
        sentence = f"The name {shown(job.name)} is not in UTF-8: rename the folder."
        return Entry(job, store.FAILED, size=store.size_on_disk(job), problem=sentence)
    try:
        request = protocol.read_request(job)
        state, size, thumbnail = store.state(job), store.size_on_disk(job), store.thumbnail(job)
        outcome = ""
        match store.last_message(job):
            case protocol.Failed(message=message, hint=hint):
                outcome = protocol.plain_text(f"{message} {hint}".strip())
            case protocol.Finished(stopped_after=stage) if stage:
                outcome = protocol.Phrase("Stopped after {stage}.", stage=_label(request.system, stage))

        return Entry(job, state, request, size, thumbnail, bool(store.results(job)), outcome)
    except (ValueError, OSError) as error:  # ProtocolError, and names that the system cannot have
        return Entry(job, store.FAILED, problem=protocol.plain_text(str(error)))


def _label(system: str, stage: str) -> protocol.Phrase:
    known = protocol.SYSTEMS[system].stage(stage)
    return protocol.Phrase(known.label if known else protocol.plain_text(stage))


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
            status = path.lstat()
            found.append((status.st_mtime_ns, status.st_size))
        except OSError:  # not there: that is something that may change, too
            found.append((0, 0))
    return tuple(found)
