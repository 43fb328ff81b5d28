"""Rendered views to latents, and a gradient of the latents back to the views: all at once, or a few at a time.

The encoder's graph is what costs memory in a step. A few at a time, no more than theirs is alive, for one more forward
pass of each view: first without a graph, for the guidance, and then again with it, for the way back.
"""

from __future__ import annotations

import torch

from backend.diffusion.denoiser import TOGETHER_PIXELS, Prior
from backend.diffusion.scores import distillation_loss


def views_at_once(wanted: int, image_size: int) -> int:
    """Return how many views to have in memory together, 0: all; with 0 wanted it depends on their size in pixels.

    It does not depend on the memory that there is, so that a job gives the same bytes on every machine of a kind.
    """
    return wanted or (0 if image_size <= TOGETHER_PIXELS else 1)


def encode(prior: Prior, images: torch.Tensor, at_once: int = 0) -> torch.Tensor:
    """Turn sRGB images [B, H, W, 3] in [0, 1] into latents [B, C, h, w]; with a graph if they go all together."""
    if not at_once or at_once >= len(images):
        return prior.encode(images)
    with torch.no_grad():
        return torch.cat([prior.encode(part) for part in images.split(at_once)])


def backpropagate_to_images(
    prior: Prior, images: torch.Tensor, latents: torch.Tensor, gradient: torch.Tensor, weight: float
) -> None:
    """Backpropagate weight times a gradient of the latents [B, C, h, w] through encoder and images.

    `latents` are what `encode` returned: if they have no graph, each view is encoded again, alone. The graph of the
    images is kept for more.
    """
    if latents.requires_grad:
        (pulled,) = torch.autograd.grad(weight * distillation_loss(latents, gradient), images)  # frees its graph
    else:
        parts = []
        for image, wanted in zip(images.detach().split(1), gradient.split(1), strict=True):
            image.requires_grad_()
            loss = weight * distillation_loss(prior.encode(image), wanted)
            parts += torch.autograd.grad(loss, image)
        pulled = torch.cat(parts)
    images.backward(pulled, retain_graph=True)
