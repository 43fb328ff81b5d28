"""Mesh Again: the dialog begins with what the mesh was made with, and the new job goes on from the stages there are."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from addon import api, protocol
from addon.cli import commands
from tests.blender.instant_backend import write_interpreter
from tests.blender.layout import Layout
from tests.blender.made_results import make_result
from tests.blender.ui.test_edit import INSTANT, chosen_job
from tests.blender.ui.test_history import draw


def finished(folder: Path) -> Path:
    """Return a finished job that has stages."""
    job = make_result(folder / "20260101-000000-a", prompt="a red mug", seed=9)
    for name in ("1-gaussians/tensors.safetensors", "2-mesh/values.json"):
        (job / "stages" / name).parent.mkdir(parents=True)
        (job / "stages" / name).write_text(name)
    return job


def test_the_button_queues_a_job_that_has_the_stages_already(
    enabled: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from addon.ui import session
    from addon.ui.results import remesh

    first = finished(folder)
    chosen_job(enabled, first)
    layout = draw(enabled.context)
    assert layout.buttons["maquette.remesh"].given == {"job": str(first)} and "Mesh Again..." in layout.texts
    monkeypatch.setattr(remesh, "bpy", SimpleNamespace(app=SimpleNamespace(background=False)))
    assert enabled.ops.maquette.remesh(job=str(first), max_faces=900, height=0.1, mirror="left") == {"FINISHED"}
    (again,) = session.waiting()
    request = protocol.read_request(again)
    assert request.settings == {"max_faces": 900, "height": 0.1, "mirror": "left"} and request.seed == 9
    assert [path.name for path in (again / "stages").iterdir()] == ["1-gaussians"]


def test_the_dialog_begins_with_what_the_mesh_was_made_with(enabled: Any, folder: Path) -> None:
    from addon.ui.results import remesh

    first = finished(folder)
    shown: list[dict[str, Any]] = []
    ask = SimpleNamespace(invoke_props_dialog=lambda operator, **how: shown.append(how) or {"RUNNING_MODAL"})
    dialog: Any = SimpleNamespace(job=str(first), report=lambda kind, text: shown.append({"text": text}))
    invoke: Any = remesh.MAQUETTE_OT_remesh.invoke
    assert invoke(dialog, SimpleNamespace(window_manager=ask), None) == {"RUNNING_MODAL"} and shown
    request = protocol.read_request(first)
    preset = vars(protocol.SYSTEMS[request.system].presets[request.preset])
    assert {name: getattr(dialog, name) for name in remesh.ASKED} == {name: preset[name] for name in remesh.ASKED}
    layout = Layout()
    kind = enabled.ops.maquette.remesh.get_rna_type()
    properties: Any = SimpleNamespace(layout=layout, bl_rna=kind, job=str(first))
    remesh.MAQUETTE_OT_remesh.draw(properties, enabled.context)
    assert len([kind for kind, _ in layout.drawn if kind == "prop"]) == len(remesh.ASKED)
    (first / "request.json").unlink()
    assert invoke(dialog, SimpleNamespace(window_manager=ask), None) == {"CANCELLED"}


def test_a_script_runs_it_to_its_end_or_gets_the_sentence(
    enabled: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from addon.ui.results import importing

    first, brought = finished(folder), []
    monkeypatch.setattr(api, "wait", lambda job: protocol.Finished(results=(), seconds=1.0))
    monkeypatch.setattr(importing, "bring", lambda job, props: brought.append(job))
    assert enabled.ops.maquette.remesh(job=str(first), texture_size=128) == {"FINISHED"}
    assert [protocol.read_request(job).settings for job in brought] == [{"texture_size": 128}]
    with pytest.raises(RuntimeError, match="That is the mesh which"):
        enabled.ops.maquette.remesh(job=str(first))


@INSTANT
def test_the_command_makes_imports_and_saves_it(
    bpy: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAQUETTE_PYTHON", str(write_interpreter(tmp_path / "python")))
    first, jobs, saved = finished(tmp_path), tmp_path / "jobs", tmp_path / "out.blend"
    asked = ["remesh", str(first), "--jobs", str(jobs), "--save", str(saved)]
    assert commands.main([*asked, "--set", "max_faces=900"]) == 0
    (again,) = jobs.iterdir()
    assert protocol.read_request(again).settings == {"max_faces": 900} and saved.is_file()
    bpy.ops.wm.open_mainfile(filepath=str(saved))
    assert "red mug" in bpy.data.objects
    capfd.readouterr()
    assert commands.main([*asked, "--set", "steps=3"]) == 2
    assert "steps is not of the mesh alone" in capfd.readouterr().err and len(list(jobs.iterdir())) == 1
