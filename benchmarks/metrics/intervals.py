"""How sure a mean is: bootstrap intervals, of one score and of the difference of two on the same cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

DRAWS = 2000


@dataclass(frozen=True)
class Interval:
    """A mean with the bounds between which 95 % of resampled means lie, and the number of cases behind it."""

    mean: float
    low: float
    high: float
    n: int


def bootstrap(scores: Sequence[float], cases: Sequence[str] | None = None, seed: int = 0) -> Interval:
    """Return the mean score and its 95 % percentile interval over 2000 resamplings.

    Cases are resampled, not runs: several seeds of one case (named by `cases`) are averaged first, because they are
    not independent. Source: Efron, Bootstrap methods: another look at the jackknife, 1979.
    """
    values = _of_cases(scores, cases)
    if not len(values):
        raise ValueError("no scores: an interval takes at least one")
    chosen = np.random.default_rng(seed).integers(0, len(values), (DRAWS, len(values)))
    low, high = np.percentile(values[chosen].mean(1), [2.5, 97.5])
    return Interval(float(values.mean()), float(low), float(high), len(values))


def paired_bootstrap(
    one: Sequence[float], other: Sequence[float], cases: Sequence[str] | None = None, seed: int = 0
) -> Interval:
    """Return the mean of `one - other`, pair by pair on the same cases and seeds, with its interval.

    The difference is sure when the interval leaves out 0.
    """
    if len(one) != len(other):
        raise ValueError(f"{len(one)} scores against {len(other)}: pairs are of the same cases")
    return bootstrap([a - b for a, b in zip(one, other, strict=True)], cases, seed)


def _of_cases(scores: Sequence[float], cases: Sequence[str] | None) -> np.ndarray:
    if cases is None:
        return np.asarray(scores, dtype=float)
    grouped: dict[str, list[float]] = {}
    for case, score in zip(cases, scores, strict=True):
        grouped.setdefault(case, []).append(score)
    return np.array([float(np.mean(group)) for group in grouped.values()])
