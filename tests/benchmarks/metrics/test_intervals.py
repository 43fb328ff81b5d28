"""Confidence intervals: how often they hold, and that pairs are surer than means."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.metrics import intervals


def test_an_interval_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(200):
        interval = intervals.bootstrap(rng.normal(3.0, 1.0, 40).tolist())
        hits += interval.low <= 3.0 <= interval.high
    assert 175 <= hits <= 199 and interval.n == 40


def test_pairs_are_surer_than_means_and_seeds_are_no_cases() -> None:
    rng = np.random.default_rng(1)
    hard = rng.normal(0, 5, 20)
    one, other = (hard + 1 + rng.normal(0, 0.1, 20)).tolist(), (hard + rng.normal(0, 0.1, 20)).tolist()
    difference = intervals.paired_bootstrap(one, other)
    assert 0.9 < difference.low <= difference.mean <= difference.high < 1.1
    assert intervals.bootstrap(one).high - intervals.bootstrap(one).low > 2
    grouped = intervals.bootstrap([1.0, 3.0, 10.0], ["a", "a", "b"])
    assert grouped.n == 2 and grouped.mean == 6.0
    with pytest.raises(ValueError, match="2 scores against 1"):
        intervals.paired_bootstrap([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="no scores"):
        intervals.bootstrap([])
