"""Edit by Text: the button in the history, its dialog, the operator, the command and the Python API, in Blender."""

# Blender makes its module at run time; pyright sees an almost empty one.
# pyright: reportMissingImports=false

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from addon import api, protocol
from addon.cli import commands
from addon.jobs import store
from tests.blender.instant_backend import write_interpreter
from tests.blender.made_jobs import FAILED, HELLO, make
from tests.blender.made_results import make_result
from tests.blender.ui.test_history import draw

INSTANT = pytest.mark.skipif(sys.platform == "win32", reason="the interpreter of these tests is a shell script")


def chosen_job(enabled: Any, job: Path) -> Any:
    """Choose a job in the history and return the context of a button that is about it."""
    enabled.ops.maquette.refresh_history()
    manager = enabled.context.window_manager
    manager.maquette_history_row = [item.job for item in manager.maquette_history].index(job.name)
    from addon.ui import history

    return SimpleNamespace(
        window_manager=manager, preferences=enabled.context.preferences, **{history.BUTTON: enabled.context.scene}
    )


def test_the_button_of_a_finished_job_edits_it(enabled: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from addon.ui import edit, session

    first = make_result(folder / "20260101-000000-a", prompt="a red mug", seed=9)
    context = chosen_job(enabled, first)
    layout = draw(enabled.context)
    assert layout.buttons["maquette.edit"].given == {"job": str(first)} and "Edit by Text..." in layout.texts
    operator: Any = edit.MAQUETTE_OT_edit
    assert operator.poll(context) and operator.poll(enabled.context)
    windowed = SimpleNamespace(app=SimpleNamespace(background=False))
    monkeypatch.setattr(edit, "bpy", windowed)  # a job is queued where there is a window
    assert enabled.ops.maquette.edit(job=str(first), prompt="a blue mug") == {"FINISHED"}
    (edited,) = session.waiting()
    request = protocol.read_request(edited)
    assert (request.prompt, request.start_prompt, request.seed) == ("a blue mug", "a red mug", 9)
    assert (edited / "inputs/start.ply").read_bytes() == (first / "result/points.ply").read_bytes()
    assert edited.name in [item.job for item in enabled.context.window_manager.maquette_history]


def test_the_dialog_begins_with_the_old_words(enabled: Any, folder: Path) -> None:
    from addon.ui import edit
    from tests.blender.layout import Layout

    first = make_result(folder / "20260101-000000-a", prompt="a red mug")
    shown: list[dict[str, Any]] = []
    asked = SimpleNamespace(
        window_manager=SimpleNamespace(
            invoke_props_dialog=lambda operator, **how: shown.append(how) or {"RUNNING_MODAL"}
        )
    )
    said: list[str] = []
    dialog: Any = SimpleNamespace(
        job=str(first), prompt="", problem="", is_asked=False, report=lambda kind, text: said.append(text)
    )
    invoke: Any = edit.MAQUETTE_OT_edit.invoke
    assert invoke(dialog, asked, None) == {"RUNNING_MODAL"} and dialog.prompt == "a red mug" and shown
    assert dialog.is_asked
    (first / "request.json").unlink()
    assert invoke(dialog, asked, None) == {"CANCELLED"} and "is not a job folder" in said[0]
    layout = Layout()
    kind = enabled.ops.maquette.edit.get_rna_type()
    said_of: dict[str, Any] = {"bl_rna": kind, "job": str(first), "problem": "The prompt is empty", "refused": ""}
    properties: Any = SimpleNamespace(layout=layout, prompt="", **said_of)
    edit.MAQUETTE_OT_edit.draw(properties, enabled.context)
    assert "Change the words; say all of what it is to be:" in layout.texts and "prop" in [
        kind for kind, _ in layout.drawn
    ]
    assert "The prompt is empty" in layout.texts
    changed: Any = SimpleNamespace(layout=Layout(), prompt="a blue mug", **said_of)
    edit.MAQUETTE_OT_edit.draw(changed, enabled.context)
    assert "The prompt is empty" not in changed.layout.texts  # it is not about this one


def test_the_button_says_why_it_cannot(enabled: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from addon.ui import edit, session

    failed = make(folder, "20260101-000000-b", FAILED)
    mesh = make_result(folder / "20260101-000000-c")
    text = (mesh / "request.json").read_text()
    (mesh / "request.json").write_text(text.replace('"version": 1', '"outputs": ["mesh"], "version": 1'))
    queued = make_result(folder / "20260101-000000-d")
    said: list[str] = []
    operator: Any = SimpleNamespace(poll_message_set=said.append)
    poll: Any = edit.MAQUETTE_OT_edit.poll.__func__  # pyright: ignore[reportFunctionMemberAccess]
    for job in (failed, mesh):
        assert not poll(operator, chosen_job(enabled, job))
    session.enqueue(enabled.context, queued, False)
    assert not poll(operator, chosen_job(enabled, queued))
    assert said == [
        "This job cannot be edited: it has no result yet",
        "This job cannot be edited: it made no points, which an edit begins from",
        "This job cannot be edited: it is queued",
    ]
    assert "maquette.edit" not in draw_of(enabled, failed).buttons


def draw_of(enabled: Any, job: Path) -> Any:
    chosen_job(enabled, job)
    return draw(enabled.context)


def test_a_script_s_edit_runs_to_its_end_or_raises(enabled: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from addon.ui.results import importing

    first = make_result(folder / "20260101-000000-a", prompt="a red mug")
    brought: list[Path] = []
    monkeypatch.setattr(api, "wait", lambda job: protocol.Finished(results=(), seconds=1.0))
    monkeypatch.setattr(importing, "bring", lambda job, props: brought.append(job))
    assert enabled.app.background
    assert enabled.ops.maquette.edit(job=str(first), prompt="a blue mug") == {"FINISHED"}
    assert [protocol.read_request(job).prompt for job in brought] == ["a blue mug"]
    for job, prompt, words in (
        (first, "a red mug", "say what is to be different"),
        (folder, "a blue mug", "not a job folder"),
        (make(folder, "20260101-000000-b", FAILED), "a blue mug", "it has no result yet"),
    ):
        with pytest.raises(RuntimeError, match=words):
            enabled.ops.maquette.edit(job=str(job), prompt=prompt)
    assert len(store.list_jobs(folder)) == 3


@INSTANT
def test_the_command_edits_imports_and_saves(
    bpy: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAQUETTE_PYTHON", str(write_interpreter(tmp_path / "python")))
    first, folder, saved = (
        make_result(tmp_path / "first", prompt="a red mug"),
        tmp_path / "jobs",
        tmp_path / "out.blend",
    )
    wishes = ["--prompt", "a blue mug", "--preset", "bench", "--set", "edit_steps=9", "--threads", "1"]
    wishes += ["--jobs", str(folder)]
    assert commands.main(["edit", str(first), *wishes, "--save", str(saved), "--json"]) == 0
    (job,) = folder.iterdir()
    request = protocol.read_request(job)
    assert (request.prompt, request.start_prompt, request.preset) == ("a blue mug", "a red mug", "bench")
    assert request.threads == 1
    assert request.settings == {"edit_steps": 9} and request.seed == 7
    said = json.loads(capfd.readouterr().out)
    assert (said["command"], said["jobs"][0]["state"], said["saved"]) == ("edit", "finished", str(saved))
    bpy.ops.wm.open_mainfile(filepath=str(saved))
    assert "blue mug" in bpy.data.objects
    assert commands.main(["edit", str(first), "--prompt", "a red mug", "--jobs", str(folder)]) == 2
    assert commands.main(["edit", str(tmp_path / "nowhere"), "--prompt", "a blue mug", "--jobs", str(folder)]) == 2
    assert "say what is to be different" in (told := capfd.readouterr().err) and "is not a job folder" in told
    assert len(list(folder.iterdir())) == 1


def test_hello_is_not_enough_to_be_edited(enabled: Any, folder: Path) -> None:
    job = make_result(folder / "20260101-000000-a", prompt="a red mug")
    (job / "events.jsonl").write_text(protocol.encode(HELLO))
    with pytest.raises(protocol.ProtocolError, match="it has no result yet"):
        api.edit(job, "a blue mug", jobs=folder)


def test_a_dialog_that_is_refused_is_there_again_with_what_was_typed(
    enabled: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from addon.ui import edit

    first = make_result(folder / "20260101-000000-a", prompt="a red mug")
    again: list[dict[str, Any]] = []
    ops = SimpleNamespace(maquette=SimpleNamespace(edit=lambda how, **wishes: again.append({"how": how, **wishes})))
    monkeypatch.setattr(edit, "bpy", SimpleNamespace(app=SimpleNamespace(background=False), ops=ops))
    reported: list[str] = []
    dialog: Any = SimpleNamespace(
        job=str(first), prompt="a  red mug", is_asked=True, report=lambda kind, text: reported.append(text)
    )
    execute: Any = edit.MAQUETTE_OT_edit.execute
    assert execute(dialog, enabled.context) == {"CANCELLED"} and reported == []
    assert again == [
        {
            "how": "INVOKE_DEFAULT", "job": str(first), "prompt": "a  red mug", "refused": "a  red mug",
            "problem": "The prompt is that of the result to begin from: say what is to be different.",
        }
    ]  # fmt: skip
    dialog.is_asked = False  # a script is told
    assert execute(dialog, enabled.context) == {"CANCELLED"} and "say what is to be different" in reported[0]


def test_a_dialog_opens_only_where_there_is_something_to_begin_from(enabled: Any, folder: Path) -> None:
    from addon.ui import edit

    first = make_result(folder / "20260101-000000-a", prompt="a red mug")
    (first / "result/points.ply").unlink()
    said: list[str] = []
    dialog: Any = SimpleNamespace(job=str(first), report=lambda kind, text: said.append(text))
    invoke: Any = edit.MAQUETTE_OT_edit.invoke
    assert invoke(dialog, enabled.context, None) == {"CANCELLED"}
    assert said == ["This job cannot be edited: result/points.ply, which an edit begins from, is not there any more"]


def test_what_is_changed_under_advanced_reaches_an_edit(
    enabled: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from addon.ui import edit, session
    from tests.blender.layout import Layout

    first = make_result(folder / "20260101-000000-a", prompt="a red mug")
    props = enabled.context.scene.maquette
    props.tv3dg.edit_contrast, props.tv3dg.anchor, props.tv3dg.entropy = False, 1.0, 0.5
    layout = Layout()
    kind = enabled.ops.maquette.edit.get_rna_type()
    dialog: Any = SimpleNamespace(layout=layout, bl_rna=kind, job=str(first), problem="")
    edit.MAQUETTE_OT_edit.draw(dialog, enabled.context)
    assert "With what is changed under Advanced > Edit by Text: edit_contrast, anchor" in layout.texts
    monkeypatch.setattr(edit, "bpy", SimpleNamespace(app=SimpleNamespace(background=False)))
    enabled.ops.maquette.edit(job=str(first), prompt="a blue mug")
    (edited,) = session.waiting()
    assert protocol.read_request(edited).settings == {"edit_contrast": False, "anchor": 1.0}
    props.system = "dreambooth3d"
    assert edit._edit_settings(props, first) == {}
