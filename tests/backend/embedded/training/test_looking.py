"""Looking at a denoiser: sides beside a reference that stays, and losses of the same noise each time."""

from __future__ import annotations

import torch

from backend.embedded.training.looking import draw_sides, look_at
from backend.embedded.training.views import ViewDenoiser


def describe(fact: dict, rng) -> str:
    return "a red mug"


def test_the_reference_stays_and_decides(rows, tokenizer):
    torch.manual_seed(0)
    model, facts = ViewDenoiser(tokenizer, 8).eval(), rows.facts[:3]
    one, other = (
        draw_sides(model, tokenizer, rows.latents[i], facts, ["a red mug"] * 3, steps=2) for i in (0, 7)
    )  # fmt: skip
    assert torch.equal(one[0], rows.latents[0].float()) and torch.equal(other[0], rows.latents[7].float())
    assert not torch.equal(one[1], other[1])
    assert draw_sides(model, tokenizer, None, facts, [""] * 3, steps=2).isfinite().all()


def test_losses_are_of_the_same_noise_each_time(rows, tokenizer):
    torch.manual_seed(0)
    model, look = ViewDenoiser(tokenizer, 8).eval(), look_at(rows, describe)
    first = look(model, tokenizer)
    assert first.keys() == {"single", "joint", "beside", "shown"} and first == look(model, tokenizer)
