"""The closed table of systems is what requests go by, and whose stages are shown."""

from __future__ import annotations

import dataclasses

import pytest

from addon import protocol
from addon.protocol import systems
from tests.addon.protocol.systems.test_system import MADE_UP


def test_requests_go_by_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(protocol.ProtocolError, match="'made_up' is unknown"):
        protocol.Request(system="made_up", prompt="x")
    monkeypatch.setitem(systems.SYSTEMS, "made_up", MADE_UP)
    with pytest.raises(protocol.ProtocolError, match="prompt is empty"):
        protocol.Request(system="made_up")
    with pytest.raises(protocol.ProtocolError, match="made_up cannot begin from a result; tv3dg and dreambooth3d can"):
        protocol.Request(system="made_up", prompt="x", start="inputs/start.ply", start_prompt="y")
    wordless = dataclasses.replace(MADE_UP, needs_prompt=False, can_be_edited=True, roles=("subject",))
    monkeypatch.setitem(systems.SYSTEMS, "made_up", wordless)
    assert protocol.Request(system="made_up").prompt == ""
    assert protocol.Request(system="made_up", prompt="x", start="inputs/start.ply", start_prompt="y").start
    assert protocol.first_role("made_up") == "subject" and protocol.first_role("unheard of") == "reconstruct"


def test_requests_know_systems_that_are_not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(protocol.SYSTEMS) == list(systems.built_systems()) == ["tv3dg", "dreambooth3d", "customize_it_3d"]
    monkeypatch.setitem(systems.SYSTEMS, "made_up", dataclasses.replace(MADE_UP, stages=(), needs_prompt=False))
    assert protocol.Request(system="made_up").prompt == "" and "made_up" not in systems.built_systems()
    assert protocol.first_role("dreambooth3d") == "subject"


def test_a_stage_is_that_of_its_system_where_two_have_one_of_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(systems.SYSTEMS, "made_up", MADE_UP)
    labels = [getattr(systems.stage_of(system, "mesh"), "label", "") for system in ("made_up", "tv3dg", "")]
    assert labels == ["Meshing", "Making the Mesh", "Making the Mesh"]
    assert [stage.name for stage in systems.stages_after("made_up", "look")] == ["sharpen", "mesh"]
    assert systems.stage_of("made_up", "gaussians") is None and systems.stages_after("tv3dg", "look") == ()
    assert systems.stage_names().count("mesh") == 1 and "sharpen" in systems.stage_names()
