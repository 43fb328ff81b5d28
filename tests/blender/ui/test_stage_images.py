"""Stopping after the cut-out, with the real backend: look, replace, go on, and the result is imported."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image, ImageDraw

from addon import protocol
from addon.jobs import store

SECONDS = 300.0
TINY = {"steps": 4, "views": 1, "count": 300, "mesh_resolution": 24, "max_faces": 1_000, "texture_size": 64}


def pump_to_the_end(session: Any, job: Path) -> protocol.Last:
    """Do what the timer does, until the job has ended."""
    end = time.monotonic() + SECONDS
    while session.is_busy() or session.course(job).last is None:
        assert time.monotonic() < end, f"{session.course(job)} after {SECONDS:.0f} s"
        session.pump()
        time.sleep(0.02)
    session.pump()
    last = session.course(job).last
    assert last is not None
    return last


def test_every_picture_that_a_stage_leaves_is_shown(enabled: Any, tmp_path: Path) -> None:
    from addon.protocol import systems
    from addon.ui import stage_images

    left = {"perceive": ["rgb", "mask"], "imagine": ["visual"], "sides": ["front", "right", "back", "left"]}
    assert set(left) == set(systems.TV3DG.stops)
    for number, (stage, names) in enumerate(left.items(), 1):
        for name in names:
            path = tmp_path / "stages" / f"{number}-{stage}" / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (4, 4)).save(path)
        assert [path.stem for path in stage_images.pictures(tmp_path, stage)] == names
    assert stage_images.label(Path("rgb.png")) == "Colour" and stage_images.label(Path("back.png")) == "Back"


def test_a_picture_is_replaced_by_one_of_the_same_stage(enabled: Any, tmp_path: Path) -> None:
    from addon.ui import stage_images

    (tmp_path / "stages/2-sides").mkdir(parents=True)
    for name in ("front", "back"):
        Image.new("RGB", (4, 4)).save(tmp_path / f"stages/2-sides/{name}.png")
    asked: list[Any] = []
    manager = SimpleNamespace(fileselect_add=asked.append)
    operator: Any = SimpleNamespace(job=str(tmp_path), stage="sides", part="rgb.png")
    replace: Any = stage_images.MAQUETTE_OT_replace_stage
    replace.invoke(operator, SimpleNamespace(window_manager=manager), None)
    assert asked == [operator] and operator.part == "front.png"
    shown: list[str] = []
    column = SimpleNamespace(prop_enum=lambda data, name, value: shown.append(value))
    operator.part, operator.layout = "back.png", SimpleNamespace(column=lambda: column)
    replace.invoke(operator, SimpleNamespace(window_manager=manager), None)
    assert operator.part == "back.png"
    replace.draw(operator, enabled.context)
    assert shown == ["front.png", "back.png"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_replacing_and_painting_write_through_no_link(enabled: Any, tmp_path: Path) -> None:
    from addon.ui import stage_images

    job, victim, twin = tmp_path / "job", tmp_path / "victim.png", tmp_path / "twin.png"
    stage = job / "stages/1-perceive"
    stage.mkdir(parents=True)
    for path in (victim, twin, stage / "rgb.png"):
        Image.new("RGB", (4, 4), "red").save(path)
    before = victim.read_bytes()
    (stage / "rgb.tmp.png").symlink_to(victim)
    Image.new("RGB", (8, 8), "blue").save(tmp_path / "mine.png")
    stage_images.replace_picture(stage / "rgb.png", tmp_path / "mine.png")
    assert victim.read_bytes() == before and [path.name for path in stage.iterdir()] == ["rgb.png"]
    with Image.open(stage / "rgb.png") as shown:
        assert shown.size == (4, 4) and shown.convert("RGB").getpixel((0, 0)) == (0, 0, 255)
    os.link(twin, stage / "mask.png")
    painted = enabled.data.images.load(str(stage / "mask.png"))
    painted.pixels = [0.5] * len(painted.pixels)
    with pytest.raises(protocol.LinkInside, match="hard links"):
        stage_images.save_painted(job)
    assert twin.read_bytes() == before
    (stage / "mask.png").unlink()
    (stage / "mask.png").symlink_to(victim)
    assert stage_images.pictures(job, "perceive") == [stage / "rgb.png"]
    assert stage_images.stage_folder(job, "perceive/../../../..") is None
    (job / "stages").rename(tmp_path / "stages")
    (job / "stages").symlink_to(tmp_path / "stages")
    assert stage_images.stage_folder(job, "perceive") is None


@pytest.mark.slow
def test_the_artist_replaces_the_cut_out_and_goes_on(
    enabled: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from addon import preferences
    from addon.ui import generate, properties, session, stage_images

    monkeypatch.setenv("MAQUETTE_PYTHON", sys.executable)
    monkeypatch.setattr(preferences, "jobs_folder", lambda context: tmp_path / "jobs")
    picture = Image.new("RGB", (64, 64), "white")
    ImageDraw.Draw(picture).ellipse((8, 8, 56, 56), fill="red")
    picture.save(tmp_path / "ball.png")
    props = enabled.context.scene.maquette
    props.prompt, props.preset, props.stop_after, props.seed, props.threads = "a red ball", "bench", "perceive", 3, 1
    for name, value in TINY.items():
        setattr(props.tv3dg, name, value)
    enabled.ops.maquette.add_references(directory=str(tmp_path), files=[{"name": "ball.png"}])
    sources = [tmp_path / "ball.png"]
    job = session.submit(enabled.context, properties.request_of(props), sources, True)

    stopped = pump_to_the_end(session, job)
    assert isinstance(stopped, protocol.Finished) and stopped.stopped_after == "perceive", stopped
    assert not enabled.data.objects and not session.auto_import.is_wanted(job)
    rgb, mask = stage_images.pictures(job, "perceive")
    with Image.open(mask) as shown:
        side = shown.size[0]
    mine = Image.new("RGB", (side, side), "black")
    ImageDraw.Draw(mine).rectangle((side // 4, side // 4, 3 * side // 4, 3 * side // 4), fill="white")
    mine.save(tmp_path / "mine.png")
    enabled.ops.maquette.replace_stage(
        job=str(job), stage="perceive", part="mask.png", filepath=str(tmp_path / "mine.png")
    )
    enabled.ops.maquette.go_on(job=str(job))

    finished = pump_to_the_end(session, job)
    assert isinstance(finished, protocol.Finished) and not finished.stopped_after, finished
    assert any("Mask was replaced" in warning.message for warning in session.course(job).warnings)
    record = json.loads((mask.parent / "stage.json").read_text())
    assert record["replaced"] == ["mask.png"]
    assert session.auto_import.error(job) == ""
    assert {item.type for item in enabled.data.objects} >= {"MESH"}
    assert store.state(job) == store.FINISHED and generate.why_not(enabled.context) == ""


def test_the_mask_is_what_opens_to_be_painted_on(enabled: Any, tmp_path: Path) -> None:
    from addon.ui import stage_images

    folder = tmp_path / "stages/1-perceive"
    folder.mkdir(parents=True)
    for name in ("rgb", "mask"):
        Image.new("RGB", (4, 4)).save(folder / f"{name}.png")
    editor = SimpleNamespace(spaces=SimpleNamespace(active=SimpleNamespace()), type="IMAGE_EDITOR", regions=[])
    context = SimpleNamespace(
        screen=SimpleNamespace(areas=[editor]), window=None, window_manager=enabled.context.window_manager
    )
    operator: Any = stage_images.MAQUETTE_OT_open_stage
    assert operator.execute(SimpleNamespace(job=str(tmp_path), stage="perceive"), context) == {"FINISHED"}
    space: Any = editor.spaces.active
    assert space.image.name == "mask.png" and space.ui_mode == "PAINT"
    assert {"rgb.png", "mask.png"} <= set(enabled.data.images.keys())
