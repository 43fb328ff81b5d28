"""A step against its floor: the calls that are recorded are those of the losses, and they can be made again."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
import torch

from addon.protocol.systems.tv3dg import TV3DG
from backend.diffusion.denoiser import Prior, load_prior
from backend.diffusion.guidance import GuidanceOptions, guidance_for
from backend.diffusion.scores import inversion_nodes
from backend.systems.overrides import options_of
from backend.systems.tv3dg import optimise
from benchmarks.commands import distillation


@pytest.fixture(scope="module")
def prior() -> Prior:
    return load_prior("embedded")


@pytest.mark.parametrize(("loss", "perturbation", "more"), [("csm", 0.0, 2), ("vpcsm", 0.0, 2), ("vpcsm", 1.0, 3)])
@pytest.mark.parametrize("at_once", [0, 1])
def test_the_calls_are_the_inversions_and_two_or_three_more(
    prior: Prior, loss: str, perturbation: float, more: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[optimise.__module__], "draw_timestep", lambda *_: 620)
    settings = replace(
        TV3DG.presets["draft"], loss=loss, perturbation=perturbation, steps=1, views=2, count=64, delta_t=400,
        views_at_once=at_once,
    )  # fmt: skip
    options = replace(options_of(GuidanceOptions, settings), adapter="embedded")
    guidance = guidance_for(prior, options, torch.rand(128, 128, 3))
    calls = distillation.record_calls(guidance, settings)
    assert calls.unet_images == 2 * (len(inversion_nodes(620, 400)) - 1 + more)
    assert any(network == "perturbed" for network, *_ in calls.unet) == bool(perturbation)
    whole, one = (2, 3, 128, 128), (1, 3, 128, 128)
    assert calls.encoder == ([(one, False)] * 2 + [(one, True)] * 2 if at_once else [(whole, True)])
    unet, encoder = distillation.replay(guidance, calls)
    assert unet > 0 and encoder > 0


def test_a_row_says_what_was_measured(prior: Prior, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distillation, "ROUNDS", 1)
    chosen = {"loss": "vpcsm", "delta_t": 900, "count": 64, "perturbation": 1.0}
    row = distillation.measure(prior, chosen, "embedded", steps=1)
    assert (row["loss"], row["tau"], row["perturbation"], row["delta_t"]) == ("vpcsm", 0.5, 1.0, 900)
    assert row["unet_images_per_step"] in (16, 20) and "peak_memory_gib" not in row
    assert row["step_over_floor"] == pytest.approx(row["step_ms"] / (row["unet_ms"] + row["encoder_ms"]))


def test_the_random_prior_of_full_size_takes_views_of_512_pixels_one_by_one() -> None:
    prior = distillation.random_stable_diffusion("cpu", divide=16)
    assert prior.image_size == 512 and not prior.takes_cameras
    guidance = guidance_for(prior, options_of(GuidanceOptions, replace(TV3DG.presets["draft"], loss="csm")))
    assert guidance.at_once == 1
    latents = prior.encode(torch.rand(1, 512, 512, 3))
    context = prior.embed(["a red robot"])
    assert prior.predict_noise(latents, 500, context).shape == latents.shape == (1, 4, 64, 64)
