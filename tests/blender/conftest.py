"""Blender as a Python module, with the add-on enabled."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from addon.install import background
from tests.blender.shown_preferences import FINE
from tests.fake_python import write_fake_python


@pytest.fixture
def bpy() -> Any:
    """Blender's module with an empty file."""
    module: Any = pytest.importorskip("bpy", reason="bpy is not in this environment; install requirements.lock")
    module.ops.wm.read_factory_settings(use_empty=True)
    return module


@pytest.fixture
def enabled(bpy: Any) -> Iterator[Any]:
    """Blender's module with an empty file and the add-on enabled."""
    import addon

    addon.register()
    yield bpy
    addon.unregister()


@pytest.fixture
def folder(enabled: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The jobs folder, with a queue that no process runs."""
    from addon import preferences
    from addon.ui import session
    from tests.blender.scripted_queue import ScriptedQueue

    (tmp_path / "python").touch()
    monkeypatch.setenv("MAQUETTE_PYTHON", str(tmp_path / "python"))
    monkeypatch.setattr(preferences, "jobs_folder", lambda context: tmp_path / "jobs")
    monkeypatch.setattr(session, "_queue", ScriptedQueue(tmp_path / "jobs", [], variables={}))
    monkeypatch.setattr(session, "queue", lambda context: session._queue)
    (tmp_path / "jobs").mkdir()
    return tmp_path / "jobs"


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
    addons = enabled.context.preferences.addons
    addons.remove(addons[preferences.NAME])  # another one, if the test has removed this


@pytest.fixture
def installs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Python from which an environment is made at once, and whose backend answers that all is well."""
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("FAILING", "nothing fails")
    monkeypatch.setenv("DOCTOR", json.dumps(FINE))
    # Of the process that makes it, which asks for room for the real packages.
    code = "import addon.install.environment as e; e.NEEDED_GIB = e.NEEDED_WITH_CUDA_GIB = 0.0; "
    code += "import addon.__main__ as m; "
    code += "import sys; sys.exit(m.main(sys.argv[3:]))"
    helper = tmp_path / "helper"
    helper.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{code}" "$@"\n')
    helper.chmod(0o755)
    monkeypatch.setattr(background, "helper", lambda: helper)
    return write_fake_python(tmp_path / "python3.11")
