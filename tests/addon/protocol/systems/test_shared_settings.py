"""What several systems have in common is the same in each of them."""

from __future__ import annotations

import dataclasses

import pytest

from addon.protocol.systems import SYSTEMS, WrongSetting, check_settings
from addon.protocol.systems.dreambooth3d import DREAMBOOTH3D
from addon.protocol.systems.shared_settings import CUT_OUT
from addon.protocol.systems.tv3dg import TV3DG

SHARED = ("mesh_resolution", "max_faces", "texture_size", "origin", "height", "mirror")


@pytest.mark.parametrize("name", SHARED)
def test_a_shared_setting_is_the_same_in_its_systems_but_for_its_heading(name: str) -> None:
    known = [dataclasses.replace(system.settings[name], group=CUT_OUT) for system in (TV3DG, DREAMBOOTH3D)]
    assert known[0] == known[1]


def test_a_piece_is_a_whole_number_and_a_cutter_one_that_there_is() -> None:
    check_settings(TV3DG, {"piece": 2, "cut_out": "network"})
    with pytest.raises(WrongSetting, match="at least 0"):
        check_settings(TV3DG, {"piece": -1})
    with pytest.raises(WrongSetting, match="auto, colours, network"):
        check_settings(TV3DG, {"cut_out": "scissors"})


def test_every_system_can_mirror_and_does_so_when_asked_alone() -> None:
    for system in SYSTEMS.values():
        mirror = system.settings["mirror"]
        assert {preset.mirror for preset in system.presets.values()} == {"none"}
        assert [name for name, _, _ in mirror.choices] == ["none", "left", "right"] and "front" in mirror.tooltip
        with pytest.raises(WrongSetting, match="none, left, right"):
            check_settings(system, {"mirror": "top"})
