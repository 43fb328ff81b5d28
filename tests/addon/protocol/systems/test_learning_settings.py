"""What is taught of a subject is set alike in every system that teaches one."""

from __future__ import annotations

import dataclasses

from addon.protocol.systems import learning_settings
from addon.protocol.systems.customize_it_3d import CUSTOMIZE_IT_3D
from addon.protocol.systems.dreambooth3d import DREAMBOOTH3D


def test_both_systems_say_and_bound_them_alike_and_choose_presets_of_their_own() -> None:
    own_names = [
        name for name, value in vars(learning_settings).items()
        if getattr(value, "__module__", "") == learning_settings.__name__
    ]  # fmt: skip
    assert {"tuning_rate", "class_pictures"} <= set(own_names)
    for name in own_names:
        one, other = (system.settings[name] for system in (CUSTOMIZE_IT_3D, DREAMBOOTH3D))
        own = {"group": one.group, "value": one.value, "presets": one.presets}
        assert dataclasses.replace(other, **own) == one
    rates = [system.settings["tuning_rate"].preset("paper") for system in (CUSTOMIZE_IT_3D, DREAMBOOTH3D)]
    assert rates == [1e-6, 2e-5]
