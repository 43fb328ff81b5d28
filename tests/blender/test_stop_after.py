"""Stopping after the cut-out, with the real backend: look, replace, go on, and the result is imported."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image, ImageDraw

from addon import jobs, protocol

SECONDS = 300.0
TINY = {"steps": 4, "views": 1, "count": 300, "mesh_resolution": 24, "max_faces": 1_000, "texture_size": 64}


def pump_to_the_end(running: Any, job: Path) -> protocol.Last:
    """Do what the timer does, until the job has ended."""
    end = time.monotonic() + SECONDS
    while running.is_busy() or running.course(job).last is None:
        assert time.monotonic() < end, f"{running.course(job)} after {SECONDS:.0f} s"
        running.pump()
        time.sleep(0.02)
    running.pump()
    last = running.course(job).last
    assert last is not None
    return last


def test_every_picture_that_a_stage_leaves_is_shown(enabled: Any, tmp_path: Path) -> None:
    from addon import cutout, settings

    left = {"perceive": ["rgb", "mask"], "imagine": ["visual"], "sides": ["front", "right", "back", "left"]}
    assert set(left) == set(settings.TV3DG.stops)
    for number, (stage, names) in enumerate(left.items(), 1):
        for name in names:
            path = tmp_path / "stages" / f"{number}-{stage}" / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (4, 4)).save(path)
        assert [path.stem for path in cutout.pictures(tmp_path, stage)] == names
    assert cutout.label(Path("rgb.png")) == "Colour" and cutout.label(Path("back.png")) == "Back"


def test_a_picture_is_replaced_by_one_of_the_same_stage(enabled: Any, tmp_path: Path) -> None:
    from addon import cutout

    (tmp_path / "stages/2-sides").mkdir(parents=True)
    for name in ("front", "back"):
        Image.new("RGB", (4, 4)).save(tmp_path / f"stages/2-sides/{name}.png")
    asked: list[Any] = []
    manager = SimpleNamespace(fileselect_add=asked.append)
    operator: Any = SimpleNamespace(job=str(tmp_path), stage="sides", part="rgb.png")
    replace: Any = cutout.MAQUETTE_OT_replace_stage
    replace.invoke(operator, SimpleNamespace(window_manager=manager), None)
    assert asked == [operator] and operator.part == "front.png"
    shown: list[str] = []
    column = SimpleNamespace(prop_enum=lambda data, name, value: shown.append(value))
    operator.part, operator.layout = "back.png", SimpleNamespace(column=lambda: column)
    replace.invoke(operator, SimpleNamespace(window_manager=manager), None)
    assert operator.part == "back.png"
    replace.draw(operator, enabled.context)
    assert shown == ["front.png", "back.png"]


@pytest.mark.slow
def test_the_artist_replaces_the_cut_out_and_goes_on(
    enabled: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from addon import cutout, operators, preferences, properties, running

    monkeypatch.setenv("MAQUETTE_PYTHON", sys.executable)
    monkeypatch.setattr(preferences, "jobs_folder", lambda context: tmp_path / "jobs")
    picture = Image.new("RGB", (64, 64), "white")
    ImageDraw.Draw(picture).ellipse((8, 8, 56, 56), fill="red")
    picture.save(tmp_path / "ball.png")
    wish = enabled.context.scene.maquette
    wish.prompt, wish.preset, wish.stop_after, wish.seed, wish.threads = "a red ball", "bench", "perceive", 3, 1
    for name, value in TINY.items():
        setattr(wish.tv3dg, name, value)
    enabled.ops.maquette.add_references(directory=str(tmp_path), files=[{"name": "ball.png"}])
    sources = [tmp_path / "ball.png"]
    job = running.submit(enabled.context, properties.request_of(wish), sources, True)

    stopped = pump_to_the_end(running, job)
    assert isinstance(stopped, protocol.Finished) and stopped.stopped_after == "perceive", stopped
    assert not enabled.data.objects and not running.arrivals.is_wanted(job)
    rgb, mask = cutout.pictures(job, "perceive")
    side = Image.open(mask).size[0]
    mine = Image.new("RGB", (side, side), "black")
    ImageDraw.Draw(mine).rectangle((side // 4, side // 4, 3 * side // 4, 3 * side // 4), fill="white")
    mine.save(tmp_path / "mine.png")
    enabled.ops.maquette.replace_stage(
        job=str(job), stage="perceive", part="mask.png", filepath=str(tmp_path / "mine.png")
    )
    enabled.ops.maquette.go_on(job=str(job))

    finished = pump_to_the_end(running, job)
    assert isinstance(finished, protocol.Finished) and not finished.stopped_after, finished
    assert any("mask.png was replaced" in warning.message for warning in running.course(job).warnings)
    record = json.loads((mask.parent / "stage.json").read_text())
    assert record["replaced"] == ["mask.png"]
    assert running.arrivals.error(job) == ""
    assert {item.type for item in enabled.data.objects} >= {"MESH"}
    assert jobs.state(job) == jobs.FINISHED and operators.why_not(enabled.context) == ""
