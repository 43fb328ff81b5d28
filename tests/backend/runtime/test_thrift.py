"""The levels of thrift, and that a prior which asks about fewer pictures at a time says the same."""

from __future__ import annotations

from dataclasses import replace

import torch

from addon.protocol import preflight
from backend.diffusion.denoiser import load_prior
from backend.diffusion.image_prompt import perturb
from backend.runtime import thrift


def test_levels_go_down_to_the_last_and_begin_anew() -> None:
    thrift.begin_anew()
    seen = [thrift.most_together()]
    while thrift.step_down():
        seen.append(thrift.most_together())
    assert seen == [0, 4, 1, 1] and thrift.level().again and not thrift.step_down()
    assert preflight.TOGETHER == (0, 4, 1)
    thrift.begin_anew()
    assert thrift.most_together() == 0


def test_fewer_pictures_at_a_time_are_the_same_noise() -> None:
    prior = load_prior("embedded")
    latents = torch.randn(5, 4, 16, 16, generator=torch.manual_seed(1))
    context = prior.embed([f"a {colour} mug" for colour in ("red", "blue", "green", "gray", "white")])
    batches: list[int] = []
    prior.unet.conv_in.register_forward_pre_hook(lambda module, given: batches.append(len(given[0])))
    together = prior.predict_noise(latents, 500, context)
    sparing = replace(prior, most_together=2)
    assert torch.allclose(sparing.predict_noise(latents, 500, context), together, atol=1e-5)
    assert batches == [5, 2, 2, 1]
    both, apart = perturb(prior, prior.structure_layers), perturb(sparing, prior.structure_layers)
    for whole, part in zip(both(latents, 500, context), apart(latents, 500, context), strict=True):
        assert torch.allclose(part, whole, atol=1e-5)
    assert not torch.allclose(*both(latents, 500, context), atol=1e-3)
