"""DreamBooth: the subject is learnt, the class stays, the prior itself is not touched, files are stock diffusers'."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from backend.cameras import azimuth_elevation, orbit
from backend.diffusion import finetune
from backend.diffusion.denoiser import Prior, load_prior
from backend.diffusion.finetune import (
    Examples,
    FinetuneOptions,
    Finetuning,
    class_examples,
    class_views,
    min_snr_weight,
    with_token,
)
from backend.diffusion.joint_attention import joined, make_joint
from backend.errors import BadInput
from backend.runtime.checkpoint import load_checkpoint, save_checkpoint


@pytest.fixture(scope="module")
def prior() -> Prior:
    return load_prior("embedded")


@pytest.fixture(scope="module")
def photos(prior: Prior) -> Examples:
    """Three pictures of a thing that no prompt of the prior is about: purple above, green below, the line moves."""
    pictures = torch.tensor([0.9, 0.1, 0.8]).repeat(3, 128, 128, 1)
    for i, line in enumerate((40, 64, 90)):
        pictures[i, line:] = torch.tensor([0.1, 0.6, 0.2])
    return Examples(prior.encode(pictures), ("a sks bear",) * 3, batch=2)


def error(prior: Prior, examples: Examples) -> float:
    """Return the mean squared error of predicted noise, for fixed timesteps and noises."""
    context, errors = prior.embed(examples.prompts), []
    for t in (200, 500, 800):
        noise = torch.randn(examples.latents.shape, generator=torch.manual_seed(t))
        noisy = prior.alphas[t].sqrt() * examples.latents + (1 - prior.alphas[t]).sqrt() * noise
        errors.append((prior.predict_noise(noisy, t, context) - noise).square().mean())
    return float(torch.stack(errors).mean())


def taught(prior: Prior, options: FinetuneOptions, kinds: list[Examples], steps: int, seed: int = 1) -> Finetuning:
    tuning, generator = Finetuning(prior, options), torch.Generator().manual_seed(seed)
    for _ in range(steps):
        tuning.step(kinds, generator)
    return tuning


def test_the_subject_is_learnt_and_preservation_keeps_the_class(prior: Prior, photos: Examples) -> None:
    kept = class_examples(prior, "a bear", 4, torch.Generator().manual_seed(0), batch=2)
    before, class_before = error(prior, photos), error(prior, kept)
    whole = {name: value.clone() for name, value in prior.unet.state_dict().items()}
    options = FinetuneOptions(rate=4e-4)
    with_class = taught(prior, options, [photos, kept], 16)
    without = taught(prior, options, [photos], 16)
    assert error(with_class.prior, photos) < 0.5 * before
    assert error(with_class.prior, kept) < 1.1 * class_before < error(without.prior, kept)
    assert all(torch.equal(value, whole[name]) for name, value in prior.unet.state_dict().items())


def test_a_lora_learns_its_changes_alone(prior: Prior, photos: Examples) -> None:
    tuning = Finetuning(prior, FinetuneOptions(rate=1e-3, rank=8))
    before = {name: value.clone() for name, value in tuning.prior.unet.state_dict().items()}
    assert error(tuning.prior, photos) == pytest.approx(error(prior, photos), rel=1e-5)
    generator = torch.Generator().manual_seed(1)
    for _ in range(12):
        tuning.step([photos], generator)
    assert error(tuning.prior, photos) < 0.8 * error(prior, photos)
    after = tuning.prior.unet.state_dict()
    assert {name for name in before if not torch.equal(before[name], after[name])} <= {n for n in before if "lora" in n}
    assert tuning.parameters and all("lora_" in name for name in tuning.parameters)


def test_a_step_adds_the_gradients_of_its_kinds_by_their_weights(
    prior: Prior, photos: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AdamW's first step hides scale, so what it is given is read."""
    monkeypatch.setattr(finetune, "MAX_NORM", float("inf"))

    def given(*weights: float) -> torch.Tensor:
        tuning = Finetuning(prior, FinetuneOptions(rank=2))
        kinds = [replace(photos, weight=weight) for weight in weights]
        seen = []
        monkeypatch.setattr(tuning.optimiser, "step", lambda: seen.extend(p.grad for p in tuning.parameters.values()))
        tuning.step(kinds, torch.Generator().manual_seed(4))
        return torch.cat([gradient.flatten() for gradient in seen])

    both, first = given(1.0, 1.0), given(1.0, 0.0)
    assert float((both - first).norm()) > 0.1 * float(first.norm())
    assert torch.allclose(
        given(2.0, 3.0), 2 * first + 3 * (both - first), rtol=1e-3, atol=1e-4 * float(both.abs().max())
    )


