"""A step beside its forecast, in small by the same code; the figures at full size are committed ones."""

from __future__ import annotations

import json

import pytest

from addon.protocol import preflight
from benchmarks.cards import predicted
from benchmarks.cards.full_size import LEVERS, Size, prior_for

SMALL = Size(divide=16, side=8, steps=1, settings={"nodes": 8, "view_size": 12, "count": 64})


def test_the_networks_that_are_made_are_those_that_the_forecast_counts() -> None:
    base = predicted.base_of(prior_for(LEVERS["full precision"], "cpu", SMALL))
    assert base.pixels == 64 and base.weights["unet"] > 1e6
    assert 0 < base.gflop["unet"] < preflight.STABLE_DIFFUSION_BASE.gflop["unet"] / 1000
    again = predicted.base_of(prior_for(LEVERS["full precision"], "cpu", Size(divide=8, side=8, steps=1)))
    assert 3 < again.gflop["unet"] / base.gflop["unet"] < 4.2  # twice as wide


@pytest.mark.slow
def test_a_row_has_what_its_prediction_needs() -> None:
    row = json.loads(json.dumps(predicted.measure("tv3dg", "gaussians", SMALL)))
    assert row["seconds"] > 0 and row["memory_bytes"] > 1e8
    found = predicted.prediction(row)
    faster = predicted.prediction(row | {"large_gflops": 2 * row["large_gflops"]})
    assert found.stages["gaussians"] > 1.5 * faster.stages["gaussians"]
    assert found.stages["gaussians"] < 2.001 * faster.stages["gaussians"]
