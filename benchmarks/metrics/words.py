"""Whether renders look like their prompt: CLIP score, R-precision, and what a reader reads off them."""

from __future__ import annotations

from collections.abc import Mapping

import torch


def clip_score(images: torch.Tensor, caption: torch.Tensor) -> float:
    """Return the mean cosine of image features [N, D] and a caption's [D], not rescaled, in [-1, 1].

    Source: Hessel et al., CLIPScore, 2021, eq. 1 with w = 1 and without the cut at 0.
    """
    normal = torch.nn.functional.normalize
    return float((normal(images, dim=-1) @ normal(caption, dim=-1)).mean())


def r_precision(images: torch.Tensor, captions: torch.Tensor, own: torch.Tensor | int) -> float:
    """Return the share of images [N, D] whose own caption is the nearest of all [K, D] by cosine; ties do not count.

    `own` is the caption's row, for all images or for each [N]. Chance is 1 / K. Source: Park et al., Benchmark for
    compositional text-to-image synthesis, 2021, section 3 (CLIP-R-precision, R = 1); Poole et al., DreamFusion, 2022.
    """
    normal = torch.nn.functional.normalize
    cosines = normal(images, dim=-1) @ normal(captions, dim=-1).T  # [N, K]
    rows = torch.as_tensor(own).expand(len(images))
    mine = cosines.gather(1, rows[:, None])
    return float(((cosines >= mine).sum(1) == 1).float().mean())


def read_right(said: Mapping[str, torch.Tensor], true: Mapping[str, int | bool]) -> dict[str, float]:
    """Return for each attribute the share of views [N] of which a reader says the true value, in [0, 1]."""
    return {name: float((said[name] == value).float().mean()) for name, value in true.items()}
