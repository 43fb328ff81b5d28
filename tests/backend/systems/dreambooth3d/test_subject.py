"""Which word is the subject, what learns, and two moments of one run that comes back after a kill."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from addon import protocol
from addon.protocol.subjects import read_taught
from addon.protocol.systems.dreambooth3d import DREAMBOOTH3D, DreamBooth3DSettings
from backend.cameras import azimuth_elevation, orbit
from backend.diffusion.denoiser import Prior, load_prior
from backend.diffusion.finetune import RATE_OF_ALL, RATE_OF_LORA, Finetuning
from backend.diffusion.joint_attention import make_joint
from backend.runtime.control import Control
from backend.runtime.job import Job
from backend.systems.dreambooth3d.subject import (
    finetune_options,
    imagined_examples,
    known_sides,
    photo_examples,
    teach,
    view_examples,
)
from tests.addon.made_subjects import PHOTOS

FEW = DreamBooth3DSettings(partial_steps=2, full_steps=4, tuning_rate=1e-3, tuning_rank=2, tuning_whole="lora")


@pytest.fixture(scope="module")
def prior() -> Prior:
    return load_prior("embedded")


def test_all_of_a_small_prior_learns_and_a_lora_of_a_large_one(prior: Prior) -> None:
    auto = DreamBooth3DSettings(tuning_min_snr=5.0)
    assert finetune_options(prior, auto).rank == 0 and finetune_options(prior, auto).min_snr == 5.0
    assert finetune_options(replace(prior, image_size=512), auto).rank == 16
    assert finetune_options(replace(prior, dtype=torch.float16), auto).rank == 16
    assert finetune_options(replace(prior, image_size=512), replace(auto, tuning_whole="all")).rank == 0
    rates = [finetune_options(replace(prior, image_size=size), auto).rate for size in (128, 512)]
    assert rates == [RATE_OF_ALL, RATE_OF_LORA] and finetune_options(prior, replace(auto, tuning_rate=0.1)).rate == 0.1


def test_views_have_their_side_and_camera_and_photos_have_none(prior: Prior) -> None:
    pictures, cameras = torch.rand(2, prior.image_size, prior.image_size, 3), orbit([0.0, 180.0], 10.0)
    photos = photo_examples(prior, pictures, "a sks bear", 3)
    assert photos.cameras is None and photos.prompts == ("a sks bear",) * 2 and photos.batch == 3
    views = view_examples(prior, pictures, cameras, "a red sks bear", 3, tell_cameras=True)
    assert views.prompts == ("a red sks bear, front view", "a red sks bear, back view") and views.cameras is not None
    assert torch.equal(views.cameras.camera_to_world, cameras.camera_to_world)
    assert view_examples(prior, pictures, cameras, "x", 3, tell_cameras=False).cameras is None
    assert torch.allclose(views.latents, photos.latents)


def test_partly_and_fully_taught_are_moments_of_one_run_also_after_a_kill(
    prior: Prior, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = torch.full((2, prior.image_size, prior.image_size, 3), 0.3)
    examples = [photo_examples(prior, pictures, "a sks bear", 1)]

    def taught(folder: Path) -> tuple[Prior, Prior]:
        folder.mkdir(exist_ok=True)
        settings: dict[str, Any] = {"checkpoint_steps": 1}
        request = protocol.Request(system="dreambooth3d", prompt="a bear", images=PHOTOS, settings=settings)
        return teach(Job(folder, request, lambda event: None, Control()), prior, examples, FEW, "bear", {})

    partial, full = taught(tmp_path / "whole")
    said = read_taught(tmp_path / "whole/stages/1-teaching", protocol.TAUGHT_FILE)
    assert said == protocol.Taught(subject="bear", token="sks", prior=prior.fingerprint)
    assert len({prior.fingerprint, partial.fingerprint, full.fingerprint}) == 3
    step, left = Finetuning.step, [3]

    def killed(self: Finetuning, *arguments: Any) -> list[float]:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return step(self, *arguments)

    monkeypatch.setattr(Finetuning, "step", killed)
    with pytest.raises(KeyboardInterrupt):
        taught(tmp_path / "half")
    monkeypatch.setattr(Finetuning, "step", step)
    again = taught(tmp_path / "half")
    assert [each.fingerprint for each in again] == [partial.fingerprint, full.fingerprint]


def test_views_that_are_seen_together_stand_a_quarter_of_the_round_apart(prior: Prior) -> None:
    settings = DreamBooth3DSettings(pseudo_views=8)
    pictures, cameras = torch.rand(8, prior.image_size, prior.image_size, 3), orbit(range(0, 360, 45), 10.0)
    alone = imagined_examples(prior, pictures, cameras, "a bear", settings)
    joint = taking_views(prior)
    together = imagined_examples(joint, pictures, cameras, "a bear", settings)
    assert alone.group == 1 and together.group == 4 and together.cameras is not None
    azimuths = azimuth_elevation(together.cameras)[0].remainder(360)
    assert azimuths.round().tolist() == [0, 90, 180, 270, 45, 135, 225, 315]
    assert torch.equal(together.latents[1], alone.latents[2])
    assert imagined_examples(joint, pictures[:6], cameras[:6], "a bear", settings).group == 1  # no whole groups
    assert imagined_examples(joint, pictures, cameras, "a bear", replace(settings, joint_views=False)).group == 1


def test_class_pictures_are_of_known_sides_where_the_prior_takes_cameras(prior: Prior) -> None:
    settings = DreamBooth3DSettings()
    assert known_sides(prior, settings) == 1 and known_sides(taking_views(prior), settings) == 4
    assert known_sides(prior, replace(settings, class_views=False)) == 0
    assert known_sides(replace(prior, camera_encoder=None), settings) == 0
    paper = DREAMBOOTH3D.presets["paper"]
    assert known_sides(taking_views(prior), paper) == 0 and not paper.joint_views


def taking_views(prior: Prior) -> Prior:
    unet = copy.deepcopy(prior.unet)
    make_joint(unet)
    return replace(prior, unet=unet)
