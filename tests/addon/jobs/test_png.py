"""Pictures for the interface, read without Blender and without a decoder: only the backend's own plain PNGs."""

from __future__ import annotations

import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from addon.jobs import png
from backend.images import save_preview


def pixels_of(picture: png.Picture | None) -> np.ndarray:
    """Return [H, W, 4] from the upper left."""
    assert picture is not None
    width, height = picture.size
    return np.frombuffer(picture.pixels.tobytes(), np.uint8).reshape(height, width, 4)[::-1]


@pytest.mark.parametrize(("height", "width"), [(1, 1), (7, 12), (128, 96), (512, 512)])
def test_the_backends_previews_are_read_pixel_by_pixel(tmp_path: Path, height: int, width: int) -> None:
    image = torch.rand(height, width, 3, generator=torch.Generator().manual_seed(1))
    save_preview(tmp_path / "a.png", image)
    expected = np.asarray(Image.open(tmp_path / "a.png"))
    assert np.abs(expected - 255 * image.numpy()).max() <= 0.51  # and any other program reads it
    found = png.read_plain_png(tmp_path / "a.png")
    assert np.array_equal(pixels_of(found)[..., :3], expected) and (pixels_of(found)[..., 3] == 255).all()


def test_large_ones_are_thinned_and_each_has_an_icon(tmp_path: Path) -> None:
    image = torch.linspace(0, 1, 1000)[None, :, None].expand(700, 1000, 3)
    save_preview(tmp_path / "a.png", image)
    found = png.read_plain_png(tmp_path / "a.png")
    assert found is not None and found.size == (500, 350) and max(found.icon_size) <= png.ICON_SIDE
    assert len(found.icon_pixels) == found.icon_size[0] * found.icon_size[1]
    assert np.abs(pixels_of(found)[3, :, 0] / 255 - image[0, ::2, 0].numpy()).max() < 0.01


def test_other_files_are_left_to_blender(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    save_preview(path, torch.rand(8, 8, 3))
    plain = path.read_bytes()
    bomb = zlib.compress(b"\1" * (50 << 20))
    chunk = struct.pack(">I", len(bomb)) + b"IDAT" + bomb + struct.pack(">I", zlib.crc32(b"IDAT" + bomb))
    Image.linear_gradient("L").convert("RGB").save(tmp_path / "filtered.png")
    Image.new("RGBA", (8, 8)).save(tmp_path / "alpha.png")
    for content in (
        b"",
        plain[:40],
        plain.replace(b"IDAT", b"IDAX"),
        plain[:-60],
        plain[:33] + chunk,
        plain[:16] + struct.pack(">II", 100_000, 100_000) + plain[24:],
        (tmp_path / "filtered.png").read_bytes(),
        (tmp_path / "alpha.png").read_bytes(),
    ):
        path.write_bytes(content)
        assert png.read_plain_png(path) is None


def test_a_thread_reads_and_goes_on_after_a_file_that_is_gone(tmp_path: Path) -> None:
    save_preview(tmp_path / "a.png", torch.zeros(8, 8, 3))
    reader = png.Reader()
    reader.ask(tmp_path / "gone.png")
    reader.ask(tmp_path / "a.png")
    end = time.monotonic() + 10
    while reader.done.qsize() < 2:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert reader.done.get() == (tmp_path / "gone.png", None)
    assert pixels_of(reader.done.get()[1]).shape == (8, 8, 4)
    reader.close()
