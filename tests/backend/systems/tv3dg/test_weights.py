"""Guidance is a sum over views and latents, and every weight but calibration's a share of it, whatever their number."""

from __future__ import annotations

import json
import sys
from dataclasses import astuple, replace
from functools import partial
from typing import Any

import pytest
import torch

from addon import protocol
from addon.protocol.systems.tv3dg import TV3DG
from backend.cameras import orbit
from backend.diffusion.guidance import Guidance
from backend.rendering.splats import splat_renderer
from backend.representations.gaussians import Gaussians, extent
from backend.systems import tv3dg
from backend.systems.overrides import chosen_settings
from backend.systems.tv3dg import weights
from backend.systems.tv3dg.edit import Anchor
from backend.systems.tv3dg.weights import Units, loss_units
from backend.vision.calibration import Calibration
from tests.backend.systems.tv3dg import toy_optimisation as toy

LOOP = sys.modules[tv3dg.optimise.__module__]
LATENTS = 3 * (toy.SIZE // toy.BLOCK) ** 2  # of a view
EVERYTHING: dict[str, Any] = {  # but calibration; and points grow, too
    "lambda_guidance": 0.1, "variation": 0.2, "smoothness": 0.2, "size_penalty": 0.2, "entropy": 0.1,
    "colour_range": 10.0, "reference": 0.3, "reference_mask": 0.3, "edit_sides": 0.3, "grow_gradient": 2e-3,
    "growth_rounds": 1, "steps": 10, "max_count": 240,
}  # fmt: skip
SMALL = replace(toy.START, log_scales=toy.START.log_scales - 0.7)  # larger ones would be pruned


def held() -> dict[str, Any]:
    anchor = Anchor(splat_renderer(toy.WANTED), extent(toy.WANTED), 0.3, 0.3)
    return {"target": toy.reference(), "anchor": anchor, "pictured": toy.sides()}


@pytest.mark.parametrize("views", [1, 3])
def test_a_sum_with_shares_is_what_an_average_with_weights_was(views: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old loss: guidance over the number of latents and views, all else as it is in the table.

    To the byte, with a lambda that makes the new one 1,024 times the old, so that nothing is rounded differently.
    Adam's epsilon, 1e-15, alone knows the loss's size; it counts where gradients are nothing but rounding
    (quaternions of round Gaussians).
    """
    average = 1 / (LATENTS * views)
    settings = toy.settings_of(**EVERYTHING | {"views": views, "lambda_guidance": 1024 * average})
    with monkeypatch.context() as patched:
        patched.setattr(weights, "LAMBDA_GUIDANCE", 1024 * average)
        now = toy.optimise(settings, SMALL, **held())
    monkeypatch.setattr(LOOP, "loss_units", lambda *_, **__: Units(1.0, 1.0, 1.0))
    monkeypatch.setattr(LOOP, "GaussianAdam", partial(LOOP.GaussianAdam, epsilon=1e-15 / 1024))
    before = toy.optimise(replace(settings, lambda_guidance=average), SMALL, **held())
    assert len(now) > 200  # the threshold was passed by some
    for name, value in now.state_dict().items():
        # A denormal moment rounds otherwise on some processors: one quaternion of 960, by 1e-9.
        tolerance = 1e-8 if name == "quaternions" else 0.0
        torch.testing.assert_close(value, before.state_dict()[name], atol=tolerance, rtol=0.0, msg=name)
    other = toy.optimise(replace(settings, lambda_guidance=2 * average), SMALL, **held())
    assert (other.sh[:100] - before.sh[:100]).abs().max() > 0.01  # the comparison can fail


def colour_gradient(weight: float, monkeypatch: pytest.MonkeyPatch, **chosen: Any) -> torch.Tensor:
    """Return the loss's gradient on the colours in one step of some weights, with guidance of a constant 1."""
    seen: list[torch.Tensor] = []

    def note(optimiser: Any, rates: Any) -> None:
        seen.append(optimiser.gaussians.sh.grad.clone())

    with monkeypatch.context() as patched:
        patched.setattr(Guidance, "gradient", lambda *_: torch.ones(2, 3, 12, 12))
        patched.setattr(LOOP.GaussianAdam, "step", note)
        toy.optimise(toy.settings_of(lambda_guidance=weight, steps=1, **chosen.pop("settings", {})), **chosen)
    return seen[0]


def test_guidance_is_lambda_times_a_sum_over_views_and_latents(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gradient of the colours, summed, is that of 0.1 times the sum of all latents of both views.

    A latent is the mean of a block of pixels, a pixel the sum of colours by their share in it, so all of the shares
    over the blocks' area.
    """
    gradient = colour_gradient(0.1, monkeypatch, settings={"views": 2})
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    cameras = LOOP.draw_around(2, (-10.0, 45.0), size=toy.SIZE, generator=generator)
    alpha = toy.draw(toy.START, cameras).alpha
    wanted = 0.1 * float(alpha.sum()) / toy.BLOCK**2 * LOOP.SH_CONSTANT
    torch.testing.assert_close(gradient.sum((0, 1)), torch.full((3,), wanted), rtol=1e-4, atol=0)


def test_calibration_has_the_unit_of_the_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    """What lambda_2 = 4 adds to the gradient is 4 times that of its loss, and nothing is multiplied by the latents."""
    calibration = toy.calibration(semantics=4.0)
    added = colour_gradient(0.0, monkeypatch, calibration=calibration)
    start = Gaussians(**toy.START.state_dict())
    start.requires_grad_()
    seen = splat_renderer(start)(calibration.cameras, toy.WHITE, geometry=True)
    Calibration.loss(calibration, seen.rgb.clamp(0, 1), seen.alpha, seen.depth, seen.normal).backward()
    assert added.abs().max() > 0
    torch.testing.assert_close(added, start.sh.grad, rtol=1e-4, atol=1e-9)


def test_a_share_counts_latents_and_views_and_the_papers_unit_counts_neither() -> None:
    for shape in ((4, 4, 16, 16), (4, 8, 16, 16), (1, 4, 64, 64)):
        latents = torch.zeros(shape)
        average = 0.1 * shape[0] * shape[1] * shape[2] * shape[3]
        assert astuple(loss_units(latents, against_sum=False)) == pytest.approx((average, average, average))
        assert astuple(loss_units(latents, against_sum=True)) == pytest.approx((average, 1.0, shape[0]))


def test_opacities_are_cleared_every_so_many_steps_while_points_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []
    honest = LOOP.reset_opacities

    def reset(gaussians: Gaussians, optimiser: Any) -> None:
        honest(gaussians, optimiser)
        seen.append(float(gaussians.opacities.detach().max()))

    monkeypatch.setattr(LOOP, "reset_opacities", reset)
    toy.optimise(toy.settings_of(steps=10, reset_every=3))
    assert seen == [pytest.approx(0.01, rel=1e-4)] * 2  # after steps 3 and 6; at 9 the last fifth has begun
    toy.optimise(toy.settings_of(steps=4))
    assert len(seen) == 2


@pytest.mark.parametrize("value", [2, 0.5, 1.0])
def test_an_old_request_has_a_tenth_of_its_guidance(value: float) -> None:
    """`guidance` was a weight of the average, 1; that is 0.1 of the sum, with the same weights of all else."""
    old = {"system": "tv3dg", "prompt": "a mug", "preset": "draft", "settings": {"guidance": value}}
    request = protocol.decode_request(json.dumps(old))
    settings = chosen_settings(TV3DG, request.preset, request.settings)
    assert settings == replace(TV3DG.presets["draft"], lambda_guidance=pytest.approx(0.1 * value))
    edited = request.edited("a cup", settings={"lambda_guidance": 0.3})
    assert chosen_settings(TV3DG, "draft", edited.settings).lambda_guidance == 0.3


def test_the_picture_of_an_old_request_is_that_of_the_new_one() -> None:
    old = chosen_settings(TV3DG, "bench", {"guidance": 2.0, "steps": 3, "views": 2, "delta_t": 400})
    new = chosen_settings(TV3DG, "bench", {"lambda_guidance": 0.2, "steps": 3, "views": 2, "delta_t": 400})
    one, other = toy.optimise(old, SMALL), toy.optimise(new, SMALL)
    camera = orbit([20.0], 10.0, size=toy.SIZE)
    assert torch.equal(toy.draw(one, camera).rgb, toy.draw(other, camera).rgb)
