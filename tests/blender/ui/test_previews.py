"""Pictures of the panels: read again when they change, by a thread, and forgotten."""

from __future__ import annotations

import os
import struct
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from addon import protocol


@pytest.fixture
def job(tmp_path: Path) -> Path:
    return protocol.make_job(tmp_path, protocol.Request(system="tv3dg", prompt="a red mug"), [])


def test_pictures_are_read_again_when_they_change_and_are_forgotten(
    enabled: Any, job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from addon.ui import previews

    def read(path: Path) -> None:
        previews.icon(path)
        end = time.monotonic() + 10
        while not previews.take():
            assert time.monotonic() < end
        assert not previews.is_reading()

    picture = job / "latest.png"
    assert previews.icon(picture) == 0
    Image.new("RGB", (8, 8), (255, 0, 0)).save(picture)
    read(picture)  # without a window Blender gives no numbers to icons, but it reads the pictures
    loaded = previews._pictures[str(picture)]
    assert tuple(loaded.image_pixels_float[:3]) == pytest.approx((1, 0, 0), abs=0.02)
    Image.new("RGB", (8, 8), (0, 255, 0)).save(picture)
    os.utime(picture, ns=(1, 1))
    read(picture)
    loaded = previews._pictures[str(picture)]
    assert tuple(loaded.image_pixels_float[:3]) == pytest.approx((0, 1, 0), abs=0.02)
    monkeypatch.setattr(previews, "MOST", 3)
    for number in range(5):
        Image.new("RGB", (8, 8)).save(job / f"{number}.png")
        read(job / f"{number}.png")
    assert list(previews._pictures) == [str(job / f"{number}.png") for number in (2, 3, 4)]
    assert not enabled.data.images


def test_the_backends_pictures_are_decoded_by_nobody_but_a_thread(
    enabled: Any, job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from addon.ui import previews

    picture = job / "latest.png"
    blue = zlib.compress((b"\0" + b"\0\0\xff" * 4) * 4)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 8, 2, 0, 0, 0)), (b"IDAT", blue), (b"IEND", b"")]
    parts = [struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks]
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    monkeypatch.setattr(type(previews._pictures), "load", None)  # Blender's own decoder
    previews.icon(picture)
    end = time.monotonic() + 10
    while not previews.take():
        assert time.monotonic() < end
    shown = previews._pictures[str(picture)]
    assert tuple(shown.image_size) == (4, 4) and tuple(shown.image_pixels_float[:4]) == (0, 0, 1, 1)
    assert tuple(shown.icon_size) == (4, 4) and tuple(shown.icon_pixels_float[-4:]) == (0, 0, 1, 1)
