"""The prior learns four images with their words, in one order or another, and is watched for learning by heart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from addon import protocol
from addon.protocol.systems.customize_it_3d import CustomizeIt3DSettings
from backend.diffusion.denoiser import kept_prior
from backend.diffusion.finetune import Examples, Finetuning
from backend.systems.customize_it_3d import teaching
from backend.systems.customize_it_3d.teaching import mixture, object_examples, sided, teach, variety, variety_left
from backend.systems.reference import Target
from backend.vision.image_encoder import load_image_encoder
from tests.backend.systems.customize_it_3d.closed_form import ball_seen, open_stage

SMALL = CustomizeIt3DSettings(
    mask_steps=1, depth_steps=2, normal_steps=1, rgb_steps=4, tuning_whole="lora", tuning_rank=2, tuning_batch=1,
    least_variety=0.0,
)  # fmt: skip


def seen() -> Any:
    from backend.systems.customize_it_3d.perceived import resized

    small = ball_seen()
    rgb, mask = (
        torch.nn.functional.interpolate(layer.permute(0, 3, 1, 2), (128, 128)).permute(0, 2, 3, 1)
        for layer in (small.target.rgb, small.target.mask)
    )
    camera = resized(small, 128).target.camera
    maps = [
        torch.nn.functional.interpolate(each.permute(0, 3, 1, 2), (128, 128)).permute(0, 2, 3, 1)
        for each in (small.depth, small.normal)
    ]
    return replace(small, target=Target(camera, rgb, mask), depth=maps[0], normal=maps[1])


class Steps:
    """Stands for the fine-tuning and writes down what each step was taught."""

    taken: list[list[tuple[str, float]]] = []

    def __init__(self, prior: Any, options: Any) -> None:
        self._real = Finetuning(prior, options)
        self.prior, self.options = self._real.prior, options
        Steps.taken = []

    def step(self, examples: list[Examples], generator: torch.Generator) -> list[float]:
        Steps.taken.append([(kind.prompts[0], kind.weight) for kind in examples])
        return [0.0]

    def state_dict(self) -> dict[str, Any]:
        return self._real.state_dict()

    def load_state_dict(self, state: Any) -> None:
        self._real.load_state_dict(state)


def taught(folder: Path, settings: CustomizeIt3DSettings, known: list[Examples]) -> list[list[tuple[str, float]]]:
    teach(open_stage(folder), kept_prior("embedded"), seen(), known, settings, {})
    return Steps.taken


def test_words_are_the_same_in_teaching_as_in_guidance_with_the_camera_of_the_image() -> None:
    prior, shown = kept_prior("embedded"), seen()
    examples = object_examples(prior, shown, SMALL)
    assert {kind: each.prompts for kind, each in examples.items()} == {
        "mask": ("a foreground mask of sks ball, front view",),
        "depth": ("a depth map of sks ball, front view",),
        "normal": ("a normal map of sks ball, front view",),
        "rgb": ("a rgb photo of sks ball, front view",),
    }
    assert all(each.cameras is shown.target.camera for each in examples.values())
    assert torch.equal(examples["normal"].latents, prior.encode(shown.picture("normal")))
    alone = object_examples(prior, shown, replace(SMALL, modalities="rgb", camera_tokens=False))
    assert list(alone) == ["rgb"] and alone["rgb"].cameras is None
    assert sided("x", shown.target.camera, replace(SMALL, paper_compat=True)) == ["x"]


def test_one_by_one_is_the_papers_order_and_together_counts_by_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teaching, "Finetuning", Steps)
    monkeypatch.setattr(teaching, "save_tuned", lambda folder, tuning: folder.mkdir())
    monkeypatch.setattr(teaching, "load_tuned", lambda prior, folder: prior)
    monkeypatch.setattr(teaching, "variety_left", lambda *given: (1.0, torch.zeros(4, 8, 8, 3)))
    known = [Examples(torch.zeros(1, 4, 16, 16), ("a ball",), weight=0.5)]
    steps = taught(tmp_path / "one", replace(SMALL, schedule="sequential"), known)
    assert [step[0][0].split(" of ")[0] for step in steps] == [
        "a foreground mask", "a depth map", "a depth map", "a normal map", *["a rgb photo"] * 4,
    ]  # fmt: skip
    assert all(step[1:] == [("a ball", 0.5)] for step in steps)
    steps = taught(tmp_path / "all", SMALL, known)
    assert len(steps) == 8 and all([weight for _, weight in step] == [1.0, 0.5] for step in steps)


def test_a_mixture_has_each_kind_by_its_share_with_its_own_words_picture_and_camera() -> None:
    prior, shown = kept_prior("embedded"), seen()
    examples = object_examples(prior, shown, SMALL)
    mixed = mixture(examples, {"mask": 25, "depth": 50, "normal": 50, "rgb": 75}, 3)
    kinds = [prompt.split(" of ")[0] for prompt in mixed.prompts]
    assert kinds == ["a foreground mask", *["a depth map"] * 2, *["a normal map"] * 2, *["a rgb photo"] * 3]
    assert torch.equal(mixed.latents[3:4], examples["normal"].latents) and mixed.batch == 3 and mixed.weight == 1
    assert mixed.cameras is not None and len(mixed.cameras) == 8
    assert torch.equal(mixed.cameras.position, shown.target.camera.position.expand(8, 3))
    untold = object_examples(prior, shown, replace(SMALL, camera_tokens=False))
    assert mixture(untold, {"rgb": 7}, 1).cameras is None and len(mixture(untold, {"rgb": 7}, 1).prompts) == 1


def test_a_prior_that_draws_the_same_from_everywhere_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = open_stage(tmp_path)
    monkeypatch.setattr(teaching, "variety_left", lambda *given: (0.2, torch.zeros(4, 8, 8, 3)))
    prior = teach(job, kept_prior("embedded"), seen(), [], replace(SMALL, least_variety=0.3), {})
    assert job.warnings == ["The prior has learnt the image by heart: 20 % of its variety is left."]
    assert prior.fingerprint != kept_prior("embedded").fingerprint
    assert (tmp_path / "stages/1-teaching/taught/pytorch_lora_weights.safetensors").is_file()
    assert (tmp_path / "stages/1-teaching/drawn.png").is_file()


def test_variety_is_none_of_one_picture_and_all_of_it_for_an_untaught_prior() -> None:
    encoder = load_image_encoder("embedded")
    pictures = torch.rand(3, 32, 32, 3, generator=torch.Generator().manual_seed(0))
    assert variety(encoder, pictures[:1].expand(3, -1, -1, -1)) == pytest.approx(0, abs=1e-5)
    vectors = torch.nn.functional.normalize(encoder(pictures), dim=-1)
    pairs = [1 - float(vectors[a] @ vectors[b]) for a, b in ((0, 1), (0, 2), (1, 2))]
    assert variety(encoder, pictures) == pytest.approx(sum(pairs) / 3, abs=1e-5)
    prior = kept_prior("embedded")
    same = replace(SMALL, rgb_prompt="a ball", token="", camera_tokens=True)
    left, drawn = variety_left(prior, prior, replace(seen(), subject="mug"), replace(same, rgb_prompt="a"), 1)
    assert left == pytest.approx(1.0, abs=0.1) and drawn.shape == (4, 128, 128, 3)
    assert isinstance(protocol.SYSTEMS["customize_it_3d"].presets["draft"].least_variety, float)
