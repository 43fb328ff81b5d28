"""Pictures between files and tensors, and which part of them is the subject. The only place with 8-bit values.

Images are [H, W, C] float32, sRGB in [0, 1], alpha not multiplied in.
"""

from __future__ import annotations

import contextlib
import io
import logging
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from backend.errors import BadInput

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")
MAX_SIDE = 16_384
MAX_PIXELS = 100_000_000

_log = logging.getLogger(__name__)


def load_image(path: Path) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return rgb [H, W, 3] and alpha [H, W, 1] (None if the file has none), upright, in sRGB.

    16-bit grey keeps its precision; 16-bit colour is read to 8 bits. Raises BadInput, from the header alone, for what
    is not an image, empty, animated, more than 16,384 pixels wide or high or 100 million in all.
    """
    with _opened(path) as image:
        try:
            image.load()
        except (OSError, SyntaxError, ValueError, struct.error) as error:
            raise BadInput(f"{path.name} breaks off or is damaged: {error}.", "Save the image again.") from error
        upright = ImageOps.exif_transpose(image)
        return _to_tensors(_to_srgb(upright))


def check_image(path: Path) -> tuple[int, int]:
    """Return width and height of an image that `load_image` accepts, without decoding it. Raises BadInput."""
    with _opened(path) as image:
        return image.size


def save_image(path: Path, image: torch.Tensor) -> None:
    """Write [H, W, 1 | 3 | 4] in [0, 1] as an 8-bit file whose format is that of the name's ending."""
    _to_pillow(image).save(path)


def save_turntable(path: Path, frames: Sequence[torch.Tensor], milliseconds: int) -> None:
    """Write frames [H, W, 3] in [0, 1] as an endless animated WebP, each shown for the given time."""
    first, *rest = [_to_pillow(frame) for frame in frames]
    first.save(path, "WEBP", save_all=True, append_images=rest, duration=milliseconds, loop=0, quality=85, method=4)


def square_crop(
    rgb: torch.Tensor, mask: torch.Tensor, size: int, margin: float = 0.1, background: float = 1.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the subject centred in a square: rgb [size, size, 3] and mask [size, size, 1].

    rgb [H, W, 3], mask [H, W, 1]; the longer side of the mask's box (mask > 0.5) fills 1 - 2 `margin` of the square.
    What lies outside the picture is `background` with mask 0. Raises ValueError if no pixel of the mask is above 0.5.
    """
    rows, columns = torch.nonzero(mask[..., 0] > 0.5, as_tuple=True)
    if len(rows) == 0:
        raise ValueError(f"no pixel of the mask {tuple(mask.shape)} is above 0.5")
    top, bottom = rows.min().item(), rows.max().item() + 1
    left, right = columns.min().item(), columns.max().item() + 1
    side = max(bottom - top, right - left) / (1.0 - 2.0 * margin)
    centre = ((left + right) / 2, (top + bottom) / 2)
    box = [centre[0] - side / 2, centre[1] - side / 2, centre[0] + side / 2, centre[1] + side / 2]
    # The last channel becomes the share of a cell that the picture covers.
    cropped = _resample(torch.cat([rgb, mask, torch.ones_like(mask)], dim=-1), box, size)  # [S, S, 5]
    covered = cropped[..., 4:]
    return cropped[..., :3] + (1 - covered) * background, cropped[..., 3:4]


def _resample(image: torch.Tensor, box: Sequence[float], size: int) -> torch.Tensor:
    """Return size x size cells of a box (left, top, right, bottom), antialiased; zeros outside the image."""
    height, width, _ = image.shape
    rows = _cell_weights(box[1], box[3], size, height)  # [S, H]
    columns = _cell_weights(box[0], box[2], size, width)  # [S, W]
    return torch.einsum("sh,hwc,tw->stc", rows, image, columns).clamp(0.0, 1.0)


def _cell_weights(begin: float, end: float, cells: int, pixels: int) -> torch.Tensor:
    """Return [cells, pixels]: the share of each pixel in each cell, by a triangle as wide as the larger of the two."""
    cell = (end - begin) / cells
    width = max(cell, 1.0)
    centres = begin + (torch.arange(cells) + 0.5) * cell  # [S], in pixels
    # The padding catches the weight that falls outside the picture, so that it counts as zero there.
    padding = int(np.ceil(max(-begin, end - pixels, 0.0) + width)) + 1
    positions = torch.arange(-padding, pixels + padding) + 0.5
    distance = (centres[:, None] - positions[None]).abs()
    weights = (1.0 - distance / width).clamp(min=0.0)
    weights = weights / weights.sum(dim=1, keepdim=True)
    return weights[:, padding:-padding].contiguous()


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open an image of an accepted kind, only its header read."""
    content = path.read_bytes() if path.stat().st_size < 32 else path.open("rb").read(32)
    if not content:
        raise BadInput(f"{path.name} is empty: it has 0 bytes.", "Choose an image file.")
    if content.startswith(b"\x89PNG\r\n\x1a\n") and len(content) >= 24:  # Pillow would only say that it is no image
        _check_size(path, *struct.unpack(">II", content[16:24]))
    kept, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None  # our own limit says what the size is
    try:
        image = Image.open(path, formats=FORMATS)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, struct.error) as error:
        raise BadInput(f"{path.name} is not an image that can be read.", f"Use {', '.join(FORMATS[:5])}.") from error
    finally:
        Image.MAX_IMAGE_PIXELS = kept
    with image:
        _check_size(path, *image.size)
        frames = getattr(image, "n_frames", 1)
        if frames > 1 and image.format != "MPO":  # a phone's JPEG with a second picture or a depth map behind the first
            raise BadInput(f"{path.name} is animated: it has {frames} frames.", "Save one frame as PNG and use that.")
        yield image


