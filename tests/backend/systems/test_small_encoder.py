"""Renderings go through the small encoder in most steps of a run, in every system, and it is said where they cannot."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from addon import protocol
from addon.protocol import models
from addon.protocol.systems.tv3dg import TV3DG
from backend.cli.preflight import report
from backend.diffusion.denoiser import Prior, SmallEncoder, load_prior
from backend.diffusion.latents import load_small_encoder, strangeness, through_small
from backend.errors import BadInput, MissingModel
from backend.runtime.control import Control
from backend.runtime.job import Job
from backend.systems import customize_it_3d, dreambooth3d, tv3dg
from backend.systems import small_encoder as subject
from backend.weights import EMBEDDED
from tests.backend.systems.customize_it_3d import small_jobs as of_one_image
from tests.backend.systems.dreambooth3d.test_dreambooth3d import kill_in
from tests.backend.systems.dreambooth3d.test_dreambooth3d import new_job as new_subject
from tests.backend.systems.test_floors import FIXED, agree, counting, floor_of
from tests.backend.systems.tv3dg import small_jobs as of_words
from tests.backend.tiny_networks import write_small_encoder, write_stable_diffusion

FOLDER = str(EMBEDDED)  # the embedded base as one of the artist's own, with latents of as many channels as TAESD's


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the installed companions, with a small encoder."""
    monkeypatch.setenv("MAQUETTE_MODELS", str(tmp_path / "models"))
    there = models.companions_folder(tmp_path / "models")
    write_small_encoder(there / "small_encoder")
    return there


@pytest.fixture(scope="module")
def diffusion(tmp_path_factory: pytest.TempPathFactory) -> Prior:
    folder = tmp_path_factory.mktemp("sd15")
    write_stable_diffusion(folder, side=8)
    return load_prior(str(folder))


def with_base(job: Job, said: list[Any] | None = None) -> Job:
    """Return a job with the base in its folder in the place of the embedded one."""
    protocol.write_request(job.folder, replace(job.request, prior=FOLDER))
    emit: Callable[[Any], None] = (said if said is not None else []).append
    return Job(job.folder, protocol.read_request(job.folder), emit, Control())


def test_its_latents_have_the_scale_that_the_base_sees(diffusion: Prior, installed: Path) -> None:
    """TAESD takes pixels from 0 to 1 and knows no factor, where Stable Diffusion takes -1 to 1 and .18215."""
    small = load_small_encoder(str(installed / "small_encoder"), diffusion)
    prior = replace(diffusion, small_encoder=small)
    images = torch.rand(2, 64, 64, 3, generator=torch.manual_seed(1)).requires_grad_()
    seen = through_small(prior).encode(images)
    assert seen.shape == prior.encode(images).shape == (2, 4, 8, 8)
    torch.testing.assert_close(seen, small.network.encoder.layers(images.permute(0, 3, 1, 2)))
    (pulled,) = torch.autograd.grad(seen.sum(), images)
    assert pulled.abs().max() > 0 and not any(value.requires_grad for value in small.network.parameters())
    assert prior.marks["small_encoder"] == small.fingerprint and "small_encoder" not in diffusion.marks


def test_the_last_fifth_of_a_run_goes_through_the_bases_own(diffusion: Prior, installed: Path) -> None:
    small = load_small_encoder(str(installed / "small_encoder"), diffusion)
    prior = replace(diffusion, small_encoder=small)
    through = [subject.encoding(prior, step, 10).autoencoder for step in range(10)]
    assert through == [small.network] * 8 + [diffusion.autoencoder] * 2
    assert all(subject.encoding(diffusion, step, 10) is diffusion for step in range(10))


def test_latents_of_another_shape_are_refused(diffusion: Prior, tmp_path: Path) -> None:
    write_small_encoder(tmp_path / "wide", channels=16)
    with pytest.raises(BadInput, match="latents of 16 channels, and the base's have 4") as caught:
        load_small_encoder(str(tmp_path / "wide"), diffusion)
    assert "Turn small_encoder off" in caught.value.hint
    write_small_encoder(tmp_path / "flat", levels=3)
    with pytest.raises(BadInput, match="of another size than the base's"):
        load_small_encoder(str(tmp_path / "flat"), diffusion)


