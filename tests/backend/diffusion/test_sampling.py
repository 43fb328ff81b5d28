"""DDIM on worlds whose noise is known: one picture only, so every step leads to it in a straight line."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from backend.diffusion.sampling import denoise, image_to_image

ALPHAS = torch.linspace(0.9999, 0.005, 1000)  # the cumulative products, from hardly any noise to hardly any picture
LATENTS = torch.randn(1, 4, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
RED, BLUE, GREY = (torch.full((1, 4, 3, 3), value, dtype=torch.float64) for value in (0.8, -0.5, 0.1))


def predict_noise(latents: torch.Tensor, t: int, context: torch.Tensor) -> torch.Tensor:
    """The noise in latents of a world that has one picture for each context: the context itself."""
    alpha = ALPHAS[t].double()
    return (latents - alpha.sqrt() * context.reshape(-1, 4, 3, 3)) / (1 - alpha).sqrt()


def arrived(picture: torch.Tensor, first: int = 999) -> torch.Tensor:
    """The latents at timestep 0 on the straight line from LATENTS at `first` to a picture."""
    alpha, last = ALPHAS[first].double(), ALPHAS[0].double()
    noise = (LATENTS - alpha.sqrt() * picture) / (1 - alpha).sqrt()
    return last.sqrt() * picture + (1 - last).sqrt() * noise


@pytest.mark.parametrize("steps", [1, 7, 50])
@pytest.mark.parametrize("first", [None, 400])
def test_any_number_of_steps_arrives_at_the_picture(steps: int, first: int | None) -> None:
    found = denoise(predict_noise, LATENTS, ALPHAS, RED, BLUE, steps=steps, scale=1.0, first=first)
    torch.testing.assert_close(found, arrived(RED, 999 if first is None else first), atol=1e-5, rtol=0)


def test_guidance_goes_beyond_the_conditional_picture_away_from_the_unconditional_one() -> None:
    found = denoise(predict_noise, LATENTS, ALPHAS, RED, BLUE, steps=9, scale=2.5)
    torch.testing.assert_close(found, arrived(BLUE + 2.5 * (RED - BLUE)), atol=1e-5, rtol=0)


def test_contrast_goes_away_from_what_it_is_against() -> None:
    found = denoise(predict_noise, LATENTS, ALPHAS, RED, BLUE, steps=9, scale=1.0, against=GREY, contrast=0.5)
    torch.testing.assert_close(found, arrived(RED + 0.5 * (RED - GREY)), atol=1e-5, rtol=0)


class Gaussians:
    """A prior whose pictures are normal about the middle grey: its noise is known, and so is the way back."""

    alphas, spread = ALPHAS, 0.3

    def __init__(self) -> None:
        self.asked: list[int] = []

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        return 2 * images - 1

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return ((latents + 1) / 2 + 0.01).clamp(0, 1)  # a round trip that can be told

    def embed(self, prompts: list[str], cameras: object = None) -> torch.Tensor:
        return torch.zeros(len(prompts), 1, 1)

    def predict_noise(self, latents: torch.Tensor, t: int, context: torch.Tensor) -> torch.Tensor:
        self.asked.append(t)
        alpha = self.alphas[t]
        return (1 - alpha).sqrt() * latents / (alpha * self.spread**2 + 1 - alpha)


def redrawn(strength: float, steps: int = 50) -> tuple[torch.Tensor, Gaussians]:
    prior: Any = Gaussians()
    generator = torch.Generator().manual_seed(5)
    pictures = torch.full((2, 8, 8, 3), 0.9)
    return image_to_image(prior, pictures, ["", ""], strength=strength, steps=steps, generator=generator), prior


def test_without_strength_an_image_only_makes_the_round_trip() -> None:
    for strength, steps in ((0.0, 50), (0.015, 50), (0.4, 2)):
        found, prior = redrawn(strength, steps)
        assert not prior.asked and torch.allclose(found, torch.tensor(0.91))


@pytest.mark.parametrize(("strength", "steps"), [(0.5, 50), (0.05, 50), (0.3, 10), (1.0, 7)])
def test_strength_is_a_share_of_the_steps_and_of_the_noise(strength: float, steps: int) -> None:
    _, prior = redrawn(strength, steps)
    times = list(dict.fromkeys(prior.asked))
    assert len(times) == int(steps * strength)
    assert times[0] == pytest.approx(999 * len(times) / steps, abs=1) and times == sorted(times, reverse=True)


def test_the_stronger_the_farther_from_the_image() -> None:
    away = [float((redrawn(strength)[0] - 0.9).square().mean()) for strength in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)]
    assert away == sorted(away) and away[-1] > 0.1 > 0.01 > away[0]
    found, _ = redrawn(0.6)
    assert not torch.allclose(found[0], found[1])  # each has noise of its own


def test_images_are_redrawn_together_where_that_is_asked() -> None:
    seen: list[tuple[int, ...]] = []

    class Watched(Gaussians):
        def predict_noise(self, latents: torch.Tensor, t: int, context: torch.Tensor) -> torch.Tensor:
            seen.append(tuple(context.shape))
            return super().predict_noise(latents, t, context)

    prior: Any = Watched()
    pictures = torch.full((2, 8, 8, 3), 0.9)
    for together in (True, False):
        generator = torch.Generator().manual_seed(5)
        image_to_image(prior, pictures, ["", ""], strength=0.5, steps=2, generator=generator, together=together)
    assert seen == [(1, 2, 1, 1), (2, 1, 1), (4, 1, 1)]  # joined apart from the unconditional one
