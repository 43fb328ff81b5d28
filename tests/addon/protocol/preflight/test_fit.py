"""What fits into the memory that a card has free: fewer pictures at a time first, then a smaller preset by its name."""

from __future__ import annotations

import pytest

from addon.protocol import SYSTEMS, preflight
from addon.protocol.preflight import TOGETHER, Fit, fitting
from addon.protocol.systems import PRESETS

CARD = preflight.Speed(device="a GPU", threads=8, processor=200.0, small=3_000.0, large=50_000.0, half=True)
LARGE = preflight.STABLE_DIFFUSION_BASE
GB = preflight.GB


def needed(system: str, preset: str, together: int = 0) -> int:
    return preflight.memory(system, SYSTEMS[system].presets[preset], LARGE, CARD, together)


def with_free(system: str, preset: str, free: float, **own: float) -> Fit:
    return fitting(system, preset, own, LARGE, CARD, int(free))


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("free", [6, 8, 12, 16, 24, 80])
def test_every_preset_of_every_system_runs_on_a_card_with_six_gigabytes_and_more(system: str, free: int) -> None:
    for preset in PRESETS:
        fit = with_free(system, preset, free * GB)
        assert (fit.is_enough, fit.preset, fit.free) == (True, preset, free * GB)
        assert fit.memory <= free * GB and fit.together == 0 and not fit.words


@pytest.mark.parametrize("system", SYSTEMS)
def test_two_gigabytes_are_too_little_for_any(system: str) -> None:
    fit = with_free(system, "paper", 2 * GB)
    assert (fit.is_enough, fit.preset, fit.together) == (False, "", TOGETHER[-1])
    assert fit.words == "Too much for the 2.0 GB that are free"


def test_the_largest_smaller_preset_that_fits_is_named() -> None:
    assert needed("tv3dg", "draft", 1) < needed("tv3dg", "standard", 1) < needed("tv3dg", "paper", 1)
    fit = with_free("tv3dg", "paper", needed("tv3dg", "standard") + 1)
    assert not fit.is_enough and fit.preset == "standard" and fit.memory == needed("tv3dg", "paper", 1)
    assert fit.words == f"Too much for the {fit.free / GB:.1f} GB that are free; Standard fits"
    assert fit.words.values["preset"] == "Standard"
    assert with_free("tv3dg", "paper", needed("tv3dg", "draft") + 1).preset == "draft"
    assert with_free("tv3dg", "standard", needed("tv3dg", "draft") + 1).preset == "draft"


def test_fewer_pictures_at_a_time_come_before_a_smaller_preset() -> None:
    own = {"views_at_once": 4}  # whose graphs are in memory together
    alone = with_free("tv3dg", "standard", needed("tv3dg", "standard") + 1, **own)
    assert alone.is_enough and alone.together == 4 and alone.preset == "standard"
    assert alone.words == "It fits with fewer pictures at a time, slower"
    assert with_free("tv3dg", "standard", 24 * GB, **own).together == 0


def test_where_nobody_knows_what_is_free_it_fits() -> None:
    fit = with_free("dreambooth3d", "paper", 0)
    assert fit.is_enough and fit.together == 0 and not fit.words
