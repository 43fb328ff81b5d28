"""Points are split and cleared away equally often however long a run is, and in every preset."""

from __future__ import annotations

import pytest

from addon.protocol.systems.tv3dg import TV3DG
from backend.representations.densify import DensityControl
from backend.schedules import growth_steps
from tests.backend.systems.tv3dg.toy_optimisation import optimise, settings_of


@pytest.mark.parametrize("preset", TV3DG.presets)
def test_every_preset_grows_at_least_three_times(preset: str) -> None:
    settings = TV3DG.presets[preset]
    steps = growth_steps(settings.steps, settings.growth_rounds)
    assert len(steps) == settings.growth_rounds >= 3
    assert max(steps) < settings.steps


def test_the_loop_grows_as_often_in_ten_steps_as_in_thirty(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    monkeypatch.setattr(
        DensityControl, "adapt", lambda self, gaussians, optimiser, generator: calls.append(optimiser.steps)
    )
    for steps, wanted in ((10, [3, 5, 7]), (30, [7, 13, 19])):  # after steps 2, 4, 6 and 6, 12, 18
        calls.clear()
        optimise(settings_of(steps=steps, growth_rounds=TV3DG.presets["bench"].growth_rounds, lambda_guidance=0.1))
        assert calls == wanted
