"""What the paper prints by mistake, through the guidance: off unless asked for, and then one unit more or a sign."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from addon.protocol.systems.tv3dg import TV3DG
from backend.cameras import orbit
from backend.diffusion.denoiser import Prior, load_prior
from backend.diffusion.guidance import LOSSES, GuidanceOptions, Loss, guidance_for
from backend.diffusion.sampling import noise_for

FACTOR_ONLY = {"csd", "csm", "vpcsm"}


@pytest.fixture(scope="module")
def prior() -> Prior:
    return load_prior("embedded")


def gradient(
    prior: Prior,
    loss: Loss,
    scale: float,
    *,
    paper_compat: bool,
    perturbation: float = 0.0,
    delta_t: int = 500,
    **others: Any,
) -> torch.Tensor:
    options = GuidanceOptions(
        loss, scale, delta_t=delta_t, difference=1.0, perturbation=perturbation, paper_compat=paper_compat, **others
    )
    guidance = guidance_for(prior, options)
    contexts = guidance.contexts("a red mug", "", orbit([10.0], 20.0), tell_cameras=True)
    latents = noise_for(prior, 1, torch.manual_seed(0))
    return guidance.gradient(latents, 600, contexts, torch.manual_seed(1))


@pytest.mark.parametrize("loss", LOSSES)
def test_the_printed_guidance_is_one_unit_more_where_predictions_are_mixed(prior: Prior, loss: Loss) -> None:
    printed = gradient(prior, loss, 7.5, paper_compat=True)
    ours = gradient(prior, loss, 7.5, paper_compat=False)
    assert torch.equal(printed, ours if loss in FACTOR_ONLY else gradient(prior, loss, 8.5, paper_compat=False))
    assert torch.equal(printed, ours) == (loss in FACTOR_ONLY)


def test_the_printed_perturbed_term_has_the_other_sign(prior: Prior) -> None:
    without, ours, printed = (
        gradient(prior, "vpcsm", 7.5, perturbation=s, paper_compat=compat)
        for s, compat in ((0.0, False), (2.0, False), (2.0, True))
    )
    assert (ours - without).abs().max() > 1e-3
    torch.testing.assert_close(printed - without, -2.0 * (ours - without), atol=1e-3, rtol=1e-2)  # -s^2 for s


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_has_the_weight_that_is_asked_for(prior: Prior, loss: Loss) -> None:
    """In a comparison w(t) is one; at t = 600 it is 1, 0.84 or 2.3, and once each loss had its own."""
    ones = gradient(prior, loss, 7.5, paper_compat=False, weight="uniform")
    alpha = prior.alphas[600]
    assert ones.abs().max() > 0.1 and 1 - alpha < 0.9 and (1 - alpha) / alpha > 2
    for weight, w in (("sds", 1 - alpha), ("ism", ((1 - alpha) / alpha).sqrt())):
        torch.testing.assert_close(gradient(prior, loss, 7.5, paper_compat=False, weight=weight), w * ones)
    torch.testing.assert_close(gradient(prior, loss, 7.5, paper_compat=False), w * ones)  # the default of all


@pytest.mark.parametrize("loss", ["ism", "csm", "vpcsm"])
def test_reused_features_change_the_gradient_of_losses_with_an_inversion_a_little(prior: Prior, loss: Loss) -> None:
    whole, reused = (
        gradient(prior, loss, 7.5, paper_compat=False, delta_t=100, reuse=every).flatten() for every in (1, 2)
    )
    likeness = float(torch.nn.functional.cosine_similarity(whole, reused, dim=0))
    assert 0.98 < likeness < 0.999999


def test_a_compiled_guidance_says_the_same_and_leaves_the_prior_as_it_is(
    prior: Prior, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[Any] = []

    def compile_network(network: Any, tell: Any) -> Any:
        compiled.append(network)
        return network

    for module in ("guidance", "image_prompt"):
        monkeypatch.setattr(f"backend.diffusion.{module}.compile_network", compile_network)
    expected = gradient(prior, "vpcsm", 7.5, paper_compat=False, perturbation=1.0)
    assert compiled == []
    asked = replace(prior, tell_uncompiled=lambda sentence: None)
    assert torch.equal(gradient(asked, "vpcsm", 7.5, paper_compat=False, perturbation=1.0), expected)
    assert len(compiled) == 2 and prior.unet not in compiled  # the plain one, and the one that is perturbed
    weights = {value.data_ptr() for value in prior.unet.parameters()}
    assert all(value.data_ptr() in weights for network in compiled for value in network.parameters())


def test_no_preset_does_it() -> None:
    assert not any(settings.paper_compat for settings in TV3DG.presets.values())
