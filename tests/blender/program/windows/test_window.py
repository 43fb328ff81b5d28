"""An artist's way through the window of a real Blender: prompt, image, Generate, the bar, the object in the viewport.

Screenshots are kept in out/screenshots/.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.blender.program import artist
from tests.blender.program.real import CHECKOUT, Window

pytestmark = [pytest.mark.blender, pytest.mark.slow]

PICTURES = CHECKOUT / "out/screenshots"
SECONDS = 1800.0  # that a draft may take when other programs want the same cores
EMPTY_SCENE = """
bpy.data.objects.remove(bpy.data.objects["Cube"])
bpy.data.images.load({image!r})
bpy.context.scene.maquette.threads = 2
region("WINDOW")[1].spaces.active.shading.color_type = "TEXTURE"
"""


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's picture: a red robot before a grey wall."""
    from benchmarks.commands.demo import make_sample

    path = tmp_path_factory.mktemp("sample") / "red robot.png"
    make_sample(path)
    return path


def test_an_artist_makes_an_object(shown: Window, sample: Path) -> None:
    shown.ask(EMPTY_SCENE.format(image=str(sample)))
    shown.open_tab("Maquette")
    artist.write_prompt(shown, "a red and gray robot")
    assert shown.value("bpy.context.scene.maquette.preset") == "draft"
    button = shown.find("maquette.generate")
    pressable = artist.looks(shown, button)
    shown.ask("bpy.context.scene.maquette.prompt = ''; answer = region('UI')[2].tag_redraw()")
    shown.wait(lambda: artist.looks(shown, button) != pressable, "a grey button")  # pressed while it turns, it sticks
    shown.click(*button)
    assert shown.value(f"{artist.SHOWN} is None"), "Generate could be pressed without a prompt"
    artist.pick_image(shown)
    assert shown.value("bpy.context.scene.maquette.references[0].image.name") == "red robot.png"
    shown.click(*shown.find("maquette.use_name", share=0.86))  # an image alone needs no prompt: its name is one
    shown.wait(lambda: shown.value("bpy.context.scene.maquette.prompt") == "red robot", "the name of the image")
    artist.write_prompt(shown, "a red and gray robot")
    artist.write_elevation(shown, 15)
    before = shown.screenshot(PICTURES / "1-wishes.png")

    artist.press_generate(shown)
    shares, lengths = [0.0], []
    end = time.monotonic() + SECONDS
    while not (ended := artist.has_ended(shown)):
        assert time.monotonic() < end, f"not done after {SECONDS:.0f} s, at {shares[-1]:.0%}"
        if (now := artist.share(shown)) > shares[-1] + 0.1:
            shares.append(now)
            lengths.append(artist.bar_lengths(shown, shown.screenshot(PICTURES / f"2-running-{len(shares):02}.png")))
        time.sleep(1.0)  # each question wakes Blender, which wants the cores, too
    assert ended == "Finished", shown.value(f"str({artist.COURSE}.last)")
    others = len(artist.bar_lengths(shown, before))
    overall = [bars[others + 1] for bars in lengths if len(bars) >= others + 2]  # below the bar of the stage
    assert len(overall) >= 3 and overall == sorted(overall) and overall[-1] > overall[0] + 100, lengths

    (made,) = shown.wait(lambda: shown.value(artist.MADE), "an object in the scene")
    objects = "bpy.context.window_manager.windows[0].view_layer.objects"
    assert shown.value(f"[item.name for item in {objects}.selected] + [{objects}.active.name]") == [made, made]
    red = artist.reddish(artist.viewport(shown, before))
    end = time.monotonic() + 60.0
    while (seen := artist.reddish(artist.viewport(shown, shown.screenshot(PICTURES / "3-done.png")))) <= red + 1000:
        assert time.monotonic() < end, f"{seen} red pixels in the viewport, and {red} before"
        time.sleep(1.0)  # until it is drawn
