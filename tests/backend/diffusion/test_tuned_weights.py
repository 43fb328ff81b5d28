"""A taught prior in files: stock diffusers draws with them what the taught network draws."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from safetensors.torch import load_file, save_file

from backend.diffusion.denoiser import Prior, load_prior
from backend.diffusion.finetune import Examples, FinetuneOptions, Finetuning
from backend.diffusion.joint_attention import make_joint
from backend.diffusion.sampling import noise_for
from backend.diffusion.tuned_weights import load_tuned, save_tuned
from backend.errors import BadInput, MissingModel
from backend.weights import EMBEDDED

SAID = ["a sks bear"] * 2
STEP = 500


@pytest.fixture(scope="module")
def prior() -> Prior:
    return load_prior("embedded")


def told(unet: Any, context: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return unet.float()(latents, torch.tensor(STEP), encoder_hidden_states=context.float()).sample


@pytest.mark.parametrize(
    "options",
    [FinetuneOptions(rate=3e-3, rank=4, text_encoder=True), FinetuneOptions(rate=1e-3, text_encoder=True)],
    ids=["lora", "whole"],
)
def test_stock_diffusers_loads_what_is_saved(prior: Prior, tmp_path: Path, options: FinetuneOptions) -> None:
    latents = noise_for(prior, 2, torch.Generator().manual_seed(0))
    tuning, generator = Finetuning(prior, options), torch.Generator().manual_seed(1)
    for _ in range(3):
        tuning.step([Examples(latents, tuple(SAID), batch=2)], generator)
    expected = told(tuning.prior.unet, tuning.prior.embed(SAID), latents)
    learnt = float((expected - told(prior.unet, prior.embed(SAID), latents)).abs().mean())
    save_tuned(tmp_path, tuning)

    loaded = load_tuned(prior, tmp_path)
    assert float((told(loaded.unet, loaded.embed(SAID), latents) - expected).abs().mean()) < 0.05 * learnt
    assert loaded.fingerprint != prior.fingerprint
    assert not any(value.requires_grad for value in (*loaded.unet.parameters(), *loaded.text_encoder.parameters()))

    pipe: Any = StableDiffusionPipeline.from_pretrained(EMBEDDED, safety_checker=None, requires_safety_checker=False)
    if options.rank:
        pipe.load_lora_weights(tmp_path)
    else:
        pipe.unet = UNet2DConditionModel.from_pretrained(tmp_path / "unet")
        pipe.text_encoder = type(pipe.text_encoder).from_pretrained(tmp_path / "text_encoder")
    tokens = pipe.tokenizer(SAID, padding="max_length", return_tensors="pt").input_ids
    with torch.no_grad():
        context = pipe.text_encoder.float()(tokens).last_hidden_state
    assert float((told(pipe.unet, context, latents) - expected).abs().mean()) < 0.05 * learnt


def test_a_folder_without_weights_is_said(prior: Prior, tmp_path: Path) -> None:
    with pytest.raises(MissingModel, match="holds no taught prior"):
        load_tuned(prior, tmp_path)


def test_weights_of_another_network_are_refused_and_its_configuration_is_not_read(prior: Prior, tmp_path: Path) -> None:
    save_tuned(tmp_path, Finetuning(prior, FinetuneOptions()))
    (tmp_path / "unet/config.json").write_text('{"block_out_channels": [1000000]}')
    loaded = load_tuned(prior, tmp_path).unet.state_dict()
    assert all(torch.equal(loaded[name], value.half().float()) for name, value in prior.unet.state_dict().items())
    file = next((tmp_path / "unet").glob("*.safetensors"))
    weights = {name: value for name, value in load_file(file).items() if name != "conv_in.bias"}
    save_file(weights, file)
    with pytest.raises(BadInput, match="of another network"):
        load_tuned(prior, tmp_path)


@pytest.mark.parametrize("rank", [2, 0])
def test_a_prior_that_takes_views_still_does_with_what_it_was_taught(prior: Prior, tmp_path: Path, rank: int) -> None:
    unet = copy.deepcopy(prior.unet)
    make_joint(unet)
    joint = replace(prior, unet=unet)
    latents = noise_for(prior, 2, torch.Generator().manual_seed(0))
    tuning = Finetuning(joint, FinetuneOptions(rate=1e-3, rank=rank))
    tuning.step([Examples(latents, tuple(SAID), batch=2)], torch.Generator().manual_seed(1))
    save_tuned(tmp_path, tuning)
    loaded = load_tuned(joint, tmp_path)
    context = joint.embed(SAID)[None]
    assert loaded.takes_views
    expected = tuning.prior.predict_noise(latents, STEP, context)
    learnt = float((expected - joint.predict_noise(latents, STEP, context)).abs().mean())
    assert float((loaded.predict_noise(latents, STEP, context) - expected).abs().mean()) < 0.1 * learnt


def test_beside_a_lora_the_base_is_in_memory_once_and_stays_as_it_is(prior: Prior, tmp_path: Path) -> None:
    before = {name: value.clone() for name, value in prior.unet.state_dict().items()}
    tuning, generator = Finetuning(prior, FinetuneOptions(rate=3e-3, rank=4)), torch.Generator().manual_seed(1)
    latents = noise_for(prior, 2, torch.Generator().manual_seed(0))
    tuning.step([Examples(latents, tuple(SAID), batch=2)], generator)
    own = {value.data_ptr() for value in prior.unet.parameters()}
    learning = [value for value in tuning.prior.unet.parameters() if value.data_ptr() not in own]
    assert sum(value.numel() for value in learning) == sum(value.numel() for value in tuning.parameters.values())
    save_tuned(tmp_path, tuning)
    loaded = load_tuned(prior, tmp_path)
    changed = {name for name, value in loaded.unet.named_parameters() if value.data_ptr() not in own}
    assert changed and all(".to_" in name for name in changed)
    assert any(not torch.equal(loaded.unet.get_parameter(name), before[name]) for name in changed)
    assert all(torch.equal(value, before[name]) for name, value in prior.unet.state_dict().items())
    assert {value.data_ptr() for value in loaded.text_encoder.parameters()} == {
        value.data_ptr() for value in prior.text_encoder.parameters()
    }  # it was not taught
