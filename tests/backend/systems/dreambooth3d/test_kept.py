"""A kept subject: a second prompt costs the field alone, and files that are not what was kept are refused."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

from addon import protocol
from backend.diffusion.denoiser import Prior, load_prior
from backend.errors import BadInput, JobStopped
from backend.runtime.job import Job
from backend.systems import dreambooth3d
from backend.systems.dreambooth3d.kept import PLACES_FILE, asked_subject, load_subject
from tests.backend.systems.dreambooth3d.test_dreambooth3d import SMALL, kill_in, new_job, open_job, results


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> protocol.Subject:
    """A subject from a job that was stopped when it had learnt it."""
    place = tmp_path_factory.mktemp("kept")
    new_job(place / "job")
    request = protocol.read_request(place / "job")
    protocol.write_request(place / "job", dataclasses.replace(request, stop_after="teaching"))
    with pytest.raises(JobStopped):
        dreambooth3d.run(open_job(place / "job"))
    return protocol.keep_subject(place / "subjects", place / "job", "Robbie")


@pytest.fixture(scope="module")
def prior() -> Prior:
    return load_prior("embedded")


def job_of(subject: protocol.Subject, folder: Path, **fields: Any) -> Path:
    asked = {"prompt": "a blue robot", "preset": "bench", "threads": 1, "settings": SMALL} | fields
    protocol.make_folder(folder, *protocol.describe(system="dreambooth3d", subject=subject, **asked))
    return folder


@pytest.mark.slow
def test_a_second_prompt_has_the_stages_of_the_field_alone_and_goes_on_to_the_same_bytes(
    kept: protocol.Subject, tmp_path: Path
) -> None:
    whole = open_job(job_of(kept, tmp_path / "whole"))
    dreambooth3d.run(whole)
    system = protocol.SYSTEMS["dreambooth3d"]
    assert [record["name"] for record in whole.stages] == ["coarse", "redrawn", "reteaching", "refined", "mesh"]
    assert [stage.name for stage in system.stages_of(whole.request.roles, system.presets["bench"], ("mesh",))] == [
        record["name"] for record in whole.stages
    ]
    facts = json.loads((tmp_path / "whole/result/result.json").read_text())
    assert facts["made_with"]["subject"] == "a sks robot" and facts["faces"] > 0
    assert f"{protocol.SUBJECT_FOLDER}/taught/full/pytorch_lora_weights.safetensors" in facts["inputs"]
    killed = open_job(job_of(kept, tmp_path / "killed"))
    kill_in(killed, "refined")
    with pytest.raises(KeyboardInterrupt):
        dreambooth3d.run(killed)
    dreambooth3d.run(open_job(tmp_path / "killed"))
    assert results(tmp_path / "killed") == results(tmp_path / "whole")
    with pytest.raises(protocol.ProtocolError, match="made from a kept subject"):
        protocol.keep_subject(tmp_path, tmp_path / "whole", "again")


def test_it_is_what_the_job_has_learnt(kept: protocol.Subject, prior: Prior, tmp_path: Path) -> None:
    job = open_job(job_of(kept, tmp_path / "job"))
    record = asked_subject(job)
    assert record is not None and (record.subject, record.token) == ("robot", "sks")
    loaded = load_subject(job, record, prior)
    assert loaded.photos.shape == (2, 128, 128, 4) and loaded.classes is not None and len(loaded.classes) == 1
    assert len(loaded.places) == 2 and all(-180 <= place.azimuth_degrees <= 360 for place in loaded.places)
    weights = [prior_.unet.conv_in.weight for prior_ in (prior, loaded.partial, loaded.full)]
    assert all(torch.equal(weights[0], other) for other in weights[1:])  # the LoRA is in the attention
    names = [name for name in prior.unet.state_dict() if name.endswith("attn1.to_q.weight")]
    states = [each.unet.state_dict()[names[0]] for each in (prior, loaded.partial, loaded.full)]
    assert not torch.equal(states[0], states[1]) and not torch.equal(states[1], states[2])


def change(folder: Path, name: str) -> None:
    path = folder / protocol.SUBJECT_FOLDER / name
    path.write_bytes(path.read_bytes()[:-1] + b"?")


@pytest.mark.parametrize(
    "name", ["photos/photo-01.png", "taught/full/pytorch_lora_weights.safetensors", "classes/tensors.safetensors"]
)
def test_a_file_that_is_not_the_one_that_was_kept_is_refused_before_anything_is_loaded(
    kept: protocol.Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(dreambooth3d, "kept_prior", lambda *_: pytest.fail("loaded"))
    change(job_of(kept, tmp_path / "job"), name)
    with pytest.raises(BadInput, match="another one than the request names"):
        dreambooth3d.run(open_job(tmp_path / "job"))
    (tmp_path / "job" / protocol.SUBJECT_FOLDER / name).unlink()
    with pytest.raises(BadInput, match="is missing"):
        dreambooth3d.run(open_job(tmp_path / "job"))


def test_a_link_in_the_place_of_a_file_is_refused(kept: protocol.Subject, tmp_path: Path) -> None:
    path = job_of(kept, tmp_path / "job") / protocol.SUBJECT_FOLDER / "photos/photo-01.png"
    path.unlink()
    path.symlink_to(kept.folder / "photos/photo-01.png")
    with pytest.raises(BadInput, match="leads out of the job folder"):
        asked_subject(open_job(tmp_path / "job"))


def test_places_of_other_photos_are_refused_and_a_subject_from_before_has_none(
    kept: protocol.Subject, prior: Prior, tmp_path: Path
) -> None:
    job = open_job(job_of(kept, tmp_path / "job"))
    record = asked_subject(job)
    assert record is not None and PLACES_FILE in record.files
    path = job.folder / protocol.SUBJECT_FOLDER / PLACES_FILE
    for rows in (torch.zeros(3, 3), torch.zeros(2, 2), torch.full((2, 3), float("nan"))):
        path.write_bytes(save({"places": rows}))
        with pytest.raises(BadInput, match="cameras of the kept subject's photos"):
            load_subject(job, record, prior)
    before = {name: value for name, value in record.files.items() if name != PLACES_FILE}
    assert load_subject(job, dataclasses.replace(record, files=before), prior).places == []


def test_another_prior_than_was_taught_is_said(kept: protocol.Subject, prior: Prior, tmp_path: Path) -> None:
    job: Job = open_job(job_of(kept, tmp_path / "job"))
    record = asked_subject(job)
    assert record is not None
    with pytest.raises(BadInput, match="Robbie was taught to another prior than embedded"):
        load_subject(job, record, dataclasses.replace(prior, fingerprint="other"))
