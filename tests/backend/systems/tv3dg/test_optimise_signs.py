"""Every term of TV-3DG's loop pulls the right way: with its sign turned the object ends where the term minds more.

The guard compares two runs of a toy, with a weight and with minus that weight. So it fails, too, where the loop or the
term itself has the wrong sign: for each, a term that is made to lie shows it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import torch

from backend.diffusion.guidance import Guidance
from backend.losses import masked_total_variation, opacity_entropy, out_of_range, photometric, silhouette
from backend.losses import total_variation as variation
from backend.rendering.renderer import Rendering
from backend.rendering.splats import splat_renderer
from backend.representations.gaussians import Gaussians, extent
from backend.systems import tv3dg
from backend.systems.guessed import guess_loss
from backend.systems.palette import Palette, palette_of
from backend.systems.tv3dg.edit import Anchor, side_loss
from backend.systems.tv3dg.optimise import SH_CONSTANT
from backend.vision.calibration import Calibration
from tests.backend.systems.tv3dg import toy_optimisation as toy

LOOP = sys.modules[tv3dg.optimise.__module__]
OVER_WHITE = (toy.reference().rgb * toy.reference().mask + 1 - toy.reference().mask).clamp(0, 1)
HONEST_CALIBRATION = Calibration.loss  # whatever a test makes of it
HONEST_PALETTE = Palette.loss
TOO_RED = toy.shell(0.6, torch.tensor([1.3, 0.5, -0.2]))

PALE = toy.shell(0.5, torch.tensor([0.35, 0.55, 0.65]), opacity=0.4)  # of the size that an anchor would scale it to


@dataclass(frozen=True)
class Term:
    """A term of the loss, its weight or what holds that, and how much the term minds an object."""

    minds: Callable[[Gaussians], torch.Tensor | float]
    settings: dict[str, float] = field(default_factory=dict)  # turned: the numbers' signs
    guests: Callable[[float], dict[str, Any]] = lambda sign: {}
    start: Gaussians = field(default_factory=lambda: toy.START)
    least: float = 1.1  # how many times more it minds the object that was made with the wrong sign


def around(minds: Callable[[Rendering], torch.Tensor]) -> Callable[[Gaussians], torch.Tensor]:
    return lambda gaussians: minds(toy.draw(gaussians, toy.AROUND, geometry=True))


def known(minds: Callable[[Rendering], torch.Tensor]) -> Callable[[Gaussians], torch.Tensor]:
    return lambda gaussians: minds(toy.draw(gaussians, toy.reference().camera))


def minded_by(calibration: Calibration) -> Callable[[Gaussians], torch.Tensor]:
    def minds(gaussians: Gaussians) -> torch.Tensor:
        seen = toy.draw(gaussians, calibration.cameras, geometry=True)
        loss = HONEST_CALIBRATION(calibration, seen.rgb.clamp(0, 1), seen.alpha, seen.depth, seen.normal)
        return 1 + loss  # that of normals is -1 at the least

    return minds


@torch.no_grad()
def minded_by_sides(gaussians: Gaussians) -> torch.Tensor:
    return side_loss(splat_renderer(gaussians), toy.sides(), toy.WHITE)


@torch.no_grad()
def minded_by_the_guess(gaussians: Gaussians) -> torch.Tensor:
    return guess_loss(toy.guess(), toy.draw(gaussians, toy.AROUND).rgb, toy.AROUND, toy.WHITE)


@torch.no_grad()
def minded_by_the_palette(gaussians: Gaussians) -> float:
    seen = toy.draw(gaussians, toy.AROUND)
    return float(HONEST_PALETTE(palette_of(toy.reference()), seen.rgb, seen.alpha, toy.WHITE, toy.AROUND))


def held(sign: float, colour: float, alpha: float) -> dict[str, Any]:
    return {"anchor": Anchor(splat_renderer(toy.WANTED), extent(toy.WANTED), sign * colour, sign * alpha)}


def from_the_picture(gaussians: Gaussians) -> float:
    return float((toy.draw(gaussians, toy.AROUND).rgb - toy.draw(toy.WANTED, toy.AROUND).rgb).abs().mean())


def same_alpha(seen: Rendering) -> torch.Tensor:
    return silhouette(seen.alpha, toy.draw(toy.WANTED, toy.AROUND).alpha)


SUM = 0.1 * 2 * 3 * (toy.SIZE // toy.BLOCK) ** 2  # what calibration of 1 was when guidance was an average
NO_PULL = {"scale": 0.0, "difference": 0.0}  # the anchor holds only where guidance does not pull
TERMS = {
    "total variation": Term(around(lambda seen: variation(seen.rgb)), {"variation": 10.0}),
    "smooth normals": Term(around(lambda seen: masked_total_variation(seen.normal, seen.alpha)), {"smoothness": 1.0}),
    "smooth depth": Term(around(lambda seen: masked_total_variation(seen.depth, seen.alpha)), {"smoothness": 1.0}),
    "size": Term(lambda gaussians: gaussians.scales.mean(), {"size_penalty": 5.0}),
    "entropy": Term(around(lambda seen: opacity_entropy(seen.alpha)), {"entropy": 2.0}),
    "colours in range": Term(
        lambda gaussians: out_of_range(0.5 + SH_CONSTANT * gaussians.sh), {"colour_range": 10.0}, start=TOO_RED
    ),
    "reference": Term(
        known(lambda seen: photometric(seen.rgb, OVER_WHITE, torch.ones(1, toy.SIZE, toy.SIZE, 1))),
        {"reference": 20.0}, lambda sign: {"target": toy.reference()},
    ),
    "the reference's outline": Term(
        known(lambda seen: silhouette(seen.alpha, toy.reference().mask)),
        {"reference_mask": 20.0}, lambda sign: {"target": toy.reference()},
    ),
    "the reference's palette": Term(minded_by_the_palette, {"palette": 20.0}, lambda sign: {"target": toy.reference()}),
    "the anchor's colours": Term(from_the_picture, NO_PULL, lambda sign: held(sign, 20.0, 0.0), start=PALE),
    "the anchor's alpha": Term(around(same_alpha), NO_PULL, lambda sign: held(sign, 0.0, 20.0), start=PALE),
    "pictured sides": Term(minded_by_sides, {"imagined_sides": 20.0}, lambda sign: {"pictured": toy.sides()}),
    "the guess": Term(minded_by_the_guess, {"imagined_sides": 20.0}, lambda sign: {"guessed": toy.guess()}),
    "geometry": Term(
        minded_by(toy.calibration(geometry=1.0)),
        guests=lambda sign: {"calibration": toy.calibration(geometry=SUM * sign)},
    ),
    "semantics": Term(
        minded_by(toy.calibration(semantics=1.0)),
        guests=lambda sign: {"calibration": toy.calibration(semantics=20.0 * SUM * sign)},
    ),
    "reward": Term(
        minded_by(toy.calibration(reward=1.0)),
        guests=lambda sign: {"calibration": toy.calibration(reward=5.0 * SUM * sign)},
    ),
}  # fmt: skip


def guard(term: Term) -> None:
    """Fail unless the term minds less what was made with it than what was made against it, beside the guidance."""
    minded = []
    for sign in (1.0, -1.0):
        turned = {name: sign * weight for name, weight in term.settings.items()}
        settings = toy.settings_of(lambda_guidance=0.1, **turned)
        minded.append(float(term.minds(toy.optimise(settings, term.start, **term.guests(sign)))))
    assert minded[1] > term.least * minded[0], minded


def guard_guidance(loss: str) -> None:
    """Fail unless guidance brings the object nearer to the known picture, and negated guidance farther from it."""
    first = from_the_picture(toy.START)
    nearer, farther = (
        from_the_picture(toy.optimise(toy.settings_of(lambda_guidance=w, loss=loss))) for w in (0.1, -0.1)
    )
    assert nearer < 0.8 * first and farther > 1.2 * first, (nearer, first, farther)


@pytest.mark.parametrize("name", TERMS)
def test_each_term_ends_lower_than_with_its_sign_turned(name: str) -> None:
    guard(TERMS[name])


@pytest.mark.parametrize("loss", ["sds", "csd", "ism", "csm", "vpcsm"])
def test_guidance_brings_the_object_nearer_to_the_picture(loss: str) -> None:
    guard_guidance(loss)


def test_the_reference_brings_the_object_nearer_to_the_picture_alone() -> None:
    first = from_the_picture(toy.START)
    nearer, farther = (
        from_the_picture(toy.optimise(toy.settings_of(reference=weight, reference_mask=weight), target=toy.reference()))
        for weight in (20.0, -20.0)
    )
    assert nearer < 0.8 * first and farther > 1.2 * first


def test_the_palette_changes_colours_and_no_shape() -> None:
    made = toy.optimise(toy.settings_of(palette=20.0), target=toy.reference())
    assert not torch.equal(made.sh, toy.START.sh)
    for name in ("means", "log_scales", "quaternions", "opacity_logits"):
        assert torch.equal(getattr(made, name), getattr(toy.START, name)), name


# ---- the guard can fail ----------------------------------------------------------------------------------------------


def turned(function: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    return lambda *arguments, **options: -function(*arguments, **options)


def of_channels(function: Callable[..., torch.Tensor], channels: int) -> Callable[..., torch.Tensor]:
    """Return a function that lies about images of so many channels."""
    return lambda images, alpha: (-1 if images.shape[-1] == channels else 1) * function(images, alpha)


def smaller_is_worse(optimise: Callable[..., Any]) -> Callable[..., Any]:
    return lambda job, guidance, prompt, settings, *rest, **guests: optimise(
        job, guidance, prompt, replace(settings, size_penalty=-settings.size_penalty), *rest, **guests
    )


LIARS: dict[str, tuple[object, str, Callable[[Any], Any]]] = {
    "total variation": (LOOP, "total_variation", turned),
    "smooth normals": (LOOP, "masked_total_variation", lambda function: of_channels(function, 3)),
    "smooth depth": (LOOP, "masked_total_variation", lambda function: of_channels(function, 1)),
    "size": (tv3dg, "optimise", smaller_is_worse),
    "entropy": (LOOP, "opacity_entropy", turned),
    "colours in range": (LOOP, "out_of_range", turned),
    "reference": (LOOP, "photometric", turned),
    "the reference's outline": (LOOP, "silhouette", turned),
    "the reference's palette": (Palette, "loss", turned),
    "the anchor's colours": (Anchor, "loss", turned),
    "the anchor's alpha": (Anchor, "loss", turned),
    "pictured sides": (LOOP, "side_loss", turned),
    "the guess": (LOOP, "guess_loss", turned),
    "geometry": (Calibration, "loss", turned),
    "semantics": (Calibration, "loss", turned),
    "reward": (Calibration, "loss", turned),
}


@pytest.mark.parametrize("name", TERMS)
def test_the_guard_fails_on_a_term_of_the_wrong_sign(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, function, lie = LIARS[name]
    monkeypatch.setattr(owner, function, lie(getattr(owner, function)))
    with pytest.raises(AssertionError):
        guard(TERMS[name])


@pytest.mark.parametrize("loss", ["sds", "vpcsm"])
def test_the_guard_fails_on_guidance_of_the_wrong_sign(loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Guidance, "gradient", turned(Guidance.gradient))
    with pytest.raises(AssertionError):
        guard_guidance(loss)
