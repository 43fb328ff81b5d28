"""The kept subjects of a folder, for panels that are drawn often: read when one was kept or deleted. No bpy."""

from __future__ import annotations

import functools
from pathlib import Path

from .. import protocol


def listed(folder: Path) -> tuple[protocol.Subject, ...]:
    """Return the kept subjects in a folder, by name, as `protocol.list_subjects` does."""
    try:
        stamp = folder.stat().st_mtime_ns
    except OSError:  # not there yet
        return ()
    return _listed(folder, stamp)


def find(folder: Path, name: str) -> protocol.Subject:
    """Return the kept subject of a name. Raises ProtocolError as `protocol.find_subject` does."""
    found = next((each for each in listed(folder) if each.name == name), None)
    return found or protocol.find_subject(folder, name)


@functools.lru_cache(maxsize=4)
def _listed(folder: Path, stamp: int) -> tuple[protocol.Subject, ...]:
    return tuple(protocol.list_subjects(folder))
