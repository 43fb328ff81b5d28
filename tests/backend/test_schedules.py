"""Schedules over a run: the window of timesteps that slides and stays, and rates that fall by a constant factor."""

from __future__ import annotations

import pytest
import torch

from backend.schedules import draw_timestep, growth_steps, log_linear, timestep_window


def test_the_timestep_window_slides_and_stays():
    assert timestep_window(0, 300) == pytest.approx((0.22, 0.98))
    assert timestep_window(50, 300) == pytest.approx((0.12, 0.88))
    assert timestep_window(100, 300) == timestep_window(299, 300) == pytest.approx((0.02, 0.78))
    generator = torch.Generator().manual_seed(0)
    drawn = [draw_timestep((0.02, 0.78), 1000, generator) for _ in range(3000)]
    assert min(drawn) >= 20 and max(drawn) <= 780 and max(drawn) - min(drawn) > 740


def test_log_linear_falls_by_a_constant_factor():
    rates = [log_linear(step, 11, 1e-2, 1e-4) for step in range(11)]
    assert rates[0] == pytest.approx(1e-2) and rates[-1] == pytest.approx(1e-4)
    factors = [b / a for a, b in zip(rates[:-1], rates[1:], strict=True)]
    assert factors == pytest.approx([factors[0]] * 10)


def test_growth_comes_at_shares_of_the_run():
    assert sorted(growth_steps(200, 3)) == [40, 80, 120]
    assert sorted(growth_steps(800, 15)) == list(range(40, 640, 40))
    short, long = sorted(growth_steps(40, 4)), sorted(growth_steps(400, 4))
    assert len(short) == len(long) == 4
    assert [10 * step for step in short] == pytest.approx(long, abs=5)
    assert growth_steps(40, 0) == frozenset()
    assert 0 not in growth_steps(2, 1)
