"""Take the screenshots of docs/manual.md in a real window: `python build.py docs`.

    python -m tests.blender.screenshots BLENDER FOLDER

goes an artist's way, with the real backend and the draft preset; that takes some minutes.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

import build
from benchmarks.demo import make_sample
from tests.blender import artist
from tests.blender.real import CHECKOUT, Window, install, window

SECONDS = 1800.0  # for one draft, also where other programs want the same cores
DRAWN_SECONDS = 2.0  # until all is drawn after a change
SCENE = """
bpy.data.objects.remove(bpy.data.objects["Cube"])
bpy.data.images.load({image!r})
bpy.context.scene.maquette.threads = 1  # the window is drawn by the same cores
space = region("WINDOW")[1].spaces.active
space.shading.color_type = "TEXTURE"
space.region_3d.view_distance = 6
"""
PREFERENCES = """
import addon_utils
region("WINDOW")[1].type = "PREFERENCES"
bpy.context.preferences.active_section = "ADDONS"
bpy.context.window_manager.addon_search = "Maquette"
module = next(m for m in addon_utils.modules() if m.__name__.endswith(".maquette"))
addon_utils.module_bl_info(module)["show_expanded"] = True
"""


def take(blender: Path, folder: Path) -> list[Path]:
    """Write the pictures into a folder and return them."""
    with tempfile.TemporaryDirectory(prefix="maquette-docs-") as name:
        place = Path(name)
        sample = place / "red robot.png"
        make_sample(sample)
        install(blender, place / "resources", build.make_zip(CHECKOUT))
        with window(blender, place / "resources", place / "window", MAQUETTE_PYTHON=sys.executable) as shown:
            shown.ask(SCENE.format(image=str(sample)))
            return walk(shown, folder)


def walk(shown: Window, folder: Path) -> list[Path]:
    """Make an object, let another one wait behind it, and take a picture at each step."""
    shown.open_tab("Maquette")
    artist.write_prompt(shown, "a red and gray robot")
    artist.pick_image(shown)
    artist.write_elevation(shown, 15)
    pictures = [shoot(shown, folder / "generate.png")]
    button = shown.find("maquette.generate")
    artist.press_generate(shown)
    shown.wait(lambda: has_come_to(shown, 0.4), "the first half of the job", SECONDS)
    pictures.append(shoot(shown, folder / "running.png"))
    shown.click(*button)
    shown.wait(lambda: shown.value(f"len({artist.ADDON}.running.waiting())") == 1, "a job that waits")
    shown.scroll(button[0], button[1], 8)
    pictures.append(shoot(shown, folder / "queue.png"))
    shown.ask(f"{artist.ADDON}.running.cancel({artist.ADDON}.running.waiting()[0])")
    shown.wait(lambda: has_come_to(shown, 1.0) and shown.value(artist.MADE), "an object in the scene", SECONDS)
    shown.scroll(button[0], button[1], -16)
    pictures.append(shoot(shown, folder / "done.png"))
    shown.ask(PREFERENCES)
    pictures.append(shoot(shown, folder / "preferences.png", "PREFERENCES"))
    return pictures


def has_come_to(shown: Window, share: float) -> bool:
    """Return whether so much of the job is done; fail when it has ended in another way than it should."""
    ended = artist.has_ended(shown)
    assert ended in ("", "Finished"), shown.value(f"str({artist.COURSE}.last)")
    return ended == "Finished" or (share < 1 and artist.share(shown) > share)


def shoot(shown: Window, path: Path, space: str = "VIEW_3D") -> Path:
    """Take a picture of one editor when all is drawn."""
    time.sleep(DRAWN_SECONDS)
    shown.screenshot(path)
    parts = [shown.value(f"rectangle({kind!r}, {space!r})") for kind in ("HEADER", "WINDOW")]
    left, top = (min(part[axis] for part in parts) for axis in (0, 1))
    right, bottom = (max(part[axis] + part[axis + 2] for part in parts) for axis in (0, 1))
    Image.open(path).convert("RGB").crop((left, top, right, bottom)).save(path, optimize=True)
    return path


if __name__ == "__main__":
    for made in take(Path(sys.argv[1]), Path(sys.argv[2])):
        sys.stdout.write(f"{made}\n")
