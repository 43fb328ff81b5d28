"""Counts of the floor that no small job shows; tests/backend/systems/test_floors.py counts those of whole jobs."""

from __future__ import annotations

import pytest

from addon.protocol import SYSTEMS
from addon.protocol.systems.evaluations import Asked, Knows
from addon.protocol.systems.floors import FLOORS, MESH_WORK, OWN_WORK, VIEWS, tv3dg
from addon.protocol.systems.tv3dg import TV3DG


def test_views_that_see_the_image_ask_for_one_picture_more() -> None:
    draft = TV3DG.presets["draft"]
    knows = Knows(cameras=True, views=True, reference=True)
    seen, alone = (tv3dg(draft, roles, 1, knows)["gaussians"] for roles in ({"reconstruct"}, set()))
    assert seen.drawn - alone.drawn == draft.steps and seen.encoded == draft.steps


def test_a_base_without_cameras_draws_no_sides() -> None:
    assert tv3dg(TV3DG.presets["draft"], set(), 0, Knows())["sides"] == Asked()


@pytest.mark.parametrize("name", FLOORS)
def test_each_stage_of_a_system_has_its_floor_and_what_is_beside_it_is_of_a_stage(name: str) -> None:
    system = SYSTEMS[name]
    stages = {stage.name for stage in system.stages}
    assert set(FLOORS[name](system.presets["draft"], set(), 3, Knows(cameras=True))) == stages
    assert {stage for owner, stage in VIEWS if owner == name} <= stages
    assert OWN_WORK.keys() | MESH_WORK.keys() <= {stage.name for each in SYSTEMS.values() for stage in each.stages}
