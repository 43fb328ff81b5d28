"""What a job will take: in proportion to what it asks, to the machine and to the memory's levers, and in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from addon import protocol
from addon.paths import EMBEDDED_PRIOR
from addon.protocol import SYSTEMS, preflight
from addon.protocol.systems.tv3dg import TV3DG

SPEED = preflight.Speed(device="cpu", threads=1, processor=57.0, small=57.0)
GPU = preflight.Speed(device="a GPU", threads=8, processor=200.0, small=3_000.0, large=50_000.0, half=True)
BASE = preflight.read_base(EMBEDDED_PRIOR)
LARGE = preflight.STABLE_DIFFUSION_BASE


def of(request: protocol.Request, speed: preflight.Speed = SPEED) -> preflight.Forecast:
    return preflight.of_request(request, BASE, speed)


def test_twice_as_fast_a_machine_takes_half_as_long_and_more_steps_take_longer() -> None:
    request = protocol.Request(system="tv3dg", prompt="a mug", preset="draft")
    slow, fast = of(request), of(request, replace(SPEED, small=114.0, processor=114.0))
    assert fast.seconds == pytest.approx(slow.seconds / 2)
    assert set(slow.stages) == {"sides", "gaussians", "mesh"} and slow.seconds > sum(slow.stages.values())
    more = of(replace(request, settings={"steps": 400, "checkpoint_seconds": 5.0}))
    assert more.stages["gaussians"] == pytest.approx(2 * slow.stages["gaussians"], rel=0.01)
    assert "mesh" not in of(replace(request, outputs=("points",))).stages
    with pytest.raises(protocol.WrongSetting):
        of(replace(request, settings={"steps": 0}))


@pytest.mark.parametrize("name", ["tv3dg", "dreambooth3d", "customize_it_3d"])
def test_longer_presets_take_longer_and_every_stage_of_a_system_has_its_floor(name: str) -> None:
    system = SYSTEMS[name]
    found = [
        preflight.forecast(name, settings, {system.roles[0]}, 4, ("mesh", "points"), BASE, SPEED)
        for settings in system.presets.values()
    ]
    assert [each.seconds for each in found] == sorted(each.seconds for each in found)
    assert {stage.name for stage in system.stages} >= set(found[0].stages)


def test_fewer_pictures_and_half_precision_need_less_memory() -> None:
    def needed(speed: preflight.Speed, together: int = 0, **settings: object) -> float:
        return preflight.memory("tv3dg", replace(TV3DG.presets["paper"], **settings), LARGE, speed, together) / 1e9  # pyright: ignore

    whole, few, one = (needed(GPU, together) for together in (0, 4, 1))
    assert whole >= few >= one > 2.1  # the weights alone, in half precision
    assert needed(replace(GPU, half=False)) > whole + 2.1
    assert needed(GPU, views_at_once=4) > whole + 2
    lora, everything = (
        preflight.memory(
            "dreambooth3d", replace(SYSTEMS["dreambooth3d"].presets["draft"], tuning_whole=which), LARGE, GPU
        )
        for which in ("lora", "all")
    )
    assert everything > lora + 10e9  # gradients, and Adam's two


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "5 s"), (42, "40 s"), (58, "1 min"), (170, "3 min"), (3_590, "1 h"), (4_700, "1 h 20 min"), (90_000, "25 h")],
)
def test_durations_are_as_coarse_as_they_are_sure(seconds: float, words: str) -> None:
    assert preflight.duration(seconds) == words
    assert preflight.words(seconds, 2_140_000_000) == f"about {words}, 2.1 GB"


def test_reused_features_make_every_system_faster_where_its_loss_inverts() -> None:
    for name, system in SYSTEMS.items():
        draft = replace(system.presets["draft"], loss="csm")
        whole, reused = (
            preflight.forecast(name, settings, {system.roles[0]}, 4, ("mesh",), LARGE, GPU).seconds
            for settings in (draft, replace(draft, reuse=3))
        )
        assert reused < 0.97 * whole, name
        assert preflight.forecast(
            name, replace(draft, loss="sds", reuse=3), {system.roles[0]}, 4, ("mesh",), LARGE, GPU
        ) == preflight.forecast(name, replace(draft, loss="sds"), {system.roles[0]}, 4, ("mesh",), LARGE, GPU)
