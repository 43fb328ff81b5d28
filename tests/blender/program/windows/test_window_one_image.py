"""An object from one image in the window of a real Blender: dropped, made, looked at on the way, its shape imported.

Screenshots are kept in out/screenshots/.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from addon import protocol
from tests.blender.program import artist
from tests.blender.program.real import CHECKOUT, Window
from tests.blender.program.screenshots import CLOSE_FILES, DRAWN_SECONDS, LOOK, press_header, shoot

pytestmark = [pytest.mark.blender, pytest.mark.slow]

PICTURES = CHECKOUT / "out/screenshots"
SECONDS = 900.0  # that any job may take when other programs want the same cores
# Fewer steps than `bench` has: the guess that a job begins with has the outline and the colours.
FEWER = {
    "mask_steps": 1, "depth_steps": 1, "normal_steps": 1, "rgb_steps": 1, "class_pictures": 1, "coarse_steps": 4,
    "refine_steps": 2, "enhanced_views": 2, "points": 500, "texture_size": 256, "texture_steps": 0, "max_faces": 2_000,
}  # fmt: skip
WISHES = """
bpy.data.objects.remove(bpy.data.objects["Cube"])
wishes = bpy.context.scene.maquette
wishes.system, wishes.preset, wishes.threads = "customize_it_3d", "bench", 1
wishes.customize_it_3d.overrides = {settings!r}
space = region("WINDOW")[1].spaces.active
space.shading.color_type = "TEXTURE"
space.region_3d.view_distance = 6
answer = None
"""
MADE = "[o.name for o in bpy.data.objects if o.type == 'MESH' and 'maquette_job' in o]"  # without any words
REFERENCES = "[each.image.name for each in bpy.context.scene.maquette.references]"
CLOSE_SECOND_WINDOW = """
with bpy.context.temp_override(window=bpy.context.window_manager.windows[-1]):
    bpy.ops.wm.window_close()
answer = None
"""


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's picture: a red robot before a grey wall."""
    from benchmarks.commands.demo import make_sample

    path = tmp_path_factory.mktemp("sample") / "red robot.png"
    make_sample(path)
    return path


def generate(shown: Window, seed: int, stop_after: str) -> Path:
    """Press Generate for a job of this seed and stop, and return its folder; the panel of what is asked for is open."""
    before = shown.value(f"str({artist.SHOWN})")
    wishes = f"wishes.seed, wishes.stop_after = {seed}, {stop_after!r}"
    shown.ask(f"wishes = bpy.context.scene.maquette; {wishes}; region('UI')[2].tag_redraw(); answer = None")
    shown.click(*shown.find("maquette.generate"))
    shown.wait(lambda: shown.value(f"str({artist.SHOWN})") != before, "another job")
    return Path(shown.value(f"str({artist.SHOWN})"))


def ended(shown: Window, stopped_after: str) -> None:
    """Wait until the shown job has ended well, at a stage or, with an empty name, at its end."""
    said = f"(getattr({artist.COURSE}.last, 'stopped_after', '?'), type({artist.COURSE}.last).__name__)"
    shown.wait(
        lambda: shown.value(said) == [stopped_after, "Finished"] or artist.has_ended(shown) not in ("", "Finished"),
        f"the end of a job after {stopped_after or 'all'}", SECONDS,
    )  # fmt: skip
    assert artist.has_ended(shown) == "Finished", shown.value(f"str({artist.COURSE}.last)")


def stages(job: Path) -> set[str]:
    return {path.name.partition("-")[2] for path in (job / protocol.STAGES_FOLDER).iterdir()}


def test_a_dropped_image_becomes_an_object_also_with_a_look_on_the_way(shown: Window, sample: Path) -> None:
    artist.open_files(shown, sample.parent)
    shown.open_tab("Maquette")
    artist.drop_first_file(shown)
    time.sleep(DRAWN_SECONDS)  # until Blender asks what to do with it
    shown.key("Return")
    shown.wait(lambda: shown.value(REFERENCES) == ["red robot.png"], "the dropped picture in the list")
    shown.ask(CLOSE_FILES)
    shown.ask(WISHES.format(settings=json.dumps(FEWER)))
    artist.write_elevation(shown, 15)
    before = shoot(shown, PICTURES / "8-one-image.png")

    job = generate(shown, 1, "NOTHING")
    ended(shown, "")
    shown.wait(lambda: len(shown.value(MADE)) == 1, "an object in the scene")
    assert {"modalities", "coarse", "surface", "refined", "mesh"} <= stages(job)
    shown.ask(LOOK)
    press_header(shown, 0)  # of Generate, which closes: the pictures are of what is below
    shoot(shown, PICTURES / "9-one-image-done.png")
    seen = shown.screenshot(PICTURES / "9-one-image-whole.png")
    assert artist.reddish(artist.viewport(shown, seen)) > artist.reddish(artist.viewport(shown, before)) + 1_000
    press_header(shown, 0)

    job = generate(shown, 2, "modalities")
    ended(shown, "modalities")
    assert stages(job) == {"modalities"} and len(shown.value(MADE)) == 1
    press_header(shown, 0)
    shoot(shown, PICTURES / "10-four-images.png")
    shown.click(*shown.find("maquette.open_stage", share=0.25))
    shown.wait(lambda: shown.value("len(bpy.context.window_manager.windows)") == 2, "the four images in a window")
    time.sleep(DRAWN_SECONDS)
    shown.screenshot(PICTURES / "10-four-images-opened.png")
    sheets = shown.value("[i.size[:] for i in bpy.data.images if 'maquette_sheet' in i]")
    assert len(sheets) == 1 and sheets[0][0] == sheets[0][1] > 2 * 128  # two by two
    shown.ask(CLOSE_SECOND_WINDOW)
    shown.click(*shown.find("maquette.go_on"))
    ended(shown, "")
    shown.wait(lambda: len(shown.value(MADE)) == 2, "a second object in the scene")

    press_header(shown, 0)
    job = generate(shown, 3, "surface")
    ended(shown, "surface")
    assert stages(job) == {"modalities", "classes", "teaching", "sides", "coarse", "surface"}
    assert len(shown.value(MADE)) == 2  # nobody has asked for it yet
    press_header(shown, 0)
    shown.click(*shown.find("maquette.import_result"))
    shown.wait(lambda: len(shown.value(MADE)) == 3, "the shape in the scene")
    shoot(shown, PICTURES / "11-shape.png")
    assert shown.value(f"bpy.context.view_layer.objects.active['maquette_job'] == {job.name!r}")
