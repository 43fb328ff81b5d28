"""Before its first stage a job says what it will take, and begins as sparingly with memory as it has to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from addon import protocol
from addon.protocol import preflight
from addon.protocol.preflight import fit
from backend.diffusion.denoiser import load_prior
from backend.runtime import thrift
from backend.runtime.control import Control
from backend.runtime.job import Job
from backend.systems import preflight as subject
from backend.weights import EMBEDDED

GPU = preflight.Speed(device="a GPU", threads=8, processor=200.0, small=3_000.0, large=50_000.0, half=True)


@pytest.fixture(autouse=True)
def _anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("MAQUETTE_SPEED", str(tmp_path))
    thrift.begin_anew()
    yield
    thrift.begin_anew()


def job(folder: Path, said: list[Any]) -> Job:
    request = protocol.Request(system="tv3dg", prompt="a mug", preset="paper", settings={"checkpoint_steps": 3})
    return Job(folder, request, said.append, Control())


def begun_with(free: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[int, list[Any]]:
    """Return how many pictures are asked about at a time where so many GB are free, and what was said."""
    monkeypatch.setattr(subject, "free_memory_bytes", lambda: int(free * 1e9))
    monkeypatch.setattr(subject, "held_memory_bytes", lambda: 0)
    said: list[Any] = []
    thrift.begin_anew()
    subject.fitting(job(tmp_path, said), preflight.STABLE_DIFFUSION_BASE, GPU)
    return thrift.most_together(), said


def test_networks_are_asked_about_as_many_pictures_as_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = job(tmp_path, []).request
    needed = {
        together: preflight.of_request(request, preflight.STABLE_DIFFUSION_BASE, GPU, together).memory / 1e9
        for together in thrift.TOGETHER
    }
    assert needed[0] >= needed[4] >= needed[1]
    together, said = begun_with(needed[0] + 0.01, tmp_path, monkeypatch)
    assert together == 0 and [type(event) for event in said] == [protocol.Forecast]
    together, said = begun_with(needed[1] - 0.5, tmp_path, monkeypatch)
    assert together == 1 and [type(event) for event in said] == [protocol.Warning, protocol.Forecast]
    assert "it may run out of it" in said[0].message and f"{needed[1] - 0.5:.1f} GB are free" in said[0].message
    assert said[0].hint.endswith("or choose the preset standard, which fits.")
    assert said[1].free_bytes == pytest.approx(1e9 * needed[1] - 5e8)
    together, said = begun_with(2.0, tmp_path, monkeypatch)
    assert together == 1 and said[0].hint.endswith("or choose a smaller base.")
    together, said = begun_with(0, tmp_path, monkeypatch)  # nobody knows how much is free
    assert together == 0 and len(said) == 1


def test_a_step_down_is_announced_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit, "memory", lambda *given: 5 * 10**9 if given[4] else 9 * 10**9)
    together, said = begun_with(8.0, tmp_path, monkeypatch)
    assert together == 4
    assert said[0].message == (
        "8.0 GB of memory are free, so the job begins with 4 pictures at a time and views encoded one by one, which is "
        "slower."
    )
    assert thrift.step_down() and thrift.most_together() == 1  # where that was not enough, there is a step left


def test_the_first_job_measures_the_machine_and_keeps_that(tmp_path: Path) -> None:
    prior, said = load_prior("embedded"), []
    subject.announce(job(tmp_path, said), prior, EMBEDDED)
    kept = preflight.read_speed(tmp_path)
    assert kept is not None and kept.memory > 1e9
    assert kept.device == "cpu" and kept.small == kept.processor > 0 and kept.large == 0
    (forecast,) = [event for event in said if isinstance(event, protocol.Forecast)]
    assert forecast.seconds > 0 and forecast.memory_bytes > 1e9 and set(forecast.stages) >= {"gaussians", "mesh"}
    assert protocol.decode(protocol.encode(forecast)) == forecast


def test_a_busy_processor_is_measured_by_one_thread_and_not_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "is_full", lambda: True)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    used: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", used.append)
    monkeypatch.setattr(subject, "unet_speed", lambda prior, gflop: 10.0)
    prior, base = load_prior("embedded"), preflight.read_base(EMBEDDED)
    speed = subject.measured(prior, base, None)
    assert (speed.small, speed.threads, used) == (pytest.approx(16.0), 2, [1, 2])
    monkeypatch.setattr(subject, "unet_speed", lambda prior, gflop: 1.0)
    assert subject.measured(prior, base, speed) == speed and used == [1, 2]


def test_a_base_whose_costs_cannot_be_told_ends_no_job(tmp_path: Path) -> None:
    said: list[Any] = []
    subject.announce(job(tmp_path, said), load_prior("embedded"), tmp_path)
    assert said == [] and preflight.read_speed(tmp_path) is None


def test_what_is_done_already_is_not_in_the_forecast(tmp_path: Path) -> None:
    said: list[Any] = []
    subject.fitting(job(tmp_path, said), preflight.STABLE_DIFFUSION_BASE, GPU)
    record = tmp_path / "stages/2-gaussians/stage.json"
    record.parent.mkdir(parents=True)
    record.touch()
    subject.fitting(job(tmp_path, said), preflight.STABLE_DIFFUSION_BASE, GPU)
    whole, rest = (event for event in said if isinstance(event, protocol.Forecast))
    assert whole.stages.keys() - rest.stages.keys() == {"gaussians"}
    assert rest.seconds == pytest.approx(whole.seconds - whole.stages["gaussians"])


def test_a_job_that_stops_is_foreseen_as_far_as_it_goes_and_goes_on_to_its_end(tmp_path: Path) -> None:
    whole, stopped = job(tmp_path, []), job(tmp_path, [])
    stopped.request = replace(stopped.request, stop_after="gaussians")
    said: list[Any] = []
    for each in (whole, stopped):
        each.emit = said.append
        subject.fitting(each, preflight.STABLE_DIFFUSION_BASE, GPU)
    record = tmp_path / "stages/1-gaussians/stage.json"
    record.parent.mkdir(parents=True)
    record.touch()  # the artist has looked, and lets it go on
    subject.fitting(stopped, preflight.STABLE_DIFFUSION_BASE, GPU)
    everything, first, rest = (set(event.stages) for event in said if isinstance(event, protocol.Forecast))
    assert "mesh" in everything - first and "gaussians" in first
    assert rest == everything - {"gaussians"}
