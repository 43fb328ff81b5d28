"""Schedules over a run: the annealed window of timesteps, rounds of growth, and rates that fall log-linearly."""

from __future__ import annotations

import math

import torch


def timestep_window(
    step: int,
    steps: int,
    *,
    begin: tuple[float, float] = (0.22, 0.98),
    end: tuple[float, float] = (0.02, 0.78),
    warmup: float = 1 / 3,
) -> tuple[float, float]:
    """Return the share of the noise schedule, (low, high), that timesteps are drawn from at a step.

    Both ends move linearly from `begin` to `end` over the first `warmup` of the steps, then stay.
    Source: TV-3DG, section III-E and IV-A.
    """
    progress = min(1.0, step / max(1.0, warmup * steps))
    low, high = (b + (e - b) * progress for b, e in zip(begin, end, strict=True))
    return low, high


def draw_timestep(window: tuple[float, float], count: int, generator: torch.Generator) -> int:
    """Draw one timestep index, at least 1, uniformly from the window of a schedule of `count` steps."""
    low, high = max(1, round(window[0] * count)), min(count - 1, round(window[1] * count))
    return int(torch.randint(low, high + 1, (1,), generator=generator))


def growth_steps(steps: int, rounds: int, *, until: float = 0.8) -> frozenset[int]:
    """Return the steps after which a run of so many grows: `rounds` of them, evenly spaced in its first `until`.

    As shares of the run, so that it has as many rounds in 40 steps as in 400; never after step 0.
    """
    return frozenset(max(1, round(until * steps * k / (rounds + 1))) for k in range(1, rounds + 1))


def log_linear(step: int, steps: int, begin: float, end: float) -> float:
    """Return a rate that falls from `begin` to `end` by a constant factor at each step."""
    return begin * math.exp(math.log(end / begin) * min(1.0, step / max(1, steps - 1)))
