"""What the image does not show takes its colours from the image: statistics of its colours hold the unseen sides.

Only which colours there are, and how much of each, is compared, not where. The sides that the prior draws are carried
over to these colours where they disagree, and renderings from behind are held to them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn.functional import adaptive_avg_pool2d, normalize

from backend.cameras import Cameras
from backend.systems.reference import Target
from backend.vision.calibration import SOLID

CELLS = 32  # along a side of the pictures that are compared: details and noise are no matter
DIRECTIONS = 16  # of the slices through the colours
SEEN, UNSEEN = 60.0, 120.0  # degrees from the image's camera: up to there it sees a view, from there on it does not
ALIKE, APART = 0.03, 0.1  # distances, in sRGB, up to which a drawn side agrees, and from which all of it is recoloured
MIN_CELLS = 8
FLOOR = 1e-4  # variance below which a colour has no direction: a deviation of 0.01


@dataclass(frozen=True)
class Palette:
    """The colours of an image's subject, and the camera that saw it: None holds every view to them."""

    camera: Cameras | None
    colours: torch.Tensor  # [N, 3], sRGB, straight

    def loss(self, rgb: torch.Tensor, alpha: torch.Tensor, background: torch.Tensor, cameras: Cameras) -> torch.Tensor:
        """Return how far the colours of renderings are from the palette where the image does not see them, a scalar.

        rgb [B, H, W, 3] over a background [3], alpha [B, H, W, 1]. The mean over views of `sliced_distance`, each
        weighted by `unseen`: 0 where all are seen, or empty.
        """
        total = rgb.new_zeros(())
        for weight, picture, cover in zip(self.weights(cameras), rgb, alpha, strict=True):
            if weight > 0 and len(colours := solid_colours(picture, cover, background)) >= MIN_CELLS:
                total = total + weight * sliced_distance(colours, self.colours.to(colours))
        return total / len(rgb)

    def weights(self, cameras: Cameras) -> list[float]:
        """Return how much each view is held to the colours."""
        return [1.0] * len(cameras) if self.camera is None else unseen(cameras, self.camera).tolist()


def palette_of(target: Target) -> Palette:
    """Return the palette of a reference."""
    return Palette(target.camera, solid_colours(target.rgb[0] * target.mask[0], target.mask[0], torch.zeros(3)))


def solid_colours(rgb: torch.Tensor, alpha: torch.Tensor, background: torch.Tensor) -> torch.Tensor:
    """Return the straight mean colours [N, 3] of those of CELLS x CELLS cells that the object fills.

    rgb [H, W, 3] over the background [3], alpha [H, W, 1]: how much is solid is not to be learned, so alpha is fixed.
    """
    alpha = alpha.detach()
    own = torch.cat([rgb - background.to(rgb) * (1 - alpha), alpha], dim=-1)  # premultiplied
    small = adaptive_avg_pool2d(own.permute(2, 0, 1), min(CELLS, rgb.shape[0]))  # [4, CELLS, CELLS]
    cells = small.flatten(1).T  # [CELLS^2, 4]
    cells = cells[cells[:, 3] > SOLID]  # which the object fills for the larger part
    return cells[:, :3] / cells[:, 3:]


def sliced_distance(colours: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Return twice the sliced Wasserstein-1 distance of colours [N, 3] and [M, 3]: d for one shift of length d.

    Differentiable in both. Source: Bonneel et al., Sliced and Radon Wasserstein barycenters, 2015, section 3.
    """
    axes = directions(DIRECTIONS).to(colours)
    one, other = (colours @ axes.T).sort(dim=0).values, (wanted @ axes.T).sort(dim=0).values  # [N, D], [M, D]
    levels = (torch.arange(max(len(one), len(other)), device=colours.device) + 0.5) / max(len(one), len(other))
    return 2 * (at_levels(one, levels) - at_levels(other, levels)).abs().mean()


def at_levels(ordered: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
    """Return the values of a sorted [N, D] at levels [L] in [0, 1], by a straight line between neighbours: [L, D]."""
    place = (levels * len(ordered) - 0.5).clamp(0, len(ordered) - 1)
    low = place.floor().long()
    high = (low + 1).clamp_max(len(ordered) - 1)
    share = (place - low)[:, None]
    return ordered[low] * (1 - share) + ordered[high] * share


def directions(count: int) -> torch.Tensor:
    """Return unit vectors spread evenly over half the sphere, [count, 3]: Fibonacci's spiral."""
    number = torch.arange(count) + 0.5
    height, angle = number / count, math.pi * (1 + 5**0.5) * number
    ring = (1 - height**2).sqrt()
    return torch.stack([ring * angle.cos(), ring * angle.sin(), height], dim=-1)


def unseen(cameras: Cameras, camera: Cameras) -> torch.Tensor:
    """Return how little another camera sees of what cameras see, [B]: 0 within SEEN degrees of it, 1 beyond UNSEEN."""
    cosine = normalize(cameras.position, dim=-1) @ normalize(camera.position[0], dim=-1).to(cameras.position)
    away = torch.rad2deg(torch.acos(cosine.clamp(-1, 1)))
    share = ((away - SEEN) / (UNSEEN - SEEN)).clamp(0, 1)
    return share * share * (3 - 2 * share)


@torch.no_grad()
def recoloured(pictures: torch.Tensor, mask: torch.Tensor, cameras: Cameras, palette: Palette) -> torch.Tensor:
    """Return drawn sides [B, H, W, 3] over white, carried over to the palette as far as they disagree with it.

    mask [B, H, W, 1]. The affine map with least movement gives a side the palette's mean and covariance.
    A side that agrees, or that the image shows, stays. Source: Pitie and Kokaram, The linear Monge-Kantorovitch linear
    colour mapping for example-based colour transfer, 2007, eq. 4.
    """
    made = []
    wanted = palette.colours.to(pictures)
    for weight, picture, inside in zip(palette.weights(cameras), pictures, mask, strict=True):
        colours = solid_colours(picture * inside, inside, torch.zeros(3))
        if weight == 0 or len(colours) < MIN_CELLS:
            made.append(picture)
            continue
        apart = float(sliced_distance(colours, wanted))
        share = weight * min(max((apart - ALIKE) / (APART - ALIKE), 0.0), 1.0) * inside
        matrix, mean, target_mean = transfer(colours, wanted)
        mapped = ((picture - mean) @ matrix.T + target_mean).clamp(0, 1)
        made.append(picture + share * (mapped - picture))
    return torch.stack(made)


def transfer(colours: torch.Tensor, wanted: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return matrix [3, 3], mean and wanted mean, so that matrix (x - mean) + wanted mean has the wanted statistics."""
    mean, target_mean = colours.mean(0), wanted.mean(0)
    covariance, target = (x.T.cov(correction=0) + FLOOR * torch.eye(3).to(x) for x in (colours, wanted))
    root = power(covariance, 0.5)
    inverse = power(covariance, -0.5)
    return inverse @ power(root @ target @ root, 0.5) @ inverse, mean, target_mean


def power(matrix: torch.Tensor, exponent: float) -> torch.Tensor:
    """Return a power of a symmetric positive definite matrix."""
    values, vectors = torch.linalg.eigh(matrix)
    return vectors @ torch.diag(values.clamp_min(1e-12) ** exponent) @ vectors.T
