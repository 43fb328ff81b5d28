"""The preferences in Blender: what they choose, what they show, and what their buttons do."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from addon import background, diagnosis, environment
from addon.diagnosis import FIXES, KINDS, Diagnosis
from tests.fake_python import write_fake_python

FINE = {"findings": [{"name": "gpu", "is_ok": None, "text": "none"}], "gpus": ["RTX A", "RTX B"]}


@pytest.fixture
def own(enabled: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The add-on's preferences; its files lie in a folder of the test, and nothing was installed yet."""
    from addon import preferences

    monkeypatch.delenv("MAQUETTE_PYTHON", raising=False)
    monkeypatch.setattr(preferences, "user_folder", lambda: tmp_path / "user")
    entry = enabled.context.preferences.addons.new()
    entry.module = preferences.NAME
    yield entry.preferences
    background.close()
    enabled.context.preferences.addons.remove(entry)


@pytest.fixture
def installs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Python from which an environment is made at once, and whose backend answers that all is well."""
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("FAILING", "nothing fails")
    monkeypatch.setenv("DOCTOR", json.dumps(FINE))
    # Of the process that makes it, which asks for room for the real packages.
    code = "import addon.environment as e; e.NEEDED_GIB = e.NEEDED_WITH_CUDA_GIB = 0.0; import addon.__main__ as m; "
    code += "import sys; sys.exit(m.main(sys.argv[3:]))"
    helper = tmp_path / "helper"
    helper.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{code}" "$@"\n')
    helper.chmod(0o755)
    monkeypatch.setattr(background, "helper", lambda: helper)
    return write_fake_python(tmp_path / "python3.11")


def draw(bpy: Any) -> Any:
    """Draw the preferences and return the noted layout."""
    from addon import preferences
    from tests.blender.layout import Layout

    layout = Layout()
    cls: Any = preferences.MAQUETTE_AP_preferences
    own: Any = preferences.of(bpy.context)
    values = {name: getattr(own, name) for name in cls.__annotations__}
    drawn = SimpleNamespace(layout=layout, bl_rna=own.bl_rna, **values)
    cls.draw(drawn, bpy.context)
    return layout


def shows(layout: Any, text: str) -> bool:
    return text in " ".join(layout.texts)


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


def test_without_being_enabled_the_defaults_hold(enabled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from addon import preferences

    assert preferences.of(enabled.context) is None
    monkeypatch.setenv("MAQUETTE_PYTHON", sys.executable)
    assert preferences.interpreter(enabled.context) == Path(sys.executable)
    assert preferences.child_variables(enabled.context) == {} and not preferences.keeps_running(enabled.context)
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


def test_the_queue_goes_by_the_preferences(own: Any, bpy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from addon import running
    from tests.blender.scripted_queue import ScriptedQueue

    monkeypatch.setattr(running, "Queue", ScriptedQueue)
    own.existing_python, own.device = sys.executable, "CPU"
    queue: Any = running.queue(bpy.context)
    assert queue.variables["CUDA_VISIBLE_DEVICES"] == "-1" and not queue.is_detached
    own.keep_running = True
    assert queue.is_detached
    own.keep_running = False
    assert not queue.is_detached
    own.keep_running = True
    own.device = "AUTOMATIC"
    other: Any = running.queue(bpy.context)
    assert other is not queue and other.variables == {} and other.is_detached
    assert ("close", None) in queue.done


# ---- what they show --------------------------------------------------------------------------------------------------


def test_everything_is_drawn_with_a_tooltip(own: Any, bpy: Any) -> None:
    layout = draw(bpy)
    shown = {text for kind, text in layout.drawn if kind == "prop"}
    assert shown == {
        "Device",
        "Existing Python",
        "Python",
        "Wheels Folder",
        "Environment Folder",
        "Jobs Folder",
        "Keep Jobs",
        "Keep Running When Blender Closes",
    }
    assert shows(layout, "The backend is not installed.") and shows(layout, "are free at")
    assert layout.buttons.keys() == {"maquette.fix"} and layout.buttons["maquette.fix"].given["fix"] == "install"


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_failure_is_drawn_with_its_fixes(
    kind: str, own: Any, bpy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from addon import preferences

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
    assert layout.buttons.keys() == {"maquette.stop_setup"}
    assert bpy.ops.maquette.stop_setup.poll() and not bpy.ops.maquette.install_backend.poll()
    task.is_stopping = True
    assert not bpy.ops.maquette.stop_setup.poll()


# ---- what the buttons do ---------------------------------------------------------------------------------------------


def test_the_backend_is_installed_verified_repaired_and_removed(
    own: Any, bpy: Any, installs: Path, tmp_path: Path
) -> None:
    from addon import preferences

    own.base_python, own.wheels = str(installs), str(tmp_path)  # of wheels: nothing goes online
    assert bpy.ops.maquette.install_backend() == {"FINISHED"}
    python = preferences.interpreter(bpy.context)
    assert python == tmp_path / "user/environment/bin/python"
    assert preferences.status(bpy.context).sentence == "Ready: jobs run on the CPU."
    layout = draw(bpy)
    assert shows(layout, "It takes ") and "maquette.verify_backend" in layout.buttons
    assert layout.buttons["maquette.install_backend"].given == {"anew": True}

    with pytest.raises(RuntimeError, match="accelerate is missing"):
        bpy.ops.maquette.verify_backend()  # the packages of the real lock, which the fake pip does not install
    assert preferences.status(bpy.context).kind == "broken"

    (python.parent.parent / "mark").touch()
    assert bpy.ops.maquette.fix(fix="repair") == {"FINISHED"}
    assert not (python.parent.parent / "mark").exists()

    assert bpy.ops.maquette.remove_backend() == {"FINISHED"}
    assert not python.exists() and preferences.status(bpy.context).kind == "missing"


def test_what_fails_is_raised_and_shown(
    own: Any, bpy: Any, installs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from addon import preferences

    monkeypatch.setenv("PIP", "network")
    own.base_python, own.wheels = str(installs), str(tmp_path)
    with pytest.raises(RuntimeError, match="the package index could not be reached"):
        bpy.ops.maquette.install_backend()
    found = preferences.status(bpy.context)
    assert (found.kind, found.fix) == ("offline", "online")
    assert not preferences.environment_folder(bpy.context).exists()


def test_nothing_is_fetched_while_blender_may_not_go_online(own: Any, bpy: Any, tmp_path: Path) -> None:
    assert not bpy.app.online_access  # as Blender comes
    assert not bpy.ops.maquette.install_backend.poll()
    with pytest.raises(RuntimeError, match="Blender may not go online"):
        bpy.ops.maquette.install_backend()
    own.wheels = str(tmp_path)
    assert bpy.ops.maquette.install_backend.poll()


def test_packages_are_not_changed_under_a_running_job(own: Any, bpy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from addon import preferences, running
    from tests.blender.scripted_queue import ScriptedQueue

    started: list[Any] = []
    monkeypatch.setattr(background, "start", lambda *arguments, **_: started.append(arguments))
    monkeypatch.setattr(running, "Queue", ScriptedQueue)
    monkeypatch.setenv("MAQUETTE_PYTHON", sys.executable)
    queue: Any = running.queue(bpy.context)
    monkeypatch.delenv("MAQUETTE_PYTHON")
    queue.running = Path("job")
    with pytest.raises(RuntimeError, match="Jobs are running"):
        bpy.ops.maquette.remove_backend()
    assert started == []
    queue.running = None
    assert bpy.ops.maquette.remove_backend() == {"FINISHED"}
    assert ("close", None) in queue.done  # the process that stays warm uses the packages too
    assert started == [("remove", preferences.environment_folder(bpy.context))]


def test_a_python_of_the_artists_is_left_alone(own: Any, bpy: Any) -> None:
    own.existing_python = sys.executable
    for name in ("install_backend", "verify_backend", "remove_backend"):
        assert not getattr(bpy.ops.maquette, name).poll()
    assert "maquette.remove_backend" not in draw(bpy).buttons and bpy.ops.maquette.check_backend.poll()


def test_check_asks_the_backend(own: Any, bpy: Any) -> None:
    from addon import preferences

    pytest.importorskip("torch", reason="this environment is not the backend's; install requirements.lock")
    own.existing_python = sys.executable
    assert bpy.ops.maquette.check_backend() == {"FINISHED"}  # the real one
    found = preferences.status(bpy.context)
    assert found.sentence.startswith("Ready: jobs run on") and dict(found.facts)["maquette"]


# ---- fixes -----------------------------------------------------------------------------------------------------------


def test_every_fix_does_something(own: Any, bpy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from addon import setup

    called: list[tuple[str, dict[str, Any]]] = []

    class Operators:
        def __init__(self, path: str = "") -> None:
            self.path = path

        def __getattr__(self, name: str) -> Operators:
            return Operators(f"{self.path}.{name}")

        def __call__(self, **given: Any) -> set[str]:
            called.append((self.path, given))
            return {"FINISHED"}

    fake = SimpleNamespace(ops=Operators("ops"), path=bpy.path)
    monkeypatch.setattr(setup, "bpy", fake)
    job = str(tmp_path / "job")
    for fix in FIXES:
        if fix:
            assert setup.put_right(bpy.context, fix, job) == {"FINISHED"}, fix
    paths = [path for path, _ in called]
    assert paths.count("ops.maquette.install_backend") == 2
    assert ("ops.maquette.resume", {"job": job}) in called and ("ops.maquette.import_result", {"job": job}) in called
    assert ("ops.wm.path_open", {"filepath": str(tmp_path / "job/log.txt")}) in called
    assert len(called) == len(FIXES) - 2  # all but nothing, and the preset, which is set
    assert bpy.context.scene.maquette.preset == "bench" and bpy.context.scene.maquette.new_seed


def test_a_fix_that_fails_says_so(own: Any, bpy: Any, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="Blender may not go online"):
        bpy.ops.maquette.fix(fix="install")


# ---- the manual ------------------------------------------------------------------------------------------------------


def test_online_manual_of_each_operator_is_a_page_that_is_there(enabled: Any) -> None:
    from bl_operators.wm import WM_OT_doc_view_manual  # type: ignore[import-not-found]

    from addon import setup

    names = [name for name in dir(enabled.ops.maquette) if not name.startswith("_")]
    assert {"generate", "batch", "install_backend"} <= set(names)
    pages = {}
    for name in names:
        address = WM_OT_doc_view_manual._lookup_rna_url(f"bpy.ops.maquette.{name}", verbose=False)
        assert address.startswith(setup.MANUAL.as_uri()), (name, address)
        pages[name] = address.rpartition("/")[2]
        assert (setup.MANUAL / pages[name]).is_file()
    assert (pages["install_backend"], pages["batch"]) == ("installing.md", "queue-and-history.md")
    assert {name for about in setup.PAGES.values() for name in about} <= set(names)


# ---- once after an update ----


def test_the_backend_is_checked_once_when_the_preferences_are_first_drawn(
    own: Any, bpy: Any, installs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from addon import paths, setup

    (tmp_path / "user").mkdir()

    def open_preferences() -> bool:
        """Draw the preferences of a new session, and let its timers run; return whether the backend was asked."""
        monkeypatch.setattr(setup, "_is_noted", False)
        background.forget()
        draw(bpy)
        assert background.task() is None  # drawing starts nothing
        assert bpy.app.timers.is_registered(setup.check_after_update)
        bpy.app.timers.unregister(setup.check_after_update)
        draw(bpy)
        assert not bpy.app.timers.is_registered(setup.check_after_update)  # once in a session
        setup.check_after_update()
        is_asked = background.task() is not None
        while background.task() is not None:
            setup._tick()
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
