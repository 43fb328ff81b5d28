"""The trainer of joint views: which rows are noised and count, how it begins, and how it goes on."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false
from __future__ import annotations

import functools
import random

import pytest
import torch

from backend.diffusion.joint_attention import joined
from backend.embedded.training.view_batches import ViewBatch, draw_batch
from backend.embedded.training.views import (
    Course,
    Training,
    ViewDenoiser,
    new_scheduler,
    noised,
    row_weights,
    view_loss,
)

ALPHAS = new_scheduler().alphas_cumprod


def describe(fact: dict, rng: random.Random) -> str:
    return f"a {rng.choice(('red', 'blue'))} mug, {round(fact['azimuth'])}"


def test_clean_rows_are_seen_as_they_are_and_do_not_count():
    clean = torch.randn(3, 8, 4, 4)
    batch = ViewBatch([0, 1, 2], 3, torch.tensor([0, 500, 0]), torch.tensor([True, False, False]), [""] * 3, None)
    noise = torch.randn_like(clean)
    seen, velocity = noised(clean, batch, ALPHAS, noise)
    assert torch.equal(seen[0], clean[0])
    a = ALPHAS[500]
    torch.testing.assert_close(seen[1], a.sqrt() * clean[1] + (1 - a).sqrt() * noise[1])
    torch.testing.assert_close(a.sqrt() * seen[1] - (1 - a).sqrt() * velocity[1], clean[1])
    assert not torch.equal(seen[2], clean[2])  # at timestep 0, but not clean
    weights = row_weights(batch, ALPHAS)
    assert weights[0] == 0 and (weights[1:] > 0).all()


def test_what_is_told_of_a_clean_row_gets_no_gradient(rows, tokenizer):
    torch.manual_seed(0)
    model = ViewDenoiser(tokenizer, 8)
    told = []
    model.unet.register_forward_hook(lambda *a: told.append(a[-1].sample) or a[-1].sample.retain_grad())
    batch = ViewBatch(
        [0, 1, 7, 8], 2, torch.tensor([0, 300, 0, 600]), torch.tensor([True, False] * 2), ["a red mug"] * 4,
        torch.ones(4, dtype=torch.bool),
    )  # fmt: skip
    view_loss(model, tokenizer, rows, batch, ALPHAS, torch.Generator().manual_seed(0)).backward()
    assert (told[0].grad[batch.clean] == 0).all()
    assert (told[0].grad[~batch.clean].flatten(1).abs().sum(1) > 0).all()


def test_with_more_views_than_one_attention_joins(tokenizer):
    torch.manual_seed(0)
    unet = ViewDenoiser(tokenizer, 8).unet.eval()
    latents, context = torch.randn(4, 8, 16, 16), torch.randn(4, 5, 160)
    changed = latents.clone()
    changed[1] += 1
    with torch.no_grad(), joined(unet, 2):
        first, second = (unet(x, torch.tensor([0, 9, 9, 9]), context).sample for x in (latents, changed))
    assert not torch.equal(first[0], second[0])
    torch.testing.assert_close(first[2:], second[2:])


@pytest.mark.parametrize("muon", [True, False])
def test_training_goes_on_to_the_same_bits(tmp_path, rows, tokenizer, monkeypatch, muon):
    monkeypatch.setattr("backend.embedded.training.views.draw_batch", functools.partial(draw_batch, size=4))
    course = Course(muon=muon)
    straight, cut = (Training(tokenizer, 8, course, None) for _ in range(2))
    for _ in range(3):
        straight.step(rows, describe)
    cut.step(rows, describe)
    cut.save(tmp_path / "a.safetensors")
    resumed = Training(tokenizer, 8, course, None, seed=1)
    assert resumed.load(tmp_path / "a.safetensors")
    for _ in range(2):
        resumed.step(rows, describe)
    assert resumed.counts == straight.counts
    for name, parameter in straight.averaged.parameters.items():
        assert torch.equal(parameter, resumed.averaged.parameters[name]), name
        assert torch.equal(straight.averaged.average[name], resumed.averaged.average[name]), name
