"""Take the screenshots of docs/manual.md in a real window: `python build.py docs`.

    python -m tests.blender.program.screenshots BLENDER FOLDER

goes an artist's way, with the real backend and the draft preset; that takes some minutes.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

import build
from tests.blender.program import artist
from tests.blender.program.real import CHECKOUT, Window, install, window

SECONDS = 1800.0  # for one draft, also where other programs want the same cores
DRAWN_SECONDS = 5.0  # until all is drawn after a change, also where other programs want the same cores
HEADER, HEADER_PITCH = 32, 28  # pixels of the header of a panel, with the margin of the first one
OPTIONS, TAB_HEIGHT, MODELS_HEIGHT = 345, 755, 535  # pixels: a header below the tab's top; how high they are shown
SCENE = """
bpy.data.objects.remove(bpy.data.objects["Cube"])
bpy.context.scene.maquette.threads = 1  # the window is drawn by the same cores
space = region("WINDOW")[1].spaces.active
space.shading.color_type = "TEXTURE"
space.region_3d.view_distance = 6
"""
LOOK = """
from mathutils import Euler
view = region("WINDOW")[1].spaces.active.region_3d
view.view_location, view.view_distance = (0, 0, 1), 6
view.view_rotation = Euler((1.35, 0, 0.45)).to_quaternion()  # from above, a little to the right of the front
answer = None
"""
CLOSE_FILES = """
window, area, _ = region("WINDOW", "FILE_BROWSER")
with bpy.context.temp_override(window=window, area=area):
    bpy.ops.screen.area_close()
answer = None
"""
MORE_JOBS = """
props = bpy.context.scene.maquette
props.stop_after = "NOTHING"
props.references.clear()
jobs = ("a blue mug with white stripes", "bench"), ("a green cactus with a hat", "bench"), ("a yellow rocket", "draft")
for prompt, preset in jobs:
    bpy.ops.maquette.generate(prompt=prompt, preset=preset, import_when_done=False)
answer = None
"""
OWN_SUBJECT = f"""
props = bpy.context.scene.maquette
props.system, props.prompt, props.dreambooth3d.subject_class = "dreambooth3d", "a bear wearing a hat", "bear"
props.prior, props.prior_model = "installed", "sd15"
{artist.SESSION}.redraw()
answer = None
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
        sample = place / "pictures/red robot.png"
        sample.parent.mkdir()
        from benchmarks.commands.demo import make_sample  # needs torch, which a Blender's own Python has not

        make_sample(sample)
        install(blender, place / "resources", build.make_zip(CHECKOUT))
        with window(blender, place / "resources", place / "window", MAQUETTE_PYTHON=sys.executable) as shown:
            shown.ask(SCENE)
            pictures = walk(shown, sample, folder)
        with window(blender, place / "resources", place / "models", MAQUETTE_PYTHON=sys.executable) as shown:
            shown.ask(SCENE)
            return pictures + own_subject(shown, folder)


