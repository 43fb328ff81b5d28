"""What the floor says that a job asks of the networks is what it asks: counted by hooks in whole small jobs."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch

from addon import protocol
from addon.protocol import SYSTEMS, preflight
from addon.protocol.systems.evaluations import LEVELS, Asked, inversions, sliding
from addon.protocol.systems.floors import FLOORS
from backend import schedules
from backend.diffusion import denoiser
from backend.diffusion.scores import inversion_nodes
from backend.runtime.job import Job
from backend.systems import customize_it_3d, dreambooth3d, small_encoder, tv3dg
from backend.systems.overrides import chosen_settings
from backend.weights import EMBEDDED
from tests.backend.systems.customize_it_3d import small_jobs as of_one_image
from tests.backend.systems.dreambooth3d.test_dreambooth3d import new_job as new_subject
from tests.backend.systems.tv3dg import small_jobs as of_words

Counted = dict[str, dict[str, int]]  # stage -> what -> how many
FIXED = {"delta_t": LEVELS}  # one inversion of each view, whatever noise level is drawn


@contextmanager
def counting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counted]:
    """Count the rows that go through the networks of the priors that are loaded, by stage."""
    counted: Counted = {}
    running = [""]
    stage, load = Job.stage, denoiser.load_prior

    def entered(self: Job, name: str, *rest: Any, **options: Any) -> Any:
        before, running[0] = running[0], name
        try:
            return stage(self, name, *rest, **options)
        finally:
            running[0] = before

    def hook(what: str, learns: str = "") -> Any:
        def seen(network: Any, inputs: Any, options: Any) -> None:
            first = inputs[0] if inputs else options["input_ids"]
            learning = torch.is_grad_enabled() and (
                first.requires_grad or any(value.requires_grad for value in network.parameters())
            )
            row = counted.setdefault(running[0], {})
            key = learns if learns and learning else what
            row[key] = row.get(key, 0) + len(first)

        return seen

    def loaded(*names: Any, **options: Any) -> Any:
        prior = load(*names, **options)
        networks = {
            prior.unet: ("drawn", "learnt"), prior.autoencoder.encoder: ("encoded", "pulled"),
            prior.autoencoder.decoder: ("decoded", ""), prior.text_encoder: ("told", ""),
        }  # fmt: skip
        for network, (what, learns) in networks.items():
            network.register_forward_pre_hook(hook(what, learns), with_kwargs=True)
        return prior

    load_small = small_encoder.load_small_encoder

    def small(*given: Any) -> Any:
        loaded = load_small(*given)
        loaded.network.encoder.register_forward_pre_hook(hook("encoded_small", "pulled_small"), with_kwargs=True)
        return loaded

    denoiser._kept.clear()
    monkeypatch.setattr(small_encoder, "load_small_encoder", small)
    monkeypatch.setattr(Job, "stage", entered)
    monkeypatch.setattr(denoiser, "load_prior", loaded)
    yield counted
    denoiser._kept.clear()


def floor_of(request: protocol.Request) -> dict[str, Asked]:
    system = SYSTEMS[request.system]
    settings = chosen_settings(system, request.preset, request.settings)
    images = sum(image.role == system.roles[0] for image in request.images)
    return FLOORS[system.name](settings, request.roles, images, preflight.read_base(EMBEDDED).knows)


def agree(counted: Counted, asked: dict[str, Asked], *stages: str, but: str = "") -> None:
    for stage in stages:
        wanted = {each.name: getattr(asked[stage], each.name) for each in fields(Asked) if each.name != "views"}
        found = {name: counted.get(stage, {}).get(name, 0) for name in wanted}
        if but:
            del wanted[but], found[but]
        assert found == pytest.approx(wanted), stage


@pytest.mark.parametrize(
    "settings",
    [
        {"loss": "sds"}, {"loss": "csm"}, {"loss": "vpcsm", "perturbation": 1.0}, {"loss": "csd", "perp_neg": 1.0},
        {"loss": "vsd"},
    ],
)  # fmt: skip
def test_words_become_as_many_evaluations(
    settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = of_words.new_job(tmp_path / "job", start="sides", steps=2, **FIXED, **settings)
    job = of_words.open_job(folder)
    with counting(monkeypatch) as counted:
        tv3dg.run(job)
    agree(counted, floor_of(job.request), "sides", "gaussians", but="told" if settings["loss"] == "vsd" else "")


@pytest.mark.slow
def test_photos_become_as_many_evaluations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = new_subject(tmp_path / "job", tuning_whole="all", class_pictures=3, tuning_batch=2, full_steps=3)
    full: list[weakref.ref[Any]] = []
    redraw, teach = dreambooth3d.redraw_views, dreambooth3d.teach_views

    def redrawn(job: Job, prior: Any, *rest: Any) -> Any:
        full.append(weakref.ref(prior.unet))
        return redraw(job, prior, *rest)

    def taught(*given: Any) -> Any:
        gc.collect()
        assert full[0]() is None  # as the forecast of the memory has it
        return teach(*given)

    monkeypatch.setattr(dreambooth3d, "redraw_views", redrawn)
    monkeypatch.setattr(dreambooth3d, "teach_views", taught)
    with counting(monkeypatch) as counted:
        dreambooth3d.run(job)
    asked = floor_of(job.request)
    agree(counted, asked, "places", "classes", "coarse", "redrawn", "refined")
    assert counted["teaching"]["learnt"] == asked["teaching"].learnt
    assert counted["reteaching"]["learnt"] == asked["reteaching"].learnt


@pytest.mark.slow
def test_one_image_becomes_as_many_evaluations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = of_one_image.new_job(tmp_path / "job", tuning_whole="all", novel_views=0.0, refine_novel_views=0.0)
    with counting(monkeypatch) as counted:
        customize_it_3d.run(job)
    asked = floor_of(job.request)
    agree(counted, asked, "classes", "sides", "coarse", "enhanced", "refined")
    assert counted["teaching"]["learnt"] == asked["teaching"].learnt


def test_inversions_and_their_mean_are_those_of_the_schedule() -> None:
    for delta_t in (50, 100, 333):
        for t in (1, 49, 50, 51, 700, 979):
            assert inversions("csm", t, delta_t) == len(inversion_nodes(t, delta_t)) - 1
            nodes = [*inversion_nodes(t - delta_t, 200), t] if t > delta_t else [0, t]
            assert inversions("ism", t, delta_t) == len(nodes) - 1
    generator, steps, drawn = torch.Generator().manual_seed(1), 400, []
    for step in range(steps):
        window = schedules.timestep_window(step, steps, warmup=0.5)
        drawn += [inversions("csm", schedules.draw_timestep(window, LEVELS, generator), 50) for _ in range(20)]
    assert sliding("csm", 50, steps, 0.5) == pytest.approx(sum(drawn) / len(drawn), rel=0.02)
