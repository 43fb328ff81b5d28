"""Views through the encoder and back: one at a time as all together, with one view's graph in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from backend.diffusion.denoiser import Prior, load_prior
from backend.diffusion.finetune import FinetuneOptions, Finetuning
from backend.diffusion.image_prompt import twin
from backend.diffusion.latents import backpropagate_to_images, encode, frugal, views_at_once
from backend.diffusion.sampling import noise_for
from backend.diffusion.vsd_lora import VariationalScore


@pytest.fixture(scope="module")
def prior() -> Prior:
    return load_prior("embedded")


class Alive:
    """Counts the bytes that graphs hold for the way back, now and at their peak."""

    def __init__(self) -> None:
        self.now = self.peak = 0

    def __enter__(self) -> Alive:
        count = self

        class Kept:
            def __init__(self, tensor: torch.Tensor) -> None:
                self.tensor = tensor
                count.now += tensor.nbytes
                count.peak = max(count.peak, count.now)

            def __del__(self) -> None:
                count.now -= self.tensor.nbytes

        self._hooks = torch.autograd.graph.saved_tensors_hooks(Kept, lambda kept: kept.tensor)
        self._hooks.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._hooks.__exit__(*error)


def pulled(prior: Prior, views: int, at_once: int) -> tuple[torch.Tensor, int]:
    """Return the gradient of some colours that images [views, 64, 64, 3] are made of, and the peak of the bytes."""
    generator = torch.manual_seed(3)
    colours = torch.rand(views, 64, 64, 3, generator=generator, requires_grad=True)
    gradient = torch.randn(views, 4, 8, 8, generator=generator)
    images = colours.square()
    with Alive() as alive:
        latents = encode(prior, images, at_once)
        backpropagate_to_images(prior, images, latents, gradient, 3.0)
    assert alive.now < 0.01 * alive.peak  # a few numbers beside the way back, until the latents go
    images.sum().backward()  # the images' own graph is still there
    assert colours.grad is not None
    return colours.grad - 2 * colours.detach(), alive.peak


def test_one_at_a_time_pulls_as_all_together(prior: Prior) -> None:
    together, _ = pulled(prior, 4, 0)
    apart, _ = pulled(prior, 4, 1)
    assert together.abs().max() > 1e-3
    torch.testing.assert_close(apart, together, rtol=1e-5, atol=1e-6 * float(together.abs().max()))


def test_one_at_a_time_holds_one_views_graph(prior: Prior) -> None:
    _, one = pulled(prior, 1, 0)
    _, together = pulled(prior, 4, 0)
    _, apart = pulled(prior, 4, 1)
    assert together > 3 * one
    assert apart <= 1.01 * one


def test_above_256_pixels_the_way_back_is_made_again_in_parts_with_the_same_numbers(prior: Prior) -> None:
    """As `load_prior` and the variational score set it for large images; the networks are frozen."""
    frugal = replace(prior, autoencoder=twin(prior.autoencoder))
    frugal.autoencoder.enable_gradient_checkpointing()
    usual, whole = pulled(prior, 1, 0)
    same, parts = pulled(frugal, 1, 0)
    torch.testing.assert_close(same, usual, rtol=1e-5, atol=1e-6)
    assert parts < 0.7 * whole
    context, latents, peaks, learnt = prior.embed(["a mug"]), noise_for(prior, 1, torch.manual_seed(0)), [], []
    for size in (128, 512):
        score = VariationalScore(replace(prior, image_size=size))
        with Alive() as alive:
            score.learn(latents, context, torch.manual_seed(1))
        peaks.append(alive.peak)
        learnt.append([score.optimiser.state[value]["exp_avg"] for value in score.changes.values()])
    assert peaks[1] < 0.7 * peaks[0]
    for one, other in zip(*learnt, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-3, atol=1e-7)


def test_the_latents_are_the_same(prior: Prior) -> None:
    images = torch.rand(3, 64, 64, 3, requires_grad=True)
    together, apart = encode(prior, images), encode(prior, images, 2)
    torch.testing.assert_close(apart, together, atol=1e-5, rtol=1e-5)
    assert together.requires_grad and not apart.requires_grad
    assert encode(prior, images, 3).requires_grad  # no fewer than there are: together


def test_small_views_go_together_and_large_ones_alone() -> None:
    assert [views_at_once(0, size) for size in (128, 256, 512)] == [0, 0, 1]
    assert [views_at_once(2, size) for size in (128, 512)] == [2, 2]
    assert views_at_once(0, 128, most_together=4) == views_at_once(2, 512, most_together=1) == 1  # memory ran out


def test_where_memory_ran_out_a_small_base_keeps_less_for_the_same_numbers(prior: Prior) -> None:
    sparing = frugal(prior)
    usual, whole = pulled(prior, 1, 0)
    same, parts = pulled(sparing, 1, 0)
    torch.testing.assert_close(same, usual, rtol=1e-5, atol=1e-6)
    assert parts < 0.7 * whole and pulled(prior, 1, 0)[1] == whole  # that of another job stays as it was
    assert VariationalScore(sparing).prior.unet.is_gradient_checkpointing
    assert not VariationalScore(prior).prior.unet.is_gradient_checkpointing
    assert Finetuning(sparing, FinetuneOptions(rank=2)).prior.unet.is_gradient_checkpointing
