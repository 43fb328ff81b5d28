"""What a weight of one means: the unit of guidance is a sum, that of everything but calibration a share of it.

Decision 0017 says why. TV-3DG's weights of the calibration have LucidDreamer's unit and are multiplied by nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

LAMBDA_GUIDANCE = 0.1  # LucidDreamer's, which shares refer to


@dataclass(frozen=True)
class Units:
    """The factors of three kinds of weights, and of the growth threshold, in a loss whose guidance is a sum."""

    average: float  # of what is held against the mean of the guidance over views and latents
    terms: float  # of the regularisers
    growth: float  # of a screen gradient that has been multiplied by the number of views


def loss_units(latents: torch.Tensor, *, against_sum: bool) -> Units:
    """Return the units of weights beside guidance over latents [B, C, h, w].

    Guidance, lambda_guidance sum_i g_i, grows with the number of views and latents; a regulariser, a mean over pixels,
    does not. As a share it is multiplied by 0.1 times that number, so that 1 means the same beside any prior and any
    number of views: 0.1 sum_i g_i + 0.1 N R has the direction of mean_i g_i + R. With `against_sum` the
    regularisers and the growth threshold have LucidDreamer's unit: 1, and the screen gradient of a view.
    Source: LucidDreamer's code, train.py (the sum) and configs (lambda_guidance 0.1).
    """
    average = LAMBDA_GUIDANCE * latents.numel()
    return Units(average, 1.0, float(len(latents))) if against_sum else Units(average, average, average)
