"""Steps of TV-3DG with Stable Diffusion 1.5's layout: random networks, a quarter of the channels, 256 px."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from addon import protocol
from addon.protocol.systems.tv3dg import TV3DG
from backend.diffusion.denoiser import Prior, load_prior, words_in_pieces
from backend.diffusion.guidance import LOSSES, GuidanceOptions, guidance_for
from backend.errors import MissingModel
from backend.images import save_image
from backend.representations.gaussians import ball_of_gaussians
from backend.runtime.control import Control
from backend.runtime.job import Job
from backend.systems import tv3dg
from backend.systems.overrides import options_of
from backend.weights import EMBEDDED
from tests.backend.tiny_networks import (
    write_image_encoder,
    write_ip_adapter,
    write_sam,
    write_stable_diffusion,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sd15")
    write_stable_diffusion(folder)
    return folder


@pytest.fixture(scope="module")
def prior(folder: Path) -> Prior:
    return load_prior(str(folder))


@pytest.fixture(scope="module")
def adapter(prior: Prior, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the folder `models` of the public IP-Adapter: 4 tokens, two files, the image encoder beside them."""
    models = tmp_path_factory.mktemp("ip_adapter") / "models"
    write_image_encoder(models / "image_encoder", projection=256)
    for name in ("ip-adapter_sd15.safetensors", "ip-adapter-plus_sd15.safetensors"):
        write_ip_adapter(models / name, prior.unet, embedding=256)
    return str(models)


def take_steps(folder: Path, prior: Prior, visual: torch.Tensor, adapter: str, **chosen: Any) -> dict[str, Any]:
    """Take steps of optimisation from the same Gaussians, and return what they become; nothing may be left out."""
    settings = replace(TV3DG.presets["paper"], **{"count": 64, "views": 2, "delta_t": 500, "growth_rounds": 0} | chosen)
    request = protocol.Request(system="tv3dg", prompt="a red chair", negative_prompt="grey", seed=2, threads=1)
    events: list[Any] = []
    folder.mkdir()
    job = Job(folder, request, events.append, Control())
    guidance = guidance_for(prior, replace(options_of(GuidanceOptions, settings), adapter=adapter), visual)
    first = ball_of_gaussians(settings.count, settings.radius, job.generator)
    made = job.stage("gaussians", lambda: tv3dg.optimise(job, guidance, request.prompt, settings, first))
    assert not [event for event in events if isinstance(event, protocol.Warning)]
    return made


def test_the_layout_of_its_time_is_read_whole(folder: Path, prior: Prior) -> None:
    text = load_file(folder / "text_encoder" / "model.safetensors")
    name = "encoder.layers.7.mlp.fc1.weight"
    assert torch.equal(prior.text_encoder.state_dict()[name], text[f"text_model.{name}"])
    old = load_file(folder / "vae" / "diffusion_pytorch_model.safetensors")
    attention = prior.autoencoder.encoder.mid_block.attentions[0]
    assert torch.equal(attention.to_out[0].weight, old["encoder.mid_block.attentions.0.proj_attn.weight"])
    assert not prior.predicts_velocity and not prior.takes_cameras
    assert prior.image_size == 256 and prior.max_tokens == 77
    assert prior.autoencoder.config.scaling_factor == 0.18215
    assert prior.embed(["a red chair"]).shape == (1, 77, 192)
    assert words_in_pieces(prior.tokenizer, "a red gargoyle") == ["gargoyle"]


def test_a_network_whose_file_lacks_tensors_is_refused(folder: Path, tmp_path: Path) -> None:
    """The libraries would fill them up with random numbers."""

    from safetensors.torch import save_file

    shutil.copytree(folder, tmp_path / "sd")
    file = tmp_path / "sd" / "text_encoder" / "model.safetensors"
    tensors = {name: value for name, value in load_file(file).items() if "layers.3.mlp.fc1" not in name}
    save_file(tensors, file, metadata={"format": "pt"})
    with pytest.raises(MissingModel, match="lacks 2 tensors of a CLIPTextModel"):
        load_prior(str(tmp_path / "sd"))


