"""What the image looks like from other sides, as a prior of such views says: the guidance that knows the image.

A prior that sees the image itself beside the views of a step is asked; else a Zero-1-to-3. Each view counts by the
angle between it and the image's, as what is near to that is known.
Source: Customize-It-3D (arXiv 2312.11535), section 3.3, and its code: angle / 180 times the guidance.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from addon.protocol.systems.customize_it_3d import CustomizeIt3DSettings
from backend.cameras import Cameras
from backend.diffusion.denoiser import Prior
from backend.diffusion.guidance import Guidance, GuidanceOptions, guidance_for
from backend.diffusion.latents import backpropagate_to_images, encode
from backend.diffusion.scores import sds
from backend.diffusion.zero123 import Zero123, load_zero123, relative_poses
from backend.rendering.renderer import background_word
from backend.systems.reference import Target, seen_view
from backend.weights import network_name


class NovelViews(Protocol):
    """Pulls renderings towards what the image looks like from their cameras."""

    def pull(
        self, images: Tensor, cameras: Cameras, background: Tensor, t: int, generator: torch.Generator, weight: float,
        encoder: Prior | None = None,
    ) -> bool:  # fmt: skip
        """Backpropagate `weight` times the guidance of images [B, H, H, 3] before a background [3], as a mean over
        latents; the images' graph is kept. Return whether it was a number: if not, nothing was done.

        `encoder` is what the base's renderings are encoded with in this step; a network of its own keeps its own.
        """
        ...


def turned(reference: Cameras, cameras: Cameras) -> Tensor:
    """Return how far cameras are turned away from the reference, [B], from 0 (the same direction) to 1 (opposite)."""
    one = functional.normalize(reference.position.double().cpu(), dim=-1)
    others = functional.normalize(cameras.position.double().cpu(), dim=-1)
    return (torch.acos((one * others).sum(-1).clamp(-1, 1)) / torch.pi).float()


def apply_turned(model: Any, images: Tensor, latents: Tensor, gradient: Tensor, share: Tensor, weight: float) -> bool:
    """Backpropagate a gradient [B, C, h, w], each view's times its share [B]; `model` has encoded the images."""
    if not torch.isfinite(gradient).all():
        return False
    gradient = gradient * share.to(gradient)[:, None, None, None]
    backpropagate_to_images(model, images, latents, gradient, weight / gradient.numel())
    return True


@dataclass(frozen=True)
class TurnedImage:
    """A Zero-1-to-3 that was told the image and the way to each camera."""

    model: Zero123
    target: Target
    scale: float
    noise_weight: Any  # w(t)

    def pull(
        self, images: Tensor, cameras: Cameras, background: Tensor, t: int, generator: torch.Generator, weight: float,
        encoder: Prior | None = None,
    ) -> bool:  # fmt: skip
        """See `NovelViews`."""
        device = self.model.device
        rgb, mask = self.target.rgb.to(device), self.target.mask.to(device)
        shown = rgb * mask + background.detach().to(device) * (1 - mask)
        told, nothing = self.model.context(shown, relative_poses(self.target.camera, cameras).to(device))
        latents = self.model.encode(images)
        noise = torch.randn(latents.shape, generator=generator).to(latents)
        gradient = sds(
            self.model.predict_noise, latents.detach(), t, noise, alphas=self.model.alphas, conditional=told,
            unconditional=nothing, scale=self.scale, weight=self.noise_weight,
        )  # fmt: skip
        return apply_turned(self.model, images, latents, gradient, turned(self.target.camera, cameras), weight)


@dataclass(frozen=True)
class JointViews:
    """A prior that is asked about all views together, beside the image."""

    guidance: Guidance
    prompt: str
    target: Target

    def pull(
        self, images: Tensor, cameras: Cameras, background: Tensor, t: int, generator: torch.Generator, weight: float,
        encoder: Prior | None = None,
    ) -> bool:  # fmt: skip
        """See `NovelViews`."""
        prior = self.guidance.prior
        contexts = self.guidance.contexts(
            self.prompt, "", cameras, tell_cameras=True, background=background_word(background),
            seen=seen_view(prior, self.target, background.detach()),
        )  # fmt: skip
        encoder = encoder or prior
        latents = encode(encoder, images, self.guidance.at_once)
        gradient = self.guidance.gradient(latents.detach(), t, contexts, generator)
        return apply_turned(encoder, images, latents, gradient, turned(self.target.camera, cameras), weight)


def load_novel_views(prior: Prior, target: Target, prompt: str, settings: CustomizeIt3DSettings) -> NovelViews | None:
    """Return what knows the image from other sides; None where its weight is 0. Raises MissingModel.

    `prior` is the one that was not taught: it sees the image itself, where it can.
    """
    if not (settings.novel_views or settings.refine_novel_views):
        return None
    if prior.sees_reference and prior.takes_views and prior.takes_cameras:
        options = replace(guidance_options(settings), joint_views=True, scale=settings.novel_scale, perp_neg=0.0)
        return JointViews(guidance_for(prior, options), prompt, target)
    model = load_zero123(network_name(settings.companions, "zero123"), prior.device)
    return TurnedImage(model, target, settings.novel_scale, settings.weight)


def guidance_options(settings: CustomizeIt3DSettings) -> GuidanceOptions:
    """Return the options of the guidance of the taught prior."""
    return GuidanceOptions(
        loss=settings.loss, scale=settings.scale, delta_t=settings.delta_t, difference=1.0, perturbation=0.0,  # pyright: ignore
        weight=settings.weight, perp_neg=settings.perp_neg, paper_compat=settings.paper_compat,  # pyright: ignore
        reuse=settings.reuse,
    )  # fmt: skip
