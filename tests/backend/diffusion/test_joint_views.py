"""Views that are asked about together: groups apart, a clean row beside them, and contexts that say so."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from diffusers.models.attention_processor import AttnProcessor2_0

from backend.cameras import orbit
from backend.diffusion.denoiser import load_prior
from backend.diffusion.guidance import LOSSES, Contexts, GuidanceOptions, guidance_for
from backend.diffusion.image_prompt import perturb
from backend.diffusion.joint_attention import joined, make_joint
from backend.diffusion.joint_views import SeenView, join_beside, join_views, packed_tokens

T = 400


@pytest.fixture(scope="module")
def prior():
    stock = load_prior("embedded")
    unet = copy.deepcopy(stock.unet)
    make_joint(unet)
    return replace(stock, unet=unet)


@pytest.fixture(scope="module")
def context(prior):
    return prior.embed(["a red mug", "a red mug, side view", "a red mug, back view"], orbit([0.0, 90.0, 180.0], 15.0))


def latents(prior, count: int, seed: int = 0) -> torch.Tensor:
    channels = prior.unet.config.in_channels
    return torch.randn(count, channels, 16, 16, generator=torch.Generator().manual_seed(seed))


def test_groups_are_joined_within_and_not_with_each_other(prior, context):
    x = latents(prior, 6)
    both = torch.cat([join_views(context), join_views(context.flip(0))])  # [2, 3, T, width]
    together = prior.predict_noise(x, T, both)
    apart = [prior.predict_noise(x[:3], T, both[:1]), prior.predict_noise(x[3:], T, both[1:])]
    torch.testing.assert_close(together, torch.cat(apart), atol=1e-4, rtol=1e-4)
    single = prior.predict_noise(x[:3], T, context)
    assert (single - apart[0]).abs().mean() > 1e-3  # and that they are joined makes a difference


def test_a_clean_row_is_what_the_network_sees_at_timestep_0_among_the_others(prior, context):
    x, seen = latents(prior, 2), latents(prior, 1, seed=1)
    told = prior.predict_noise(x, T, join_beside(context[1:], context[:1], seen))
    steps = torch.tensor([0, T, T])
    with torch.no_grad(), joined(prior.unet, 3):
        out = prior.unet(torch.cat([seen, x]), steps, encoder_hidden_states=context).sample[1:]
    alpha = prior.alphas[T]
    torch.testing.assert_close(told, alpha.sqrt() * out + (1 - alpha).sqrt() * x, atol=1e-5, rtol=1e-5)


def test_clean_latents_come_back_to_the_bit_from_a_context(prior, context):
    seen = latents(prior, 1, seed=2)
    packed = join_beside(context[1:], context[:1], seen)
    tokens = packed_tokens(seen, context.shape[-1])
    assert packed.shape == (1, 3, context.shape[1] + tokens, context.shape[2])
    assert torch.equal(packed[0, 0, -tokens:].flatten()[: seen.numel()], seen.flatten())
    assert torch.equal(packed[0, :, :-tokens], context) and not packed[0, 1:, -tokens:].any()


def test_perturbed_attention_takes_views_together(prior, context):
    """The first of both predictions is the plain one; the second, which looks at each place alone, is not."""
    x, seen = latents(prior, 2), latents(prior, 1, seed=1)
    joint = join_beside(context[1:], context[:1], seen)
    plain, perturbed = perturb(prior, ["up_blocks.1"])(x, T, joint)
    torch.testing.assert_close(plain, prior.predict_noise(x, T, joint), atol=1e-4, rtol=1e-4)
    assert (perturbed - plain).abs().mean() > 1e-3


def test_views_that_are_no_groups_and_priors_that_take_none_are_refused(prior, context):
    with pytest.raises(ValueError, match="4 views are no 1 groups for a context of 3 rows"):
        prior.predict_noise(latents(prior, 4), T, join_views(context))
    unet = copy.deepcopy(prior.unet)
    unet.set_attn_processor(AttnProcessor2_0())
    stock = replace(prior, unet=unet)
    assert prior.takes_views and not stock.takes_views
    with pytest.raises(ValueError, match="make_joint"):
        stock.predict_noise(latents(prior, 3), T, join_views(context))


def contexts(prior, *, seen=None, joint_views: bool = True, against: str = "", **options) -> Contexts:
    options = GuidanceOptions(
        **{"loss": "csm", "scale": 4.0, "delta_t": 300, "difference": 1.0, "perturbation": 0.0} | options
    )
    guidance = guidance_for(prior, replace(options, joint_views=joint_views))
    cameras = orbit([0.0, 180.0], 15.0)
    return guidance.contexts("a red mug", "", cameras, tell_cameras=True, seen=seen, against=against)


def test_guidance_joins_views_and_what_is_seen_only_where_the_prior_and_the_loss_can(prior):
    seen = SeenView(latents(prior, 1), orbit([30.0], 15.0))
    sees = replace(prior, sees_reference=True)
    words, alone = contexts(sees), contexts(sees, joint_views=False)
    assert words.conditional.shape[:2] == (1, 2) and alone.conditional.ndim == 3
    assert torch.equal(words.conditional[0], alone.conditional)  # they hear the same
    beside = contexts(sees, seen=seen)
    assert beside.conditional.shape[:2] == (1, 3)
    tokens = alone.conditional.shape[1]
    assert torch.equal(beside.conditional[0, 1:, :tokens], alone.conditional)
    told = sees.embed([f"{sees.complete('a red mug')}, front view"], seen.camera)  # of the clean row: its own camera
    torch.testing.assert_close(beside.conditional[0, :1, :tokens], told)
    assert torch.equal(beside.unconditional, alone.unconditional)  # sees neither: guidance turns towards the image
    assert contexts(prior, seen=seen).conditional.shape[:2] == (1, 2)  # it cannot look at one
    old = contexts(sees, seen=seen, against="a blue mug")  # an edit: only what the two prompts differ in pulls
    assert old.unconditional.shape == old.conditional.shape and not torch.equal(old.unconditional, old.conditional)
    packed = old.conditional.shape[2] - tokens
    assert torch.equal(old.unconditional[:, 0, -packed:], old.conditional[:, 0, -packed:])  # they see the same
    unjoined: tuple[dict[str, Any], ...] = ({"loss": "vsd"}, {"perp_neg": 1.0})
    for options in unjoined:
        assert contexts(sees, seen=seen, **options).conditional.ndim == 3


@pytest.mark.parametrize("loss", [loss for loss in LOSSES if loss != "vsd"])
def test_every_loss_takes_views_together(prior, loss):
    options = GuidanceOptions(loss, 4.0, delta_t=300, difference=1.0, perturbation=1.0, joint_views=True)
    guidance = guidance_for(replace(prior, sees_reference=True), options)
    seen = SeenView(latents(prior, 1, seed=3), orbit([0.0], 15.0))
    cameras = orbit([0.0, 180.0], 15.0)
    gradients = []
    for view in (None, seen):
        told = guidance.contexts("a red mug", "", cameras, tell_cameras=True, seen=view)
        gradients.append(guidance.gradient(latents(prior, 2), 600, told, torch.Generator().manual_seed(1)))
    assert gradients[0].shape == (2, prior.unet.config.in_channels, 16, 16) and gradients[0].isfinite().all()
    assert (gradients[0] - gradients[1]).abs().max() > 1e-3  # the image is looked at
