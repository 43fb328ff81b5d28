"""What tests of the tab share: its session, with a queue that no process runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.blender.scripted_queue import ScriptedQueue


@pytest.fixture
def session(enabled: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The add-on with a scripted queue, and imports that are only noted."""
    from addon import preferences
    from addon.scene import importer
    from addon.ui import session as running

    (tmp_path / "python").touch()
    monkeypatch.setenv("MAQUETTE_PYTHON", str(tmp_path / "python"))
    monkeypatch.setattr(preferences, "jobs_folder", lambda context: tmp_path / "jobs")
    monkeypatch.setattr(running, "Queue", ScriptedQueue)
    imported: list[Path] = []

    def note(job: Path, **_: Any) -> importer.Imported:
        imported.append(job)
        item = enabled.data.objects.new("imported", None)
        return importer.Imported(enabled.context.scene.collection, item, None)

    monkeypatch.setattr(importer, "import_result", note)
    monkeypatch.setattr(running, "imported", imported, raising=False)
    return running
