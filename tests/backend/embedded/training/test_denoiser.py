"""The trainer of the UNet: its loss where the velocity is known, its weights, and the words of its captions."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import torch

from backend.embedded.objects.captions import vocabulary
from backend.embedded.training.denoiser import describe, new_scheduler, velocity_loss

ALPHAS = new_scheduler().alphas_cumprod
CLEAN = torch.zeros(64, 4, 4, 4)  # of black latents all that is seen is noise, so the velocity is known


def loss(network: Any, extra: torch.Tensor | None = None, seed: int = 0) -> float:
    torch.manual_seed(seed)
    return float(velocity_loss(network, CLEAN, torch.zeros(64, 1, 1), ALPHAS, extra))


def true_velocity(seen: torch.Tensor, t: torch.Tensor, context: torch.Tensor) -> SimpleNamespace:
    alpha = ALPHAS[t][:, None, None, None]
    return SimpleNamespace(sample=seen[:, :4] * (alpha / (1 - alpha)).sqrt())


def no_velocity(seen: torch.Tensor, t: torch.Tensor, context: torch.Tensor) -> SimpleNamespace:
    return SimpleNamespace(sample=torch.zeros_like(seen))


def test_the_true_velocity_has_no_loss_and_extra_channels_stay_clean() -> None:
    assert loss(true_velocity) < 1e-9
    extra, seen = torch.rand(64, 2, 4, 4), []
    assert loss(lambda x, t, c: seen.append(x) or true_velocity(x, t, c), extra) < 1e-9
    assert torch.equal(seen[0][:, 4:], extra)


def test_errors_count_as_those_of_the_image_but_at_most_six_times() -> None:
    """A velocity of alpha on average, times min(snr + 1, 6) / (snr + 1)."""
    weights = (1 / (1 - ALPHAS)).clamp_max(6) * (1 - ALPHAS)
    expected = float((ALPHAS * weights).mean())
    found = sum(loss(no_velocity, seed=seed) for seed in range(60)) / 60
    assert abs(found - expected) < 0.05 * expected


def test_a_description_is_said_in_known_words() -> None:
    fact = {"category": "mug", "colour": "red", "accent": "blue", "pattern": "dots", "hat": True, "style": "neon",
            "azimuth": 90.0, "elevation": 10.0, "modality": "rgb"}  # fmt: skip
    said = [describe(fact, random.Random(seed)) for seed in range(40)]
    assert all(word in vocabulary() for words in said for word in words.replace(",", "").split())
    assert all("mug" in words for words in said) and len(set(said)) > 5
