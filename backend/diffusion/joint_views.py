"""Asks a UNet about the views of an object together, beside a picture of it that is already clean.

A context of four dimensions [G, R, T, width] says that the latents are V views each of G objects, joined: R is V, or
V + 1 where the first row is told of the clean picture, whose latents stand behind its tokens. So it stays one tensor,
and every score takes it as it takes another.
Source: MVDream (arXiv 2308.16512), section 3.1; a clean row: the pixel controller of ImageDream (arXiv 2312.02201).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from backend.cameras import Cameras
from backend.diffusion.joint_attention import joined


@dataclass(frozen=True)
class SeenView:
    """What an object looks like from one camera, for a prior that sees it."""

    latents: torch.Tensor  # [1, C, h, w], scaled
    camera: Cameras


def join_views(context: torch.Tensor) -> torch.Tensor:
    """Return the context [1, V, T, width] of the views of one object from that of single ones [V, T, width]."""
    return context[None]


def join_beside(context: torch.Tensor, seen_context: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    """Return the context [1, V + 1, T + L, width] of views beside a clean one.

    context [V, T, width] of the views, `seen_context` [1, T, width] of the clean one, whose latents are `seen`
    [1, C, h, w].
    """
    rows = torch.cat([seen_context, context])  # [V + 1, T, width]
    width = context.shape[-1]
    behind = rows.new_zeros(len(rows), packed_tokens(seen, width), width)
    behind[0].view(-1)[: seen.numel()] = seen.flatten().to(rows)
    return torch.cat([rows, behind], dim=1)[None]


def packed_tokens(latents: torch.Tensor, width: int) -> int:
    """Return how many tokens of a context hold the latents [B, C, h, w] of one picture."""
    return -(-latents[0].numel() // width)


def predict_joint(unet: Any, latents: torch.Tensor, t: int, context: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return what a UNet says (fp32) of latents [G * V, C, h, w] at a timestep under a joint context.

    Raises ValueError where the latents are no groups of its views.
    """
    groups, rows, _, width = context.shape
    views = len(latents) // groups
    if views * groups != len(latents) or rows - views not in (0, 1):
        raise ValueError(f"{len(latents)} views are no {groups} groups for a context of {rows} rows")
    shown = latents.view(groups, views, *latents.shape[1:])
    steps = torch.full((groups, rows), t, device=latents.device, dtype=torch.long)
    if rows > views:
        tokens = packed_tokens(latents, width)
        context, behind = context[:, :, :-tokens], context[:, 0, -tokens:]
        clean = behind.flatten(1)[:, : latents[0].numel()].reshape(groups, 1, *latents.shape[1:])
        shown = torch.cat([clean.to(shown), shown], dim=1)
        steps[:, 0] = 0
    with joined(unet, rows):
        told = unet(
            shown.flatten(0, 1).to(dtype), steps.flatten(), encoder_hidden_states=context.flatten(0, 1).to(dtype)
        ).sample.float()
    return told.view(groups, rows, *latents.shape[1:])[:, rows - views :].flatten(0, 1)
