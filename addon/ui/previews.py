"""Pictures of job folders in the interface. They live in memory only: nothing is added to the .blend."""

# Blender makes its module at run time; pyright sees an almost empty one.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import bpy.utils.previews

from ..jobs.png import Picture, Reader

MOST = 200  # pictures in memory; the oldest go first

_pictures: Any = None  # Blender's collection of previews, while the add-on is enabled
_reader: Reader | None = None
_asked: dict[str, int] = {}  # file -> when it was written, in the order in which they were asked for
_open = 0  # how many files are being read


def register_extra() -> None:
    """Make room for pictures."""
    global _pictures, _reader
    _pictures, _reader = bpy.utils.previews.new(), Reader()


def unregister_extra() -> None:
    """Free all pictures."""
    global _pictures, _reader, _open
    if _reader is not None:
        _reader.close()
    bpy.utils.previews.remove(_pictures)
    _pictures, _reader, _open = None, None, 0
    _asked.clear()


def icon(path: Path) -> int:
    """Return the icon of a picture file for `template_icon`, 0 if it was not read yet, which begins now.

    It is read again when the file changes; until then the old one is shown.
    """
    global _open
    try:
        written = path.stat().st_mtime_ns
    except OSError:  # not there yet, or no longer
        return 0
    name = str(path)
    if _asked.get(name) != written and _reader is not None:
        _asked.pop(name, None)  # to the end of the order
        _asked[name] = written
        _open += 1
        _reader.ask(path)
        while len(_asked) > MOST:
            forget(Path(next(iter(_asked))))
    return loaded(path)


def loaded(path: Path) -> int:
    """Return the icon of a picture that was read before, else 0; no file is touched."""
    return _pictures[str(path)].icon_id if str(path) in _pictures else 0


def is_reading() -> bool:
    """Say whether pictures are on their way."""
    return _open > 0


def take() -> bool:
    """Hand one picture that was read to Blender; return whether there was one. Call it from a timer."""
    global _open
    if _reader is None or _reader.done.empty():
        return False
    path, picture = _reader.done.get()
    _open -= 1
    if str(path) not in _asked:  # forgotten meanwhile
        return False
    _show(path, picture)
    return True


def _show(path: Path, picture: Picture | None) -> None:
    name = str(path)
    if picture is None:
        # Another kind of file: Blender decodes it, here and now, and its thumbnail is at most 256 pixels wide.
        if name in _pictures:
            del _pictures[name]
        _pictures.load(name, name, "IMAGE").image_size[0]  # asking reads it; else a spinner is shown first
        return
    shown = _pictures[name] if name in _pictures else _pictures.new(name)
    shown.image_size, shown.icon_size = picture.size, picture.icon_size
    shown.image_pixels.foreach_set(picture.pixels)
    shown.icon_pixels.foreach_set(picture.icon_pixels)


def forget(path: Path) -> None:
    """Free the picture of a file."""
    _asked.pop(str(path), None)
    if str(path) in _pictures:
        del _pictures[str(path)]


CLASSES = ()
