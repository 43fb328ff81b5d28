"""Pictures of job folders as pixels, read in a thread, because decoding takes longer than Blender may wait. No bpy.

The backend writes its previews as PNGs whose rows are not filtered: those are read here, with nothing but zlib and
slices. Other PNGs are valid too and are left to Blender.
"""

from __future__ import annotations

import queue
import struct
import threading
import zlib
from array import array
from dataclasses import dataclass
from pathlib import Path

MAX_BYTES = 8 << 20  # of a file
MAX_SIDE = 1024  # of a picture that is read
SHOWN_SIDE, ICON_SIDE = 512, 32  # what is kept of it, at most
SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Picture:
    """Pixels from the lower left, each an int of the four bytes red, green, blue and alpha in memory's order."""

    size: tuple[int, int]
    pixels: array[int]
    icon_size: tuple[int, int]
    icon_pixels: array[int]


def read_plain_png(path: Path) -> Picture | None:
    """Read a PNG of 8 bits for red, green, blue, of rows without filters; None if it is another one, or no PNG.

    Raises OSError where it cannot be read.
    """
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES or content[:8] != SIGNATURE or content[12:16] != b"IHDR" or len(content) < 33:
        return None
    width, height, *kind = struct.unpack(">IIBBBBB", content[16:29])
    if kind != [8, 2, 0, 0, 0] or not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        return None
    stride = 3 * width + 1
    try:
        rows = zlib.decompressobj().decompress(_joined_chunks(content), stride * height)
    except zlib.error:
        return None
    if len(rows) != stride * height or any(rows[::stride]):
        return None
    return Picture(*_thinned(rows, width, height, SHOWN_SIDE), *_thinned(rows, width, height, ICON_SIDE))


def _joined_chunks(content: bytes) -> bytes:
    """Return what the chunks IDAT hold."""
    found, place = b"", 8
    while place + 8 <= len(content):
        (length,), name = struct.unpack(">I", content[place : place + 4]), content[place + 4 : place + 8]
        if name == b"IDAT":
            found += content[place + 8 : place + 8 + length]
        place += length + 12  # length, name, checksum
    return found


def _thinned(rows: bytes, width: int, height: int, side: int) -> tuple[tuple[int, int], array[int]]:
    """Return every n-th pixel, so that no side is longer than `side`, with full alpha."""
    step = -(-max(width, height) // side)
    stride = 3 * width + 1
    chosen = [rows[row * stride + 1 : (row + 1) * stride] for row in range(0, height, step)][::-1]
    columns = len(range(0, width, step))
    pixels = bytearray(b"\xff") * (4 * columns * len(chosen))
    for channel in range(3):
        pixels[channel::4] = b"".join(row[channel :: 3 * step] for row in chosen)
    return (columns, len(chosen)), array("i", bytes(pixels))


class Reader:
    """A thread that reads pictures: `ask` for a file, and find (file, its picture or None) in `done` later."""

    def __init__(self) -> None:
        self.done: queue.SimpleQueue[tuple[Path, Picture | None]] = queue.SimpleQueue()
        self._asked: queue.SimpleQueue[Path | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._read, name="maquette pictures", daemon=True)
        self._thread.start()

    def ask(self, path: Path) -> None:
        """Have a file read."""
        self._asked.put(path)

    def close(self) -> None:
        """End the thread."""
        self._asked.put(None)
        self._thread.join(5.0)

    def _read(self) -> None:
        while (path := self._asked.get()) is not None:
            try:
                found = read_plain_png(path)
            except OSError:  # just removed: then Blender will not find it either
                found = None
            self.done.put((path, found))