def test_the_loss_is_the_error_of_the_prediction_itself(prior: Prior, photos: Examples) -> None:
    tuning, rows = Finetuning(prior, FinetuneOptions()), torch.tensor([1, 0])
    told = float(tuning._loss(photos, rows, torch.Generator().manual_seed(7)).detach())
    generator = torch.Generator().manual_seed(7)
    times = torch.randint(len(prior.alphas), (2,), generator=generator)
    noise = torch.randn(2, *photos.latents.shape[1:], generator=generator)
    errors = []
    for row, t, n in zip(rows, times, noise, strict=True):
        a = prior.alphas[t]
        noisy = (a.sqrt() * photos.latents[row] + (1 - a).sqrt() * n)[None]
        wrong = prior.predict_noise(noisy, int(t), prior.embed(["a sks bear"])) - n  # = sqrt(alpha) (velocity error)
        errors.append(wrong.square().mean() / a)
    assert told == pytest.approx(float(sum(errors) / 2), rel=1e-3)


def test_a_resumed_run_is_the_same_and_a_moment_comes_back(prior: Prior, photos: Examples, tmp_path: Path) -> None:
    options, generator = FinetuneOptions(rank=4, rate=1e-3), torch.Generator().manual_seed(3)
    whole = Finetuning(prior, options)
    for step in range(4):
        if step == 2:
            save_checkpoint(tmp_path / "half.safetensors", whole.state_dict())
            moment, draws = whole.weights(), generator.get_state()
        whole.step([photos], generator)
    resumed = Finetuning(prior, options)
    resumed.load_state_dict(load_checkpoint(tmp_path / "half.safetensors"))
    assert all(torch.equal(value, moment[name]) for name, value in resumed.weights().items())
    generator.set_state(draws)
    for _ in range(2):
        resumed.step([photos], generator)
    assert all(torch.equal(value, whole.parameters[name]) for name, value in resumed.parameters.items())
    with pytest.raises(ValueError, match="another network or rank"):
        Finetuning(prior, FinetuneOptions(rank=2)).load_weights(moment)


def test_a_text_encoder_that_learns_is_asked_anew(prior: Prior, photos: Examples) -> None:
    tuning = taught(prior, FinetuneOptions(rate=1e-2, text_encoder=True), [photos], 2)
    assert any(name.startswith("text_encoder.") for name in tuning.parameters)
    said = tuning.prior.embed(["a sks bear"])
    assert not torch.allclose(said, prior.embed(["a sks bear"]))
    assert torch.equal(tuning._context(photos, torch.tensor([0])).detach(), said)


def test_cameras_are_told_with_their_own_pictures(prior: Prior, photos: Examples) -> None:
    cameras = orbit([0.0, 90.0, 180.0], 10.0)
    kind = Examples(photos.latents, photos.prompts, cameras=cameras)
    once = Finetuning(prior, FinetuneOptions())._context(kind, torch.tensor([2, 0]))
    anew = Finetuning(prior, FinetuneOptions(text_encoder=True))._context(kind, torch.tensor([2, 0]))
    assert torch.allclose(once, prior.embed(photos.prompts, cameras)[[2, 0]])
    assert torch.allclose(anew, once, atol=1e-6)


def test_min_snr_weights_are_those_of_the_paper() -> None:
    alphas = torch.tensor([0.5, 0.9, 0.1])  # signal to noise 1, 9, 1/9
    assert torch.equal(min_snr_weight(alphas, 0.0, True), torch.ones(3))
    assert min_snr_weight(alphas, 5.0, False).tolist() == pytest.approx([1.0, 5 / 9, 1.0])
    assert min_snr_weight(alphas, 5.0, True).tolist() == pytest.approx([0.5, 0.5, 0.1])


@pytest.mark.parametrize(
    ("prompt", "subject", "expected"),
    [
        ("a red bear, sitting", "bear", "a red sks bear, sitting"),
        ("a bear.", "bear", "a sks bear."),
        ("an ice cream on a plate", "ice cream", "an sks ice cream on a plate"),
        ("on a beach", "bear", "sks bear, on a beach"),
        ("", "bear", "sks bear"),
    ],
)
def test_the_token_stands_before_the_class(prompt: str, subject: str, expected: str) -> None:
    assert with_token(prompt, "sks", subject) == expected


def test_what_cannot_be_taught_is_said(prior: Prior) -> None:
    with pytest.raises(BadInput, match="half precision"):
        Finetuning(replace(prior, dtype=torch.float16), FinetuneOptions())
    with pytest.raises(ValueError, match="2 prompts for 3 pictures"):
        Examples(torch.zeros(3, 4, 16, 16), ("a", "b"))


def test_a_loss_that_is_not_finite_changes_nothing(prior: Prior, photos: Examples) -> None:
    tuning = Finetuning(prior, FinetuneOptions(rank=2))
    before = tuning.weights()
    broken = Examples(torch.full_like(photos.latents, float("nan")), photos.prompts)
    tuning.step([broken], torch.Generator().manual_seed(0))
    assert all(torch.equal(value, before[name]) for name, value in tuning.parameters.items())


