"""Sides in the photos' colours: the photo that is nearest counts, and a side that agrees stays as it is."""

from __future__ import annotations

import pytest
import torch

from backend.cameras import orbit
from backend.diffusion.camera_search import Place
from backend.systems.dreambooth3d.photo_colours import PhotoColours
from backend.systems.dreambooth3d.places import photo_colours

SIZE = 32
BROWN, PINK, ORANGE = torch.tensor([0.4, 0.25, 0.1]), torch.tensor([0.9, 0.5, 0.7]), torch.tensor([1.0, 0.6, 0.1])
WHITE = torch.ones(3)


def cut_out(colour: torch.Tensor) -> torch.Tensor:
    """Return a square of one colour in the middle of nothing, [S, S, 4]."""
    layer = torch.zeros(SIZE, SIZE, 4)
    layer[8:24, 8:24] = torch.cat([colour, torch.ones(1)])
    return layer


def view(colour: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the same as a view on white [1, S, S, 3] with its alpha."""
    layer = cut_out(colour)[None]
    return layer[..., :3] * layer[..., 3:] + 1 - layer[..., 3:], layer[..., 3:]


def sure(azimuth: float) -> Place:
    """Return a place that is beyond doubt."""
    place = Place(azimuth, 15.0, 10.0)
    assert place.is_sure
    return place


def two_photos(*places: Place) -> PhotoColours:
    return photo_colours(torch.stack([cut_out(BROWN), cut_out(PINK)]), list(places))


def test_the_photo_taken_nearest_has_the_say() -> None:
    colours = two_photos(sure(180.0), sure(0.0))
    for azimuth, right, wrong in ((150.0, BROWN, PINK), (30.0, PINK, BROWN)):
        camera = orbit([azimuth], 20.0, size=SIZE)
        rgb, alpha = view(right)
        assert float(colours.loss(rgb, alpha, WHITE, camera)) == pytest.approx(0, abs=1e-5)
        rgb, alpha = view(wrong)
        # Twice the mean over directions of a shift's projection is its length.
        assert float(colours.loss(rgb, alpha, WHITE, camera)) == pytest.approx(float((BROWN - PINK).norm()), rel=0.1)


def test_without_places_the_photo_most_alike_has_it() -> None:
    colours = two_photos()
    assert colours.cameras is None
    for colour in (BROWN, PINK):
        rgb, alpha = view(colour)
        assert float(colours.loss(rgb, alpha, WHITE, orbit([70.0], 0.0, size=SIZE))) == pytest.approx(0, abs=1e-5)


def test_photos_from_nowhere_have_no_say_beside_one_whose_place_is_known() -> None:
    colours = two_photos(sure(0.0), Place(180.0, 0.0, 0.0))
    assert len(colours.palettes) == 1
    rgb, alpha = view(PINK)
    assert float(colours.loss(rgb, alpha, WHITE, orbit([180.0], 0.0, size=SIZE))) > 0.3


def test_a_view_in_other_colours_is_carried_over_and_one_that_agrees_stays() -> None:
    colours, cameras = two_photos(sure(180.0), sure(0.0)), orbit([0.0, 180.0], 15.0, size=SIZE)
    rgb, alpha = (torch.cat(pair) for pair in zip(view(ORANGE), view(BROWN), strict=True))
    made = colours.recoloured(rgb, alpha, cameras)
    assert torch.allclose(made[0, 16, 16], PINK, atol=0.02) and torch.equal(made[1], rgb[1])
    assert torch.allclose(made[0, 0, 0], WHITE)  # the background is nothing of the object's


def test_the_loss_pulls_colours_and_leaves_the_outline() -> None:
    colours, camera = two_photos(sure(0.0), sure(90.0)), orbit([0.0], 0.0, size=SIZE)
    rgb, alpha = view(ORANGE)
    rgb, alpha = rgb.requires_grad_(), alpha.requires_grad_()
    colours.loss(rgb, alpha, WHITE, camera).backward()
    assert alpha.grad is None and rgb.grad is not None
    assert bool((rgb.grad[0, 16, 16] > 0)[:2].all())  # brown is darker than orange
