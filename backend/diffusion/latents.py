"""Rendered views to latents, and a gradient of the latents back to the views: all at once, or a few at a time.

The encoder's graph is what costs memory in a step. A few at a time, no more than theirs is alive, for one more forward
pass of each view: first without a graph, for the guidance, and then again with it, for the way back.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from backend.diffusion.denoiser import TOGETHER_PIXELS, Prior, SmallEncoder
from backend.diffusion.image_prompt import twin
from backend.diffusion.scores import distillation_loss
from backend.errors import BadInput
from backend.weights import fingerprint, load_frozen, network_folder

SMALL_ENCODER_ROLE = "small_encoder"
PROBE_PIXELS = 128  # of the picture that two encoders are compared by


def views_at_once(wanted: int, image_size: int, most_together: int = 0) -> int:
    """Return how many views to have in memory together, 0: all; with 0 wanted it depends on their size in pixels.

    It does not depend on the memory that there is, so that a job gives the same bytes on every machine of a kind;
    only where memory is known not to do (`most_together` of a prior is above 0) they go one by one.
    """
    return 1 if most_together else wanted or (0 if image_size <= TOGETHER_PIXELS else 1)


def frugal(prior: Prior) -> Prior:
    """Return a prior that keeps as little as it can for the way back; the numbers stay as they are."""
    from diffusers import AutoencoderKL

    if not isinstance(prior.autoencoder, AutoencoderKL):  # the tiny one would see other pixels under it
        return replace(prior, is_frugal=True)
    autoencoder = twin(prior.autoencoder)  # the prior may be kept for another job
    autoencoder.enable_gradient_checkpointing()
    return replace(prior, is_frugal=True, autoencoder=autoencoder)


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


def load_small_encoder(name: str, prior: Prior) -> SmallEncoder:
    """Load an AutoencoderTiny such as TAESD from a folder, to encode in the place of a prior's own encoder.

    It needs no number of the base: TAESD's latents have the scale that a UNet sees (`scaling_factor` 1 beside .18215).
    Raises MissingModel where it is not there, BadInput where its latents have another shape than the base's.
    Source of the scale: github.com/madebyollin/taesd, issue 3.
    """
    from diffusers import AutoencoderTiny

    folder = network_folder(name, SMALL_ENCODER_ROLE)
    last = prior.device.type == "cpu"
    network = load_frozen(AutoencoderTiny, folder, prior.device, prior.dtype, channels_last=last)
    small, own = network.config, prior.autoencoder.config
    if small.latent_channels != own.latent_channels:
        raise BadInput(
            f"The small encoder in {folder} makes latents of {small.latent_channels} channels, and the base's have "
            f"{own.latent_channels}.",
            "Turn small_encoder off, or fetch the one that was made for this base.",
        )
    if len(small.encoder_block_out_channels) != len(own.block_out_channels):
        raise BadInput(
            f"The small encoder in {folder} makes latents of another size than the base's.",
            "Turn small_encoder off, or fetch the one that was made for this base.",
        )
    return SmallEncoder(network, fingerprint(folder))


def through_small(prior: Prior) -> Prior:
    """Return a prior that encodes with its small encoder, where it has one."""
    return prior if prior.small_encoder is None else replace(prior, autoencoder=prior.small_encoder.network)


@torch.no_grad()
def strangeness(prior: Prior) -> float:
    """Return how far the small encoder's latents of a picture are from the base's own, in variances of those.

    0 is the same; from 1 on the one knows nothing of what the other says.
    """
    side = torch.linspace(0, 1, PROBE_PIXELS)
    y, x = torch.meshgrid(side, side, indexing="ij")
    inside = ((x - 0.5) ** 2 + (y - 0.5) ** 2 < 0.1)[..., None]
    picture = torch.where(inside, torch.stack([x, y, 1 - x], -1), torch.ones(3))[None]  # as renderings are, on white
    own, small = prior.encode(picture), through_small(prior).encode(picture)
    return float((small - own).square().mean() / own.var(dim=(-2, -1)).mean().clamp_min(1e-12))
