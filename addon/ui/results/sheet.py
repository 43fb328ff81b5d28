"""Four sides as one picture: laid beside each other to be read and painted on, and taken apart again."""

# Blender makes its module at run time; pyright sees an almost empty one.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

from array import array
from collections.abc import Sequence
from pathlib import Path

import bpy

from ... import protocol

FOLDER_PROPERTY = "maquette_sheet"  # of an image: the folder whose pictures it shows
COLUMNS = 2
FEWEST = 3  # pictures; fewer open one by one

CLASSES = ()


def open_sheet(paths: Sequence[Path], label: str) -> bpy.types.Image:
    """Return one image that shows pictures of one size, from the left to the right and downwards.

    One that was opened before is returned as it is, with what was painted on it. Raises RuntimeError where Blender
    cannot read a picture, and ValueError where their sizes differ.
    """
    known = sheet_of(paths[0].parent)
    if known is not None:
        return known
    tiles = [_read(path) for path in paths]
    (width, height), _ = tiles[0]
    if any(size != (width, height) for size, _ in tiles):
        told = "The pictures have different sizes, so they make no sheet: replace those that differ."
        raise ValueError(protocol.Phrase(told))
    rows = -(-len(tiles) // COLUMNS)
    sheet = bpy.data.images.new(label, COLUMNS * width, rows * height)
    sheet[FOLDER_PROPERTY] = str(paths[0].parent)
    pixels = array("f", bytes(4 * 4 * COLUMNS * width * rows * height))
    for number, (_, tile) in enumerate(tiles):
        for line in range(height):
            begin = _begin(number, line, width, height, rows)
            pixels[begin : begin + 4 * width] = tile[4 * width * line : 4 * width * (line + 1)]
    sheet.pixels.foreach_set(pixels)
    sheet.pack()  # else Blender asks to save it
    return sheet


def sheet_of(folder: Path) -> bpy.types.Image | None:
    """Return the sheet that shows the pictures of a folder, None where none is open."""
    return next((image for image in bpy.data.images if image.get(FOLDER_PROPERTY) == str(folder)), None)


def save_sheet(paths: Sequence[Path]) -> list[str]:
    """Put what was painted on the sheet of pictures into their files, and close it; return the names of those.

    Raises OSError and RuntimeError where a file cannot be written.
    """
    sheet = sheet_of(paths[0].parent) if paths else None
    if sheet is None:
        return []
    whole = array("f", bytes(4 * len(sheet.pixels)))
    sheet.pixels.foreach_get(whole)
    changed, rows = [], -(-len(paths) // COLUMNS)
    for number, path in enumerate(paths):
        image = bpy.data.images.load(str(path))
        try:
            width, height = image.size
            before = array("f", bytes(4 * len(image.pixels)))
            image.pixels.foreach_get(before)
            tile = array("f")
            for line in range(height):
                begin = _begin(number, line, width, height, rows)
                tile += whole[begin : begin + 4 * width]
            if max(abs(a - b) for a, b in zip(tile, before, strict=True)) > 0.5 / 255:
                protocol.check_writable(path.parent, path.name)
                image.pixels.foreach_set(tile)
                image.save()
                changed.append(path.name)
        finally:
            bpy.data.images.remove(image)
    close_sheet(paths[0].parent)
    return changed


def close_sheet(folder: Path) -> None:
    """Forget the sheet of a folder: its pictures are others now."""
    if (sheet := sheet_of(folder)) is not None:
        bpy.data.images.remove(sheet)


def _begin(number: int, line: int, width: int, height: int, rows: int) -> int:
    """Return where a line of a tile begins among the sheet's numbers; Blender counts lines from below."""
    row, column = rows - 1 - number // COLUMNS, number % COLUMNS
    return 4 * ((row * height + line) * COLUMNS * width + column * width)


def _read(path: Path) -> tuple[tuple[int, int], array[float]]:
    image = bpy.data.images.load(str(path))
    try:
        pixels = array("f", bytes(4 * len(image.pixels)))
        image.pixels.foreach_get(pixels)
        return tuple(image.size), pixels
    finally:
        bpy.data.images.remove(image)