def _check_size(path: Path, width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise BadInput(f"{path.name} has no pixels: {width} x {height}.", "Choose another image.")
    if width > MAX_SIDE or height > MAX_SIDE or width * height > MAX_PIXELS:
        raise BadInput(
            f"{path.name} is too large: {width} x {height} pixels; at most {MAX_SIDE} a side and {MAX_PIXELS} in all.",
            "Scale it down; 1,024 pixels are plenty.",
        )


def _to_srgb(image: Image.Image) -> Image.Image:
    """Convert the colours with the file's own profile, if it has one that can be used."""
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("RGB", "RGBA", "CMYK"):
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        converted = ImageCms.profileToProfile(image, source, target, outputMode=mode)
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        _log.warning("The colour profile of the image is not used: %s", error)
        return image
    return converted if converted is not None else image


def _to_tensors(image: Image.Image) -> tuple[torch.Tensor, torch.Tensor | None]:
    if image.mode in ("I", "I;16", "I;16L", "I;16B", "I;16N", "F"):  # 16-bit grey; F is float in [0, 1]
        values = np.asarray(image, dtype=np.float32) / (1.0 if image.mode == "F" else 65535.0)
        grey = torch.from_numpy(np.nan_to_num(values).clip(0.0, 1.0))[..., None]
        return grey.expand(-1, -1, 3).contiguous(), None
    has_alpha = "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info
    pixels = np.asarray(image.convert("RGBA" if has_alpha else "RGB"), dtype=np.float32) / 255.0
    tensor = torch.from_numpy(pixels)
    return tensor[..., :3].contiguous(), tensor[..., 3:].contiguous() if has_alpha else None


def _to_pillow(image: torch.Tensor) -> Image.Image:
    assert image.ndim == 3 and image.shape[2] in (1, 3, 4), image.shape
    pixels = (image.detach().float().cpu().clamp(0.0, 1.0) * 255.0 + 0.5).to(torch.uint8).numpy()
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
