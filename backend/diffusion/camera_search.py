"""From where a picture was taken, as far as a prior knows: the camera under which it denoises the picture best.

Source of the means: Li et al., Your Diffusion Model is Secretly a Zero-Shot Classifier (arXiv 2303.16203), section 3:
the same noises for every class make differences of errors far less noisy than the errors; here the classes are cameras.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from backend.cameras import Cameras, orbit, view_words
from backend.diffusion.denoiser import Prior

AZIMUTHS = 24
HEIGHT = 15.0  # degrees, while azimuths are compared
HEIGHTS = (-5.0, 5.0, 15.0, 25.0, 35.0, 45.0)  # of the best azimuth, afterwards
LEVELS = (0.35, 0.5, 0.65, 0.8)  # of the schedule: where outlines and large shapes are decided
NOISES = 2  # at each level
ELSEWHERE = 60.0  # degrees: an azimuth so far from the best is another answer
SURE = 2.0  # standard errors by which a place must be better than any other answer
TOGETHER = 24  # pictures that are asked about at once


@dataclass(frozen=True)
class Place:
    """Where a picture was probably taken."""

    azimuth_degrees: float
    elevation_degrees: float
    sureness: float  # how far the best other answer is behind, in standard errors of that

    @property
    def is_sure(self) -> bool:
        """Say whether the place is better than any other answer by more than chance."""
        return self.sureness >= SURE


@torch.no_grad()
def find_places(prior: Prior, pictures: torch.Tensor, prompt: str, generator: torch.Generator) -> list[Place]:
    """Return from where pictures [N, S, S, 3] of an object that fills the view were taken; draws from the generator.

    The prompt names the object; the word for the side is told with each camera. Raises ValueError for a prior that
    takes no cameras.
    """
    if not prior.takes_cameras:
        raise ValueError("this prior cannot be told where the camera is")
    found = []
    for picture in pictures:
        latents = prior.encode(picture[None])
        noises = [(level, torch.randn(latents.shape, generator=generator)) for level in LEVELS for _ in range(NOISES)]
        turns = [360.0 * number / AZIMUTHS for number in range(AZIMUTHS)]
        errors = camera_errors(prior, latents, prompt, orbit(turns, HEIGHT), noises)  # [K, M]
        best = int(errors.mean(1).argmin())
        away = [k for k, turn in enumerate(turns) if abs((turn - turns[best] + 180) % 360 - 180) >= ELSEWHERE]
        gaps = errors[away] - errors[best]  # [away, M], of the same noises
        sureness = (gaps.mean(1) / (gaps.std(1) / gaps.shape[1] ** 0.5).clamp_min(1e-9)).min()
        around = orbit([turns[best]] * len(HEIGHTS), HEIGHTS)
        height = HEIGHTS[int(camera_errors(prior, latents, prompt, around, noises).mean(1).argmin())]
        found.append(Place(turns[best], height, float(sureness)))
    return found


@torch.no_grad()
def camera_errors(
    prior: Prior, latents: torch.Tensor, prompt: str, cameras: Cameras, noises: list[tuple[float, torch.Tensor]]
) -> torch.Tensor:
    """Return [K, M] mean squared errors of the noise in latents [1, C, h, w], told of K cameras, for M noises.

    Each noise [1, C, h, w] comes with the share of the schedule that it is added at.
    """
    context = prior.embed([f"{prompt}, {word} view" for word in view_words(cameras)], cameras)
    errors = []
    for level, noise in noises:
        t = round(level * (len(prior.alphas) - 1))
        alpha = prior.alphas[t]
        noisy = alpha.sqrt() * latents + (1 - alpha).sqrt() * noise.to(latents)
        told = [prior.predict_noise(noisy.expand(len(some), -1, -1, -1), t, some) for some in context.split(TOGETHER)]
        errors.append((torch.cat(told) - noise.to(latents)).square().mean((1, 2, 3)).cpu())
    return torch.stack(errors, dim=1)