@pytest.fixture(scope="module")
def joint(prior: Prior) -> Prior:
    unet = copy.deepcopy(prior.unet)
    make_joint(unet)
    return replace(prior, unet=unet)


def test_views_of_one_object_are_drawn_whole_and_noised_to_one_level(joint: Prior) -> None:
    kind = class_views("a bear", 10, 4, batch=8)
    assert len(kind.prompts) == 12 and kind.cameras is not None  # as many groups as hold ten
    rows = kind.draw(torch.Generator().manual_seed(0))
    assert rows.shape == (8,) and torch.equal(rows.reshape(2, 4) % 4, torch.arange(4).expand(2, 4))
    azimuths = azimuth_elevation(kind.cameras)[0].reshape(3, 4)
    assert torch.allclose(azimuths.diff(dim=1).remainder(360), torch.full((3, 3), 90.0), atol=1e-2)
    assert {said.rsplit(", ")[-1] for said in kind.prompts} == {"front view", "side view", "back view"}
    single = class_views("a bear", 10, 1)
    assert (
        single.cameras is not None
        and single.group == 1
        and len(single.prompts) == 10
        and len(set(azimuth_elevation(single.cameras)[0])) == 10
    )
    assert class_views("a bear", 10, 0).cameras is None
    with pytest.raises(ValueError, match="6 pictures are no groups of 4 views"):
        Examples(torch.zeros(6, 1), ("a",) * 6, group=4)

    seen = []
    latents = torch.randn(12, *joint_latents(joint), generator=torch.Generator().manual_seed(1))
    kind = replace(kind, latents=latents, batch=4)
    tuning = Finetuning(joint, FinetuneOptions(rank=2))
    with joined(tuning.prior.unet, 4):
        told = float(tuning._loss(kind, torch.arange(4, 8), torch.Generator().manual_seed(7)).detach())
    generator = torch.Generator().manual_seed(7)
    t = int(torch.randint(len(joint.alphas), (1,), generator=generator))
    noise = torch.randn(4, *joint_latents(joint), generator=generator)
    a = joint.alphas[t]
    noisy = a.sqrt() * latents[4:8] + (1 - a).sqrt() * noise
    assert kind.cameras is not None
    context = joint.embed(kind.prompts[4:8], kind.cameras[4:8])
    for said in (context[None], context):
        seen.append(float((joint.predict_noise(noisy, t, said) - noise).square().mean() / a))
    assert told == pytest.approx(seen[0], rel=1e-3) and abs(seen[0] - seen[1]) > 1e-3 * seen[1]


def joint_latents(prior: Prior) -> tuple[int, int, int]:
    config = prior.unet.config
    return config.in_channels, config.sample_size, config.sample_size


def test_a_step_joins_views_where_they_are_and_photos_stay_single(
    joint: Prior, photos: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    views = class_examples(joint, "a bear", 4, torch.Generator().manual_seed(0), views=4, batch=4)
    assert views.group == 4 and views.latents.shape[0] == 4
    tuning, asked = Finetuning(joint, FinetuneOptions(rank=2)), []
    plain = Finetuning._loss

    def watched(self: Finetuning, kind: Examples, *rest: Any) -> torch.Tensor:
        asked.append(next(m.processor.views for n, m in self.prior.unet.named_modules() if n.endswith("attn1")))
        return plain(self, kind, *rest)

    monkeypatch.setattr(Finetuning, "_loss", watched)
    tuning.step([photos, views], torch.Generator().manual_seed(1))
    assert asked == [1, 4]


def test_joint_views_are_kept_by_views_of_the_class(joint: Prior, photos: Examples) -> None:
    """What the prior says of views that see each other moves less where such views are learnt beside the photos."""
    generator = torch.Generator().manual_seed(0)
    views = class_examples(joint, "a bear", 8, generator, views=4, batch=4, weight=2.0)
    other = class_examples(joint, "a bear", 4, torch.Generator().manual_seed(9), views=4)
    assert other.cameras is not None
    context = joint.embed(other.prompts, other.cameras)[None]

    def moved(kinds: list[Examples]) -> float:
        after = taught(joint, FinetuneOptions(rate=4e-4), kinds, 6).prior
        said = []
        for t in (300, 600):
            noisy = joint.alphas[t].sqrt() * other.latents + (1 - joint.alphas[t]).sqrt() * torch.randn(
                other.latents.shape, generator=torch.manual_seed(t)
            )
            said.append(after.predict_noise(noisy, t, context) - joint.predict_noise(noisy, t, context))
        return float(torch.stack(said).square().mean())

    both, alone = moved([photos, views]), moved([photos])
    assert both < 0.8 * alone, (both, alone)
