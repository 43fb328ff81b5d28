"""The cut-out in the window of a real Blender: a damaged file is refused, the mask is painted on, a job is cancelled.

Screenshots are kept in out/screenshots/.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from tests.blender.program import artist
from tests.blender.program.real import CHECKOUT, Window
from tests.blender.program.screenshots import DRAWN_SECONDS, press_header, shoot

pytestmark = [pytest.mark.blender, pytest.mark.slow]

PICTURES = CHECKOUT / "out/screenshots"
SECONDS = 900.0  # that a job may take when other programs want the same cores
WISHES = """
bpy.data.objects.remove(bpy.data.objects["Cube"])
wishes = bpy.context.scene.maquette
wishes.preset, wishes.threads, wishes.stop_after, wishes.prompt = "draft", 1, "perceive", "a red mug"
answer = None
"""
ADD = """
window, area, region = region("WINDOW")
try:
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.maquette.add_references(directory={folder!r}, files=[{{"name": {name!r}}}])
    answer = ""
except RuntimeError as error:
    answer = str(error)
"""
BROWSE = """
window, area, region = region("WINDOW")
with bpy.context.temp_override(window=window, area=area, region=region):
    bpy.ops.maquette.add_references("INVOKE_DEFAULT")
answer = None
"""
BESIDE = """
files = [a for w in bpy.context.window_manager.windows for a in w.screen.areas if a.type == "FILE_BROWSER"][0]
answer = [region.width for region in files.regions if region.type == "TOOL_PROPS"]
"""
CLOSE_SECOND_WINDOW = """
with bpy.context.temp_override(window=bpy.context.window_manager.windows[-1]):
    bpy.ops.wm.window_close()
answer = None
"""
EDITOR = """
window = bpy.context.window_manager.windows[-1]
area = window.screen.areas[0]
space, region = area.spaces.active, next(each for each in area.regions if each.type == "WINDOW")
left, top = window.x, window.y
answer = [space.ui_mode, space.image.name, space.image.is_dirty, region.x, region.y, region.width, region.height,
          left, top, window.height]
"""
ENDED = f"(type({artist.COURSE}.last).__name__, getattr({artist.COURSE}.last, 'stopped_after', ''))"


def test_a_cut_out_is_painted_on_and_an_impatient_click_presses_nothing(shown: Window, tmp_path: Path) -> None:
    picture = Image.new("RGB", (200, 200), (225, 225, 225))
    ImageDraw.Draw(picture).ellipse((50, 40, 150, 160), fill=(200, 30, 30))
    picture.save(tmp_path / "red mug.png")
    (tmp_path / "broken mug.png").write_bytes((tmp_path / "red mug.png").read_bytes()[:-30])
    shown.ask(WISHES)
    shown.open_tab("Maquette")
    said = shown.ask(ADD.format(folder=str(tmp_path), name="broken mug.png"))
    assert "broken mug.png is damaged, or no image" in said
    shown.ask(BROWSE)
    shown.wait(lambda: shown.value("len(bpy.context.window_manager.windows)") == 2, "the file browser")
    time.sleep(DRAWN_SECONDS)
    shown.screenshot(PICTURES / "12-add-image.png")
    assert max(shown.ask(BESIDE), default=0) <= 1, "a region of properties with nothing in it"
    shown.ask(CLOSE_SECOND_WINDOW)

    assert shown.ask(ADD.format(folder=str(tmp_path), name="red mug.png")) == ""
    artist.press_generate(shown)
    shown.wait(lambda: artist.has_ended(shown), "the cut-out", SECONDS)
    assert shown.value(ENDED) == ["Finished", "perceive"], shown.value(f"str({artist.COURSE}.last)")
    press_header(shown, 0)  # of Generate, which closes: the pictures are of what is below
    shoot(shown, PICTURES / "13-cut-out.png")
    shown.click(*shown.find("maquette.open_stage", share=0.25))
    shown.wait(lambda: shown.value("len(bpy.context.window_manager.windows)") == 2, "the mask in a window")
    time.sleep(DRAWN_SECONDS)
    mode, name, is_dirty, x, y, width, height, left, top, tall = shown.ask(EDITOR)
    assert (mode, name, is_dirty) == ("PAINT", "mask.png", False)
    middle = left + x + width / 2, top + tall - y - height / 2
    shown.drag((middle[0] - 30, middle[1] - 30), (middle[0] + 30, middle[1] + 30))
    shown.screenshot(PICTURES / "14-paint.png")
    shown.wait(lambda: shown.ask(EDITOR)[2], "a stroke on the mask")
    shown.ask(CLOSE_SECOND_WINDOW)

    shown.click(*shown.find("maquette.go_on"))
    shown.wait(lambda: artist.has_ended(shown) == "", "the job going on")
    cancel = shown.find("maquette.cancel", share=0.75)
    shoot(shown, PICTURES / "15-before-cancel.png")
    shown.click(*cancel)
    shown.wait(lambda: artist.has_ended(shown), "the end of the job", SECONDS)
    shown.click(*cancel)  # as an impatient artist does
    assert shown.value(ENDED)[0] == "Cancelled"
    shoot(shown, PICTURES / "16-cancelled.png")
    assert shown.value(ENDED)[0] == "Cancelled"
