"""Whole jobs on the embedded prior, as small as they go."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from addon import protocol
from backend.cameras import orbit
from backend.diffusion.denoiser import Prior, load_prior
from backend.embedded.objects.solids import photograph
from backend.images import save_image
from backend.runtime.control import Control
from backend.runtime.job import Job
from backend.systems import dreambooth3d
from benchmarks.commands.demo import read_glb, sample_subject
from tests.backend.meshes.test_mirroring import is_symmetric

SMALL: dict[str, Any] = {
    "partial_steps": 1, "full_steps": 2, "multi_view_steps": 1, "tuning_batch": 1, "class_pictures": 1,
    "coarse_steps": 3, "final_steps": 3, "nodes": 24, "view_size": 32, "views": 2, "pseudo_views": 2, "pseudo_steps": 2,
    "mesh_resolution": 32, "max_faces": 400, "texture_size": 64, "texture_steps": 0, "points": 100, "tuning_rank": 2,
    "tuning_whole": "lora",
}  # fmt: skip


def new_job(folder: Path, *, photos: int = 2, prompt: str = "a red robot", **settings: Any) -> Job:
    (folder / "inputs").mkdir(parents=True)
    subject = sample_subject().solid
    for number in range(photos):
        camera = orbit([70.0 * number], 15.0, size=64)
        save_image(folder / f"inputs/{number}.png", photograph(subject, camera, torch.full((3,), 0.8)).rgb[0])
    images = tuple(protocol.InputImage(path=f"inputs/{number}.png", role="subject") for number in range(photos))
    request = protocol.Request(
        system="dreambooth3d",
        prompt=prompt,
        images=images,
        seed=2,
        preset="bench",
        threads=1,
        settings=SMALL | settings,
    )
    protocol.write_request(folder, request)
    return open_job(folder)


def open_job(folder: Path, said: list[Any] | None = None) -> Job:
    return Job(folder, protocol.read_request(folder), (said if said is not None else []).append, Control())


def results(folder: Path) -> dict[str, bytes]:
    return {name: (folder / "result" / name).read_bytes() for name in ("model.glb", "points.ply")}


@pytest.mark.slow
def test_a_job_leaves_mesh_and_points_and_goes_on_to_the_same_bytes_after_a_kill(tmp_path: Path) -> None:
    dreambooth3d.run(new_job(tmp_path / "whole", mirror="left"))
    facts = json.loads((tmp_path / "whole/result/result.json").read_text())
    assert facts["points"] == "coloured" and facts["faces"] > 0 and facts["system"] == "dreambooth3d"
    assert facts["made_with"]["subject"] == "a sks robot" and facts["gaussians"] == 0
    assert is_symmetric(read_glb(tmp_path / "whole/result/model.glb"))
    assert list(facts["seconds"]) and {"cutouts", "redrawn", "mesh"} <= facts["seconds"].keys()
    for stage in ("coarse", "refined"):
        folder = tmp_path / stage
        job = new_job(folder, mirror="left")
        kill_in(job, stage)
        with pytest.raises(KeyboardInterrupt):
            dreambooth3d.run(job)
        assert not (folder / "result/model.glb").exists()
        dreambooth3d.run(open_job(folder))
        assert results(folder) == results(tmp_path / "whole")


def kill_in(job: Job, stage: str, killed: int = 2) -> None:
    """Have a job die in a step of a stage, as a kill would, with a checkpoint of each step before."""
    steps = job.steps

    def dying(total: int, state: Any) -> Any:
        for step in steps(total, state):
            if stage in job.stage_folder.name and step == killed:
                raise KeyboardInterrupt
            yield step

    job._checkpoint_steps = 1
    job.steps = dying  # pyright: ignore[reportAttributeAccessIssue]


@pytest.fixture(scope="module")
def prior() -> Prior:
    return load_prior("embedded")


@pytest.mark.parametrize(
    ("prompt", "settings", "expected", "warned"),
    [
        ("a red robot on a chair", {}, "a red sks robot on a chair", ""),
        ("a red sks robot", {}, "a red sks robot", ""),
        ("a red mug", {"subject_class": "robot"}, "sks robot, a red mug", "The prompt does not say 'robot'"),
    ],
)
def test_the_token_stands_beside_the_class(
    prior: Prior, tmp_path: Path, prompt: str, settings: dict[str, Any], expected: str, warned: str
) -> None:
    new_job(tmp_path / "job", prompt=prompt, **settings)
    said: list[Any] = []
    job = open_job(tmp_path / "job", said)
    chosen = dreambooth3d.chosen_settings(dreambooth3d.DREAMBOOTH3D, "bench", job.settings)
    assert dreambooth3d.wanted_subject(job, prior, chosen) == ("robot", expected)
    messages = " ".join(event.message for event in said)
    assert warned in messages and "'sks'" not in messages