@pytest.mark.slow
def test_every_loss_takes_steps(prior: Prior, adapter: str, tmp_path: Path) -> None:
    """Two of vpcsm with an image prompt of strength 0.5 and perturbed attention, one of every other."""
    visual = torch.rand(256, 256, 3, generator=torch.manual_seed(4))
    start = take_steps(tmp_path / "start", prior, visual, adapter, loss="csd", steps=1, lambda_guidance=0.0, tau=0.0)
    made = {
        loss: take_steps(tmp_path / loss, prior, visual, adapter, loss=loss, steps=1 + (loss == "vpcsm"))
        for loss in LOSSES
    }
    assert TV3DG.presets["paper"].tau == 0.5 and TV3DG.presets["paper"].perturbation == 1.0
    for loss, gaussians in made.items():
        for name, value in gaussians.items():
            assert torch.isfinite(value).all(), (loss, name)
        assert not torch.equal(gaussians["sh"], start["sh"]), loss  # the guidance reached the colours


@pytest.mark.slow
def test_a_job_with_it_makes_points(folder: Path, adapter: str, tmp_path: Path) -> None:
    """The whole system: the visual prompt from a file, the adapter by name, the other prior by its folder."""
    (tmp_path / "inputs").mkdir()
    save_image(tmp_path / "inputs/00.png", torch.rand(40, 40, 3))
    style = protocol.InputImage(path="inputs/00.png", role="visual_prompt")
    numbers = {
        "steps": 1, "views": 1, "delta_t": 500, "count": 64, "adapter": adapter, "perturbation": 1.0,
        "camera_tokens": False, "start": "ball",
    }  # fmt: skip
    request = protocol.Request(
        system="tv3dg", prompt="a red chair", images=(style,), seed=2, preset="bench", prior=str(folder),
        outputs=("points",), settings=numbers, threads=1,
    )  # fmt: skip
    events: list[Any] = []
    tv3dg.run(Job(tmp_path, request, events.append, Control()))
    assert (tmp_path / "result/points.ply").is_file()
    assert [event.message for event in events if isinstance(event, protocol.Warning)] == []
    stages = [event.name for event in events if isinstance(event, protocol.Stage)]
    assert stages == ["imagine", "gaussians"]


def run_the_paper(job: Path, prior: Path, **settings: Any) -> tuple[list[str], list[str]]:
    """Take one step of the preset; return the warnings and the stages."""
    numbers = {"steps": 1, "views": 1, "delta_t": 500, "count": 64, **settings}
    request = protocol.Request(
        system="tv3dg", prompt="a red chair", seed=2, preset="paper", prior=str(prior), outputs=("points",),
        settings=numbers, threads=1,
    )  # fmt: skip
    events: list[Any] = []
    job.mkdir()
    tv3dg.run(Job(job, request, events.append, Control()))
    said = [event.message for event in events if isinstance(event, protocol.Warning)]
    assert json.loads((job / "result/result.json").read_text())["warnings"] == said
    return said, [event.name for event in events if isinstance(event, protocol.Stage)]


@pytest.mark.slow
def test_the_paper_says_what_it_cannot_do_without_other_networks(folder: Path, tmp_path: Path) -> None:
    said, stages = run_the_paper(tmp_path / "job", folder)
    assert stages == ["gaussians"]
    assert [sentence.split(":")[0] for sentence in said] == [
        "The visual prompt and tau are left out",
        "Calibration is left out",
        "This prior cannot be told where the camera is, and there is no Zero-1-to-3",
    ]


@pytest.mark.slow
def test_the_papers_sides_are_drawn_by_zero123(folder: Path, tmp_path: Path) -> None:
    """They were asked of a prior that takes no cameras, which ended in BadInput."""
    shutil.copytree(EMBEDDED / "zero123", tmp_path / "companions/zero123")
    write_sam(tmp_path / "companions/matting")
    without = {f"calibration_{part}": 0.0 for part in ("geometry", "semantics", "reward")}  # whose networks are large
    said, stages = run_the_paper(tmp_path / "job", folder, companions=str(tmp_path / "companions"), **without)
    assert stages == ["imagine", "sides", "gaussians"]
    assert said[0].startswith("The visual prompt and tau are left out")
    assert "Zero-1-to-3 turns the visual prompt" in said[1]
