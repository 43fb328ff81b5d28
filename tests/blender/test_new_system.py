"""A new system changes one standing file, the table.

With its line there it is in the panel and in both command lines, runs, goes on after it was killed, and is imported.
"""

# Blender makes its module at run time; pyright sees an almost empty one.
# pyright: reportMissingImports=false

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from addon import protocol
from addon.jobs import store
from addon.jobs.progress import follow, new_course
from tests import toy_system
from tests.toy_system import TOY

ROOT = Path(__file__).resolve().parent.parent.parent
MADE_FROM_THE_TABLE = ("addon.ui.properties", "addon.ui.stage_images", "addon.ui.panels")  # when they are imported


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The toy system has its line in the table."""
    monkeypatch.setitem(protocol.SYSTEMS, TOY.name, TOY)


@pytest.fixture
def toy(bpy: Any, listed: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Blender's module with the add-on enabled, as if the line had been there from the start."""
    import addon

    for name in MADE_FROM_THE_TABLE:
        importlib.reload(importlib.import_module(name))
    addon.register()
    yield bpy
    addon.unregister()
    monkeypatch.undo()
    for name in MADE_FROM_THE_TABLE:
        importlib.reload(importlib.import_module(name))


def test_it_is_in_the_panel(toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from addon.ui import panels, properties, session, stage_images
    from tests.blender.ui.test_panels import draw

    (tmp_path / "python").touch()
    monkeypatch.setenv("MAQUETTE_PYTHON", str(tmp_path / "python"))
    props = toy.context.scene.maquette
    assert "Toy Shape" not in [
        panel.bl_label for panel in panels.CLASSES if hasattr(panel, "poll") and panel.poll(toy.context)
    ]
    props.system, props.preset = "toy", "bench"
    texts = draw(toy.context).texts
    assert {"Times", "Toy Points", "Pause"} <= set(texts) and "Views per Step" not in texts
    assert (
        props.toy.steps == 4 and props.toy.bl_rna.properties["pause"].description == "How long a step waits, in seconds"
    )
    props.toy.count = 1
    assert props.toy.count == 8  # not less than its bound
    props.stop_after = "look"
    assert properties.request_of(props).stop_after == ""  # there is nothing to look at, and no prompt is needed
    reference = props.references.add()
    reference.image = toy.data.images.new("seen", 4, 4)
    request = properties.request_of(props)
    assert (request.system, request.preset, request.stop_after) == ("toy", "bench", "look")
    assert request.settings == {"count": 8}

    (tmp_path / "stages/1-look").mkdir(parents=True)
    Image.new("RGB", (4, 4)).save(tmp_path / "stages/1-look/seen.png")
    protocol.write_request(tmp_path, request)
    (picture,) = stage_images.pictures(tmp_path, "look")
    assert stage_images.label(picture) == "Seen"
    course = follow(new_course(tmp_path), protocol.Stage(number=2, name="shrink", stages=2))
    course = follow(course, protocol.Progress(step=2, steps=4, seconds_left=1, steps_per_second=2, memory_bytes=0))
    monkeypatch.setattr(session, "shown", lambda: tmp_path)
    monkeypatch.setattr(session, "all_running", lambda: [tmp_path])
    monkeypatch.setattr(session, "course", lambda job: course)
    assert "Shrinking (2 of 2)" in draw(toy.context, "MAQUETTE_PT_job").texts
    stopped = follow(course, protocol.Finished(results=(), seconds=1.0, stopped_after="look"))
    monkeypatch.setattr(session, "course", lambda job: stopped)
    monkeypatch.setattr(session, "all_running", list)
    assert {"Stopped after the Picture", "Seen"} <= set(draw(toy.context, "MAQUETTE_PT_job").texts)


def test_it_is_in_both_command_lines(listed: None, capsys: pytest.CaptureFixture[str]) -> None:
    from addon.cli.arguments import parser as of_blender
    from backend.cli.arguments import parser as of_backend

    for parser in (of_blender(), of_backend()):
        with pytest.raises(SystemExit):
            parser.parse_args(["generate", "--help"])
        assert "tv3dg, dreambooth3d, customize_it_3d, toy" in capsys.readouterr().out
    asked = ["generate", "--system", "toy", "--set", "steps=3", "--out", "job", "--stop-after", "shrink"]
    found = of_backend().parse_args(asked)
    assert (found.system, found.set, found.stop_after) == ("toy", [("steps", 3)], "shrink")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_it_stops_goes_on_after_it_was_killed_and_is_imported(tmp_path: Path, toy: Any) -> None:
    pytest.importorskip("torch", reason="the backend needs torch")
    from addon import api
    from tests.backend.processes import Process

    Image.new("RGB", (8, 8), "red").save(tmp_path / "red.png")

    def backend(*arguments: object) -> Process:
        return Process(tmp_path, *arguments, run_system=toy_system.Added())

    asked = ["generate", "--system", "toy", "--image", tmp_path / "red.png", "--seed", 2, "--stop-after", "look"]
    asked += ["--set", "steps=30", "--set", "pause=0.02", "--set", "checkpoint_steps=2", "--out"]
    for name in ("whole", "killed"):
        stopped = backend(*asked, tmp_path / name).wait()
        assert stopped.returncode == 0, stopped.stderr
        protocol.write_request(tmp_path / name, toy_request(tmp_path / name))
    assert (tmp_path / "killed/stages/1-look/seen.png").is_file()

    killed = tmp_path / "killed"
    begun = backend("run", killed)
    while not any(isinstance(event, protocol.Progress) for event in store.latest_run(killed)[0]):
        assert begun.is_alive
        time.sleep(0.01)
    os.kill(begun.pid, signal.SIGKILL)
    begun.wait()
    for job in (killed, tmp_path / "whole"):
        assert backend("run", job).wait().returncode == 0
    stages = [event for event in store.latest_run(killed)[0] if isinstance(event, protocol.Stage)]
    assert [(stage.name, stage.number, stage.stages) for stage in stages] == [("look", 1, 2), ("shrink", 2, 2)]
    assert (killed / protocol.POINTS_FILE).read_bytes() == (tmp_path / "whole" / protocol.POINTS_FILE).read_bytes()

    imported = api.import_result(killed)
    assert imported.points is not None and len(imported.points.data.vertices) == TOY.settings["count"].value
    refused = backend("generate", "--system", "toy", "--set", "stepz=3", "--out", tmp_path / "other").wait()
    assert refused.returncode == 2 and "Did you mean steps?" in refused.stderr


def toy_request(job: Path) -> protocol.Request:
    """Return the request of a job without its stop."""
    content = json.loads((job / protocol.REQUEST_FILE).read_text()) | {"stop_after": ""}
    return protocol.decode_request(json.dumps(content))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="the interpreter of this test is a shell script")
def test_blenders_command_line_makes_it_and_saves_it(
    tmp_path: Path, bpy: Any, listed: None, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch", reason="the backend needs torch")
    from addon.cli import commands

    python = tmp_path / "python"
    lines = ["#!/bin/sh", "shift 2", f"cd '{ROOT}'", f"exec '{sys.executable}' -m tests.toy_system \"$@\"", ""]
    python.write_text("\n".join(lines))
    python.chmod(0o755)
    monkeypatch.setenv("MAQUETTE_PYTHON", str(python))
    asked = ["generate", "--system", "toy", "--preset", "bench", "--threads", "1", "--jobs", str(tmp_path / "jobs")]
    code = commands.main([*asked, "--set", "count=9", "--save", str(tmp_path / "toy.blend"), "--json"])
    said = capfd.readouterr()
    assert code == 0, said.err
    assert "1/1 shrink" in said.err
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "toy.blend"))
    assert [len(item.data.vertices) for item in bpy.data.objects if item.type == "MESH"] == [9]
