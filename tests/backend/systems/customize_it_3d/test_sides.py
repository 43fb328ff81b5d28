"""The sides that a job begins from: drawn, brought to the image's rows, replaced, refused where they do not fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from backend.cameras import azimuth_elevation, orbit
from backend.diffusion.denoiser import kept_prior
from backend.errors import BadInput
from backend.images import load_image, save_image
from backend.systems.customize_it_3d import sides
from backend.systems.customize_it_3d.sides import as_high, draw_sides, hull_of, one_side, rows_of
from backend.systems.reference import Target
from tests.backend.systems.customize_it_3d.closed_form import GREEN, SIZE, SMALL, ball, ball_seen, inside, open_stage

SETTINGS = replace(SMALL, start="sides", guessed_sides=False)


def box(size: int, top: int, bottom: int) -> torch.Tensor:
    mask = torch.zeros(size, size, 1)
    mask[top:bottom, size // 4 : -size // 4] = 1
    return mask


def test_sides_get_the_rows_of_the_image_and_what_is_of_another_size_stays() -> None:
    masks = torch.stack([box(64, 10, 50), box(64, 30, 36), box(64, 0, 0)])
    pictures = masks * GREEN + 1 - masks
    moved, shapes = as_high(pictures, masks, box(64, 12, 60)[None])
    middle, half = rows_of(shapes[0])
    assert middle == pytest.approx(72 / 64 - 1, abs=0.03) and half == pytest.approx(48 / 64, abs=0.03)
    assert torch.allclose(moved[0, 36, 32], GREEN, atol=0.02) and torch.allclose(moved[0, 2, 2], torch.ones(3))
    assert torch.equal(shapes[1:], masks[1:])


def test_the_hull_is_that_of_image_and_sides_or_there_is_none() -> None:
    cameras = orbit([90.0, 180.0, 270.0], 10.0, size=SIZE)
    drawn = Target(cameras, ball(cameras, GREEN, torch.ones(3)), inside(cameras))
    field = hull_of(32, ball_seen(), drawn)
    assert field is not None and len(field) == 32
    thin = drawn.mask.clone()
    thin[0, :, : SIZE // 2] = 0  # half of the object is not there from the right
    thin[1, : SIZE // 2] = 0
    assert hull_of(32, ball_seen(), replace(drawn, mask=thin)) is None


def test_a_side_is_drawn_at_random() -> None:
    cameras = orbit([90.0, 180.0, 270.0], 10.0, size=SIZE)
    drawn = Target(cameras, torch.arange(3.0).view(3, 1, 1, 1).expand(3, SIZE, SIZE, 3), inside(cameras))
    generator, seen = torch.Generator().manual_seed(0), set()
    for _ in range(20):
        camera, rgb, mask = one_side(drawn, generator)
        turn = float(azimuth_elevation(camera)[0])
        assert rgb.shape == (1, SIZE, SIZE, 3) and mask.shape == (1, SIZE, SIZE, 1)
        seen.add((round(turn) % 360, float(rgb.mean())))
    assert seen == {(90, 0.0), (180, 1.0), (270, 2.0)}


def test_the_prior_draws_three_sides_which_the_artist_may_replace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sides, "STEPS", 2)
    prior = kept_prior("embedded")
    job = open_stage(tmp_path)
    found = draw_sides(job, prior, ball_seen(), SETTINGS, {})
    assert found is not None and found.guessed is None
    views = found.views
    assert views.rgb.shape == (3, prior.image_size, prior.image_size, 3)
    assert (azimuth_elevation(views.camera)[0] % 360).tolist() == pytest.approx([90, 180, 270], abs=1e-3)
    assert (azimuth_elevation(views.camera)[1]).tolist() == pytest.approx([10] * 3, abs=1e-3)  # the image's own
    folder = next((tmp_path / "stages").glob("*-sides"))
    red = torch.ones(prior.image_size, prior.image_size, 3)
    red[40:90, 40:90] = torch.tensor([0.9, 0.1, 0.1])
    save_image(folder / "back.png", red)
    again = draw_sides(open_stage(tmp_path), prior, ball_seen(), SETTINGS, {})
    assert again is not None and torch.allclose(again.views.rgb[1], load_image(folder / "back.png")[0])
    save_image(folder / "back.png", torch.ones(7, 9, 3))
    with pytest.raises(BadInput, match="back.png has 9 x 7 pixels, not 128 x 128"):
        draw_sides(open_stage(tmp_path), prior, ball_seen(), SETTINGS, {})
    assert draw_sides(open_stage(tmp_path / "ball"), prior, ball_seen(), SMALL, {}) is None


def test_a_guess_is_shown_from_three_sides_and_given_up_where_the_artist_replaces_one(tmp_path: Path) -> None:
    prior, guessing = kept_prior("embedded"), replace(SETTINGS, guessed_sides=True)
    found = draw_sides(open_stage(tmp_path), prior, ball_seen(), guessing, {})
    assert found is not None and found.guessed is not None and len(found.guessed) == 24
    folder = next((tmp_path / "stages").glob("*-sides"))
    for name, view in zip(sides.NAMES, found.views.rgb, strict=True):
        assert torch.allclose(load_image(folder / f"{name}.png")[0], view, atol=0.01)
    left, right = (view[view.mean(-1) < 0.7].mean(0) for view in (found.views.rgb[2], found.views.rgb[0]))
    assert torch.allclose(left, right, atol=0.1)  # a ball in one colour looks the same from both sides
    save_image(folder / "back.png", torch.ones(prior.image_size, prior.image_size, 3))
    again = draw_sides(open_stage(tmp_path), prior, ball_seen(), guessing, {})
    assert again is not None and again.guessed is None and bool((again.views.rgb[1] == 1).all())


def test_where_nothing_is_guessed_it_begins_from_the_outline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sides, "guess_field", lambda *_: None)
    job, guessing = open_stage(tmp_path), replace(SETTINGS, guessed_sides=True)
    assert draw_sides(job, kept_prior("embedded"), ball_seen(), guessing, {}) is None
    assert [message[:20] for message in job.warnings] == ["Nothing solid is gue"]
