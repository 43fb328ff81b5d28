"""Blender as a Python module, with the add-on enabled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


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
    from addon import preferences, running
    from tests.blender.scripted_queue import ScriptedQueue

    (tmp_path / "python").touch()
    monkeypatch.setenv("MAQUETTE_PYTHON", str(tmp_path / "python"))
    monkeypatch.setattr(preferences, "jobs_folder", lambda context: tmp_path / "jobs")
    monkeypatch.setattr(running, "_queue", ScriptedQueue(tmp_path / "jobs", [], variables={}))
    monkeypatch.setattr(running, "queue", lambda context: running._queue)
    (tmp_path / "jobs").mkdir()
    return tmp_path / "jobs"
