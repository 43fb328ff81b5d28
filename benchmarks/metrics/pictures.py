"""Compares images with true ones: PSNR, SSIM, silhouettes, normals, saturation."""

from __future__ import annotations

import torch
from torch.nn.functional import conv2d

from backend.meshes.rasteriser import silhouette_iou

__all__ = ["normal_error", "psnr", "saturation", "silhouette_iou", "ssim"]


def psnr(made: torch.Tensor, true: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    """Return 10 log10(1 / mean squared error) in dB, [B], of images [B, H, W, 3] in [0, 1].

    With a mask [B, H, W, 1] only what lies inside counts. Equal images give infinity.
    """
    error = (made - true).square().mean(-1, keepdim=True)  # [B, H, W, 1]
    weight = torch.ones_like(error) if mask is None else (mask > 0.5).to(error)
    return -10 * ((error * weight).sum((1, 2, 3)) / weight.sum((1, 2, 3)).clamp_min(1)).log10()


def ssim(made: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """Return the mean structural similarity, [B], of images [B, H, W, 3] in [0, 1]; 1 for equal images.

    Gaussian window of 11 pixels and sigma 1.5, K1 0.01, K2 0.03, on each channel, without borders.
    Source: Wang et al., Image quality assessment: from error visibility to structural similarity, 2004, eq. 13.
    """
    line = torch.exp(-((torch.arange(11.0) - 5) ** 2) / (2 * 1.5**2))
    window = (line[:, None] * line / line.sum() ** 2).expand(3, 1, 11, 11)

    def blur(planes: torch.Tensor) -> torch.Tensor:
        return conv2d(planes, window.to(planes), groups=3)

    x, y = made.permute(0, 3, 1, 2), true.permute(0, 3, 1, 2)
    mean_x, mean_y = blur(x), blur(y)
    variance_x, variance_y = blur(x * x) - mean_x**2, blur(y * y) - mean_y**2
    covariance = blur(x * y) - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return (luminance * (2 * covariance + c2) / (variance_x + variance_y + c2)).mean((1, 2, 3))


def normal_error(made: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """Return the mean angle in degrees, [B], between normals [B, H, W, 3] where both have one (length above 0.5).

    Both in the same frame; lengths do not matter beyond that. Not a number where they nowhere meet.
    """
    both = (made.norm(dim=-1) > 0.5) & (true.norm(dim=-1) > 0.5)  # [B, H, W]
    cosine = torch.nn.functional.cosine_similarity(made, true, dim=-1).clamp(-1, 1)
    angle = torch.rad2deg(torch.acos(cosine)) * both
    return angle.sum((1, 2)) / both.sum((1, 2))


def saturation(images: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return the mean HSV saturation, [B] in [0, 1], of images [B, H, W, 3] inside masks [B, H, W, 1].

    (max - min) / max of the three channels, 0 for black. Score distillation with a large guidance scale oversaturates.
    """
    high, low = images.amax(-1), images.amin(-1)
    share = torch.where(high > 1e-3, (high - low) / high.clamp_min(1e-3), torch.zeros_like(high))
    inside = (mask[..., 0] > 0.5).to(share)
    return (share * inside).sum((1, 2)) / inside.sum((1, 2)).clamp_min(1)
