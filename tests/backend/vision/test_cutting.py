"""Who cuts a subject out: mask, alpha, colours or network; made pictures in which one of them cannot."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from backend.cameras import orbit
from backend.embedded.objects.solids import Primitive, Solid, photograph
from backend.errors import BadInput, EmptyMask
from backend.images import colour_mask
from backend.vision import cutting
from backend.vision.cutting import cut_out, mask_from

SIZE = 128
ROWS, COLUMNS = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
RED = (0.8, 0.1, 0.1)


def disc(x: float, y: float, radius: float) -> torch.Tensor:
    return ((COLUMNS - x) ** 2 + (ROWS - y) ** 2 < radius**2)[..., None]


def paint(background: torch.Tensor | float, *parts: tuple[torch.Tensor, tuple[float, ...]]) -> torch.Tensor:
    """Return a background with parts of one colour each, [H, W, 3]."""
    image = torch.as_tensor(background).expand(SIZE, SIZE, 3).clone()
    for inside, colour in parts:
        image = torch.where(inside, torch.tensor(colour), image)
    return image


def ball(colour: tuple[float, float, float], background: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Photograph a ball under a light; return the picture and its mask."""
    solid = Solid((Primitive("ellipsoid", (0, 0, 0), (0.6, 0.6, 0.7)),), (colour,))
    seen = photograph(solid, orbit([20.0], 10.0, size=SIZE), torch.full((3,), background))
    return seen.rgb[0], seen.mask[0]


def clutter() -> torch.Tensor:
    """Return patches of many colours, [H, W, 3]."""
    patches = np.random.default_rng(1).uniform(0.1, 0.9, (3, 9, 9))
    coarse = torch.from_numpy(patches).float()[None]
    return torch.nn.functional.interpolate(coarse, (SIZE, SIZE), mode="bicubic")[0].permute(1, 2, 0).clamp(0, 1)


