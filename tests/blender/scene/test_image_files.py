"""Pictures of a .blend become the files that Blender shows, whatever kind of image they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

RED, GREEN = (204, 26, 26), (26, 204, 26)


@pytest.fixture
def png(tmp_path: Path) -> Path:
    path = tmp_path / "einfärbig rot.png"
    Image.new("RGB", (6, 4), RED).save(path)
    return path


def file_of(image: Any, folder: Path) -> Path:
    from addon.scene import image_files

    return image_files.file_of(image, folder, 3)


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGBA")).astype(int)


def test_a_file_is_taken_as_it_is(bpy: Any, png: Path, tmp_path: Path) -> None:
    assert file_of(bpy.data.images.load(str(png)), tmp_path / "none") == png


def test_a_relative_path_is_resolved_against_the_blend(bpy: Any, png: Path, tmp_path: Path) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    image = bpy.data.images.load(str(png))
    image.filepath = f"//{png.name}"
    assert file_of(image, tmp_path / "none") == png


def test_a_packed_file_is_written_byte_by_byte(bpy: Any, png: Path, tmp_path: Path) -> None:
    image = bpy.data.images.load(str(png))
    image.pack()
    content = png.read_bytes()
    png.unlink()
    made = file_of(image, tmp_path)
    assert made == tmp_path / "03.png" and made.read_bytes() == content


def test_generated_and_painted_pixels_are_written_and_the_image_stays(bpy: Any, png: Path, tmp_path: Path) -> None:
    made = bpy.data.images.new("made", 5, 3, alpha=True)
    made.pixels.foreach_set(np.tile(np.array([0.8, 0.1, 0.1, 0.5], np.float32), 15))
    painted = bpy.data.images.load(str(png))
    painted.pixels.foreach_set(np.tile(np.array([0.1, 0.8, 0.1, 1], np.float32), 24))
    names = [image.name for image in bpy.data.images]
    for image, colour, shape in ((made, (*RED, 128), (3, 5)), (painted, (*GREEN, 255), (4, 6))):
        found = pixels(file_of(image, tmp_path))
        assert found.shape[:2] == shape and abs(found - np.array(colour)).max() <= 1
    assert [image.name for image in bpy.data.images] == names and painted.filepath == str(png) and painted.is_dirty
    assert pixels(png)[0, 0].tolist() == [*RED, 255]


def test_a_linear_image_is_written_in_srgb(bpy: Any, tmp_path: Path) -> None:
    image = bpy.data.images.new("linear", 2, 2, float_buffer=True)
    image.pixels.foreach_set(np.tile(np.array([0.2140411, 0.2140411, 0.2140411, 1], np.float32), 4))  # 0.5 in sRGB
    assert abs(pixels(file_of(image, tmp_path))[0, 0] - [128, 128, 128, 255]).max() <= 1


@pytest.mark.parametrize("mode", ["L", "LA", "RGB"])
def test_formats_that_the_backend_does_not_read_become_png(bpy: Any, tmp_path: Path, mode: str) -> None:
    colour = {"L": 100, "LA": (100, 255), "RGB": RED}[mode]
    Image.new(mode, (4, 4), colour).save(tmp_path / "picture.tga")
    found = pixels(file_of(bpy.data.images.load(str(tmp_path / "picture.tga")), tmp_path))
    expected = (*RED, 255) if mode == "RGB" else (100, 100, 100, 255)
    assert abs(found - np.array(expected)).max() <= 1


def test_what_has_no_picture_is_a_sentence(bpy: Any, png: Path, tmp_path: Path) -> None:
    from addon.scene import image_files

    image = bpy.data.images.load(str(png))
    png.unlink()
    with pytest.raises(image_files.ImageMissing, match="file of the image .* is missing"):
        file_of(image, tmp_path)
    assert "is missing" in image_files.why_not(image)
    image.source = "MOVIE"
    assert "choose a single picture" in image_files.why_not(image)
    assert image_files.why_not(bpy.data.images.new("fine", 2, 2)) == ""


def test_an_image_larger_than_memory_allows_is_refused(
    bpy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from addon.scene import image_files

    monkeypatch.setattr(image_files, "MAX_PIXELS", 14)
    with pytest.raises(image_files.ImageMissing, match="5 x 3 pixels; at most 14"):
        file_of(bpy.data.images.new("large", 5, 3), tmp_path)


@pytest.mark.parametrize("cut", [9, 30, 60, -1, -13])
def test_a_png_that_breaks_off_or_was_damaged_is_told_from_a_whole_one(bpy: Any, tmp_path: Path, cut: int) -> None:
    from addon.scene import image_files

    path = tmp_path / "a.png"
    Image.new("RGB", (40, 40), "red").save(path)
    whole = path.read_bytes()
    assert not image_files.breaks_off(path)
    path.write_bytes(whole[:cut])
    assert image_files.breaks_off(path)
    path.write_bytes(whole[:50] + bytes([whole[50] ^ 1]) + whole[51:])
    assert image_files.breaks_off(path)
    path.write_bytes(b"no picture at all")
    assert not image_files.breaks_off(path)  # whatever else it is
