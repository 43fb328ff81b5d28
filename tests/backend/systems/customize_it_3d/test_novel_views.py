"""What the 3D prior says of views counts by how far they are turned from the image."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from addon.protocol.systems.customize_it_3d import CustomizeIt3DSettings
from backend.cameras import orbit
from backend.diffusion.denoiser import kept_prior
from backend.diffusion.guidance import Contexts
from backend.diffusion.scores import sds
from backend.diffusion.zero123 import Zero123
from backend.systems.customize_it_3d import novel_views as module
from backend.systems.customize_it_3d.novel_views import (
    JointViews,
    TurnedImage,
    apply_turned,
    guidance_options,
    load_novel_views,
    turned,
)
from tests.backend.systems.customize_it_3d.closed_form import ball_seen

SETTINGS = CustomizeIt3DSettings()


def test_the_share_is_the_angle_between_the_two_directions_of_180_degrees() -> None:
    front = orbit([0.0], 0.0)
    others = orbit([0.0, 45.0, -90.0, 180.0, 0.0], [0.0, 0.0, 0.0, 0.0, 30.0])
    assert turned(front, others).tolist() == pytest.approx([0, 0.25, 0.5, 1, 1 / 6], abs=1e-4)


def test_a_gradient_comes_back_as_a_mean_over_latents_times_each_views_share() -> None:
    model = SimpleNamespace(encode=lambda images: 2 * images)
    images = torch.rand(2, 3, 3, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    gradient = torch.ones(2, 3, 3, 3)
    latents = model.encode(images)
    assert apply_turned(model, images, latents, gradient, torch.tensor([0.0, 0.5]), 3.0)
    assert images.grad is not None
    wanted = torch.stack([torch.zeros(3, 3, 3), torch.full((3, 3, 3), 3.0 / 54 * 0.5 * 2)])
    assert torch.allclose(images.grad, wanted, atol=1e-6)
    gradient[0] = torch.nan
    images.grad = None
    assert not apply_turned(model, images, latents, gradient, torch.ones(2), 3.0) and images.grad is None


def test_zero123_is_told_the_image_on_the_background_and_the_way_to_each_camera(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen, told = ball_seen(), {}
    background = torch.tensor([0.3, 0.4, 0.5])

    class Model:
        device, alphas = torch.device("cpu"), torch.linspace(1, 0.1, 1000)

        def context(self, shown: torch.Tensor, poses: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            told.update(shown=shown, poses=poses)
            return torch.ones(2, 1, 1), torch.zeros(2, 1, 1)

        def encode(self, images: torch.Tensor) -> torch.Tensor:
            return images

        def predict_noise(self, latents: torch.Tensor, t: int, context: torch.Tensor) -> torch.Tensor:
            return latents * context[:, :, None]

    model: Any = Model()
    cameras = orbit([0.0, 90.0], 10.0, size=24)
    images = torch.rand(2, 24, 24, 3, generator=torch.Generator().manual_seed(1)).requires_grad_()
    views = TurnedImage(model, seen.target, 2.0, "sds")
    assert views.pull(images, cameras, background, 300, torch.Generator().manual_seed(2), 4.0)
    assert torch.allclose(told["shown"][0, 0, 0], background) and told["shown"].shape == (1, 24, 24, 3)
    assert torch.allclose(told["poses"], torch.tensor([[0.0, 0, 0], [0, 90, 0]]), atol=1e-3)
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(2))
    wanted = sds(
        model.predict_noise, images.detach(), 300, noise, alphas=model.alphas, conditional=torch.ones(2, 1, 1),
        unconditional=torch.zeros(2, 1, 1), scale=2.0, weight="sds",
    )  # fmt: skip
    assert images.grad is not None and not images.grad[0].any()  # the image's own side
    share = float(turned(seen.target.camera, cameras)[1])
    assert torch.allclose(images.grad[1], 4.0 / images.numel() * share * wanted[1], rtol=1e-4, atol=1e-7)


def test_a_prior_that_sees_the_image_is_asked_about_all_views_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, told = ball_seen(), {}

    class Asked:
        prior: Any = SimpleNamespace(encode=lambda images: images, image_size=24, device=torch.device("cpu"))
        at_once = 0

        def contexts(self, prompt: str, negative: str, cameras: Any, **more: Any) -> Contexts:
            told.update(more, prompt=prompt)
            return Contexts(torch.zeros(1), torch.zeros(1))

        def gradient(self, latents: torch.Tensor, *rest: Any) -> torch.Tensor:
            return torch.ones_like(latents)

    guidance: Any = Asked()
    images = torch.rand(2, 24, 24, 3).requires_grad_()
    cameras = orbit([0.0, 180.0], [10.0, -10.0], size=24)
    assert JointViews(guidance, "a ball", seen.target).pull(images, cameras, torch.ones(3), 300, torch.Generator(), 1.0)
    assert told["prompt"] == "a ball" and told["tell_cameras"] and told["background"] == "white"
    assert told["seen"].camera is seen.target.camera and told["seen"].latents.shape == (1, 24, 24, 3)
    assert images.grad is not None and torch.allclose(images.grad[1], torch.full((24, 24, 3), 1 / images.numel()))
    half: Any = SimpleNamespace(encode=lambda images: images / 2)  # what the step encodes with
    views, halved, drawn = JointViews(guidance, "a ball", seen.target), images.detach().requires_grad_(), torch.ones(3)
    assert views.pull(halved, cameras, drawn, 300, torch.Generator(), 1.0, half)
    assert halved.grad is not None and torch.allclose(halved.grad, images.grad / 2)


def test_which_of_them_is_asked_depends_on_the_prior_and_nothing_is_where_it_does_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prior, target = kept_prior("embedded"), ball_seen().target
    assert load_novel_views(prior, target, "x", replace(SETTINGS, novel_views=0.0, refine_novel_views=0.0)) is None
    made = load_novel_views(prior, target, "x", SETTINGS)
    assert isinstance(made, TurnedImage) and isinstance(made.model, Zero123) and made.scale == SETTINGS.novel_scale
    seeing: Any = SimpleNamespace(sees_reference=True, takes_views=True, takes_cameras=True)
    asked: dict[str, Any] = {}
    monkeypatch.setattr(module, "guidance_for", lambda prior, options: asked.update(options=options))
    joint = load_novel_views(seeing, target, "x", replace(SETTINGS, perp_neg=1.0))
    assert isinstance(joint, JointViews) and asked["options"].joint_views and not asked["options"].perp_neg
    assert asked["options"].scale == SETTINGS.novel_scale != guidance_options(SETTINGS).scale