def busy_picture(contrast: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a ball before clutter and its mask."""
    image, truth = ball(RED, 0.9)
    return image * truth + (0.5 + contrast * (clutter() - 0.5)) * (1 - truth), truth


def overlap(mask: torch.Tensor, truth: torch.Tensor) -> float:
    both, either = (mask > 0.5) & (truth > 0.5), (mask > 0.5) | (truth > 0.5)
    return float(both.sum() / either.sum())


def sentences(found: cutting.CutOut) -> str:
    return " ".join(sentence for sentence, _ in found.doubts)


def test_a_plain_background_goes_to_the_colours_to_the_byte_and_draws_nothing():
    image, truth = ball(RED, 0.9)
    state = torch.get_rng_state()
    cutting._network.cache_clear()
    found = cut_out(image)
    assert torch.equal(torch.get_rng_state(), state)
    assert found.source == "colours" and torch.equal(found.mask, colour_mask(image)[0]) and found.doubts == ()
    assert overlap(found.mask, truth) > 0.95


@pytest.mark.parametrize(("contrast", "sentence"), [(1.0, "colours tell nothing apart"), (0.5, "background is busy")])
def test_a_busy_background_goes_to_the_network_and_both_are_said(contrast: float, sentence: str):
    image, truth = busy_picture(contrast)
    found = cut_out(image)
    assert found.source == "network" and overlap(found.mask, truth) > 0.8 and sentence in sentences(found)
    assert float(((found.mask > 0) & (found.mask < 1)).float().mean()) < 0.05  # an edge, no fog
    assert torch.equal(cut_out(image, how="network").mask, found.mask)
    if contrast < 1:
        assert overlap(cut_out(image, how="colours").mask, truth) < 0.5


def test_a_given_mask_is_before_alpha_and_alpha_before_colours():
    image = paint(1.0, (disc(64, 64, 30), RED))
    alpha, given = disc(64, 64, 40).float(), disc(50, 50, 20).float()
    assert (found := cut_out(image, alpha, given=given)).source == "mask" and torch.equal(found.mask, given)
    assert (found := cut_out(image, alpha)).source == "alpha" and torch.equal(found.mask, alpha)
    faint = torch.ones(SIZE, SIZE, 1)
    faint[0, :12] = 0.0
    found = cut_out(image, faint)
    assert found.source == "colours" and "of 16384 pixels only 12 are not opaque" in sentences(found)
    assert overlap(found.mask, disc(64, 64, 30)) > 0.95
    assert cut_out(image, torch.ones(SIZE, SIZE, 1)).doubts == ()


def test_a_given_mask_has_the_size_of_its_picture_and_something_white():
    image = paint(1.0)
    with pytest.raises(BadInput, match="mask has 64 x 32 pixels, its picture 128 x 128"):
        cut_out(image, given=torch.ones(32, 64, 1))
    with pytest.raises(EmptyMask, match="0 of 16384 pixels are white"):
        cut_out(image, given=torch.zeros(SIZE, SIZE, 1))


def test_a_mask_is_what_is_white_or_what_is_opaque():
    white = disc(64, 64, 30).float()
    assert torch.allclose(mask_from(white.expand(-1, -1, 3), None), white)
    assert torch.allclose(mask_from(white.expand(-1, -1, 3), torch.ones(SIZE, SIZE, 1)), white)
    assert torch.equal(mask_from(torch.zeros(SIZE, SIZE, 3), white), white)  # black paint on a clear layer


def test_of_several_things_one_can_be_chosen():
    image = paint(0.9, (disc(40, 64, 24), RED), (disc(95, 64, 16), (0.1, 0.3, 0.7)))
    everything = cut_out(image)
    assert "has 2 pieces; the largest is 69% of it" in sentences(everything)
    assert overlap(everything.mask, disc(40, 64, 24) | disc(95, 64, 16)) > 0.95
    assert overlap(cut_out(image, piece=1).mask, disc(40, 64, 24)) > 0.95
    assert overlap(cut_out(image, piece=2).mask, disc(95, 64, 16)) > 0.95
    with pytest.raises(EmptyMask, match="2 pieces, and piece 3"):
        cut_out(image, piece=3)


def test_black_eyes_on_a_black_ground_are_holes_that_are_said():
    eyes = disc(50, 54, 7) | disc(78, 54, 7)
    image = paint(0.02, (disc(64, 64, 40), (0.9, 0.8, 0.6)), (eyes, (0.02, 0.02, 0.02)))
    found = cut_out(image)
    assert not (found.mask[eyes] > 0.5).any() and "holes in the background's colour, 6% of it" in sentences(found)


def test_white_on_white_is_cut_out_or_doubted_or_refused():
    """What is shaded is found; what is as white as its ground nobody can see."""
    image, truth = ball((1.0, 1.0, 1.0), 1.0)
    assert overlap(cut_out(image).mask, truth) > 0.75
    with pytest.raises(EmptyMask, match="0 of 16384"):
        cut_out(paint(1.0, (disc(64, 64, 40), (0.99, 0.99, 0.99))))


def test_a_subject_that_the_frame_cuts_is_said():
    found = cut_out(paint(0.9, (disc(64, 110, 40), RED)))
    assert "touches the frame of the picture: 57% of its lower side" in sentences(found)


@pytest.mark.parametrize(("darkness", "share"), [(0.03, ""), (0.12, "9% of"), (0.25, "24% of")])
def test_a_soft_shadow_is_left_out_or_said(darkness: float, share: str):
    shade = darkness * torch.exp(-(((COLUMNS - 74) / 34) ** 2 + ((ROWS - 96) / 10) ** 2)[..., None])
    image = paint(0.9 - shade.expand(-1, -1, 3), (disc(64, 64, 30), RED))
    found = cut_out(image)
    if share:
        assert share in sentences(found) and "may be a shadow" in sentences(found)
    else:
        assert overlap(found.mask, disc(64, 64, 30)) > 0.97 and not found.doubts


def test_a_network_that_sees_nothing_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cutting, "_network_mask", lambda rgb: torch.full_like(rgb[..., :1], 0.45))
    image, _ = ball(RED, 0.9)
    assert "network disagree" in sentences(cut_out(image))
    with pytest.raises(EmptyMask, match="The network sees no object"):
        cut_out(image, how="network")
    assert "busy, and the network sees no object" in sentences(cut_out(busy_picture(0.5)[0]))
    with pytest.raises(EmptyMask, match="0 of 16384 pixels differ clearly"):
        cut_out(busy_picture(1.0)[0])
    assert math.isclose(cutting._doubtful(torch.full((2, 2, 1), 0.95)), 0.0)
