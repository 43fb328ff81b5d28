"""Losses on renders, pure: tensors in, a scalar out. The caller weights them on the line that sums."""

from __future__ import annotations

import torch


def total_variation(images: torch.Tensor) -> torch.Tensor:
    """Return the mean absolute difference of neighbouring pixels, [B, H, W, C] -> []."""
    rows = (images[:, 1:] - images[:, :-1]).abs().mean()
    columns = (images[:, :, 1:] - images[:, :, :-1]).abs().mean()
    return rows + columns


def masked_total_variation(images: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
    """Return the total variation of [B, H, W, C] where both neighbours are solid, by alpha [B, H, W, 1]."""
    solid = alpha.detach()
    rows = (images[:, 1:] - images[:, :-1]).abs() * solid[:, 1:] * solid[:, :-1]
    columns = (images[:, :, 1:] - images[:, :, :-1]).abs() * solid[:, :, 1:] * solid[:, :, :-1]
    return (rows.sum() + columns.sum()) / (solid.sum() * images.shape[-1]).clamp_min(1.0)


def photometric(rgb: torch.Tensor, target: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return the mean absolute colour difference of [B, H, W, 3] inside a mask [B, H, W, 1]."""
    return ((rgb - target).abs() * mask).sum() / (mask.sum() * rgb.shape[-1]).clamp_min(1.0)


def silhouette(alpha: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return the mean squared difference of alpha and mask, both [B, H, W, 1]."""
    return (alpha - mask).square().mean()


def opacity_entropy(alpha: torch.Tensor, epsilon: float = 1e-3) -> torch.Tensor:
    """Return the mean binary entropy in nats: 0 where alpha is 0 or 1, so it makes surfaces decide."""
    alpha = alpha.clamp(epsilon, 1 - epsilon)
    return -(alpha * alpha.log() + (1 - alpha) * (1 - alpha).log()).mean()


def out_of_range(values: torch.Tensor) -> torch.Tensor:
    """Return the mean squared excess over [0, 1]: colours that no screen shows have no other way back."""
    return (values - values.clamp(0, 1)).square().mean()
