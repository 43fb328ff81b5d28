"""A job that makes another mesh of what one has optimised: what it takes along, and what it cannot change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from addon import api, protocol
from addon.jobs import store
from tests.addon.jobs.test_store import HELLO, say


def finished(folder: Path, system: str = "tv3dg", **wishes: object) -> Path:
    """Write a finished job of three stages."""
    job = folder / "first"
    for name in ("stages/1-sides/side.png", "stages/2-gaussians/tensors.safetensors", "stages/3-mesh/values.json"):
        (job / name).parent.mkdir(parents=True)
        (job / name).write_bytes(name.encode())
    (job / "stages/2-gaussians/stage.json").write_text('{"number": 2, "seconds": 61.5}')
    request = protocol.Request(system=system, prompt="a red mug", preset="bench", **wishes)  # pyright: ignore
    protocol.write_request(job, request)
    say(job, HELLO, protocol.Finished(results=("result/model.glb",), seconds=1.0))
    return job


def test_the_new_job_has_all_stages_but_that_of_the_mesh(tmp_path: Path) -> None:
    first = finished(tmp_path, settings={"views": 2, "max_faces": 900}, stop_after="gaussians")
    named: Any = str(first)  # as scripts have it
    again = api.remesh(named, jobs=tmp_path, max_faces=500, texture_size=64)
    request = protocol.read_request(again)
    assert request.settings == {"views": 2, "max_faces": 500, "texture_size": 64} and not request.stop_after
    made = sorted(path.relative_to(again).as_posix() for path in (again / "stages").rglob("*") if path.is_file())
    values = "stages/2-gaussians/tensors.safetensors"
    assert made == ["stages/1-sides/side.png", "stages/2-gaussians/stage.json", values]
    assert json.loads((again / made[1]).read_text()) == {"number": 2, "seconds": 0.0}  # the new job has not taken them
    assert (again / values).read_bytes() == values.encode() and (first / "stages/3-mesh/values.json").exists()


def test_what_cannot_be_given_to_a_finished_job_is_a_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    first = finished(tmp_path)
    size = protocol.SYSTEMS["tv3dg"].presets["bench"].texture_size
    wrong = [({"steps": 9}, "steps is not of the mesh alone"), ({"texture_size": size}, "which first has"), ({}, "has")]
    for settings, words in wrong:
        with pytest.raises(protocol.ProtocolError, match=words):
            api.remesh(first, jobs=tmp_path / "jobs", **settings)
    (first / "stages/2-gaussians/tensors.safetensors").unlink()
    (first / "stages/2-gaussians/stage.json").unlink()
    (first / "stages/1-sides/side.png").unlink()
    with pytest.raises(protocol.ProtocolError, match="no stages to go on from"):
        store.remesh_job(tmp_path / "jobs", first, {"max_faces": 500})
    say(first, HELLO)
    with pytest.raises(protocol.ProtocolError, match="no result yet"):
        store.remesh_job(tmp_path / "jobs", first, {"max_faces": 500})
    assert not (tmp_path / "jobs").exists()


def test_points_alone_have_no_mesh_to_make_again(tmp_path: Path) -> None:
    with pytest.raises(protocol.ProtocolError, match="points alone"):
        protocol.describe_remesh(finished(tmp_path, outputs=("points",)), {"max_faces": 500})


@pytest.mark.parametrize("name", [name for name, system in protocol.SYSTEMS.items() if system.is_built])
def test_what_a_mesh_is_made_with_are_settings_of_its_system(name: str) -> None:
    system = protocol.SYSTEMS[name]
    assert {"texture_size", "origin", "height", "mirror"} <= set(system.mesh_settings) <= set(system.settings)
    assert system.stages[-1].name == "mesh"
