"""What the paper prints by mistake, through the guidance: off unless asked for, and then one unit more or a sign."""

from __future__ import annotations

import pytest
import torch

from backend.cameras import orbit
from backend.diffusion.denoiser import Prior, load_prior
from backend.diffusion.guidance import LOSSES, guidance_for
from backend.presets.tv3dg import PRESETS

FACTOR_ONLY = {"csd", "csm", "vpcsm"}


@pytest.fixture(scope="module")
def prior() -> Prior:
    return load_prior("embedded")


def gradient(prior: Prior, loss: str, scale: float, *, paper_compat: bool, perturbation: float = 0.0) -> torch.Tensor:
    guidance = guidance_for(
        prior, loss, scale=scale, delta_t=500, difference=1.0, perturbation=perturbation, paper_compat=paper_compat
    )
    contexts = guidance.contexts("a red mug", "", orbit([10.0], 20.0), tell_cameras=True)
    latents = torch.randn(1, 4, 16, 16, generator=torch.manual_seed(0))
    return guidance.gradient(latents, 600, contexts, torch.manual_seed(1))


@pytest.mark.parametrize("loss", LOSSES)
def test_the_printed_guidance_is_one_unit_more_where_predictions_are_mixed(prior: Prior, loss: str) -> None:
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


def test_no_preset_does_it() -> None:
    assert not any(settings.paper_compat for settings in PRESETS.values())
