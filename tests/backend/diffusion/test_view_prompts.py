"""Perp-Neg: shares and weights by hand, what is perpendicular, what it costs; without weight it is not there."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from backend.cameras import orbit, view_words
from backend.diffusion.denoiser import Prior, load_prior
from backend.diffusion.guidance import LOSSES, Guidance, GuidanceOptions, Loss, guidance_for
from backend.diffusion.sampling import noise_for
from backend.diffusion.view_prompts import direction_shares, negative_weights, perp_neg_correction, perpendicular

# azimuth: shares of front, side and back; weights of the negatives front and side, from exp(-1/2) = 0.606531,
# exp(-1/4) = 0.778801: 4 * 0.606531 - 2.426 = 0.000123, 4 - 2.426, 4 * 0.778801 - 2.426, 0.606531 + 0.967, ...
BY_HAND = {
    0: ((1, 0, 0), (-0.000123, -1.574)),
    45: ((0.5, 0.5, 0), (-0.689203, -0.689203)),
    90: ((0, 1, 0), (-1.573531, -0.000531)),
    135: ((0, 0.5, 0.5), (-1.745801, -0.172801)),
    180: ((0, 0, 1), (-1.967, -0.394)),
}


@pytest.mark.parametrize("azimuth", BY_HAND)
@pytest.mark.parametrize("sign", [1, -1])
def test_shares_and_weights_by_azimuth(azimuth: int, sign: int) -> None:
    angles = torch.tensor([float(sign * azimuth), sign * azimuth + 720.0]), torch.tensor([10.0, 60.0])
    shares, weights = BY_HAND[azimuth]
    for row in direction_shares(*angles):
        assert row.tolist() == pytest.approx([*shares, 0], abs=1e-6)
    for row in negative_weights(*angles):
        assert row.tolist() == pytest.approx(weights, abs=1e-5)


def test_from_above_there_is_no_side_to_speak_against() -> None:
    angles = torch.tensor([0.0, 120.0]), torch.tensor([61.0, 90.0])
    assert direction_shares(*angles).tolist() == [[0, 0, 0, 1]] * 2
    assert negative_weights(*angles).tolist() == [[0, 0]] * 2


def test_nothing_jumps_on_the_way_around() -> None:
    azimuths = torch.linspace(-180, 180, 721)
    for values in (direction_shares(azimuths, 0 * azimuths), negative_weights(azimuths, 0 * azimuths)):
        assert (values[1:] - values[:-1]).abs().max() < 0.02
    assert torch.allclose(direction_shares(azimuths, 0 * azimuths).sum(-1), torch.ones(721))


def test_what_is_perpendicular_has_nothing_of_the_other_sample_by_sample() -> None:
    vectors, others = torch.randn(2, 3, 4, 8, 8, dtype=torch.float64).unbind()
    apart = perpendicular(vectors, others)
    assert (apart * others).flatten(1).sum(1).abs().max() < 1e-10
    torch.testing.assert_close(perpendicular(apart, others), apart)
    torch.testing.assert_close(perpendicular(vectors, -7 * others), apart)  # neither length nor sense of it counts
    torch.testing.assert_close(perpendicular(vectors + 3 * others, others), apart)
    torch.testing.assert_close(perpendicular(vectors[1:2], others[1:2]), apart[1:2])
    assert torch.equal(perpendicular(vectors, torch.zeros_like(others)), vectors)
    by_hand = perpendicular(torch.tensor([[1.0, 1.0]]), torch.tensor([[2.0, 0.0]]))
    assert by_hand.tolist() == [[0.0, 1.0]]


def told(x: torch.Tensor, t: int, context: torch.Tensor) -> torch.Tensor:
    """Return a prediction that is the context, [B, 1, 2] -> [B, 2, 1, 1]."""
    return context[:, 0, :, None, None]


def test_the_negatives_turn_the_prediction_by_their_weights() -> None:
    uncond, cond = torch.tensor([0.0, 1.0])[None, :, None, None], torch.tensor([2.0, 1.0])[None, :, None, None]
    negatives = torch.tensor([[3.0, 4.0], [9.0, 1.0]])[:, None, None]  # [2, 1, 1, 2]; the second lies along cond
    correct = perp_neg_correction(negatives, torch.tensor([[-0.5, -8.0]]))
    got = correct(told, torch.zeros(1, 2, 1, 1), 5, cond, uncond)
    assert got.flatten().tolist() == [2.0, 1.0 - 0.5 * 3.0]
    silent = perp_neg_correction(negatives, torch.zeros(1, 2))
    assert torch.equal(silent(told, torch.zeros(1, 2, 1, 1), 5, cond, uncond), cond)


@pytest.fixture(scope="module")
def prior() -> Prior:
    return load_prior("embedded")


class Counted(torch.nn.Module):
    """The prior's UNet in small: what it is asked, and numbers that depend on what is said."""

    def __init__(self, unet: Any) -> None:
        super().__init__()
        self.config, self.images = unet.config, 0
        channels = unet.config.in_channels
        self.to_q = torch.nn.Linear(channels, channels)  # for the variational score

    def forward(self, latents: torch.Tensor, steps: torch.Tensor, encoder_hidden_states: torch.Tensor) -> Any:
        self.images += len(latents)
        one, other = encoder_hidden_states[..., :2].mean(1)[:, :, None, None, None].unbind(1)
        moved = self.to_q(latents.movedim(1, -1)).movedim(-1, 1)
        return type("Out", (), {"sample": latents.cos() * one + latents.sin() * other + 0 * moved})


