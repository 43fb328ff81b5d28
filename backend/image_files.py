"""Files of pictures as an artist has them, read within bounds, or refused with a sentence that says what they are.

Images are [H, W, C] float32, sRGB in [0, 1], alpha not multiplied in.
"""

from __future__ import annotations

import contextlib
import io
import logging
import math
import struct
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageCms, ImageOps

from backend.errors import BadInput, Phrase

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")
SCALABLE = ("JPEG", "MPO")  # can be decoded to a fraction of their size
MAX_SIDE = 16_384
MAX_PIXELS = 100_000_000
MAX_DECODED_BYTES = 256 << 20  # of a picture that is decoded whole, as all but JPEG are
LOADED_PIXELS = 4096 * 4096  # of a picture; larger ones are scaled as they are read
BRIGHT = 32.0  # above which a picture of floats does not just have highlights: its white is not 1
WHITES = (255.0, 1023.0, 4095.0)  # of 8, 10 and 12 bits that are kept in more

# What Pillow raises, in one place or another, for a file that is damaged.
DAMAGE = (
    OSError, EOFError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RuntimeError,
    struct.error, zlib.error,
)  # fmt: skip

HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
EXPORT = "Save it as PNG or JPEG and use that."
# How other kinds begin -> what they are, and what to do.
BEGINNINGS = {
    b"8BPS": ("a Photoshop document", EXPORT),
    b"%PDF": ("a PDF document", EXPORT),
    b"\x76\x2f\x31\x01": ("an OpenEXR picture", EXPORT),
    b"#?RADIANCE": ("a Radiance HDR picture", EXPORT),
    b"\0\0\0\x0cjP  ": ("a JPEG 2000 picture", EXPORT),
    b"\xff\x0a": ("a JPEG XL picture", EXPORT),
    b"\0\0\0\x0cJXL ": ("a JPEG XL picture", EXPORT),
    b"BLENDER": ("a .blend file", "Render it, and use the picture."),
}

_log = logging.getLogger(__name__)


