"""An edit takes what its preset says of edits, and asks the prior for nothing that would be another object."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from addon.protocol.systems.tv3dg import TV3DG
from backend.systems.tv3dg.edit_settings import OF_LONG_RUNS, of_edit


@pytest.mark.parametrize("preset", TV3DG.presets)
def test_an_edit_has_its_own_steps_strength_stride_and_growth(preset: str) -> None:
    settings = TV3DG.presets[preset]
    edit = of_edit(settings)
    for name in ("steps", "scale", "delta_t", "grow_gradient"):
        assert getattr(edit, name) == getattr(settings, f"edit_{name}")
    assert (edit.start, edit.self_guidance) == ("ball", False)
    assert (edit.calibration_geometry, edit.calibration_semantics) == (0.0, 0.0)
    changed = {field.name for field in fields(edit) if getattr(edit, field.name) != getattr(settings, field.name)}
    own = {
        "steps", "scale", "delta_t", "grow_gradient", "start", "growth_rounds", "self_guidance",
        "calibration_geometry", "calibration_semantics",
    }  # fmt: skip
    assert changed <= own | set(OF_LONG_RUNS if preset == "paper" else ())


def test_an_edit_of_a_long_run_moves_points_as_the_others_do() -> None:
    edit, standard = of_edit(TV3DG.presets["paper"]), of_edit(TV3DG.presets["standard"])
    assert all(getattr(edit, name) == getattr(standard, name) for name in OF_LONG_RUNS)
    assert edit.mean_rate == 8e-3 and edit.reset_every == 0 and not edit.against_sum


def test_an_edit_grows_thrice_at_most_in_every_preset() -> None:
    assert {of_edit(settings).growth_rounds for settings in TV3DG.presets.values()} == {3}
    assert of_edit(replace(TV3DG.presets["draft"], growth_rounds=1)).growth_rounds == 1