def guide(prior: Prior, loss: Loss, perp_neg: float) -> Guidance:
    options = GuidanceOptions(loss, 7.5, delta_t=100, difference=1.0, perturbation=0.0, perp_neg=perp_neg)
    return guidance_for(prior, replace(options, particle_rank=1))


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_takes_it_for_two_evaluations_of_each_view(prior: Prior, loss: Loss) -> None:
    latents, cameras = noise_for(prior, 3, torch.manual_seed(0)), orbit([30, 100, 150], 10.0)
    gradients, images = [], []
    for weight in (0.0, 1.0):
        unet = Counted(prior.unet)
        guidance = guide(replace(prior, unet=unet), loss, weight)
        contexts = guidance.contexts("a chair", "", cameras, tell_cameras=True)
        if guidance.variational_score:  # its network is a twin
            guidance.variational_score.prior.unet.images = 0
        gradients.append(guidance.gradient(latents, 500, contexts, torch.manual_seed(1)))
        images.append(unet.images)
    assert images[1] - images[0] == 2 * 3
    changed = (gradients[1] - gradients[0]).flatten(1).abs().amax(1)
    assert (changed > 1e-3).all() and torch.isfinite(gradients[1]).all()


def test_without_weight_there_is_one_view_word_and_nothing_else(prior: Prior) -> None:
    cameras = orbit([0, 45, 135, 200], 10.0)
    contexts = guide(prior, "csm", 0.0).contexts("a chair", "blurry", cameras, tell_cameras=True)
    words = [f"{prior.complete('a chair')}, {word} view" for word in view_words(cameras)]
    assert contexts.correct is None
    assert torch.equal(contexts.conditional, prior.embed(words, cameras))
    assert torch.equal(contexts.unconditional, prior.embed(["blurry"] * 4))


def test_with_weight_the_words_are_mixed_by_azimuth(prior: Prior) -> None:
    cameras = orbit([0, 45, 180], [10.0, 10.0, 80.0])
    contexts = guide(prior, "csm", 1.0).contexts("a chair", "", cameras, tell_cameras=False)
    front, side, overhead = prior.embed(
        [f"{prior.complete('a chair')}, {word} view" for word in ("front", "side", "overhead")]
    )
    wanted = torch.stack([front, (front + side) / 2, overhead])
    torch.testing.assert_close(contexts.conditional, wanted, atol=1e-5, rtol=1e-4)
    assert math.isclose(float(negative_weights(torch.tensor([45.0]), torch.zeros(1))[0, 0]), -0.689203, rel_tol=1e-4)
