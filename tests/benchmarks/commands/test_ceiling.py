"""The ceiling of the optimiser: guidance that knows the object pulls straight to it, through the product's own loop."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from addon.protocol.systems.tv3dg import TV3DG
from backend.cameras import orbit
from backend.diffusion.denoiser import Prior, load_prior
from benchmarks.commands import ceiling
from benchmarks.commands.ceiling import STRENGTH, PixelPrior, judged, means, objects, perfect, run


@pytest.fixture(scope="module")
def prior() -> Prior:
    return load_prior("embedded")


def test_guidance_that_knows_the_object_is_the_difference_to_it(prior: Prior) -> None:
    true, cameras = objects()["robot"], orbit([0.0, 130.0], 15.0, size=128)
    for encoder in (prior, PixelPrior(prior)):
        guidance = perfect(encoder, TV3DG.presets["bench"], true)
        contexts = guidance.contexts("it", "", cameras, tell_cameras=False)
        wanted = encoder.encode(true(cameras).rgb)
        assert not guidance.gradient(wanted, 500, contexts, torch.Generator()).any()
        pull = guidance.gradient(wanted + 1, 500, contexts, torch.Generator())
        torch.testing.assert_close(pull, torch.full_like(wanted, STRENGTH))


def test_an_autoencoder_that_loses_nothing_keeps_every_difference(prior: Prior) -> None:
    images = torch.rand(2, 128, 128, 3, generator=torch.Generator().manual_seed(1))
    latents = PixelPrior(prior).encode(images)
    assert latents.shape == (2, 192, 16, 16)
    torch.testing.assert_close(latents.square().sum(), (2 * images - 1).square().sum())


def test_the_loop_comes_nearer_to_what_its_guidance_knows_than_with_the_sign_turned(
    prior: Prior, monkeypatch: pytest.MonkeyPatch
) -> None:
    true, encoder, cameras = objects()["robot"], PixelPrior(prior), orbit([20.0, 140.0], 10.0, size=128)
    settings = replace(TV3DG.presets["bench"], steps=8, views=2, count=500, growth_rounds=0)
    reached = []
    for strength in (STRENGTH, -STRENGTH):
        monkeypatch.setattr(ceiling, "STRENGTH", strength)
        first, made, _ = run(perfect(encoder, settings, true), settings, true)
        assert len(first) == 500
        reached.append(judged(made, true, cameras))
    assert reached[0]["whole"] > reached[1]["whole"] + 1
    assert reached[0]["inside"] > reached[1]["inside"] + 1


def test_means_are_by_preset() -> None:
    rows = [
        {"preset": preset, **{name: {"whole": value} for name in ("autoencoder", "start", "latents", "pixels")}}
        for preset, value in (("bench", 20.0), ("bench", 24.0), ("draft", 30.0))
    ]
    assert means(rows)["bench"] == dict.fromkeys(("autoencoder", "start", "latents", "pixels"), 22.0)
    assert means(rows)["draft"]["pixels"] == 30.0
