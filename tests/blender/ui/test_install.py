"""The buttons of the installation: install, verify, repair, remove, check, and every fix."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from addon.install import background
from addon.install.diagnosis import FIXES
from tests.blender.shown_preferences import draw, shows


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


def test_the_torch_that_was_chosen_is_asked_for(
    own: Any, bpy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []
    monkeypatch.setattr(background, "start", lambda *arguments, **_: started.append(arguments))
    own.wheels = str(tmp_path)
    for choice, words in (("AS_IS", []), ("CUDA", ["--torch", "cuda"]), ("CPU", ["--torch", "cpu"])):
        own.torch_build = choice
        assert bpy.ops.maquette.install_backend() == {"FINISHED"}
        assert [word for word in started.pop() if word in ("--torch", "cuda", "cpu")] == words


def test_packages_are_not_changed_under_a_running_job(own: Any, bpy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from addon import preferences
    from addon.ui import session
    from tests.blender.scripted_queue import ScriptedQueue

    started: list[Any] = []
    monkeypatch.setattr(background, "start", lambda *arguments, **_: started.append(arguments))
    monkeypatch.setattr(session, "Queue", ScriptedQueue)
    monkeypatch.setenv("MAQUETTE_PYTHON", sys.executable)
    queue: Any = session.queue(bpy.context)
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


def test_every_fix_does_something(own: Any, bpy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from addon.ui import install

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
    monkeypatch.setattr(install, "bpy", fake)
    job = str(tmp_path / "job")
    for fix in FIXES:
        if fix:
            assert install.put_right(bpy.context, fix, job) == {"FINISHED"}, fix
    paths = [path for path, _ in called]
    assert paths.count("ops.maquette.install_backend") == 2
    assert ("ops.maquette.resume", {"job": job}) in called and ("ops.maquette.import_result", {"job": job}) in called
    assert ("ops.wm.path_open", {"filepath": str(tmp_path / "job/log.txt")}) in called
    assert len(called) == len(FIXES) - 2  # all but nothing, and the preset, which is set
    assert bpy.context.scene.maquette.preset == "bench" and bpy.context.scene.maquette.new_seed


def test_a_fix_that_fails_says_so(own: Any, bpy: Any, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="^Error: Blender may not go online"):  # and nothing about operators
        bpy.ops.maquette.fix(fix="install")


def test_a_python_that_is_chosen_is_asked_at_once(
    own: Any, bpy: Any, installs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from addon import preferences
    from addon.ui import install

    (tmp_path / "user").mkdir()
    asked: list[Any] = []
    monkeypatch.setattr(preferences, "when_chosen", [lambda: asked.append("now")])
    own.existing_python = str(installs)
    assert asked == ["now"]
    monkeypatch.setenv(
        "DOCTOR", json.dumps({"findings": [{"name": "numba", "is_ok": False, "text": "none"}], "gpus": []})
    )
    assert install.check_chosen() is None and background.task() is not None
    assert install.check_chosen() == install.TICK_SECONDS  # later: all is busy
    while background.task() is not None:
        install._tick()
    found = preferences.status(bpy.context)
    assert found.kind == "broken" and found.sentence.startswith("numba is missing or broken")
    layout = draw(bpy)
    fixes = [text for kind, text in layout.drawn if kind == "operator"]
    assert "Repair" not in fixes and not shows(layout, "Blender may not go online")  # it is not ours to repair


def test_a_python_that_is_not_there_is_no_reason_to_go_online(own: Any, bpy: Any, tmp_path: Path) -> None:
    own.existing_python = str(tmp_path / "gone")
    layout = draw(bpy)
    assert shows(layout, "There is no Python at") and not shows(layout, "Blender may not go online")
    assert "Install" not in layout.texts
