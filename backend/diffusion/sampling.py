"""Samples images from a prior by DDIM, with classifier-free guidance and, where the prior takes them, cameras."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from backend.cameras import Cameras
from backend.diffusion.denoiser import Prior
from backend.diffusion.scores import classifier_free_guidance, ddim_step, predict_pair


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
    """Return one image [B, H, W, 3] in [0, 1] for each prompt, seen by its camera where cameras are given.

    Source: Song et al., Denoising Diffusion Implicit Models, 2020, eq. 12 with sigma 0.
    """
    conditional = prior.embed(prompts, cameras)
    unconditional = prior.embed([negative_prompt] * len(prompts))
    side = prior.unet.config.sample_size
    latents = torch.randn(len(prompts), prior.unet.config.in_channels, side, side, generator=generator).to(prior.device)
    times = torch.linspace(len(prior.alphas) - 1, 0, steps + 1).round().int().tolist()
    for source, target in zip(times[:-1], times[1:], strict=True):
        noise = classifier_free_guidance(
            *predict_pair(prior.predict_noise, latents, source, conditional, unconditional), scale
        )
        latents = ddim_step(latents, noise, source, target, prior.alphas)
    return prior.decode(latents)
