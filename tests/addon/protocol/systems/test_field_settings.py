"""The settings of a field are one thing in every system that shapes one."""

from __future__ import annotations

import dataclasses

from addon.protocol.systems import field_settings
from addon.protocol.systems.customize_it_3d import CUSTOMIZE_IT_3D
from addon.protocol.systems.dreambooth3d import DREAMBOOTH3D


def test_both_systems_say_and_bound_them_alike_and_choose_presets_of_their_own() -> None:
    names = [
        name for name, value in vars(field_settings).items()
        if getattr(value, "__module__", "") == field_settings.__name__
    ]  # fmt: skip
    assert {"nodes", "sparsity", "loss"} <= set(names) and len(names) > 20
    for name in names:
        one, other = (system.settings[name] for system in (CUSTOMIZE_IT_3D, DREAMBOOTH3D))
        own = {"group": one.group, "value": one.value, "presets": one.presets}
        assert dataclasses.replace(other, **own) == one
    assert CUSTOMIZE_IT_3D.settings["high_elevation"].preset("paper") == 20.0
    assert DREAMBOOTH3D.settings["lit"].preset("paper") == 0.75
