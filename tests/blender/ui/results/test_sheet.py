"""Four pictures make one that can be read; what is painted there goes into the files that it shows, and no others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from addon import protocol

COLOURS = {"front": (255, 0, 0), "right": (0, 255, 0), "back": (0, 0, 255), "left": (255, 255, 255)}


@pytest.fixture
def stopped(folder: Path) -> Path:
    request = protocol.Request(system="tv3dg", prompt="x", stop_after="sides")
    job = protocol.make_job(folder, request, [])
    (job / "stages/2-sides").mkdir(parents=True)
    for name, colour in COLOURS.items():
        Image.new("RGB", (8, 8), colour).save(job / f"stages/2-sides/{name}.png")
    return job


def colour_at(sheet: Any, x: int, y: int) -> tuple[int, ...]:
    """Return the colour of a pixel, from the upper left corner."""
    width, height = sheet.size
    begin = 4 * ((height - 1 - y) * width + x)
    return tuple(round(255 * value) for value in sheet.pixels[begin : begin + 3])


def test_four_sides_are_one_sheet_in_reading_order(enabled: Any, stopped: Path) -> None:
    enabled.ops.maquette.open_stage(job=str(stopped), stage="sides")
    (sheet,) = enabled.data.images
    assert tuple(sheet.size) == (16, 16) and not sheet.is_dirty and sheet.name == "Four Sides sheet"
    places = {"front": (4, 4), "right": (12, 4), "back": (4, 12), "left": (12, 12)}
    assert {name: colour_at(sheet, *place) for name, place in places.items()} == COLOURS


def test_what_is_painted_goes_into_the_picture_below_it(enabled: Any, stopped: Path) -> None:
    before = {path.name: path.read_bytes() for path in (stopped / "stages/2-sides").iterdir()}
    enabled.ops.maquette.open_stage(job=str(stopped), stage="sides")
    (sheet,) = enabled.data.images
    pixels = list(sheet.pixels)
    begin = 4 * (3 * 16 + 12)  # in the lower right: the left side
    pixels[begin : begin + 4] = [0.0, 0.0, 0.0, 1.0]
    sheet.pixels[:] = pixels
    enabled.ops.maquette.open_stage(job=str(stopped), stage="sides")
    assert len(enabled.data.images) == 1  # with what was painted
    enabled.ops.maquette.go_on(job=str(stopped))
    after = {path.name: path.read_bytes() for path in (stopped / "stages/2-sides").iterdir()}
    assert [name for name in before if before[name] != after[name]] == ["left.png"]
    painted = Image.open(stopped / "stages/2-sides/left.png").convert("RGB")
    assert painted.getpixel((4, 4)) == (0, 0, 0) and painted.getpixel((5, 4)) == (255, 255, 255)
    assert not enabled.data.images


def test_a_replaced_side_is_not_painted_over_by_an_old_sheet(enabled: Any, stopped: Path, tmp_path: Path) -> None:
    enabled.ops.maquette.open_stage(job=str(stopped), stage="sides")
    Image.new("RGB", (8, 8), (9, 9, 9)).save(tmp_path / "mine.png")
    wishes = {"job": str(stopped), "stage": "sides", "part": "back.png", "filepath": str(tmp_path / "mine.png")}
    enabled.ops.maquette.replace_stage(**wishes)
    enabled.ops.maquette.go_on(job=str(stopped))
    assert Image.open(stopped / "stages/2-sides/back.png").convert("RGB").getpixel((4, 4)) == (9, 9, 9)


def test_sides_of_different_sizes_are_a_sentence(enabled: Any, stopped: Path) -> None:
    Image.new("RGB", (4, 4)).save(stopped / "stages/2-sides/back.png")
    with pytest.raises(RuntimeError, match="different sizes"):
        enabled.ops.maquette.open_stage(job=str(stopped), stage="sides")
