"""Mark an imported object as an asset of its file, with the picture that the job has left as its preview."""

# Blender makes its module at run time; pyright sees an almost empty one.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false

from __future__ import annotations

from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .result_files import ImportFailed, check_picture

if TYPE_CHECKING:
    import bpy

PREVIEW_PIXELS = 256  # along a side; what Blender itself renders for the Asset Browser
PICTURE_BYTES = 1 << 26
MAX_TAG_LENGTH = 63  # bytes, as Blender keeps them


def mark_asset(item: bpy.types.ID, *, description: str, tags: Sequence[str] = (), picture: Path | None = None) -> None:
    """Mark a data-block as an asset; the Asset Browser finds it once the file is saved in an asset library.

    Raises ImportFailed when the picture is not one that can be shown.
    """
    item.asset_mark()
    item.asset_data.description = description
    item.asset_data.author = "Maquette"
    for tag in tags:
        item.asset_data.tags.new(tag.encode()[:MAX_TAG_LENGTH].decode(errors="ignore"), skip_if_exists=True)
    if picture is not None:
        set_preview(item, picture)


def set_preview(item: bpy.types.ID, picture: Path) -> None:
    """Give a data-block a PNG or JPEG as its preview, scaled to what the Asset Browser shows. Raises ImportFailed."""
    import bpy

    if picture.stat().st_size > PICTURE_BYTES:
        raise ImportFailed(f"{picture} has {picture.stat().st_size} bytes; at most {PICTURE_BYTES} are read.")
    check_picture(picture.read_bytes(), str(picture))
    image = bpy.data.images.load(str(picture))
    try:
        image.scale(PREVIEW_PIXELS, PREVIEW_PIXELS)
        pixels = array("f", bytes(4 * 4 * PREVIEW_PIXELS**2))
        image.pixels.foreach_get(pixels)
    except RuntimeError as error:  # how Blender reports what it cannot decode
        raise ImportFailed(f"Blender cannot read {picture}: {str(error).strip()}") from error
    finally:
        bpy.data.images.remove(image)
    preview = item.preview_ensure()
    preview.image_size = (PREVIEW_PIXELS, PREVIEW_PIXELS)
    preview.image_pixels_float.foreach_set(pixels)
