"""The preferences in Blender: what they choose, what they show, and what their buttons do."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from addon.install import background, diagnosis, environment
from addon.install.diagnosis import FIXES, KINDS, Diagnosis
from tests.blender.shown_preferences import FINE, draw, shows

# ---- what they choose ------------------------------------------------------------------------------------------------


def test_the_artists_python_comes_before_the_variable_and_ours(
    own: Any, bpy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from addon import preferences

    with pytest.raises(environment.EnvironmentMissing, match="The backend is not installed"):
        preferences.interpreter(bpy.context)
    monkeypatch.setenv("MAQUETTE_PYTHON", sys.executable)
    assert preferences.interpreter(bpy.context) == Path(sys.executable)
    own.existing_python = str(tmp_path / "mine")
    with pytest.raises(environment.EnvironmentMissing, match="There is no Python at .*mine"):
        preferences.interpreter(bpy.context)
    (tmp_path / "mine").touch()
    assert preferences.interpreter(bpy.context) == tmp_path / "mine"


def test_folders_are_blenders_until_others_are_chosen(own: Any, bpy: Any, tmp_path: Path) -> None:
    from addon import preferences

    assert preferences.jobs_folder(bpy.context) == tmp_path / "user" / "jobs"
    assert preferences.environment_folder(bpy.context) == tmp_path / "user" / "environment"
    own.jobs_folder, own.environment_folder = str(tmp_path / "größer"), str(tmp_path / "e")
    assert preferences.jobs_folder(bpy.context) == tmp_path / "größer"
    assert preferences.environment_folder(bpy.context) == tmp_path / "e"


def test_what_was_chosen_is_there_when_the_add_on_is_enabled_again(own: Any, bpy: Any, tmp_path: Path) -> None:
    import addon
    from addon import preferences

    (tmp_path / "user").mkdir()
    own.existing_python, own.jobs_folder, own.device, own.keep_jobs = "/studio/python", "", "CPU", 7
    addon.unregister()
    addons = bpy.context.preferences.addons
    addons.remove(addons[preferences.NAME])  # as Blender does
    try:
        addons.new().module = preferences.NAME
        addon.register()
        again: Any = preferences.of(bpy.context)
        assert (again.existing_python, again.device, again.keep_jobs) == ("/studio/python", "CPU", 7)
        again.existing_python = ""  # what is chosen now is what is kept
        addon.unregister()
        addon.register()
        again = preferences.of(bpy.context)
        assert again.existing_python == ""
    finally:
        if not hasattr(bpy.types.Scene, "maquette"):
            addon.register()


@pytest.mark.parametrize("content", ["[1]", "{", '{"keep_jobs": "many", "existing_python": 3}', "null"])
def test_kept_choices_that_cannot_be_read_are_passed_over(own: Any, bpy: Any, tmp_path: Path, content: str) -> None:
    from addon import preferences

    (tmp_path / "user").mkdir()
    (tmp_path / "user" / preferences.KEPT_FILE).write_text(content)
    preferences.register_extra()
    assert own.keep_jobs == 20 and own.existing_python == ""


def test_without_being_enabled_the_defaults_hold(enabled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from addon import preferences

    assert preferences.of(enabled.context) is None
    monkeypatch.setenv("MAQUETTE_PYTHON", sys.executable)
    assert preferences.interpreter(enabled.context) == Path(sys.executable)
    monkeypatch.setenv("MAQUETTE_MODELS", str(Path(sys.executable).parent))
    assert preferences.child_variables(enabled.context) == {"MAQUETTE_MODELS": str(Path(sys.executable).parent)}
    assert not preferences.keeps_running(enabled.context)
    assert preferences.jobs_folder(enabled.context).name == "jobs"


def test_the_gpu_is_chosen_for_the_backend_only(own: Any, bpy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from addon import preferences

    def visible() -> str | None:
        return preferences.child_variables(bpy.context).get("CUDA_VISIBLE_DEVICES")

    assert visible() is None
    own.device = "CPU"
    assert visible() == "-1"
    with pytest.raises(TypeError):
        own.device = "1"  # no GPU is known yet
    monkeypatch.setattr(background, "_found", diagnosis.judge(FINE))
    own.device = "1"
    assert visible() == "1" and background.found() is None  # what was found was about the other one
    assert own.device == "1"  # though nobody knows its name any more
    assert "CUDA_VISIBLE_DEVICES" not in os.environ
    assert preferences.child_variables(bpy.context)["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"


def test_networks_are_compiled_where_that_is_chosen(own: Any, bpy: Any) -> None:
    from addon import preferences

    assert "MAQUETTE_COMPILE" not in preferences.child_variables(bpy.context)
    own.compile_networks = True
    assert preferences.child_variables(bpy.context)["MAQUETTE_COMPILE"] == "on"


def test_the_queue_has_a_worker_for_each_gpu_or_for_so_many_threads(
    own: Any, bpy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from addon import preferences

    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    here = {"MAQUETTE_MODELS": str(preferences.models_folder(bpy.context))}
    assert preferences.workers(bpy.context) == [here]
    own.threads_of_a_worker = 2
    assert preferences.workers(bpy.context) == [here]  # there may be a GPU: nobody has looked yet
    monkeypatch.setattr(background, "_found", diagnosis.judge(FINE | {"gpus": []}))
    assert preferences.workers(bpy.context) == [here | {"MAQUETTE_THREADS": "2"}] * 3
    own.device = "CPU"
    assert [each["CUDA_VISIBLE_DEVICES"] for each in preferences.workers(bpy.context)] == ["-1"] * 3
    own.threads_of_a_worker = 16
    assert len(preferences.workers(bpy.context)) == 1
    own.device = "AUTOMATIC"
    monkeypatch.setattr(background, "_found", diagnosis.judge(FINE))
    assert len(diagnosis.judge(FINE).gpus) == 2
    cards = preferences.workers(bpy.context)
    assert [each["CUDA_VISIBLE_DEVICES"] for each in cards] == ["0", "1"]
    assert all("MAQUETTE_THREADS" not in each and each["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID" for each in cards)
    own.device = "1"
    assert preferences.workers(bpy.context) == [preferences.child_variables(bpy.context)]


def test_the_queue_goes_by_the_preferences(own: Any, bpy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from addon.ui import session
    from tests.blender.scripted_queue import ScriptedQueue

    monkeypatch.setattr(session, "Queue", ScriptedQueue)
    own.existing_python, own.device = sys.executable, "CPU"
    queue: Any = session.queue(bpy.context)
    assert queue.variables[0]["CUDA_VISIBLE_DEVICES"] == "-1" and not queue.is_detached
    own.keep_running = True
    assert queue.is_detached
    own.keep_running = False
    assert not queue.is_detached
    own.keep_running = True
    own.device = "AUTOMATIC"
    other: Any = session.queue(bpy.context)
    assert other is not queue and other.is_detached
    assert [each.keys() for each in other.variables] == [{"MAQUETTE_MODELS"}]
    assert ("close", None) in queue.done


# ---- what they show --------------------------------------------------------------------------------------------------


def test_without_the_network_install_is_grey_with_its_reason_and_the_way_there(
    own: Any, bpy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.blender.layout import Layout

    states = []
    monkeypatch.setattr(Layout, "__setattr__", lambda layout, name, value: states.append((name, value)), raising=False)
    shown = draw(bpy)
    assert shows(shown, "Blender may not go online") and shows(shown, "Network Preferences")
    assert ("enabled", False) in states and "maquette.open_manual" in shown.buttons
    own.wheels, states[:] = str(tmp_path), []
    shown = draw(bpy)
    assert not shows(shown, "Blender may not go online") and not shows(shown, "Network Preferences")
    assert ("enabled", False) not in states


def test_everything_is_drawn_with_a_tooltip(own: Any, bpy: Any) -> None:
    layout = draw(bpy)
    shown = {text for kind, text in layout.drawn if kind == "prop"}
    assert shown == {
        "Device",
        "Threads of a Worker",
        "Compile Networks",
        "Existing Python",
        "Python",
        "Torch",
        "Wheels Folder",
        "Environment Folder",
        "Jobs Folder",
        "Keep Jobs",
        "Keep Running When Blender Closes",
        "Models Folder",
        "Hub",
        "Token",
    }
    assert shows(layout, "The backend is not installed.") and shows(layout, "are free at")
    assert layout.buttons.keys() == {
        "maquette.fix",
        "maquette.fetch_model",
        "maquette.import_model",
        "maquette.open_manual",
    }
    assert layout.buttons["maquette.fix"].given["fix"] == "online"  # the last of its buttons: Blender may not go online


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_failure_is_drawn_with_its_fixes(
    kind: str, own: Any, bpy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from addon import preferences

    own.wheels = str(tmp_path)  # no network is needed then
    monkeypatch.setattr(background, "_found", Diagnosis(kind, "What is wrong, in some words.", "What to do."))
    layout = draw(bpy)
    assert shows(layout, "What is wrong, in some words. What to do.")
    labels = [text for drawn, text in layout.drawn if drawn == "operator"]
    expected = [FIXES[fix][0] for fix in KINDS[kind] if fix not in preferences.HERE]
    assert labels[: len(expected)] == expected

    from tests.blender.layout import Layout

    layout = Layout()
    preferences.draw_diagnosis(layout, bpy.context, diagnosis.Diagnosis(kind, "Elsewhere."), tmp_path)
    assert [text for drawn, text in layout.drawn if drawn == "operator"] == [FIXES[fix][0] for fix in KINDS[kind]]
    assert all(button.given["job"] == str(tmp_path) for button in layout.buttons.values())


def test_progress_is_drawn_with_a_way_to_stop(own: Any, bpy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    task = SimpleNamespace(command="make", share=0.25, text="fetching torch (3 of 60)", is_stopping=False, close=list)
    monkeypatch.setattr(background, "_task", task)
    layout = draw(bpy)
    assert ("progress", "fetching torch (3 of 60)") in layout.drawn
    assert layout.buttons.keys() >= {"maquette.stop_setup", "maquette.open_manual"}
    assert "maquette.check_backend" not in layout.buttons
    assert bpy.ops.maquette.stop_setup.poll() and not bpy.ops.maquette.install_backend.poll()
    task.is_stopping = True
    assert not bpy.ops.maquette.stop_setup.poll()


# ---- the manual ------------------------------------------------------------------------------------------------------


# ---- once after an update ----


def test_the_backend_is_checked_once_when_the_preferences_are_first_drawn(
    own: Any, bpy: Any, installs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from addon import paths
    from addon.ui import install

    (tmp_path / "user").mkdir()

    def open_preferences() -> bool:
        """Draw the preferences of a new session, and let its timers run; return whether the backend was asked."""
        monkeypatch.setattr(install, "_is_noted", False)
        background.forget()
        draw(bpy)
        assert background.task() is None  # drawing starts nothing
        assert bpy.app.timers.is_registered(install.check_after_update)
        bpy.app.timers.unregister(install.check_after_update)
        draw(bpy)
        assert not bpy.app.timers.is_registered(install.check_after_update)  # once in a session
        install.check_after_update()
        is_asked = background.task() is not None
        while background.task() is not None:
            install._tick()
        return is_asked

    own.existing_python = str(tmp_path / "gone")
    assert not open_preferences()  # nobody to ask
    own.existing_python = str(installs)
    assert open_preferences() and background.found() == diagnosis.judge(FINE)
    assert not open_preferences()
    monkeypatch.setattr(paths, "version", lambda: "99.0.0")
    monkeypatch.setenv(
        "DOCTOR", json.dumps({"findings": [{"name": "torch", "is_ok": False, "text": "none"}], "gpus": []})
    )
    assert open_preferences() and not background.found().is_usable  # pyright: ignore[reportOptionalMemberAccess]
    monkeypatch.setenv("DOCTOR", json.dumps(FINE))
    assert open_preferences() and not open_preferences()  # what was not well is asked again
