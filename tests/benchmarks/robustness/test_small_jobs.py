"""The small jobs are what a backend takes, the same every time, with a checkpoint after each step."""

from __future__ import annotations

from pathlib import Path

import pytest

from addon import protocol
from backend.export import read_points_ply
from backend.systems.overrides import chosen_settings
from benchmarks.robustness.small_jobs import KINDS, QUEUED, write_small_job


def read(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "queue"])
def test_a_job_is_one_that_the_backend_takes(kind: str, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_small_job(kind, tmp_path / name)
    assert read(tmp_path / "a") == read(tmp_path / "b")
    request = protocol.read_request(tmp_path / "a")
    assert request.system == (kind if kind in protocol.SYSTEMS else "tv3dg") and request.threads == 1
    assert request.settings["checkpoint_steps"] == 1
    system = protocol.built_systems()[request.system]
    own = {name: value for name, value in request.settings.items() if not name.startswith("checkpoint")}
    settings = chosen_settings(system, request.preset, own)
    assert settings.texture_size <= 64 and len(system.stages_of(request.roles, settings, request.outputs)) >= 2
    assert all((tmp_path / "a" / name).is_file() for name in request.files)
    assert bool(request.start) == (kind == "edit")
    if request.start:
        assert len(read_points_ply(tmp_path / "a" / request.start)) == 150


def test_a_queue_has_its_jobs_in_order(tmp_path: Path) -> None:
    write_small_job("queue", tmp_path / "q")
    assert tuple(turn.job for turn in protocol.read_turns(tmp_path / "q" / protocol.QUEUE_FILE)) == QUEUED
    assert {protocol.read_request(tmp_path / "q" / name).prompt for name in QUEUED} == {"a red first", "a red second"}
