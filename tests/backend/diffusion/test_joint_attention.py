"""Joint self-attention: nothing but attention over the tokens of a group; of one view, diffusers' own bits."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from diffusers.models.attention_processor import Attention, AttnProcessor, AttnProcessor2_0

from backend.diffusion.denoiser import load_prior
from backend.diffusion.joint_attention import JointSelfAttention, joined, make_joint
from backend.diffusion.sampling import noise_for


def test_one_view_gives_the_bits_of_stock_diffusers():
    prior = load_prior("embedded")
    stock: Any = copy.deepcopy(prior.unet)
    stock.set_attn_processor(AttnProcessor2_0())
    ours = copy.deepcopy(stock)
    make_joint(ours)
    generator = torch.Generator().manual_seed(0)
    latents = noise_for(prior, 3, generator)
    context = torch.randn(3, 7, 160, generator=generator)
    with torch.no_grad():
        assert torch.equal(ours(latents, 400, context).sample, stock(latents, 400, context).sample)
        with joined(ours, 3):
            assert not torch.allclose(ours(latents, 400, context).sample, stock(latents, 400, context).sample)
        assert torch.equal(ours(latents, 400, context).sample, stock(latents, 400, context).sample)


@pytest.mark.parametrize("attend", [AttnProcessor(), AttnProcessor2_0()])
def test_joined_tokens_are_those_of_plain_attention_over_the_group(attend):
    torch.manual_seed(0)
    processor: Any = JointSelfAttention(attend)
    processor.views = 3
    attention: Any = Attention(16, heads=2, dim_head=8, processor=processor)
    x = torch.randn(6, 5, 16)
    joint = attention(x)
    for group in range(2):
        tokens = x[3 * group : 3 * group + 3].reshape(15, 16)
        heads = []
        for h in range(2):
            columns = slice(8 * h, 8 * h + 8)
            q, k, v = (layer(tokens)[:, columns] for layer in (attention.to_q, attention.to_k, attention.to_v))
            heads.append((q @ k.T / 8**0.5).softmax(dim=-1) @ v)
        expected = attention.to_out[0](torch.cat(heads, dim=1)).reshape(3, 5, 16)
        torch.testing.assert_close(joint[3 * group : 3 * group + 3], expected, atol=1e-5, rtol=1e-5)


def test_rows_that_are_no_groups_and_networks_that_cannot_join_are_refused():
    prior = load_prior("embedded")
    unet: Any = copy.deepcopy(prior.unet)
    unet.set_attn_processor(AttnProcessor2_0())
    with pytest.raises(ValueError, match="make_joint"), joined(unet, 2):
        pass
    ours = copy.deepcopy(unet)
    make_joint(ours)
    with joined(ours, 2), pytest.raises(ValueError, match="no groups"):
        ours(noise_for(prior, 3, torch.manual_seed(0)), 1, torch.randn(3, 4, 160))