def test_it_is_found_among_the_named_companions_then_the_installed_ones(installed: Path, tmp_path: Path) -> None:
    off, on = TV3DG.presets["draft"], replace(TV3DG.presets["draft"], small_encoder=True)
    assert subject.wanted_small_encoder("sd15", off) == ""
    assert subject.wanted_small_encoder("sd15", on) == str(installed / "small_encoder").replace("\\", "/")
    write_small_encoder(tmp_path / "own" / "small_encoder")
    named = replace(on, companions=str(tmp_path / "own"))
    assert Path(subject.wanted_small_encoder("sd15", named)) == tmp_path / "own" / "small_encoder"
    with pytest.raises(BadInput, match="the embedded base has others"):
        subject.wanted_small_encoder("embedded", on)


def test_where_it_is_not_job_and_preflight_name_it(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAQUETTE_MODELS", str(tmp_path / "nothing"))
    job = with_base(of_words.open_job(of_words.new_job(tmp_path / "job", small_encoder=True)))
    for ask in (lambda: tv3dg.run(job), lambda: report(job.request)):
        with pytest.raises(MissingModel, match=r"small_encoder asks for TAESD \(about 10 MB\), which is not") as caught:
            ask()
        assert "models fetch small_encoder" in caught.value.hint


def test_one_for_another_base_is_told_from_one_for_this(tmp_path: Path) -> None:
    prior, said = load_prior("embedded"), []
    assert strangeness(replace(prior, small_encoder=SmallEncoder(prior.autoencoder, ""))) == 0
    request = protocol.Request(system="tv3dg", prompt="a mug", prior=FOLDER)
    settings = replace(TV3DG.presets["draft"], small_encoder=True)
    subject.with_small_encoder(Job(tmp_path, request, said.append, Control()), prior, settings)
    (warning,) = said
    assert "variances away" in warning.message and "for another base" in warning.message


@pytest.mark.slow
def test_tv3dg_encodes_with_it_and_goes_on_to_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings: dict[str, Any] = {"steps": 5, "small_encoder": True, **FIXED}
    job = with_base(of_words.open_job(of_words.new_job(tmp_path / "whole", **settings)))
    with counting(monkeypatch) as counted:
        tv3dg.run(job)
    agree(counted, floor_of(job.request), "gaussians")
    assert counted["gaussians"]["pulled_small"] == 4 * counted["gaussians"]["pulled"]
    made = json.loads((job.folder / "result/result.json").read_text())["made_with"]
    assert len(made["small_encoder"]) == 64
    whole = (job.folder / "result/points.ply").read_bytes()
    for killed_in in (2, 4):  # before the last fifth, and in it
        broken = with_base(of_words.open_job(of_words.new_job(tmp_path / f"killed-{killed_in}", **settings)))
        kill_in(broken, "gaussians", killed_in)
        with pytest.raises(KeyboardInterrupt):
            tv3dg.run(broken)
        tv3dg.run(with_base(broken))
        assert (broken.folder / "result/points.ply").read_bytes() == whole
    settings["small_encoder"] = False
    usual = with_base(of_words.open_job(of_words.new_job(tmp_path / "usual", **settings)))
    tv3dg.run(usual)
    assert (usual.folder / "result/points.ply").read_bytes() != whole
    assert "small_encoder" not in json.loads((usual.folder / "result/result.json").read_text())["made_with"]


@pytest.mark.slow
def test_photos_become_an_object_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers: dict[str, Any] = {"coarse_steps": 5, "final_steps": 5, "photo_cameras": False, "matting": "colours"}
    job = with_base(new_subject(tmp_path / "job", small_encoder=True, **numbers))
    with counting(monkeypatch) as counted:
        dreambooth3d.run(job)
    agree(counted, floor_of(job.request), "coarse", "refined")
    assert counted["coarse"]["pulled_small"] == counted["refined"]["pulled_small"] == 8  # four steps of two views
    assert (job.folder / "result/model.glb").is_file()


@pytest.mark.slow
def test_one_image_becomes_an_object_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    none: dict[str, Any] = {"novel_views": 0.0, "refine_novel_views": 0.0}
    job = with_base(of_one_image.new_job(tmp_path / "job", small_encoder=True, coarse_steps=5, refine_steps=5, **none))
    with counting(monkeypatch) as counted:
        customize_it_3d.run(job)
    agree(counted, floor_of(job.request), "coarse", "refined")
    assert counted["coarse"]["pulled_small"] == counted["refined"]["pulled_small"] == 4
    assert (job.folder / "result/model.glb").is_file()
