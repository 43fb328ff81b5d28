"""What is measured on the features of judges: LPIPS-like distance, consistency, Frechet distance, identity."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

Maps = Sequence[torch.Tensor]  # feature maps [B, C, h, w] of one batch, one entry for each layer
Distance = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # of two batches of images [B, H, W, 3], [B]


def lpips_like(one: Maps, other: Maps) -> torch.Tensor:
    """Return the perceptual distance [B] of two batches' feature maps: 0 for equal ones, at most 4 for each layer.

    Every map's channels are scaled to unit length at each place; squared differences are summed over channels,
    averaged over places, and averaged over layers. As LPIPS, but with no learned weights.
    Source: Zhang et al., The unreasonable effectiveness of deep features as a perceptual metric, 2018, eq. 1, w = 1.
    """
    if len(one) != len(other):
        raise ValueError(f"{len(one)} layers against {len(other)}: give the maps of one network")
    layers = []
    for a, b in zip(one, other, strict=True):
        a, b = torch.nn.functional.normalize(a, dim=1), torch.nn.functional.normalize(b, dim=1)
        layers.append((a - b).square().sum(1).mean((1, 2)))
    return torch.stack(layers).mean(0)


def adjacent_distance(images: torch.Tensor, distance: Distance) -> float:
    """Return A-LPIPS: the mean perceptual distance of neighbours on a closed ring of views [N, H, W, 3].

    0 is not the best value, a grey ball has it: print that of the true object's own views beside it.
    Source: Hong et al., Debiasing scores and prompts of 2D diffusion for view-consistent text-to-3D, 2023, section 5.
    """
    return float(distance(images, images.roll(-1, 0)).mean())


def frechet_distance(one: torch.Tensor, other: torch.Tensor) -> float:
    """Return |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) of Gaussians fitted to features [N, D] and [M, D].

    The covariances are unbiased. It grows as N or M falls: print the distance of two halves of the true features, of
    the same sizes, beside it. Source: Heusel et al., GANs trained by a two time-scale update rule, 2017, eq. 6.
    """
    if min(len(one), len(other)) < 2:
        raise ValueError(f"{len(one)} and {len(other)} features: a covariance takes at least 2")
    one, other = one.double(), other.double()
    shift = (one.mean(0) - other.mean(0)).square().sum()
    first, second = one.T.cov(), other.T.cov()
    values, vectors = torch.linalg.eigh(first)
    root = vectors @ torch.diag(values.clamp_min(0).sqrt()) @ vectors.T
    mixed = torch.linalg.eigvalsh(root @ second @ root).clamp_min(0).sqrt().sum()
    return float(shift + first.trace() + second.trace() - 2 * mixed)


def identity(renders: torch.Tensor, photos: torch.Tensor) -> float:
    """Return the mean cosine of all pairs of features of renders [N, D] and of held-out photos [M, D], in [-1, 1].

    Print that of another object of the same category beside it. Source: Ruiz et al., DreamBooth, 2022, section 4.2
    (DINO and CLIP-I).
    """
    normal = torch.nn.functional.normalize
    return float((normal(renders, dim=-1) @ normal(photos, dim=-1).T).mean())
