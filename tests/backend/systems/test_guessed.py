"""What is guessed behind an image becomes a field and points: in the image's colours where it sees, else as guessed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from backend.cameras import Cameras, framing_distance, orbit
from backend.systems import guessed
from backend.systems.guessed import guess_field, guess_loss, network_of, pictures_of, points_of
from backend.systems.reference import Target
from backend.vision.volume import COARSE, SIZE, Volume, cells

RADII = torch.tensor([0.35, 0.7, 0.5])  # of an ellipsoid, deeper (along y) than it is wide
RED, BLUE = torch.tensor([0.8, 0.1, 0.1]), torch.tensor([0.1, 0.2, 0.9])
FOV = 30.0


def solid(points: torch.Tensor) -> torch.Tensor:
    return (20 * (1 - (points / RADII).norm(dim=-1)) + 0.5).clamp(0, 1)


class Knows:
    """Says what fills the ellipsoid, and that all of it is blue."""

    def __call__(self, images: torch.Tensor, masks: torch.Tensor, cameras: Cameras) -> Volume:
        camera = orbit([0.0], [10.0], fov_degrees=FOV, size=SIZE)
        far = float(framing_distance(FOV))
        points = cells(camera.camera_to_world[0], camera.intrinsics[0], far - 1, far + 1)
        occupancy = solid(points)[None]
        colours = BLUE[None, :, None, None, None].expand(1, 3, *(n // COARSE for n in points.shape[:3]))
        return Volume(occupancy, colours)


class EverythingIsThere:
    """Says that all of space is filled, in blue."""

    def __call__(self, images: torch.Tensor, masks: torch.Tensor, cameras: Cameras) -> Volume:
        filled = torch.ones(1, 32, SIZE, SIZE)
        return Volume(filled, BLUE[None, :, None, None, None].expand(1, 3, 16, SIZE // 2, SIZE // 2))


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> Target:
    """A red ellipsoid from the front, whose volume is known and said to be blue."""
    monkeypatch.setattr(guessed, "load_volume", lambda name: Knows())
    camera = orbit([0.0], [10.0], fov_degrees=FOV, size=96)
    mask = silhouette(camera)
    return Target(camera, RED.expand(1, 96, 96, 3) * mask, mask)


def silhouette(cameras: Cameras) -> torch.Tensor:
    """Return where cameras see the ellipsoid, [B, H, W, 1]: where a ray of a space in which it is a ball meets it."""
    from backend.cameras import rays

    origins, directions = rays(cameras)
    origins, directions = origins / RADII, torch.nn.functional.normalize(directions / RADII, dim=-1)
    nearest = (origins - (origins * directions).sum(-1, keepdim=True) * directions).norm(dim=-1, keepdim=True)
    return (nearest < 1).float()


def test_the_field_has_the_guessed_outline_from_all_sides(target: Target) -> None:
    field = guess_field(target, "")
    assert field is not None
    around = orbit([0.0, 45.0, 90.0, 180.0, 250.0], [10.0, 0.0, 20.0, 10.0, 40.0], fov_degrees=40.0, size=64)
    pictures, masks = pictures_of(field, around)
    true = silhouette(around)
    overlap = (masks * true).sum((1, 2, 3)) / torch.maximum(masks, true).sum((1, 2, 3))
    assert float(overlap.min()) > 0.9
    assert torch.allclose(pictures[masks[..., 0] == 0].mean(0), torch.ones(3), atol=0.02)


def test_it_is_as_the_image_where_that_sees_it_and_as_guessed_behind(target: Target) -> None:
    field = guess_field(target, "")
    assert field is not None
    front, back = pictures_of(field, orbit([0.0, 180.0], [10.0, 10.0], fov_degrees=40.0, size=64))[0]
    assert torch.allclose(front[32, 32], RED, atol=0.08) and torch.allclose(back[32, 32], BLUE, atol=0.08)


def test_what_the_mask_leaves_out_is_not_there(target: Target) -> None:
    mask = target.mask.clone()
    mask[:, :48] = 0  # the upper half
    field = guess_field(replace(target, mask=mask), "")
    assert field is not None
    masks = pictures_of(field, orbit([90.0], [10.0], fov_degrees=40.0, size=64))[1]
    assert float(masks[0, :27].sum()) == 0 and float(masks[0, 36:].sum()) > 100


def test_a_bar_that_is_thinner_than_the_grid_is_whole(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    mask = torch.zeros_like(target.mask)
    mask[:, 30:60, 40:41] = 1  # of 96 pixels, two between nodes of a grid of 48
    thin = replace(target, rgb=target.rgb * 0 + RED * mask, mask=mask)
    monkeypatch.setattr(guessed, "load_volume", lambda name: EverythingIsThere())
    field = guess_field(thin, "", 48)
    assert field is not None
    pictures, masks = pictures_of(field, target.camera)
    rows = masks[0, 31:59].amax((1, 2))
    assert bool((rows == 1).all())
    red, _, blue = pictures[0][masks[0, ..., 0] > 0].mean(0).tolist()
    assert red > blue + 0.2  # the image's, but for its edge


def test_the_points_lie_inside_near_the_surface_and_look_outwards(target: Target) -> None:
    field = guess_field(target, "")
    assert field is not None
    shape = points_of(field, 800, torch.Generator().manual_seed(0))
    assert shape is not None and shape.points.shape == (800, 3)
    within = (shape.points / RADII).norm(dim=-1)
    assert float(within.max()) < 1.1 and float(within.median()) > 0.75
    outwards = torch.nn.functional.normalize(shape.points / RADII**2, dim=-1)
    assert float((shape.normals * outwards).sum(-1).median()) > 0.9
    assert torch.equal(points_of(field, 800, torch.Generator().manual_seed(0)).points, shape.points)  # type: ignore[union-attr]


def test_renderings_are_held_to_the_guess_from_every_side_but_for_what_is_finer_than_its_cells(target: Target) -> None:
    field = guess_field(target, "")
    assert field is not None
    cameras, background = orbit([20.0, 200.0], 15.0, size=64), torch.tensor([0.2, 0.9, 0.4])
    itself = guessed.volume_renderer(field, samples=96)(cameras, background)
    assert float(guess_loss(field, itself.rgb, cameras, background)) < 1e-6
    grain = 0.1 * (-1.0) ** torch.arange(64)
    assert float(guess_loss(field, itself.rgb + grain[:, None], cameras, background)) < 1e-6  # up and down
    # What is a tenth brighter everywhere is off by a tenth in all cells, and the guess fills this many of them.
    off = float(guess_loss(field, itself.rgb + 0.1, cameras, background))
    filled = itself.alpha.sum((1, 2, 3)) / 4  # of 2 x 2 pixels
    assert off == pytest.approx(float((0.1 * 32**2 / filled).mean()), rel=1e-3)
    finer = cameras.with_width(128)
    large = guessed.volume_renderer(field, samples=96)(finer, background)
    assert float(guess_loss(field, large.rgb, finer, background)) < 0.01  # but for the edges
    rgb = background.expand(2, 64, 64, 3).clone().requires_grad_()
    guess_loss(field, rgb, cameras, background).backward()
    inside = itself.alpha[..., 0] > 0.99
    assert rgb.grad is not None and bool((rgb.grad[inside][:, 1] > 0).all())


def test_of_nothing_nothing_is_guessed(target: Target) -> None:
    assert guess_field(replace(target, mask=torch.zeros_like(target.mask)), "") is None
    field = guess_field(target, "")
    assert field is not None
    field.values[..., 0] = -20
    assert points_of(field, 100, torch.Generator()) is None


def test_the_network_is_the_companions_where_they_have_one(tmp_path: Path) -> None:
    assert network_of("") == "embedded" and network_of(str(tmp_path)) == "embedded"
    (tmp_path / "volume").mkdir()
    assert network_of(str(tmp_path)) == f"{tmp_path}/volume"
