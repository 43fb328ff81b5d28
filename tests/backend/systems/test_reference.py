"""The reference image: how it is framed, which camera saw it, and what a replaced mask may be."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from backend.cameras import orbit
from backend.diffusion.denoiser import load_prior
from backend.embedded.objects.solids import Primitive, Solid, photograph
from backend.errors import BadInput, EmptyMask
from backend.images import save_image
from backend.systems.reference import Target, cut_out, read_target, seen_view


def ball(folder: Path, *, fov: float, distance: float, size: int = 384) -> Path:
    """Photograph a ball of radius 0.92 and return the picture's path."""
    solid = Solid((Primitive("ellipsoid", (0, 0, 0), (0.92, 0.92, 0.92)),), ((0.8, 0.1, 0.1),))
    camera = orbit([0.0], 0.0, fov_degrees=fov, distance=distance, size=size)
    save_image(folder / "ball.png", photograph(solid, camera, torch.full((3,), 0.9)).rgb[0])
    return folder / "ball.png"


@pytest.mark.parametrize("distance", [3.2, 6.0, 9.0])
def test_a_ball_is_framed_as_the_world_frames_it_from_any_distance(tmp_path: Path, distance: float) -> None:
    """The crop's camera sees a ball of radius 0.92 fill what the crop shows, and its field of view is the crop's."""
    values = cut_out(ball(tmp_path, fov=40.0, distance=distance), tmp_path, 96, 40.0)
    for target in (
        read_target(tmp_path, 0.0, 0.0, values["fov_degrees"]),
        read_target(tmp_path, 0.0, 0.0, values["fov_degrees"], size=96),
    ):
        radius = math.sqrt(float(target.mask.sum()) / math.pi) / (target.camera.width / 2)  # of half the frame
        assert radius == pytest.approx(0.92, abs=0.03) and target.rgb.shape[1] == target.camera.width
    assert target.camera.width == 96
    edge = math.asin(0.92 / distance)  # half the angle under which the ball was seen
    assert math.tan(math.radians(values["fov_degrees"] / 2)) == pytest.approx(math.tan(edge) / 0.92, rel=0.05)


def test_the_artist_may_replace_the_mask(tmp_path: Path) -> None:
    values = cut_out(ball(tmp_path, fov=40.0, distance=5.0), tmp_path, 64, 40.0)
    side = read_target(tmp_path, 0.0, 15.0, values["fov_degrees"]).rgb.shape[1]
    assert 64 < side <= 384  # as many pixels as the picture has there
    assert read_target(tmp_path, 0.0, 15.0, values["fov_degrees"], size=64).rgb.shape == (1, 64, 64, 3)
    save_image(tmp_path / "rgb.png", torch.ones(64, 64, 3))
    save_image(tmp_path / "mask.png", torch.ones(64, 64, 3))
    assert float(read_target(tmp_path, 0.0, 15.0, 40.0).mask.mean()) == 1.0
    save_image(tmp_path / "mask.png", torch.zeros(64, 64, 3))
    with pytest.raises(EmptyMask, match="0 of 4096 pixels"):
        read_target(tmp_path, 0.0, 15.0, 40.0)
    save_image(tmp_path / "mask.png", torch.ones(64, 32, 3))
    with pytest.raises(BadInput, match="64 x 64 pixels and mask.png 32 x 64"):
        read_target(tmp_path, 0.0, 15.0, 40.0)


def test_a_cut_out_in_the_priors_pixels_has_no_dark_edge(tmp_path: Path) -> None:
    mask = torch.zeros(96, 96, 1)
    mask[20:75, 30:71] = 1.0
    save_image(tmp_path / "rgb.png", 0.8 * mask.expand(-1, -1, 3))
    save_image(tmp_path / "mask.png", mask.expand(-1, -1, 3))
    target = read_target(tmp_path, 0.0, 0.0, 40.0, size=64)
    inside = target.rgb[target.mask[..., 0] > 0.02]
    torch.testing.assert_close(inside, torch.full_like(inside, 0.8), atol=0.003, rtol=0)


def test_a_prior_sees_the_reference_before_the_background_that_the_views_have() -> None:
    prior = load_prior("embedded")
    size = prior.image_size
    mask = torch.zeros(1, size, size, 1)
    mask[:, 40:90, 30:80] = 1
    target = Target(orbit([20.0], 5.0, size=size), torch.rand(1, size, size, 3), mask)
    grey = torch.full((3,), 0.5)
    seen = seen_view(prior, target, grey)
    assert torch.equal(seen.latents, prior.encode(torch.where(mask > 0, target.rgb, grey)))
    assert seen.camera is target.camera and not seen.latents.requires_grad
    with pytest.raises(ValueError, match="64 pixels for a prior of 128"):
        seen_view(prior, Target(target.camera, target.rgb[:, :64, :64], mask[:, :64, :64]), grey)