def load_image(path: Path) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return rgb [H, W, 3] and alpha [H, W, 1] (None if the file has none), upright, in sRGB.

    16-bit grey keeps its precision; 16-bit colour is read to 8 bits. Grey of 8, 10 or 12 bits that are kept in more,
    and floats whose white is not 1, are scaled to their own white. Of more than LOADED_PIXELS, every n x n become one.
    Raises BadInput, from the header alone, for what is not an image, empty, animated, of several pages, more than
    16,384 pixels wide or high or 100 million in all, or of more than MAX_DECODED_BYTES; and for what is damaged.
    """
    with _opened(path) as image:
        try:
            bits = _bits(image)
            if image.format in SCALABLE and (times := _times_too_large(image)) > 1:
                image.draft(None, (image.width // times, image.height // times))  # decodes a half, a quarter, an eighth
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
            white = _white(image)
            tensors = _to_tensors(_to_srgb(_scaled(image)), white)
        except DAMAGE as error:
            told, said = "{file} breaks off or is damaged: {reason}.", str(error).rstrip(".") or type(error).__name__
            raise BadInput(Phrase(told, file=path.name, reason=said), Phrase("Save the image again.")) from error
    if bits == 16 and white is None and 0 < tensors[0].max() < 16.5 / 255:
        # Its lower bytes are lost, so that scaling would show four bits of a colour.
        raise BadInput(
            f"{path.name} uses no more than 12 of its 16 bits: nothing in it is brighter than 1/16 of white.",
            "Scale its values to the whole range, or save it with 8 bits.",
        )
    return tensors


def check_image(path: Path) -> tuple[int, int]:
    """Return width and height of an image that `load_image` accepts, without decoding it. Raises BadInput."""
    with _opened(path) as image:
        return image.size


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open an image of an accepted kind, only its header read. What Pillow has to warn of is no news to the artist."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        with _opened_file(path) as image:
            yield image


@contextlib.contextmanager
def _opened_file(path: Path) -> Iterator[Image.Image]:
    try:
        with path.open("rb") as file:
            content = file.read(4096)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.", "Check the path and who may read it.") from error
    if not content:
        raise BadInput(Phrase("{file} is empty: it has 0 bytes.", file=path.name), Phrase("Choose an image file."))
    if content.startswith(b"\x89PNG\r\n\x1a\n") and len(content) >= 24:  # Pillow would only say that it is no image
        _check_size(path, *struct.unpack(">II", content[16:24]))
    kept, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None  # our own limit says what the size is
    try:
        image = Image.open(path, formats=FORMATS)
    except DAMAGE as error:
        kind, hint = _kind_of(content)
        if kind:
            raise BadInput(f"{path.name} is {kind}, which is not read.", hint) from error
        told, hint = "{file} is not an image that can be read.", Phrase("Use {kinds}.", kinds=", ".join(FORMATS[:5]))
        raise BadInput(Phrase(told, file=path.name), hint) from error
    finally:
        Image.MAX_IMAGE_PIXELS = kept
    with image:
        _check_size(path, *image.size)
        _check_memory(path, image)
        _check_frames(path, image)
        yield image


def _kind_of(content: bytes) -> tuple[str, str]:
    """Return what a file is that begins so, and what to do with it; two empty texts for whatever else."""
    if content[4:8] == b"ftyp":  # ISO base media: the brands say which kind
        brands = content[8 : min(int.from_bytes(content[:4], "big"), 256)]
        if b"avif" in brands or b"avis" in brands:
            return "an AVIF picture", EXPORT
        if any(brand in brands for brand in HEIC_BRANDS):
            return "a HEIC photo", EXPORT
        return "a film", "Save one frame as PNG and use that."
    for beginning, said in BEGINNINGS.items():
        if content.startswith(beginning):
            return said
    text = content.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(b"<"):
        if b"<html" in text or text.startswith(b"<!doctype html"):
            return "a web page", "Open it in a browser, and save the image that it shows."
        if b"<svg" in text:
            return "an SVG drawing", EXPORT
    return "", ""


def _check_size(path: Path, width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise BadInput(f"{path.name} has no pixels: {width} x {height}.", "Choose another image.")
    if width > MAX_SIDE or height > MAX_SIDE or width * height > MAX_PIXELS:
        told = "{file} is too large: {width} x {height} pixels; at most {side} a side and {most} in all."
        said = Phrase(told, file=path.name, width=width, height=height, side=MAX_SIDE, most=MAX_PIXELS)
        raise BadInput(said, Phrase("Scale it down; 1,024 pixels are plenty."))


def _check_memory(path: Path, image: Image.Image) -> None:
    needed = image.width * image.height * _bytes_per_pixel(image)
    if image.format not in SCALABLE and needed > MAX_DECODED_BYTES:
        raise BadInput(
            f"{path.name} takes {needed / 1e6:.0f} MB when it is decoded: {image.width} x {image.height} pixels; "
            f"at most {MAX_DECODED_BYTES / 1e6:.0f} MB are.",
            "Scale it down, 1,024 pixels are plenty, or save it as JPEG.",
        )


def _check_frames(path: Path, image: Image.Image) -> None:
    try:
        frames = getattr(image, "n_frames", 1)  # reads on, to the end of some kinds
    except DAMAGE as error:
        raise BadInput(f"{path.name} breaks off or is damaged: {error}.", "Save the image again.") from error
    if frames <= 1 or image.format == "MPO":  # a phone's JPEG with a second picture or a depth map behind the first
        return
    if image.format == "TIFF":
        raise BadInput(f"{path.name} has {frames} pages.", "Save one page as PNG and use that.")
    raise BadInput(f"{path.name} is animated: it has {frames} frames.", "Save one frame as PNG and use that.")


def _bytes_per_pixel(image: Image.Image) -> int:
    """Return what a pixel takes while it is decoded and becomes what can be scaled."""
    if image.mode.startswith("I;16"):
        return 6
    if image.mode in ("1", "P", "PA") or "transparency" in image.info:
        return 5
    return 4 if image.mode in ("I", "F") else len(image.getbands())


def _bits(image: Image.Image) -> int:
    """Return how many bits a channel of the file has, which Pillow says only before it is loaded; 8 if it does not."""
    if image.format == "TIFF":
        found = getattr(image, "tag_v2", {}).get(258, 8)
        return int(max(found) if isinstance(found, tuple) else found)
    return 16 if any("16" in str(part) for tile in getattr(image, "tile", ()) for part in tile[3:]) else 8


def _times_too_large(image: Image.Image) -> int:
    """Return how many pixels of a side must become one."""
    return math.ceil(math.sqrt(image.width * image.height / LOADED_PIXELS))


def _scaled(image: Image.Image) -> Image.Image:
    """Return a picture of at most LOADED_PIXELS, each of which is the mean of equally many."""
    times = _times_too_large(image)
    if times <= 1:
        return image
    if image.mode.startswith("I;16"):
        image = image.convert("I")
    elif image.mode in ("P", "PA") or "transparency" in image.info:
        has_alpha = image.mode == "PA" or "transparency" in image.info
        image = image.convert("RGBA" if has_alpha else "RGB")
    elif image.mode == "1":
        image = image.convert("L")
    return image.reduce(times)


def _white(image: Image.Image) -> float | None:
    """Return which value of grey in more than 8 bits is white; None of other pictures.

    It is the largest of its kind, 65535 or 1, unless nothing comes near it: then 8, 10 or 12 bits were kept in 16, as
    scanners and microscopes do, or whole numbers in floats.
    """
    if image.mode != "F" and image.mode != "I" and not image.mode.startswith("I;16"):
        return None
    values = np.asarray(image)
    values = values[np.isfinite(values)] if image.mode == "F" else values
    largest = float(values.max()) if values.size else 0.0
    if image.mode == "F" and largest <= BRIGHT:  # above 1 lie highlights
        return 1.0
    if largest <= 0:
        return 65535.0
    white = next((white for white in (*WHITES, 65535.0) if largest <= white), largest)
    if white != 65535.0:
        _log.warning("The image is brightened: its largest value is %g, so that %g is taken for white.", largest, white)
    return white


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


def _to_tensors(image: Image.Image, white: float | None) -> tuple[torch.Tensor, torch.Tensor | None]:
    if white is not None:
        values = np.asarray(image, dtype=np.float32) / white
        grey = torch.from_numpy(np.nan_to_num(values).clip(0.0, 1.0))[..., None]
        return grey.expand(-1, -1, 3).contiguous(), None
    has_alpha = "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info
    pixels = np.asarray(image.convert("RGBA" if has_alpha else "RGB"), dtype=np.float32)
    pixels /= 255.0
    tensor = torch.from_numpy(pixels)
    return tensor[..., :3].contiguous(), tensor[..., 3:].contiguous() if has_alpha else None
