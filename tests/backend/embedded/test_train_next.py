"""What the second generation's trainer exports: a folder that stock diffusers and the product load."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import load_file

from backend.cameras import orbit
from backend.diffusion.denoiser import load_prior
from backend.diffusion.prompt_completion import completed, load_completion
from backend.embedded import train_next
from backend.embedded.training.codecs import encode, export_codec, load_codec, new_tiny
from backend.embedded.training.warm_start import EMBEDDING


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Return the cache and the weights of an autoencoder and a denoiser that have hardly been trained."""
    cache, weights = (tmp_path_factory.mktemp(name) for name in ("cache", "weights"))
    torch.manual_seed(0)
    export_codec(new_tiny(8), weights / "vae")
    training = train_next.new_training(weights, 8, "cpu")
    with torch.no_grad():
        training.averaged.average["unet.conv_out.weight"] += 0.01
    training.counts["step"] = 1
    training.save(cache / "views.safetensors")
    (cache / train_next.LOG).write_text('{"stage": "views"}\n')
    train_next.export(cache, weights)
    return cache, weights


def test_stock_diffusers_draws_with_it(exported):
    pipeline: Any = StableDiffusionPipeline.from_pretrained(exported[1], safety_checker=None, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    image = pipeline("a red mug", num_inference_steps=2, output_type="pt").images
    assert image.shape == (1, 3, 128, 128) and image.isfinite().all()


def test_its_configurations_name_no_path_of_the_machine(exported):
    texts = [path.read_text() for path in exported[1].rglob("*.json")]
    assert len(texts) > 5 and not any(str(exported[1].parent) in text or "_name_or_path" in text for text in texts)


def test_the_product_encodes_and_draws_with_it(exported):
    prior = load_prior(str(exported[1]))
    images = torch.rand(2, 128, 128, 3)
    latents = prior.encode(images.requires_grad_())
    assert latents.shape == (2, 8, 16, 16) and latents.requires_grad
    context = prior.embed(["a red mug"] * 2, orbit([0, 90], 15.0))
    assert prior.predict_noise(latents.detach(), 500, context).isfinite().all()
    assert prior.decode(latents).shape == (2, 128, 128, 3)
    codec = load_codec(exported[1] / "vae")
    expected = encode(codec, images.detach().permute(0, 3, 1, 2) * 2 - 1)
    torch.testing.assert_close(latents, expected, atol=1e-4, rtol=1e-4)


def test_training_goes_on_from_what_was_exported(exported):
    cache, weights = exported
    again = train_next.new_training(weights, 8, "cpu")
    saved = load_file(cache / "views.safetensors")
    for name in ("unet.conv_out.weight", f"text_encoder.{EMBEDDING}", "camera_encoder.move.weight"):
        expected = saved[f"average.{name}"].half().float()
        torch.testing.assert_close(again.averaged.parameters[name].detach(), expected)
    assert completed("a red mug", load_completion(weights))[1]
    assert (weights / train_next.LOG).read_text() == '{"stage": "views"}\n'


def test_without_an_autoencoder_it_says_what_to_run(exported, tmp_path):
    with pytest.raises(FileNotFoundError, match="--stage autoencoder"):
        train_next.codec_of(tmp_path, tmp_path)
    shutil.copytree(exported[1] / "vae", tmp_path / "vae")
    assert train_next.codec_of(tmp_path, tmp_path).config.latent_channels == 8
