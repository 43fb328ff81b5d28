"""The settings of every system are written as the panel needs them, and TV-3DG's fit its code."""

from __future__ import annotations

import dataclasses
import typing

import pytest

from addon.protocol.systems import Setting, System, built_systems
from addon.protocol.systems.tv3dg import TV3DG, TV3DGSettings
from backend.diffusion.guidance import LOSSES
from backend.diffusion.scores import Weight

ALL = [(system, setting) for system in built_systems().values() for setting in system.settings.values()]


@pytest.mark.parametrize(("system", "setting"), ALL, ids=[setting.name for _, setting in ALL])
def test_a_setting_has_a_label_and_a_tooltip_in_blenders_style_and_values_in_its_bounds(
    system: System, setting: Setting
) -> None:
    assert setting.label and setting.label[0].isupper()
    assert len(setting.description) > 15 and not setting.description.endswith(".")
    kind = typing.get_type_hints(system.settings_class)[setting.name]
    values = [setting.value, *setting.presets.values()]
    assert all(type(value) is kind for value in values)  # a whole number for a number would be another JSON
    if isinstance(setting.value, str):
        known = [choice for choice, *_ in setting.choices]
        assert not known or set(values) <= set(known)
        assert all(label and not tip.endswith(".") for _, label, tip in setting.choices)
    elif not isinstance(setting.value, bool):
        assert setting.high is not None
        assert all(setting.low <= float(value) <= setting.high for value in values)


def test_settings_cannot_be_changed_and_all_have_a_default() -> None:
    assert TV3DG.presets["draft"] == TV3DGSettings()
    with pytest.raises(dataclasses.FrozenInstanceError):
        TV3DGSettings().steps = 3  # pyright: ignore[reportAttributeAccessIssue]


def test_the_weights_on_offer_are_those_of_the_backend() -> None:
    assert {value for value, *_ in TV3DG.settings["weight"].choices} == set(typing.get_args(Weight))


def test_the_losses_on_offer_are_those_of_the_backend() -> None:
    assert [value for value, *_ in TV3DG.settings["loss"].choices] == list(LOSSES)
