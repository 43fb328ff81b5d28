"""The shipped prior: stock diffusers loads it offline, and our interface asks the same network the same things."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from backend.cameras import orbit
from backend.diffusion.denoiser import EMBEDDED, kept_prior, load_prior, load_tokenizer, words_in_pieces
from backend.diffusion.sampling import noise_for
from backend.errors import MissingModel
from tests.backend.tiny_networks import write_small_encoder


@pytest.fixture(scope="module")
def prior():
    return load_prior("embedded")


def test_the_prior_is_small_and_holds_no_pickle():
    files = [path for path in EMBEDDED.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 40e6
    assert max(path.stat().st_size for path in files) <= 16 * 2**20
    assert {path.suffix for path in files} <= {".safetensors", ".json", ".jsonl", ".txt"}


def test_networks_keep_their_budgets(prior):
    def count(module: torch.nn.Module) -> int:
        return sum(p.numel() for p in module.parameters())

    assert count(prior.unet) <= 8_000_000
    assert count(prior.autoencoder) <= 1_000_000
    assert count(prior.text_encoder) <= 1_000_000 and count(prior.camera_encoder) <= 250_000
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        prior.encode(torch.rand(1, 128, 128, 3))
    assert counter.get_total_flops() <= 0.6e9


def test_stock_diffusers_samples_from_it(prior, monkeypatch):
    """Text to image and image to image with none of our code; and our sampler's networks are the same ones."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionPipeline

    pipe: Any = StableDiffusionPipeline.from_pretrained(EMBEDDED, local_files_only=True, safety_checker=None)
    pipe.set_progress_bar_config(disable=True)
    pipe.to(torch.float32)
    image = pipe("a red mug", num_inference_steps=12, guidance_scale=4.0, generator=torch.manual_seed(0)).images[0]
    assert image.size == (128, 128)
    changed: Any = StableDiffusionImg2ImgPipeline(**pipe.components)
    changed.set_progress_bar_config(disable=True)
    other = changed("a blue mug", image=image, strength=0.5, num_inference_steps=12).images[0]
    assert other.size == (128, 128)
    latents, context = noise_for(prior, 2, torch.manual_seed(0)), prior.embed(["a red mug", ""])
    tokens = pipe.tokenizer(["a red mug", ""], padding="max_length", return_tensors="pt").input_ids
    with torch.no_grad():
        stock = pipe.unet(latents, 321, encoder_hidden_states=pipe.text_encoder(tokens)[0]).sample
    alpha = pipe.scheduler.alphas_cumprod[321]
    noise = alpha.sqrt() * stock + (1 - alpha).sqrt() * latents  # the prior predicts velocities
    torch.testing.assert_close(prior.predict_noise(latents, 321, context), noise, atol=1e-4, rtol=1e-3)


def test_a_red_mug_is_red(prior):
    """The prompt's colour arrives in the pixels: red over blue for the one, blue over red for the other."""
    from backend.diffusion.sampling import sample

    images = sample(prior, ["a red mug", "a blue mug"] * 4, steps=20, scale=4.0, generator=torch.manual_seed(3))
    middle = images[:, 40:88, 40:88].mean(dim=(1, 2))  # [8, 3]
    warmth = middle[:, 0] - middle[:, 2]
    red, blue = warmth[0::2].sort().values, warmth[1::2].sort(descending=True).values
    assert red[1] > 0.2 and blue[1] < -0.2  # one of four may have taken a pattern that nobody asked for


def test_encoding_and_decoding_keep_a_picture(prior):
    from backend.embedded.objects.solids import photograph
    from benchmarks.commands.demo import sample_subject

    image = photograph(sample_subject().solid, orbit([20.0], 15.0, size=128), torch.ones(3)).rgb
    rebuilt = prior.decode(prior.encode(image))
    psnr = -10 * (rebuilt - image).square().mean().log10()
    assert psnr > 22
    assert prior.encode(image).std() == pytest.approx(1.0, abs=0.5)  # latents are scaled to unit deviation


def test_velocity_becomes_noise(prior):
    from dataclasses import replace

    latents, context = noise_for(prior, 1, torch.manual_seed(0)), prior.embed(["a red mug"])
    velocity = replace(prior, predicts_velocity=False).predict_noise(latents, 400, context)
    noise = replace(prior, predicts_velocity=True).predict_noise(latents, 400, context)
    signal, rest = prior.alphas[400].sqrt(), (1 - prior.alphas[400]).sqrt()
    torch.testing.assert_close(noise, signal * velocity + rest * latents)
    clean = signal * latents - rest * velocity  # what both say that the picture is
    torch.testing.assert_close((latents - rest * noise) / signal, clean, atol=1e-5, rtol=1e-4)


def test_unknown_words_are_named(prior):
    assert words_in_pieces(prior.tokenizer, "A red mug, front view") == []
    assert words_in_pieces(load_tokenizer(EMBEDDED), "a zebra-striped glacier with stripes") == ["zebra", "glacier"]


def test_a_missing_prior_is_a_sentence(tmp_path: Path):
    with pytest.raises(MissingModel, match=r"model_index\.json is missing"):
        load_prior(str(tmp_path))


def test_the_next_job_takes_the_prior_that_is_in_memory_unless_its_files_have_changed(tmp_path: Path) -> None:
    folder = tmp_path / "prior"
    shutil.copytree(EMBEDDED, folder)
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first = kept_prior(str(folder))
    assert torch.equal(torch.get_rng_state(), before)  # loading draws random numbers
    assert kept_prior(str(folder)) is first
    os.utime(folder / "model_index.json", ns=(1, 1))
    assert kept_prior(str(folder)) is not first
    (folder / "model_index.json").unlink()
    with pytest.raises(MissingModel):
        kept_prior(str(folder))


def test_a_large_base_with_a_tiny_autoencoder_sees_the_same_pixels_with_a_graph(tmp_path: Path) -> None:
    """diffusers' tiny encoder leaves its scale out where its layers are computed again on the way back."""
    shutil.copytree(EMBEDDED, tmp_path / "base")
    write_small_encoder(tmp_path / "base" / "vae")
    config = tmp_path / "base" / "unet" / "config.json"
    config.write_text(config.read_text().replace('"sample_size": 16', '"sample_size": 64'))
    large = load_prior(str(tmp_path / "base"))
    assert large.image_size == 512
    images = torch.rand(1, 64, 64, 3, generator=torch.manual_seed(2)).requires_grad_()
    with torch.no_grad():
        seen = large.encode(images)
    torch.testing.assert_close(large.encode(images), seen)
