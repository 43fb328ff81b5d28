"""Pictures of the open .blend as files for a job: packed, painted, generated and rendered ones are written out."""

# Blender makes its module at run time; pyright sees an almost empty one.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

import struct
import zlib
from array import array
from pathlib import Path

import bpy

from ..protocol import Phrase

READABLE = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"}  # by the backend; others are written as PNG
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
MOST_OF_A_CHUNK = 1 << 30  # bytes; no picture that is used has one of that length
MAX_PIXELS = 8192 * 8192  # that are written out: 1 GiB in Blender's floats


_damaged: dict[tuple[Path, int, int], bool] = {}  # file, time and size -> whether it was


class ImageMissing(ValueError):
    """Say in one sentence why an image cannot be used."""


def file_of(image: bpy.types.Image, folder: Path, number: int) -> Path:
    """Return a file that holds the picture: its own, or a new one in `folder` if that is not what Blender shows.

    Raises ImageMissing when the file is gone, or the image has no pixels.
    """
    if image.type == "RENDER_RESULT":
        return _rendered(image, folder / f"{number:02}.png")
    path = Path(bpy.path.abspath(image.filepath_raw, library=image.library))
    if image.source == "FILE" and not image.is_dirty:
        suffix = Path(image.filepath_raw).suffix.lower()
        if image.packed_file is not None and suffix in READABLE:
            target = folder / f"{number:02}{suffix}"
            target.write_bytes(image.packed_file.data)
            return target
        if image.packed_file is None:
            if not image.filepath_raw or not path.is_file():
                raise ImageMissing(_missing(image, path))
            if suffix in READABLE:
                return path
    return _written(image, folder / f"{number:02}.png")


def why_not(image: bpy.types.Image) -> str:
    """Return the sentence that says why an image cannot be used, as far as can be told at once; else nothing."""
    if image.source in ("MOVIE", "SEQUENCE"):
        return Phrase("{image} is a film or a sequence: choose a single picture.", image=image.name)
    if image.source == "FILE" and image.packed_file is None and not image.is_dirty:
        path = Path(bpy.path.abspath(image.filepath_raw, library=image.library))
        if not image.filepath_raw or not path.is_file():
            return "" if image.has_data else _missing(image, path)
        if _is_damaged(image, path):
            return Phrase("{file} is damaged, or no image: save it again, or choose another one.", file=path.name)
    return ""


def _is_damaged(image: bpy.types.Image, path: Path) -> bool:
    """Say whether the file of an image cannot be read. The panel asks at each redraw: a file is looked into once."""
    try:
        about = path.stat()
        key = path, about.st_mtime_ns, about.st_size
        if key not in _damaged:
            _damaged[key] = breaks_off(path) or not image.size[0]
        return _damaged[key]
    except OSError:
        return True


def breaks_off(path: Path) -> bool:
    """Say whether a PNG ends in the middle of a chunk, or holds one that was damaged; no for whatever is no PNG.

    Raises OSError where it cannot be read.
    """
    with path.open("rb") as file:
        if file.read(len(PNG_SIGNATURE)) != PNG_SIGNATURE:
            return False
        while len(head := file.read(8)) == 8:
            length = struct.unpack(">I", head[:4])[0]
            if length > MOST_OF_A_CHUNK:
                return True
            content, check = file.read(length), file.read(4)
            if len(content) < length or zlib.crc32(head[4:] + content).to_bytes(4) != check:
                return True
            if head[4:] == b"IEND":
                return False
    return bool(head)


def _missing(image: bpy.types.Image, path: Path) -> Phrase:
    return Phrase(
        "The file of the image {image} is missing: {path}. Choose another image.", image=image.name, path=path
    )


def _written(image: bpy.types.Image, target: Path) -> Path:
    """Write the pixels that Blender has in memory; the image itself stays as it is."""
    width, height = image.size
    if not width or not height:
        raise ImageMissing(Phrase("The image {image} has no pixels. Choose another image.", image=image.name))
    if width * height > MAX_PIXELS:
        told = "The image {image} has {width} x {height} pixels; at most {most} can be written out. Scale it down."
        raise ImageMissing(Phrase(told, image=image.name, width=width, height=height, most=MAX_PIXELS))
    pixels = array("f", bytes(4 * width * height * 4))
    if image.channels == 4:
        image.pixels.foreach_get(pixels)
    else:
        _spread(image, pixels)
    copy = bpy.data.images.new("maquette", width, height, alpha=True, float_buffer=image.is_float)
    try:
        copy.pixels.foreach_set(pixels)
        copy.file_format = "PNG"
        copy.filepath_raw = str(target)
        copy.save()
    except RuntimeError as error:
        told = "The image {image} cannot be written out: {reason}"
        raise ImageMissing(Phrase(told, image=image.name, reason=str(error).strip())) from error
    finally:
        bpy.data.images.remove(copy)
    return target


def _spread(image: bpy.types.Image, pixels: array[float]) -> None:
    """Fill red, green, blue and opaque alpha from an image of one to three channels."""
    channels = image.channels
    found = array("f", bytes(4 * len(image.pixels)))
    image.pixels.foreach_get(found)
    for channel in range(3):
        pixels[channel::4] = found[channel if channels == 3 else 0 :: channels]
    pixels[3::4] = array("f", [1.0]) * (len(pixels) // 4)


def _rendered(image: bpy.types.Image, target: Path) -> Path:
    """Write the render as the artist sees it, with the scene's view transform."""
    try:
        image.save_render(str(target))
    except RuntimeError as error:
        told = "There is no render to use: {reason} Render the scene first."
        raise ImageMissing(Phrase(told, reason=str(error).strip())) from error
    return target
