"""Edit by Text of a subject: it begins from the field, has the stages that are left, and refuses what is no field."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from addon import protocol
from addon.protocol.systems.dreambooth3d import DreamBooth3DSettings
from backend.errors import BadInput
from backend.representations.radiance_grid import blob_grid
from backend.runtime.job import Job
from backend.systems import dreambooth3d
from backend.systems.dreambooth3d.edit import of_edit, read_start
from tests.backend.systems.dreambooth3d.test_dreambooth3d import new_job, open_job, results


def test_an_edit_has_steps_and_strength_of_its_own_and_goes_on_from_its_field() -> None:
    settings = of_edit(DreamBooth3DSettings(edit_steps=7, edit_scale=3.0, edit_redraw=0.4))
    assert (settings.final_steps, settings.final_scale, settings.pseudo_noise, settings.warm_start) == (
        7,
        3.0,
        0.4,
        True,
    )


def job_from(folder: Path, tensors: dict[str, torch.Tensor] | bytes) -> Job:
    (folder / "inputs").mkdir(parents=True)
    start = folder / "inputs/start.safetensors"
    start.write_bytes(tensors) if isinstance(tensors, bytes) else save_file(tensors, start)
    images = tuple(protocol.InputImage(path=f"inputs/{n}.png", role="subject") for n in range(2))
    request = protocol.Request(
        system="dreambooth3d", prompt="a blue bear", images=images, start="inputs/start.safetensors", start_prompt="x"
    )
    protocol.write_request(folder, request)
    return open_job(folder)


def test_a_field_comes_back_and_a_stranger_s_file_is_refused(tmp_path: Path) -> None:
    field = blob_grid(8).state_dict()
    assert torch.equal(read_start(job_from(tmp_path / "good", field)).values, field["values"])
    spoilt = field | {"values": field["values"].clone()}
    spoilt["values"][1, 2, 3, 0] = float("nan")
    bad = {
        "text": b"no tensors at all",
        "other": {"means": torch.zeros(3)},
        "shape": field | {"values": torch.zeros(8, 8, 7, 4)},
        "flat": field | {"values": torch.tensor(1.0)},
        "nan": spoilt,
    }
    for name, tensors in bad.items():
        with pytest.raises(BadInput, match="inputs/start.safetensors holds no field to begin from"):
            read_start(job_from(tmp_path / name, tensors))


@pytest.mark.slow
def test_a_result_is_edited_under_what_its_job_has_learnt(tmp_path: Path) -> None:
    dreambooth3d.run(new_job(tmp_path / "first"))
    request, sources = protocol.describe_edit(tmp_path / "first", "a blue sks robot", settings={"edit_steps": 2})
    protocol.make_folder(tmp_path / "edited", request, sources)
    job = open_job(tmp_path / "edited")
    dreambooth3d.run(job)
    assert [record["name"] for record in job.stages] == ["redrawn", "reteaching", "refined", "mesh"]
    assert results(tmp_path / "edited") != results(tmp_path / "first")
    before, after = (
        load_file(tmp_path / name / f"stages/{number}-refined/tensors.safetensors")["values"]
        for name, number in (("first", 8), ("edited", 3))
    )
    assert before.shape == after.shape and 0 < float((before - after).abs().mean()) < 0.5 * float(before.abs().mean())
