"""A picture dragged with the mouse from a File Browser into the 3D view of a real Blender.

Blender asks the same file handlers for what a file manager of the desktop drops; that needs a second program with a
window, which takes part in the desktop's own protocol, and is not driven here.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.blender.program import artist
from tests.blender.program.real import CHECKOUT, Window

pytestmark = [pytest.mark.blender, pytest.mark.slow]

NAMES = "[each.image.name for each in bpy.context.scene.maquette.references]"


def test_a_picture_dragged_into_the_view_becomes_a_reference_image(shown: Window, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures of ü"
    pictures.mkdir()
    Image.new("RGB", (64, 64), "red").save(pictures / "red mug.png")
    artist.open_files(shown, pictures)
    shown.open_tab("Maquette")
    artist.drop_first_file(shown, lambda: shown.screenshot(CHECKOUT / "out/screenshots/4-drop.png"))
    shown.screenshot(CHECKOUT / "out/screenshots/5-dropped.png")
    shown.key("Return")  # of what Blender proposes, ours is chosen: the last that was registered
    shown.wait(lambda: shown.value(NAMES) == ["red mug.png"], "the dropped picture in the list")
    assert not shown.value("[o.name for o in bpy.data.objects if o.type == 'EMPTY']")  # Blender's own way with images
    shown.open_tab("View")
    artist.drop_first_file(shown)
    shown.wait(lambda: shown.value("[o.name for o in bpy.data.objects if o.type == 'EMPTY']"), "an image empty")
    assert shown.value(NAMES) == ["red mug.png"]
