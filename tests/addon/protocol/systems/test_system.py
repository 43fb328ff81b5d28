"""What a system says of itself is read back: presets, groups, stages."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from addon import protocol
from addon.protocol.systems import Group, Stage, System
from addon.protocol.systems.system import setting

FIRST, SECOND = Group("first", "First"), Group("second", "Second")


@dataclass(frozen=True)
class Settings:
    """Of a system that is made up."""

    size: int = setting(FIRST, 20, "Size", "How large it is", 4, 50, unit="pixels", bench=10)
    colour: str = setting(SECOND, "red", "Colour", "What colour it has", choices=(("red", "Red", "As roses are"),))
    sharp: bool = setting(FIRST, False, "Sharp", "Whether its edges are sharp", paper=True)


MADE_UP = System(
    "made_up",
    "Made Up",
    "Nothing",
    Settings,
    stages=(
        Stage("look", "Looking", 1.0, comes=lambda roles, settings: "reconstruct" in roles, stop="Picture"),
        Stage("sharpen", "Sharpening", 2.0, comes=lambda roles, settings: settings.sharp),
        Stage("mesh", "Meshing", 30.0, output="mesh"),
    ),
)


def test_a_preset_has_its_own_values_and_otherwise_the_first() -> None:
    assert MADE_UP.presets["bench"] == Settings(size=10)
    assert MADE_UP.presets["draft"] == MADE_UP.presets["standard"] == Settings()
    assert MADE_UP.presets["paper"] == Settings(sharp=True)
    assert tuple(MADE_UP.presets) == tuple(protocol.PRESETS)


def test_what_is_said_of_a_setting_is_known_by_its_name() -> None:
    size = MADE_UP.settings["size"]
    assert (size.name, size.value, size.low, size.high) == ("size", 20, 4, 50)
    assert size.description == "How large it is, in pixels"
    assert {group.label: [each.name for each in known] for group, known in MADE_UP.groups.items()} == {
        "First": ["size", "sharp"],
        "Second": ["colour"],
    }


def test_a_preset_that_there_is_not_is_refused_where_it_is_written() -> None:
    with pytest.raises(ValueError, match="fast"):
        setting(FIRST, 1, "Size", "How large it is", fast=2)


def test_a_job_has_the_stages_that_its_images_settings_and_outputs_ask_for() -> None:
    def names(roles: set[str], settings: Settings, outputs: tuple[str, ...]) -> list[str]:
        return [stage.name for stage in MADE_UP.stages_of(roles, settings, outputs)]

    assert names({"reconstruct"}, Settings(sharp=True), ("mesh", "points")) == ["look", "sharpen", "mesh"]
    assert names(set(), Settings(), ("points",)) == []
    assert MADE_UP.stops == {"look": "Picture"}
