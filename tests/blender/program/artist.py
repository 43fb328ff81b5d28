"""What an artist does in Blender's window, one function for each step, with mouse and keys only.

The test of the window and the script that takes the manual's screenshots go the same way.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.blender.program.real import Window

SESSION = "__import__('bl_ext.user_default.maquette.addon.ui.session', fromlist=['shown'])"
SHOWN = f"{SESSION}.shown()"
COURSE = f"{SESSION}.course({SHOWN})"
MADE = "[o.name for o in bpy.data.objects if o.type == 'MESH' and 'maquette_prompt' in o]"
DRAWN_SECONDS = 2.0  # until all is drawn after a change
NEAR = 40  # how far two colours may lie apart, of 255, to be taken for one


def write_prompt(shown: Window, text: str) -> None:
    """Click the field of the prompt and type; what was in it goes."""
    shown.click(*shown.find("maquette.prompt"))
    shown.key("ctrl+a")
    shown.type(text)
    shown.key("Return")
    shown.wait(lambda: shown.value("bpy.context.scene.maquette.prompt") == text, f"the prompt {text!r}")


def pick_image(shown: Window) -> None:
    """Add the first image of the .blend to the reference images, from the menu under the button."""
    (x, above), (_, below) = shown.find("maquette.negative_prompt"), shown.find("maquette.preset")
    shown.click(x, (above + below) / 2)  # the menu is the only button between the two
    time.sleep(DRAWN_SECONDS)
    shown.key("Down", "Down", "Return")  # past "Open Files..."
    shown.wait(lambda: shown.value("len(bpy.context.scene.maquette.references)") == 1, "a reference image")


FILES = """
window, area, _ = region("WINDOW")
with bpy.context.temp_override(window=window, area=area):
    bpy.ops.screen.area_split(direction="HORIZONTAL", factor=0.25)
files = next(other for other in window.screen.areas if other.type == "VIEW_3D" and other != area)
files, area = sorted((files, area), key=lambda each: each.y)
files.ui_type = "FILES"
answer = None
"""
FOLDER = """
space = region("WINDOW", "FILE_BROWSER")[1].spaces.active
space.params.directory = {folder!r}.encode()
space.params.display_type = "THUMBNAIL"
space.show_region_toolbar = space.show_region_tool_props = space.show_region_ui = False
answer = None
"""


def open_files(shown: Window, folder: Path) -> None:
    """Show a folder in a File Browser below the 3D view."""
    shown.ask(FILES)
    shown.wait(lambda: shown.value("region('WINDOW', 'FILE_BROWSER')[1].spaces.active.params is not None"), "files")
    shown.ask(FOLDER.format(folder=str(folder)))
    time.sleep(DRAWN_SECONDS)


def drop_first_file(shown: Window, before_drop: Callable[[], Any] = str) -> None:
    """Drag the first file of the File Browser into the 3D view. Blender asks what to do where there is a choice."""
    left, top, *_ = shown.value("rectangle('WINDOW', 'FILE_BROWSER')")
    x, y, width, height = shown.value("rectangle('WINDOW')")
    shown.drag((left + 60, top + 50), (x + width / 3, y + height / 2), before_drop)


def write_elevation(shown: Window, degrees: int) -> None:
    """Type from how high the selected reference image was taken."""
    shown.click(*shown.find("maquette.references[0].elevation"), times=2)
    shown.key("ctrl+a")
    shown.type(str(degrees))
    shown.key("Return")
    code = "round(57.29578 * bpy.context.scene.maquette.references[0].elevation)"
    shown.wait(lambda: shown.value(code) == degrees, f"an elevation of {degrees}")


def press_generate(shown: Window) -> None:
    """Press the button and wait until the backend has the job."""
    shown.click(*shown.find("maquette.generate"))
    shown.wait(lambda: shown.value(f"{SHOWN} is not None"), "a job")


def looks(shown: Window, button: tuple[int, int]) -> bytes:
    """Return the pixels of a button beside its words, as the screen shows them now."""
    x, y = button
    picture = shown.screenshot(shown.folder / "button.png")
    return Image.open(picture).crop((x - 60, y - 4, x - 40, y + 4)).tobytes()


def share(shown: Window) -> float:
    """Return how far the job is, from 0 to 1, as the add-on knows it."""
    return shown.value(f"{COURSE}.share")


def has_ended(shown: Window) -> str:
    """Return how the job ended, empty while it runs."""
    return shown.value(f"type({COURSE}.last).__name__ if {COURSE}.last else ''")


def bar_lengths(shown: Window, picture: Path) -> list[int]:
    """Return how long each bar in the colour of progress is in a screenshot's sidebar, in pixels, the upper one first.

    What is selected has the same colour, so a test compares with a picture from before.
    """
    code = "[round(255 * c) for c in bpy.context.preferences.themes[0].user_interface.wcol_progress.inner_sel[:3]]"
    colour = np.array(shown.value(code))
    x, y, width, height = shown.value("rectangle('UI')")
    pixels = np.asarray(Image.open(picture).convert("RGB"), dtype=int)[y : y + height, x : x + width]
    lengths = (np.abs(pixels - colour).max(axis=2) < NEAR).sum(axis=1)
    bars, top = [], 0
    for row, length in enumerate([*lengths, 0]):
        if length < 4:  # rows between two bars
            if row - top >= 6:
                bars.append(int(np.median(lengths[top:row])))
            top = row + 1
    return bars


def viewport(shown: Window, picture: Path) -> np.ndarray:
    """Return what a screenshot shows of the 3D view, left of the sidebar: [H, W, 3] of 0 to 255."""
    x, y, width, height = shown.value("rectangle('WINDOW')")
    sidebar = shown.value("rectangle('UI')[0]")
    return np.asarray(Image.open(picture).convert("RGB"), dtype=int)[y : y + height, x : min(x + width, sidebar)]


def reddish(pixels: np.ndarray) -> int:
    """Count the pixels that are clearly red, which nothing in an empty scene is but a thin axis."""
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    return int(((red > 1.6 * green) & (red > 1.6 * blue) & (red > 60)).sum())
