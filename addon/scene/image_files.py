"""Pictures of the open .blend as files for a job: packed, painted, generated and rendered ones are written out."""

# Blender makes its module at run time; pyright sees an almost empty one.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

from array import array
from pathlib import Path

import bpy

READABLE = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"}  # by the backend; others are written as PNG
MAX_PIXELS = 8192 * 8192  # that are written out: 1 GiB in Blender's floats


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
                raise ImageMissing(f"The file of the image {image.name} is missing: {path}. Choose another image.")
            if suffix in READABLE:
                return path
    return _written(image, folder / f"{number:02}.png")


def why_not(image: bpy.types.Image) -> str:
    """Return the sentence that says why an image cannot be used, as far as can be told at once; else nothing."""
    if image.source in ("MOVIE", "SEQUENCE"):
        return f"The image {image.name} is a {image.source.lower()}; choose a single picture."
    if image.source == "FILE" and image.packed_file is None and not image.has_data:
        path = Path(bpy.path.abspath(image.filepath_raw, library=image.library))
        if not image.filepath_raw or not path.is_file():
            return f"The file of the image {image.name} is missing: {path}. Choose another image."
    return ""


def _written(image: bpy.types.Image, target: Path) -> Path:
    """Write the pixels that Blender has in memory; the image itself stays as it is."""
    width, height = image.size
    if not width or not height:
        raise ImageMissing(f"The image {image.name} has no pixels. Choose another image.")
    if width * height > MAX_PIXELS:
        raise ImageMissing(
            f"The image {image.name} has {width} x {height} pixels; at most {MAX_PIXELS} can be written out. "
            "Scale it down."
        )
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
        raise ImageMissing(f"The image {image.name} cannot be written out: {str(error).strip()}") from error
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
        raise ImageMissing(f"There is no render to use: {str(error).strip()} Render the scene first.") from error
    return target
