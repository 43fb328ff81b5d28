"""Looks at networks in training: losses on held-out groups, and sides drawn from a clean one."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from backend.diffusion.joint_attention import joined
from backend.embedded.objects.groups import render_group
from backend.embedded.objects.world import HELD_OUT_2
from backend.embedded.training.codecs import decode
from backend.embedded.training.denoiser import new_scheduler
from backend.embedded.training.latent_stream import Rows, encoded
from backend.embedded.training.view_batches import Describe, ViewBatch
from backend.embedded.training.views import ViewDenoiser, view_loss

FIRST_SEED = HELD_OUT_2.first_seed + 20_000
SHOWN_VIEWS = 4
TIMESTEPS = (150, 400, 650, 900)


def held_out_groups(codec: Any, groups: int = 12) -> tuple[Rows, np.ndarray]:
    """Return latents of held-out objects, eight views each, and the views themselves, uint8 [G, 8, H, W, 3]."""
    rows, pictures = Rows(), []
    for i in range(groups):
        images, facts = render_group(FIRST_SEED + i, unseen=True)
        rows.append(str(i), encoded(codec, images), facts)
        pictures.append(images)
    return rows, np.stack(pictures)


def look_at(rows: Rows, describe: Describe) -> Callable[[ViewDenoiser, Any], dict[str, float]]:
    """Return a function that gives the losses of a denoiser on held-out groups, always of the same noise.

    `single`: each view alone; `joint`: four views by words; `beside`: three beside a clean one; `shown`: without words.
    """

    @torch.no_grad()
    def look(model: ViewDenoiser, tokenizer: Any) -> dict[str, float]:
        alphas = new_scheduler().alphas_cumprod.to(model.camera_encoder.null.device)
        figures = {}
        for name, views, reference, told in (
            ("single", 1, False, True), ("joint", SHOWN_VIEWS, False, True),
            ("beside", SHOWN_VIEWS, True, True), ("shown", SHOWN_VIEWS, True, False),
        ):  # fmt: skip
            losses = []
            for number, step in enumerate(TIMESTEPS):
                batch = _batch(rows, views, reference, told, step, describe)
                noise = torch.Generator().manual_seed(number)
                losses.append(float(view_loss(model, tokenizer, rows, batch, alphas, noise)))
            figures[name] = sum(losses) / len(losses)
        return figures

    return look


def _batch(rows: Rows, views: int, reference: bool, told: bool, step: int, describe: Describe) -> ViewBatch:
    chosen = [row for group in rows.groups for row in group[:: len(group) // SHOWN_VIEWS][:SHOWN_VIEWS]]
    first = torch.arange(len(chosen)) % views == 0
    clean = first if reference else torch.zeros_like(first)
    words = [describe(rows.facts[i], random.Random(rows.facts[i]["seed"])) if told else "" for i in chosen]
    steps = torch.where(clean, 0, step)
    return ViewBatch(chosen, views, steps, clean, words, torch.ones(len(chosen), dtype=torch.bool))


@torch.no_grad()
def draw_sides(
    model: ViewDenoiser, tokenizer: Any, reference: torch.Tensor | None, facts: list[dict], words: list[str],
    *, steps: int = 25, scale: float = 3.0, seed: int = 0,
) -> torch.Tensor:  # fmt: skip
    """Return latents [V, C, h, w] of the views that `facts` tell the cameras of; the first is `reference` [C, h, w].

    Without a reference the words alone decide. Deterministic DDIM with guidance `scale`, away from what the network
    draws of each view alone, without words, camera and reference, as the product guides.
    """
    alphas = new_scheduler().alphas_cumprod
    views = len(facts)
    channels = model.unet.conv_in.in_channels
    x = torch.randn(views, channels, 16, 16, generator=torch.Generator().manual_seed(seed))
    told = model.context(tokenizer, words, facts, torch.ones(views, dtype=torch.bool))
    untold = model.context(tokenizer, [""] * views, facts, None)
    times = torch.linspace(len(alphas) - 1, 0, steps + 1).round().long().tolist()
    for time, following in zip(times[:-1], times[1:], strict=True):
        t = torch.full((views,), time)
        alone = model.unet(x, t, untold).sample
        if reference is not None:
            x[0], t[0] = reference.float(), 0
        with joined(model.unet, views):
            velocity = alone + scale * (model.unet(x, t, told).sample - alone)
        a, b = alphas[time], alphas[following] if following else torch.ones(())
        clean, noise = a.sqrt() * x - (1 - a).sqrt() * velocity, (1 - a).sqrt() * x + a.sqrt() * velocity
        x = b.sqrt() * clean + (1 - b).sqrt() * noise
    if reference is not None:
        x[0] = reference.float()
    return x


@torch.no_grad()
def pictures(codec: Any, latents: torch.Tensor) -> np.ndarray:
    """Return uint8 [B, H, W, 3] of latents [B, C, h, w]."""
    images = decode(codec, latents.float()).clamp(-1, 1).permute(0, 2, 3, 1)
    return ((images + 1) * 127.5).round().byte().numpy()
