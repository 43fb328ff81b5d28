"""Words for the side that each view shows, and the Perp-Neg correction against the other sides.

Priors draw fronts by preference, so that objects get several faces. The positive prompt is mixed of the directions'
embeddings by azimuth, and of the predictions for the front and the side, as negatives, only what is perpendicular to
the positive direction counts.
Source: Armandpour et al., Re-imagine the Negative Prompt Algorithm, 2023, section 4; numbers of threestudio.
"""

from __future__ import annotations

import torch

from backend.diffusion.scores import Correct, PredictNoise

DIRECTIONS = ("front", "side", "back", "overhead")
NEGATIVES = ("front", "side")
OVERHEAD_DEGREES = 60.0  # above it there is neither front nor back

# a, b, c of a weight -(a exp(-b r) + c), where r is the share of the direction that is named first.
FRONT_NEAR_SIDE = SIDE_NEAR_FRONT = (4.0, 0.5, -2.426)
SIDE_NEAR_BACK = (1.0, 0.5, -0.606)
FRONT_NEAR_BACK = (1.0, 0.5, 0.967)


def direction_shares(azimuths: torch.Tensor, elevations: torch.Tensor) -> torch.Tensor:
    """Return the shares [B, 4] of front, side, back and overhead in each view's prompt, for degrees [B]; sums are 1."""
    away = ((azimuths + 180) % 360 - 180).abs() / 90  # 0 front, 1 side, 2 back
    front, back = (1 - away).clamp_min(0), (away - 1).clamp_min(0)
    shares = torch.stack([front, 1 - front - back, back, torch.zeros_like(away)], dim=-1)
    overhead = torch.tensor([0.0, 0.0, 0.0, 1.0]).to(shares)
    return torch.where((elevations > OVERHEAD_DEGREES)[:, None], overhead, shares)


def negative_weights(azimuths: torch.Tensor, elevations: torch.Tensor) -> torch.Tensor:
    """Return the weights [B, 2] of the negatives front and side, for degrees [B]; none is much above 0."""
    away = ((azimuths + 180) % 360 - 180).abs() / 90
    near_front = torch.stack([_decay(FRONT_NEAR_SIDE, 1 - away), _decay(SIDE_NEAR_FRONT, away)], dim=-1)
    near_back = torch.stack([_decay(FRONT_NEAR_BACK, 2 - away), _decay(SIDE_NEAR_BACK, 2 - away)], dim=-1)
    weights = -torch.where((away < 1)[:, None], near_front, near_back)
    return torch.where((elevations > OVERHEAD_DEGREES)[:, None], 0.0, weights)


def perp_neg_correction(negatives: torch.Tensor, weights: torch.Tensor) -> Correct:
    """Return the Perp-Neg correction for negative contexts [K, B, T, width] and weights [B, K].

    To the conditional prediction it adds the weighted part of (negative - unconditional) that is perpendicular to
    (conditional - unconditional), so every loss can use it. It costs K UNet evaluations of each view, in one batch.
    """
    count = len(negatives)

    @torch.no_grad()
    def correct(
        predict_noise: PredictNoise, noisy: torch.Tensor, t: int, cond: torch.Tensor, uncond: torch.Tensor
    ) -> torch.Tensor:
        predicted = predict_noise(torch.cat([noisy] * count), t, negatives.flatten(0, 1)).chunk(count)
        towards = cond - uncond
        for noise, weight in zip(predicted, weights.to(noisy).unbind(1), strict=True):
            cond = cond + weight[:, None, None, None] * perpendicular(noise - uncond, towards)
        return cond

    return correct


def perpendicular(vectors: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """Return the component of vectors [B, ...] perpendicular to the others of their samples; all where those are 0."""
    along = (vectors * others).flatten(1).sum(1) / others.square().flatten(1).sum(1).clamp_min(1e-6)
    return vectors - along.view(-1, *[1] * (vectors.ndim - 1)) * others


def _decay(numbers: tuple[float, float, float], share: torch.Tensor) -> torch.Tensor:
    a, b, c = numbers
    return a * torch.exp(-b * share) + c
