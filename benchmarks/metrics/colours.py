"""How far the colours of some views are from those of others, wherever in the pictures they lie."""

from __future__ import annotations

import numpy as np
import torch

from backend.cameras import Cameras, azimuth_elevation

LEVELS = 64  # quantiles that stand for a distribution
DIRECTIONS = 64


def colour_distance(one: torch.Tensor, mask: torch.Tensor, other: torch.Tensor, other_mask: torch.Tensor) -> float:
    """Return twice the sliced Wasserstein-1 distance in CIE Lab of the colours of two sets of pictures, in units of dE.

    rgb [B, H, W, 3] before any background, masks [B, H, W, 1]; B may differ, and a mask counts from 0.5. If all colours
    of one set are those of the other but for one shift of length d, it is d; about 2 is just visible. Not a number
    where a mask is empty. The factor 2 is 1 over the mean of |cos| on the sphere.
    Source: Bonneel et al., Sliced and Radon Wasserstein barycenters of measures, 2015, section 3.
    """
    axes = _directions()
    quantiles = []
    for pictures, inside in ((one, mask), (other, other_mask)):
        colours = in_lab(pictures[inside[..., 0] > 0.5])  # [N, 3]
        if not len(colours):
            return float("nan")
        levels = (np.arange(LEVELS) + 0.5) / LEVELS
        quantiles.append(np.quantile(colours @ axes.T, levels, axis=0))  # [LEVELS, DIRECTIONS]
    return 2 * float(np.abs(quantiles[0] - quantiles[1]).mean())


def in_lab(colours: torch.Tensor) -> np.ndarray:
    """Return CIE Lab (D65) of sRGB colours [N, 3] in [0, 1]."""
    from skimage.color import rgb2lab

    return rgb2lab(colours.clamp(0, 1).double().numpy()[None])[0]


def from_behind(cameras: Cameras, azimuth_degrees: float = 0.0) -> list[int]:
    """Return which cameras stand more than 90 degrees to the side of where a picture was taken from."""
    away = (azimuth_elevation(cameras)[0] - azimuth_degrees + 180) % 360 - 180
    return (away.abs() > 90).nonzero()[:, 0].tolist()


def _directions() -> np.ndarray:
    """Return unit vectors spread evenly over half the sphere, [DIRECTIONS, 3]: Fibonacci's spiral."""
    number = np.arange(DIRECTIONS) + 0.5
    height, angle = number / DIRECTIONS, np.pi * (1 + 5**0.5) * number
    ring = np.sqrt(1 - height**2)
    return np.stack([ring * np.cos(angle), ring * np.sin(angle), height], 1)