def walk(shown: Window, sample: Path, folder: Path) -> list[Path]:
    """Make an object with a stop on the way, let others wait behind it, and take a picture at each step."""
    artist.open_files(shown, sample.parent)
    shown.open_tab("Maquette")
    artist.drop_first_file(shown)
    time.sleep(DRAWN_SECONDS)  # until Blender asks what to do with it
    pictures = [shoot(shown, folder / "drop.png", "VIEW_3D", "FILE_BROWSER")]
    shown.key("Return")
    shown.wait(lambda: shown.value("len(bpy.context.scene.maquette.references)") == 1, "a reference image")
    shown.ask(CLOSE_FILES)
    artist.write_prompt(shown, "a red and gray robot")
    artist.write_elevation(shown, 15)
    pictures.append(shoot(shown, folder / "generate.png"))
    shown.ask("bpy.context.scene.maquette.stop_after = 'perceive'; answer = None")
    artist.press_generate(shown)
    press_header(shown, 0)  # of Generate, which closes: the pictures are of what is below
    shown.wait(lambda: artist.has_ended(shown), "the cut-out", SECONDS)
    pictures.append(shoot(shown, folder / "cut-out.png"))
    shown.click(*shown.find("maquette.go_on"))
    shown.wait(lambda: has_come_to(shown, 0.4), "the first half of the job", SECONDS)
    pictures.append(shoot(shown, folder / "running.png"))
    shown.ask(MORE_JOBS)
    pictures.append(shoot(shown, folder / "queue.png"))
    shown.ask(f"{artist.SESSION}.cancel({artist.SESSION}.waiting()[-1]); answer = None")
    shown.ask("bpy.ops.maquette.hold_queue(hold=True); answer = None")  # so that the panel shows what the view does
    shown.wait(lambda: shown.value(artist.MADE), "an object in the scene", SECONDS)
    shown.ask(LOOK)
    pictures.append(shoot(shown, folder / "done.png"))
    shown.ask("bpy.ops.maquette.hold_queue(hold=False); answer = None")
    shown.wait(lambda: shown.value(f"not {artist.SESSION}.is_busy()"), "the end of the others", SECONDS)
    press_header(shown, 1)  # of Job, which closes
    press_header(shown, 2)  # of History, which opens
    shown.wait(lambda: shown.value("len(bpy.context.window_manager.maquette_history)") == 4, "every job in the list")
    choose = (
        "bpy.context.window_manager.maquette_history_row = 3"  # the oldest; a script's choice is not drawn by itself
    )
    shown.ask(f"{choose}\n{artist.SESSION}.redraw()\nanswer = None")
    time.sleep(DRAWN_SECONDS)  # until its picture is read
    pictures.append(shoot(shown, folder / "history.png"))
    shown.ask(PREFERENCES)
    pictures.append(shoot(shown, folder / "preferences.png", "PREFERENCES"))
    return pictures


def own_subject(shown: Window, folder: Path) -> list[Path]:
    """Ask for a subject from photos with a Stable Diffusion that is not there, and show where it is fetched."""
    shown.open_tab("Maquette")
    time.sleep(DRAWN_SECONDS)
    left, top, *_ = shown.value("rectangle('UI')")
    shown.click(left + 60, top + OPTIONS)
    shown.ask(OWN_SUBJECT)
    tab, models = folder / "first-subject.png", folder / "models.png"
    shoot(shown, tab)
    x, y, *_ = shown.value("rectangle('HEADER', 'VIEW_3D')")
    with Image.open(tab) as picture:
        picture.crop((left - x, top - y, picture.width, top - y + TAB_HEIGHT)).save(tab, optimize=True)
    shown.ask(f"bpy.context.preferences.system.use_online_access = True\n{PREFERENCES}")
    left, top, width, height = shown.value("rectangle('WINDOW', 'PREFERENCES')")
    shown.scroll(left + 0.6 * width, top + height / 2, 40)
    shoot(shown, models, "PREFERENCES")
    with Image.open(models) as picture:
        picture.crop((180, picture.height - MODELS_HEIGHT, picture.width, picture.height)).save(models, optimize=True)
    return [tab, models]


def press_header(shown: Window, number: int) -> None:
    """Click the header of a panel of the sidebar, when those before it are closed."""
    x, y, *_ = shown.value("rectangle('UI')")
    shown.click(x + 60, y + HEADER / 2 + number * HEADER_PITCH)
    time.sleep(DRAWN_SECONDS)


def has_come_to(shown: Window, share: float) -> bool:
    """Return whether so much of the job is done; fail when it has ended in another way than it should."""
    ended = artist.has_ended(shown)
    assert ended in ("", "Finished"), shown.value(f"str({artist.COURSE}.last)")
    return ended == "Finished" or (share < 1 and artist.share(shown) > share)


def shoot(shown: Window, path: Path, *spaces: str) -> Path:
    """Take a picture of some editors, by default the 3D view, when all is drawn."""
    time.sleep(DRAWN_SECONDS)
    shown.screenshot(path)
    wanted = [(kind, space) for space in spaces or ("VIEW_3D",) for kind in ("HEADER", "WINDOW")]
    parts = [shown.value(f"rectangle({kind!r}, {space!r})") for kind, space in wanted]
    left, top = (min(part[axis] for part in parts) for axis in (0, 1))
    right, bottom = (max(part[axis] + part[axis + 2] for part in parts) for axis in (0, 1))
    Image.open(path).convert("RGB").crop((left, top, right, bottom)).save(path, optimize=True)
    return path


if __name__ == "__main__":
    for made in take(Path(sys.argv[1]), Path(sys.argv[2])):
        sys.stdout.write(f"{made}\n")
