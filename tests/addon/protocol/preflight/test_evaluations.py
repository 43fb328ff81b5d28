"""Counts of the floor that no small job shows; tests/backend/systems/test_floors.py counts those of whole jobs."""

from __future__ import annotations

from addon.protocol.preflight.evaluations import Asked, Knows, redrawn, sampled, scored, tv3dg
from addon.protocol.systems.tv3dg import TV3DG


def test_a_large_base_encodes_each_view_twice() -> None:
    assert scored("sds", 4, 0.0, Knows(large=True)).encoded == 4
    assert scored("sds", 4, 0.0, Knows()).encoded == 0


def test_views_that_see_the_image_ask_for_one_picture_more() -> None:
    draft = TV3DG.presets["draft"]
    knows = Knows(cameras=True, views=True, reference=True)
    seen, alone = (tv3dg(draft, roles, 1, knows)["gaussians"] for roles in ({"reconstruct"}, set()))
    assert seen.drawn - alone.drawn == draft.steps and seen.encoded == draft.steps


def test_drawing_and_redrawing_ask_twice_for_each_step() -> None:
    assert sampled(3, 10) == Asked(drawn=60, decoded=3, told=6)
    assert redrawn(2, 9, 0.5) == Asked(drawn=16, encoded=2, decoded=2, told=4)
    assert redrawn(2, 9, 0.0).drawn == 0


def test_a_base_without_cameras_draws_no_sides() -> None:
    assert tv3dg(TV3DG.presets["draft"], set(), 0, Knows())["sides"] == Asked()
