"""The panel's line on what a job will take: from small files, and nothing is said that is not known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from addon import protocol
from addon.paths import EMBEDDED_PRIOR
from addon.protocol import preflight
from tests.toy_system import TOY

REQUEST = protocol.Request(system="tv3dg", prompt="a mug", preset="draft")


@pytest.fixture(autouse=True)
def _own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAQUETTE_SPEED", raising=False)


def test_it_is_known_once_the_machine_was_measured(tmp_path: Path) -> None:
    assert preflight.panel_line(REQUEST, EMBEDDED_PRIOR, tmp_path) == preflight.UNMEASURED
    preflight.write_speed(tmp_path, preflight.Speed(device="cpu", threads=2, processor=100.0, small=100.0))
    said = preflight.panel_line(REQUEST, EMBEDDED_PRIOR, tmp_path)
    assert said.startswith("About 1 min, ") and said.endswith(" GB")
    longer = replace(REQUEST, settings={"steps": 2_000})
    assert preflight.panel_line(longer, EMBEDDED_PRIOR, tmp_path).startswith("About 11 min, ")
    assert preflight.panel_line(REQUEST, tmp_path, tmp_path) == ""  # there is no base


def test_whether_it_fits_is_known_once_the_free_memory_was_measured(tmp_path: Path) -> None:
    speed = preflight.Speed(device="cpu", threads=2, processor=100.0, small=100.0)
    assert preflight.panel_fit(REQUEST, EMBEDDED_PRIOR, tmp_path) is None
    preflight.write_speed(tmp_path, speed)
    assert preflight.panel_fit(REQUEST, EMBEDDED_PRIOR, tmp_path) is None
    for free, is_enough in ((8 * 10**9, True), (10**9, False)):
        preflight.write_speed(tmp_path, replace(speed, memory=free))
        fit = preflight.panel_fit(REQUEST, EMBEDDED_PRIOR, tmp_path)
        assert fit is not None and (fit.is_enough, fit.free) == (is_enough, free)
        assert preflight.panel_fit(replace(REQUEST, settings={"views": 0}), EMBEDDED_PRIOR, tmp_path) is None
        assert preflight.panel_fit(REQUEST, tmp_path, tmp_path) is None  # there is no base


def test_nothing_is_said_of_a_system_whose_floor_nobody_has_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(protocol.SYSTEMS, TOY.name, TOY)
    speed = preflight.Speed(device="cpu", threads=2, processor=100.0, small=100.0, memory=8 * 10**9)
    preflight.write_speed(tmp_path, speed)
    toy = protocol.Request(system=TOY.name, prompt="", preset="bench")
    assert preflight.panel_line(toy, EMBEDDED_PRIOR, tmp_path) == ""
    assert preflight.panel_fit(toy, EMBEDDED_PRIOR, tmp_path) is None


def test_it_counts_the_cores_that_are_asked_for_and_stops_where_the_job_stops(tmp_path: Path) -> None:
    preflight.write_speed(tmp_path, preflight.Speed(device="cpu", threads=2, processor=100.0, small=100.0))
    assert preflight.panel_line(replace(REQUEST, threads=1), EMBEDDED_PRIOR, tmp_path).startswith("About 2 min, ")
    image = protocol.InputImage(path="inputs/00.png", role="reconstruct")
    stopped = replace(REQUEST, images=(image,), stop_after="perceive")
    assert preflight.panel_line(stopped, EMBEDDED_PRIOR, tmp_path).startswith("About 5 s, ")
