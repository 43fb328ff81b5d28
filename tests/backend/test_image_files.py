"""Files that are damaged, of other kinds, or that keep few bits in many: a sentence, or pixels computed by hand.

Those of many pixels are scaled as they are decoded, or refused by their headers.
"""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, JpegImagePlugin, TiffImagePlugin

from backend import image_files
from backend.errors import BadInput
from backend.image_files import check_image, load_image
from tests.backend.png import chunks_to_png


def encoded(kind: str, mode: str = "RGB", **options: object) -> bytes:
    """Return a small picture of noise as a file."""
    noise = np.random.default_rng(0).integers(0, 256, (24, 20, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).convert(mode).save(stream, kind, **options)  # pyright: ignore[reportArgumentType]
    return stream.getvalue()


def without_dimensions() -> bytes:
    """Return a TIFF whose width and height are called by other numbers."""
    content = encoded("TIFF")
    for number in (256, 257):
        for kind in (3, 4):
            content = content.replace(
                struct.pack("<HHI", number, kind, 1), struct.pack("<HHI", 60000 + number, kind, 1)
            )
    return content


def with_bad_exif() -> bytes:
    """Return a JPEG whose EXIF says how to turn it, and has a text where a number belongs."""
    # IFD0 has the make, whose 6 bytes lie behind the end, and the orientation.
    entries = struct.pack(">HHII", 0x0100, 4, 1, 0) + struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0)
    entries = struct.pack(">HHI4s", 0x0100, 2, 4, b"abc\0") + entries[12:]
    exif = b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 2) + entries + struct.pack(">I", 0)
    content = encoded("JPEG")
    return content[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + content[2:]


DAMAGED = {
    "a TIFF without dimensions": without_dimensions(),
    "a TIFF of 134 bits": encoded("TIFF").replace(b"\x08\0\x08\0\x08\0", b"\x86\0\x08\0\x08\0"),
    "a GIF that was cut": encoded("GIF")[:-200],
    "a PNG that was cut": encoded("PNG")[:200],
    "a WebP that was cut": encoded("WEBP")[:100],
    "a bitmap that was cut": encoded("BMP")[:200],
    "a JPEG that was cut": encoded("JPEG")[:200],
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_picture_is_a_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "a").write_bytes(DAMAGED[name])
    with pytest.raises(BadInput, match=r"^a (breaks off or is damaged: .*|is not an image that can be read)\.$"):
        load_image(tmp_path / "a")


@pytest.mark.parametrize("kind", ["TIFF", "GIF", "PNG", "JPEG", "WEBP", "BMP"])
def test_whatever_byte_is_changed_there_is_a_picture_or_a_sentence(tmp_path: Path, kind: str) -> None:
    whole, random = encoded(kind), np.random.default_rng(1)
    for _ in range(60):
        content = bytearray(whole[: random.integers(len(whole) // 2, len(whole) + 1)])
        for place in random.integers(0, min(len(content), 300), 4):
            content[place] = random.integers(256)
        (tmp_path / "a").write_bytes(content)
        for read in (check_image, load_image):
            try:
                read(tmp_path / "a")
            except BadInput as error:
                assert str(error).startswith("a ") and "\n" not in str(error)


@pytest.mark.parametrize("number", [EOFError, IndexError, TypeError, struct.error, RuntimeError])
def test_what_the_decoder_raises_of_damaged_pixels_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: type[Exception]
) -> None:
    def fail(self: Image.Image) -> None:
        raise number("index out of range.")

    (tmp_path / "a.tif").write_bytes(encoded("TIFF"))
    monkeypatch.setattr(TiffImagePlugin.TiffImageFile, "load", fail)
    with pytest.raises(BadInput, match=r"^a\.tif breaks off or is damaged: index out of range\.$") as caught:
        load_image(tmp_path / "a.tif")
    assert caught.value.exit_code == 2 and caught.value.hint == "Save the image again."


def test_exif_that_cannot_be_kept_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(with_bad_exif())
    try:
        rgb, _ = load_image(tmp_path / "a.jpg")
    except BadInput as error:
        assert "a.jpg breaks off or is damaged" in str(error)
    else:
        assert rgb.shape == (20, 24, 3)  # turned as it says


OTHERS = {
    b"\0\0\0\x24ftypheic\0\0\0\0mif1heic" + b"\0" * 400: "a HEIC photo",
    b"\0\0\0\x20ftypmif1\0\0\0\0mif1heix" + b"\0" * 400: "a HEIC photo",
    b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf" + b"\0" * 400: "an AVIF picture",
    b"\0\0\0\x1cftypmif1\0\0\0\0avifmif1miaf" + b"\0" * 400: "an AVIF picture",
    b"\0\0\0\x18ftypisom\0\0\0\0isommp42" + b"\0" * 400: "a film",
    b"<svg xmlns='http://www.w3.org/2000/svg'/>": "an SVG drawing",
    b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- drawn by hand -->\n<svg width="10"/>': "an SVG drawing",
    b"\n<!DOCTYPE html><html><body>404<svg/></body></html>": "a web page",
    b"<HTML><head></head></HTML>": "a web page",
    b"%PDF-1.7\n": "a PDF document",
    b"8BPS\0\1": "a Photoshop document",
    b"\x76\x2f\x31\x01\2\0\0\0": "an OpenEXR picture",
}


@pytest.mark.parametrize("content", OTHERS, ids=list(map(str, range(len(OTHERS)))))
def test_other_kinds_are_called_by_their_names_whatever_the_file_is_called(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "photo.jpg").write_bytes(content)
    for read in (check_image, load_image):
        with pytest.raises(BadInput) as caught:
            read(tmp_path / "photo.jpg")
        assert str(caught.value) == f"photo.jpg is {OTHERS[content]}, which is not read."
        assert caught.value.hint


def test_pages_are_not_frames(tmp_path: Path) -> None:
    first, second = Image.new("RGB", (4, 4), "red"), Image.new("RGB", (4, 4), "blue")
    first.save(tmp_path / "a.tif", save_all=True, append_images=[second])
    with pytest.raises(BadInput, match=r"^a\.tif has 2 pages\.$") as caught:
        check_image(tmp_path / "a.tif")
    assert "one page" in caught.value.hint and "animated" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["tif", "png"])
@pytest.mark.parametrize(
    ("values", "white"),
    [
        ([0, 16, 1600, 4080], 4095),  # a microscope's 12 bits
        ([0, 10, 500, 1000], 1023),
        ([0, 10, 100, 250], 255),
        ([0, 10, 100, 4096], 65535),  # really dark
        ([0, 0, 0, 0], 65535),
    ],
)
def test_few_bits_in_sixteen_are_scaled_to_their_own_white(
    tmp_path: Path, suffix: str, values: list[int], white: int
) -> None:
    Image.fromarray(np.array([values], dtype=np.uint16)).save(tmp_path / f"a.{suffix}")
    rgb, _ = load_image(tmp_path / f"a.{suffix}")
    torch.testing.assert_close(rgb[0, :, 1], torch.tensor(values) / white, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("values", "white"),
    [
        ([0.0, 0.25, 1.0], 1.0),
        ([0.0, 0.25, 12.0], 1.0),  # a highlight, which is cut off
        ([0.0, 51.0, 255.0], 255.0),  # ImageJ's 8 bits in floats
        ([-3.0, 819.0, 4095.0], 4095.0),
        ([0.0, 13107.0, 65535.0], 65535.0),
        ([0.0, 20_000.0, 100_000.0], 100_000.0),
        ([0.0, 51.0, float("nan"), float("inf"), 255.0], 255.0),
    ],
)
def test_floats_are_scaled_to_their_own_white(tmp_path: Path, values: list[float], white: float) -> None:
    Image.fromarray(np.array([values], dtype=np.float32)).save(tmp_path / "a.tif")
    rgb, _ = load_image(tmp_path / "a.tif")
    expected = (torch.tensor(values).nan_to_num() / white).clamp(0, 1)
    torch.testing.assert_close(rgb[0, :, 1], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("brightest", "is_said"), [(0x0FF0, True), (0x1100, False), (0, False)])
def test_colour_of_twelve_bits_in_sixteen_is_said(tmp_path: Path, brightest: int, is_said: bool) -> None:
    row = b"\0" + struct.pack(">6H", brightest, 0, 0, 0, 0, 0)
    (tmp_path / "a.png").write_bytes(chunks_to_png(2, 1, bits=16, colour=2, rows=row))
    if is_said:
        with pytest.raises(BadInput, match="uses no more than 12 of its 16 bits"):
            load_image(tmp_path / "a.png")
    else:
        assert load_image(tmp_path / "a.png")[0][0, 0, 0] == pytest.approx((brightest >> 8) / 255)
    (tmp_path / "b.png").write_bytes(chunks_to_png(2, 1, bits=8, colour=2, rows=b"\0" + bytes([9, 0, 0] * 2)))
    assert load_image(tmp_path / "b.png")[0].max() == pytest.approx(9 / 255)  # dark, and meant so


def test_what_may_not_be_read_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read: No such file or directory"):
        load_image(tmp_path / "missing.png")
    with pytest.raises(BadInput, match="cannot be read: File name too long"):
        load_image(tmp_path / ("l" * 300 + ".png"))


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
