"""Pictures of job folders in the interface. They live in memory only: nothing is added to the .blend."""

# Blender makes its module at run time; pyright sees an almost empty one.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import bpy.utils.previews

MOST = 200  # pictures in memory; the oldest go first

_pictures: Any = None  # Blender's collection of previews, while the add-on is enabled
_seen: dict[str, int] = {}  # file -> when it was written, in the order in which they were loaded


def register_extra() -> None:
    """Make room for pictures."""
    global _pictures
    _pictures = bpy.utils.previews.new()


def unregister_extra() -> None:
    """Free all pictures."""
    global _pictures
    bpy.utils.previews.remove(_pictures)
    _pictures = None
    _seen.clear()


def icon(path: Path) -> int:
    """Return the icon of a picture file for `template_icon`, 0 if there is none. It is read again when it changes."""
    try:
        written = path.stat().st_mtime_ns
    except OSError:  # not there yet, or no longer
        return 0
    name = str(path)
    if _seen.get(name) != written:
        forget(path)
        picture = _pictures.load(name, name, "IMAGE")
        picture.image_size[0]  # asking reads the file now; left to itself Blender shows a spinner first, each time
        _seen[name] = written
        while len(_seen) > MOST:
            forget(Path(next(iter(_seen))))
    return _pictures[name].icon_id


def loaded(path: Path) -> int:
    """Return the icon of a picture that `icon` has read before, else 0; no file is touched."""
    return _pictures[str(path)].icon_id if str(path) in _seen else 0


def forget(path: Path) -> None:
    """Free the picture of a file."""
    if _seen.pop(str(path), None) is not None:
        del _pictures[str(path)]


CLASSES = ()
