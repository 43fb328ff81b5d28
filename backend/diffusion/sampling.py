"""Samples images from a prior by DDIM, with classifier-free guidance and, where the prior takes them, cameras."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from backend.cameras import Cameras
from backend.diffusion.denoiser import Prior
from backend.diffusion.joint_views import join_views
from backend.diffusion.scores import PredictNoise, classifier_free_guidance, ddim_step, predict_pair


def sample(
    prior: Prior,
    prompts: Sequence[str],
    *,
    steps: int = 50,
    scale: float = 4.0,
    generator: torch.Generator,
    cameras: Cameras | None = None,
    negative_prompt: str = "",
) -> torch.Tensor:
    """Return one image [B, H, W, 3] in [0, 1] for each prompt, seen by its camera where cameras are given."""
    conditional = prior.embed(prompts, cameras)
    unconditional = prior.embed([negative_prompt] * len(prompts))
    latents = noise_for(prior, len(prompts), generator)
    return prior.decode(
        denoise(prior.predict_noise, latents, prior.alphas, conditional, unconditional, steps=steps, scale=scale)
    )


@torch.no_grad()
def image_to_image(
    prior: Prior,
    images: torch.Tensor,
    prompts: Sequence[str],
    *,
    strength: float,
    steps: int = 50,
    scale: float = 4.0,
    generator: torch.Generator,
    cameras: Cameras | None = None,
    negative_prompt: str = "",
    together: bool = False,
) -> torch.Tensor:
    """Redraw images [B, H, W, 3] in [0, 1]: noised to a share `strength` of the schedule and denoised from there.

    It takes int(steps * strength) of the steps, as diffusers does; with none, what is left is the autoencoder's round
    trip. Each image has noise of its own. They are drawn as views of one object that see each other where that is
    asked for `together`, of a prior that takes views. Source: Meng et al., SDEdit, 2021, algorithm 1.
    """
    latents = prior.encode(images)
    count = min(int(steps * strength), steps)
    if count:
        first = round(count / steps * (len(prior.alphas) - 1))
        noise = torch.randn(latents.shape, generator=generator).to(latents)
        alpha, conditional = prior.alphas[first], prior.embed(prompts, cameras)
        latents = denoise(
            prior.predict_noise, alpha.sqrt() * latents + (1 - alpha).sqrt() * noise, prior.alphas,
            join_views(conditional) if together else conditional, prior.embed([negative_prompt] * len(prompts)),
            steps=count, scale=scale, first=first,
        )  # fmt: skip
    return prior.decode(latents)


def noise_for(prior: Prior, count: int, generator: torch.Generator) -> torch.Tensor:
    """Draw the latents [count, C, h, w] that sampling starts from."""
    side = prior.unet.config.sample_size
    return torch.randn(count, prior.unet.config.in_channels, side, side, generator=generator).to(prior.device)


def denoise(
    predict_noise: PredictNoise,
    latents: torch.Tensor,
    alphas: torch.Tensor,
    conditional: torch.Tensor,
    unconditional: torch.Tensor,
    *,
    steps: int,
    scale: float,
    first: int | None = None,
    against: torch.Tensor | None = None,
    contrast: float = 0.0,
) -> torch.Tensor:
    """Carry latents [B, C, h, w] from pure noise, or timestep `first`, to a picture by deterministic DDIM steps.

    What the conditional context says otherwise than one to go `against` counts `contrast` times more.
    Source: Song et al., Denoising Diffusion Implicit Models, 2020, eq. 12 with sigma 0.
    """
    first = len(alphas) - 1 if first is None else first
    times = torch.linspace(first, 0, steps + 1).round().int().tolist()
    for source, target in zip(times[:-1], times[1:], strict=True):
        cond, uncond = predict_pair(predict_noise, latents, source, conditional, unconditional)
        noise = classifier_free_guidance(cond, uncond, scale)
        if against is not None:
            noise = noise + contrast * (cond - predict_noise(latents, source, against))
        latents = ddim_step(latents, noise, source, target, alphas)
    return latents
