"""The variational score: it learns the object, the prior stays, a resumed job is the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from addon import protocol
from addon.protocol.systems.tv3dg import TV3DG
from backend.diffusion.denoiser import Prior, load_prior
from backend.diffusion.guidance import guidance_for
from backend.diffusion.sampling import noise_for
from backend.diffusion.scores import classifier_free_guidance, timestep_weight, vsd
from backend.diffusion.vsd_lora import VariationalScore
from backend.errors import JobInterrupted
from backend.representations.gaussians import ball_of_gaussians
from backend.runtime.checkpoint import load_checkpoint, save_checkpoint
from backend.runtime.control import Control
from backend.runtime.job import Job
from backend.systems import tv3dg
from backend.systems.overrides import chosen_settings
from tests.backend.systems.tv3dg.small_jobs import new_job


@pytest.fixture(scope="module")
def prior() -> Prior:
    return load_prior("embedded")


@pytest.fixture()
def latents(prior: Prior) -> torch.Tensor:
    """Return what the encoder makes of an image that no prompt of the prior is about: left purple, right green."""
    image = torch.tensor([0.9, 0.1, 0.8]).repeat(1, 128, 128, 1)
    image[:, :, 64:] = torch.tensor([0.1, 0.6, 0.2])
    return prior.encode(image)


def error(predictor: Any, prior: Prior, latents: torch.Tensor, context: torch.Tensor) -> float:
    """Return the mean squared error of predicted noise over some timesteps and fixed noises."""
    generator, errors = torch.manual_seed(11), []
    for t in (100, 300, 500, 700, 900):
        noise = torch.randn(latents.shape, generator=generator)
        noisy = prior.alphas[t].sqrt() * latents + (1 - prior.alphas[t]).sqrt() * noise
        errors.append((predictor.predict_noise(noisy, t, context) - noise).square().mean())
    return float(torch.stack(errors).mean())


def test_it_learns_the_noise_of_one_latent_and_the_prior_stays(prior: Prior, latents: torch.Tensor) -> None:
    context = prior.embed(["a red mug, front view"])
    before = {name: value.clone() for name, value in prior.unet.state_dict().items()}
    network = VariationalScore(prior, rank=4, rate=2e-3)
    untrained = error(prior, prior, latents, context)
    generator = torch.manual_seed(1)
    losses = [network.learn(latents, context, generator) for _ in range(30)]
    assert sum(losses[-8:]) < 0.7 * sum(losses[:8])
    assert error(network, prior, latents, context) < 0.6 * untrained
    after = prior.unet.state_dict()
    assert after.keys() == before.keys() and all(torch.equal(after[name], value) for name, value in before.items())
    assert not any(value.requires_grad or value.grad is not None for value in prior.unet.parameters())
    assert error(prior, prior, latents, context) == untrained


@pytest.mark.parametrize("velocity", [True, False])
def test_what_is_learnt_is_what_the_network_predicts(prior: Prior, latents: torch.Tensor, velocity: bool) -> None:
    """A network that predicts the truth of its kind has no loss; the other kind has a large one."""
    network = VariationalScore(replace(prior, predicts_velocity=velocity))
    alphas, given = prior.alphas, latents.clone()

    class Truth(torch.nn.Module):
        def forward(self, noisy: torch.Tensor, steps: torch.Tensor, encoder_hidden_states: torch.Tensor) -> Any:
            alpha = alphas[steps][:, None, None, None]
            noise = (noisy - alpha.sqrt() * given) / (1 - alpha).sqrt()
            sample = alpha.sqrt() * noise - (1 - alpha).sqrt() * given
            return type("Out", (), {"sample": sample.requires_grad_()})

    network.prior = replace(network.prior, unet=Truth())
    losses = [network.learn(latents, prior.embed(["a mug"]), torch.manual_seed(i)) for i in range(5)]
    assert (max(losses) < 1e-4) == velocity and (min(losses) > 1e-2) != velocity


def test_with_an_untrained_network_vsd_is_guided_minus_conditional(prior: Prior, latents: torch.Tensor) -> None:
    options: dict[str, Any] = {
        "alphas": prior.alphas, "conditional": prior.embed(["a red mug"]), "unconditional": prior.embed([""]),
    }  # fmt: skip
    noise, t = torch.randn_like(latents), 600
    network = VariationalScore(prior)
    got = vsd(prior.predict_noise, network.predict_noise, latents, t, noise, scale=7.5, **options)
    noisy = prior.alphas[t].sqrt() * latents + (1 - prior.alphas[t]).sqrt() * noise
    cond, uncond = (prior.predict_noise(noisy, t, options[name]) for name in ("conditional", "unconditional"))
    wanted = timestep_weight(prior.alphas[t], "ism") * (classifier_free_guidance(cond, uncond, 7.5) - cond)
    torch.testing.assert_close(got, wanted, atol=1e-4, rtol=1e-3)
    assert wanted.abs().max() > 0.1
    for value in network.changes.values():
        value.data += 0.1
    moved = vsd(prior.predict_noise, network.predict_noise, latents, t, noise, scale=7.5, **options)
    assert (moved - got).abs().max() > 1e-2


def test_views_one_at_a_time_teach_the_same(prior: Prior) -> None:
    latents, context = noise_for(prior, 3, torch.manual_seed(0)), prior.embed(["a red mug"] * 3)
    together, apart = VariationalScore(prior), VariationalScore(prior)
    one = together.learn(latents, context, torch.manual_seed(2))
    other = apart.learn(latents, context, torch.manual_seed(2), at_once=1)
    assert one == pytest.approx(other, rel=1e-4)
    for name, value in together.changes.items():  # Adam's first average is a tenth of the gradient
        moments = (each.optimiser.state[each.changes[name]]["exp_avg"] for each in (together, apart))
        torch.testing.assert_close(*moments, atol=1e-7, rtol=1e-3)
        assert "lora_B" not in name or together.optimiser.state[value]["exp_avg"].abs().max() > 0


def test_a_latent_that_is_no_number_teaches_nothing(prior: Prior, latents: torch.Tensor) -> None:
    network = VariationalScore(prior)
    before = {name: value.clone() for name, value in network.changes.items()}
    network.learn(latents * torch.nan, prior.embed(["a mug"]), torch.manual_seed(3))
    assert all(torch.equal(value, before[name]) for name, value in network.changes.items())


def test_making_one_draws_from_nobody_and_is_always_the_same(prior: Prior) -> None:
    torch.manual_seed(8)
    state = torch.get_rng_state()
    first, second = VariationalScore(prior), VariationalScore(prior)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, second.changes[name]) for name, value in first.changes.items())


def test_its_state_goes_through_a_checkpoint(prior: Prior, latents: torch.Tensor, tmp_path: Path) -> None:
    context = prior.embed(["a red mug"])
    network, fresh = VariationalScore(prior), VariationalScore(prior)
    network.learn(latents, context, torch.manual_seed(4))
    save_checkpoint(tmp_path / "state", network.state_dict())
    fresh.load_state_dict(load_checkpoint(tmp_path / "state"))
    for each in (network, fresh):
        each.learn(latents, context, torch.manual_seed(5))
    assert all(torch.equal(value, fresh.changes[name]) for name, value in network.changes.items())
    with pytest.raises(ValueError, match="do not fit this network"):
        VariationalScore(prior, rank=2).load_state_dict(network.state_dict())


def make(folder: Path, *, stop_at: int = 0, **settings: Any) -> dict[str, torch.Tensor]:
    """Take the steps of a small job of VSD (that remain), and return its Gaussians; interrupt it at a step."""
    if not folder.exists():
        new_job(folder, loss="vsd", steps=4, views=1, count=64, **settings)
    control = Control()

    def emit(event: Any) -> None:
        if stop_at and isinstance(event, protocol.Progress) and event.step >= stop_at:
            control.interrupted = "the test says so"

    job = Job(folder, protocol.read_request(folder), emit, control)
    chosen = chosen_settings(TV3DG, job.request.preset, job.settings)
    guidance = guidance_for(load_prior("embedded"), tv3dg.guidance_options(job.request, chosen))
    first = ball_of_gaussians(chosen.count, chosen.radius, job.generator)
    return job.stage("gaussians", lambda: tv3dg.optimise(job, guidance, "a red robot", chosen, first))


def test_an_interrupted_job_of_vsd_ends_in_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = make(tmp_path / "whole", particle_rate=0.01)
    for name in ("cut", "forgetful"):
        with pytest.raises(JobInterrupted):
            make(tmp_path / name, stop_at=1, particle_rate=0.01)
    resumed = make(tmp_path / "cut")
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())
    monkeypatch.setattr(VariationalScore, "load_state_dict", lambda self, state: None)
    forgetful = make(tmp_path / "forgetful")
    assert not torch.equal(forgetful["means"], whole["means"])  # so what it has learnt matters
