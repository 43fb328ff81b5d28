"""The choices of guidance are said once, and each system offers those that it has."""

from __future__ import annotations

from addon.protocol.systems.dreambooth3d import DREAMBOOTH3D
from addon.protocol.systems.guidance_choices import LOSSES, NOISE_WEIGHTS, WITH_VISUAL_PROMPT
from addon.protocol.systems.tv3dg import TV3DG


def test_both_systems_offer_the_same_but_the_loss_that_needs_a_visual_prompt() -> None:
    assert DREAMBOOTH3D.settings["weight"].choices is TV3DG.settings["weight"].choices is NOISE_WEIGHTS
    assert DREAMBOOTH3D.settings["loss"].choices == LOSSES
    more = [choice for choice in TV3DG.settings["loss"].choices if choice not in LOSSES]
    assert tuple(more) == WITH_VISUAL_PROMPT and "visual_prompt" in TV3DG.roles
    assert "visual_prompt" not in DREAMBOOTH3D.roles
