"""Send to Farm: the jobs of a batch, the farm's files beside them, the command in the clipboard."""

# pyright: reportMissingImports=false

from __future__ import annotations

import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from addon.jobs import store


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of two pictures, and a backend that answers."""
    monkeypatch.setenv("MAQUETTE_PYTHON", sys.executable)
    path = tmp_path / "pictures"
    path.mkdir()
    for name in ("cup", "jug"):
        Image.new("RGB", (8, 8), "red").save(path / f"{name}.png")
    return path


def test_a_batch_goes_to_a_farm_and_nothing_runs_here(enabled: Any, pictures: Path, tmp_path: Path) -> None:
    from addon.ui import session

    shared = tmp_path / "shared"
    send = lambda: enabled.ops.maquette.send_to_farm(  # noqa: E731
        "EXEC_DEFAULT", directory=str(pictures), engine="openjd", shared_folder=str(shared), python="/opt/python"
    )
    assert send() == {"FINISHED"}
    jobs = store.list_jobs(shared)
    assert len(jobs) == 2 and session.waiting() == [] and not session.all_running()
    (bundle,) = (shared / "farm").iterdir()
    assert (bundle / "template.json").is_file() and "/opt/python" in (bundle / "parameter_values.json").read_text()
    if sys.platform != "win32":  # workers are often another user
        assert all(stat.S_IMODE(job.stat().st_mode) & 0o055 for job in jobs)
    assert send() == {"FINISHED"} and len(store.list_jobs(shared)) == 2  # the same jobs go on


def test_what_cannot_be_sent_is_one_sentence(enabled: Any, pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="other machines cannot see it"):
        enabled.ops.maquette.send_to_farm(
            "EXEC_DEFAULT", directory=str(pictures), engine="slurm", shared_folder=str(tmp_path / "shared")
        )
    with pytest.raises(RuntimeError, match="No image is selected"):
        enabled.ops.maquette.send_to_farm("EXEC_DEFAULT", engine="slurm")
