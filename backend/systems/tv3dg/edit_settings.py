"""The settings of a job that begins from a result: what its preset says of edits, in the place of the rest."""

from __future__ import annotations

from dataclasses import fields, replace

from addon.protocol.systems.tv3dg import TV3DG, TV3DGSettings
from backend.representations.densify import Rates

OF_LONG_RUNS = (
    *(field.name for field in fields(Rates)), "memory", "against_sum", "variation", "smoothness", "size_penalty",
    "entropy", "colour_range", "reset_every", "prune_size",
)  # fmt: skip

GROWTH_ROUNDS = 3  # more would leave new points no time to settle


def of_edit(settings: TV3DGSettings) -> TV3DGSettings:
    """Return the settings of a job that begins from a result.

    What the prior would imagine of the new words alone, a visual prompt or four sides, would be another object: the
    sides are redrawn from the start's. What LucidDreamer sets for thousands of steps (`against_sum`) would change
    nothing in tens: those numbers are the standard preset's.
    """
    if settings.against_sum:
        settings = replace(settings, **{name: getattr(TV3DG.presets["standard"], name) for name in OF_LONG_RUNS})
    return replace(
        settings,
        steps=settings.edit_steps,
        scale=settings.edit_scale,
        delta_t=settings.edit_delta_t,
        grow_gradient=settings.edit_grow_gradient,
        start="ball",  # not asked for, as there is something to begin from
        growth_rounds=min(settings.growth_rounds, GROWTH_ROUNDS),
        self_guidance=False,
        calibration_geometry=0.0,
        calibration_semantics=0.0,
    )
