"""Pictures of a stranger that have many pixels: scaled as they are decoded, or refused by their headers."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, JpegImagePlugin

from backend import image_files
from backend.errors import BadInput
from backend.images import check_image, load_image
from tests.backend.png import chunks_to_png


def header(width: int, height: int, *, bits: int, colour: int) -> bytes:
    """Return the beginning of a PNG, which says how large it is."""
    whole = chunks_to_png(1, 1, bits=bits, colour=colour, rows=b"\0" * 9)
    start = b"IHDR" + struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return whole[:12] + start + struct.pack(">I", zlib.crc32(start)) + whole[33:]


@pytest.mark.parametrize(
    ("bits", "colour", "width", "megabytes"), [(8, 6, 16_384, 400), (16, 0, 10_000, 600), (8, 2, 16_384, 300)]
)
def test_a_picture_that_takes_too_much_memory_is_refused_by_its_header(
    tmp_path: Path, bits: int, colour: int, width: int, megabytes: int
) -> None:
    (tmp_path / "a.png").write_bytes(header(width, 100_000_000 // width, bits=bits, colour=colour))
    for read in (check_image, load_image):
        with pytest.raises(BadInput, match=f"takes {megabytes} MB when it is decoded.* at most 268 MB are") as caught:
            read(tmp_path / "a.png")
        assert "save it as JPEG" in caught.value.hint


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "I;16", "I", "F", "CMYK"])
def test_a_picture_of_many_pixels_is_scaled_as_it_is_read(
    tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_files, "LOADED_PIXELS", 64)
    half = Image.new(mode, (24, 12))  # left half white, right half black
    white = {"I;16": 65535, "I": 65535, "F": 1.0, "L": 255, "1": 1, "P": 1, "LA": (255, 255), "CMYK": (0,) * 4}
    black = {"LA": (0, 255), "CMYK": (0, 0, 0, 255), "RGBA": (0, 0, 0, 255)}
    half.paste(black.get(mode, 0), (0, 0, 24, 12))
    half.paste(white.get(mode, (255,) * len(half.getbands())), (0, 0, 12, 12))
    if mode == "P":
        half.putpalette([0, 0, 0, 255, 255, 255])
    half.save(tmp_path / "a.tiff")
    rgb, alpha = load_image(tmp_path / "a.tiff")
    assert rgb.shape == (4, 8, 3) and (alpha is not None) == (mode in ("RGBA", "LA"))  # 3 x 3 pixels become one
    torch.testing.assert_close(rgb, torch.tensor([1.0] * 4 + [0.0] * 4)[None, :, None].expand(4, 8, 3))
    assert check_image(tmp_path / "a.tiff") == (24, 12)


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_jpeg_is_scaled_while_it_is_decoded(
    tmp_path: Path, orientation: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded, load = [], JpegImagePlugin.JpegImageFile.load
    monkeypatch.setattr(JpegImagePlugin.JpegImageFile, "load", lambda self: decoded.append(self.size) or load(self))
    monkeypatch.setattr(image_files, "LOADED_PIXELS", 32 * 16)
    pixels = np.zeros((80, 160, 3), dtype=np.uint8)
    pixels[:, :80] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(tmp_path / "a.jpg", exif=exif, quality=95)
    rgb, _ = load_image(tmp_path / "a.jpg")
    assert decoded[0] == (40, 20)  # a quarter; the rest is done after that
    rgb = rgb if orientation == 1 else rgb.transpose(0, 1)  # 6 is turned clockwise: what was left is above
    assert rgb.shape == (10, 20, 3)
    assert rgb[:, :9].min() > 0.9 and rgb[:, 11:].max() < 0.1


def test_pictures_of_usual_size_keep_every_pixel(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    rgb, _ = load_image(tmp_path / "a.png")
    torch.testing.assert_close(rgb, torch.from_numpy(noise.astype(np.float32) / 255), rtol=0, atol=0)
    assert image_files.LOADED_PIXELS >= 16_000_000  # what telephones take
