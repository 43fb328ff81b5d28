"""Calibration: what it compares, where, with which signs and weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from backend.cameras import orbit, rays
from backend.errors import MissingModel
from backend.losses import two_by_two
from backend.vision.calibration import (
    AZIMUTHS,
    Calibration,
    ViewTargets,
    calibration_cameras,
    cut_sides,
    in_camera_axes,
    load_calibration,
    view_targets,
)
from backend.vision.matting import load_matting
from backend.vision.normals import Geometry

SIZE = 16


@pytest.fixture()
def ball() -> dict[str, torch.Tensor]:
    """Return what the four cameras see of a ball of radius 0.6: rgb, alpha, depth, normal (world axes)."""
    cameras = calibration_cameras(SIZE)
    origins, directions = rays(cameras)
    along = -(origins * directions).sum(-1, keepdim=True)  # [4, H, W, 1], to the point nearest to the middle
    closest = (origins + along * directions).norm(dim=-1, keepdim=True)
    alpha = (closest < 0.6).float()
    distance = along - (0.36 - closest.square()).clamp_min(0).sqrt()
    points = origins + distance * directions
    forward = cameras.camera_to_world[:, None, None, :3, 2]
    depth = ((points - origins) * forward).sum(-1, keepdim=True) * alpha
    rgb = 1 - alpha * torch.tensor([0.2, 0.7, 0.8])
    return {"rgb": rgb, "alpha": alpha, "depth": depth, "normal": points / 0.6 * alpha}


def likeness(ball: dict[str, torch.Tensor], **changes: Any) -> ViewTargets:
    """Return the likeness of pictures that show that very ball."""
    normal = in_camera_axes(ball["normal"], calibration_cameras(SIZE))
    same = ViewTargets(ball["alpha"], 1 / ball["depth"].clamp_min(1e-3), normal, None, None, None)
    return replace(same, **changes)


@pytest.mark.parametrize("elevation", [0.0, 15.0, 60.0])
def test_what_faces_a_camera_points_along_its_z(elevation: float) -> None:
    cameras = orbit(AZIMUTHS, elevation, size=4)
    towards = (cameras.position / cameras.position.norm(dim=-1, keepdim=True))[:, None, None].expand(4, 4, 4, 3)
    torch.testing.assert_close(in_camera_axes(towards, cameras)[0, 0, 0], torch.tensor([0.0, 0.0, 1.0]))
    torch.testing.assert_close(in_camera_axes(towards, cameras)[3, 0, 0], torch.tensor([0.0, 0.0, 1.0]))


def test_up_is_up_and_right_is_right() -> None:
    cameras = orbit(AZIMUTHS, 0.0, size=1)
    up, plus_x = (torch.tensor(axis).expand(4, 1, 1, 3) for axis in ([0.0, 0.0, 1.0], [1.0, 0.0, 0.0]))
    torch.testing.assert_close(in_camera_axes(up, cameras)[:, 0, 0], torch.tensor([[0.0, 1.0, 0.0]] * 4))
    expected = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
    torch.testing.assert_close(in_camera_axes(plus_x, cameras)[:, 0, 0], expected, atol=1e-6, rtol=0)


def test_the_same_geometry_is_best_and_the_opposite_worst(ball: dict[str, torch.Tensor]) -> None:
    cameras, same = calibration_cameras(SIZE), likeness(ball)
    assert same.geometry_loss(**ball, cameras=cameras).item() == pytest.approx(-1, abs=1e-4)
    opposite = replace(same, nearness=-same.nearness, normal=-same.normal)
    assert opposite.geometry_loss(**ball, cameras=cameras).item() == pytest.approx(3, abs=1e-4)
    unlike = replace(same, nearness=torch.rand(4, SIZE, SIZE, 1, generator=torch.manual_seed(0)))
    assert 0 - 0.3 < unlike.geometry_loss(**ball, cameras=cameras).item() < 0.3


def test_what_only_one_of_both_shows_does_not_count(ball: dict[str, torch.Tensor]) -> None:
    cameras, same = calibration_cameras(SIZE), likeness(ball)
    inside = ball["alpha"].clone()
    inside[:, :, : SIZE // 2] = 0
    for changed in (
        replace(same, mask=inside, nearness=torch.where(inside > 0, same.nearness, 9.0)),  # less in the picture
        likeness(ball),  # less in the rendering, below
    ):
        seen = ball | ({} if changed.mask is inside else {"alpha": inside, "depth": ball["depth"] * inside})
        assert changed.geometry_loss(**seen, cameras=cameras).item() == pytest.approx(-1, abs=1e-4)


def test_the_gradient_moves_depth_towards_the_picture(ball: dict[str, torch.Tensor]) -> None:
    cameras, same = calibration_cameras(SIZE), likeness(ball)
    flat = torch.full_like(ball["depth"], 2.5) + 0.01 * torch.randn(ball["depth"].shape)
    flat.requires_grad_()
    seen = ball | {"depth": flat}
    before = same.geometry_loss(**seen, cameras=cameras)
    before.backward()
    assert flat.grad is not None and bool(torch.isfinite(flat.grad).all())
    with torch.no_grad():
        after = same.geometry_loss(**(seen | {"depth": flat - 0.05 * flat.grad / flat.grad.norm()}), cameras=cameras)
    assert after < before


def test_a_network_is_asked_about_the_renderings_where_it_can(ball: dict[str, torch.Tensor]) -> None:
    asked = []

    def look(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        asked.append(images)
        return images[..., :1], images / images.norm(dim=-1, keepdim=True)

    geometry = Geometry(look)
    sides = cut_sides(ball["rgb"], lambda images: ball["alpha"])
    cut = view_targets(sides, geometry)
    rgb = ball["rgb"].clone().requires_grad_()
    cut.geometry_loss(**(ball | {"rgb": rgb}), cameras=calibration_cameras(SIZE)).backward()
    assert len(asked) == 2 and rgb.grad is not None and bool(rgb.grad.abs().sum() > 0)
    alone = view_targets(sides, geometry, look_at_renderings=False)
    alone.geometry_loss(**ball, cameras=calibration_cameras(SIZE))
    assert len(asked) == 3


def test_pictures_are_cut_out_and_put_before_white(ball: dict[str, torch.Tensor]) -> None:
    busy = torch.where(ball["alpha"] > 0, ball["rgb"], 0.3)
    sides = cut_sides(busy, lambda images: 0.9 * ball["alpha"])
    torch.testing.assert_close(sides.pictures, ball["rgb"])
    torch.testing.assert_close(sides.mask, ball["alpha"])
    assert len(sides.cameras) == 4 and sides.cameras.width == SIZE


def test_weights_sum_up(ball: dict[str, torch.Tensor]) -> None:
    cameras = calibration_cameras(SIZE)

    class Features:
        def __call__(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return images.mean(dim=(1, 2)), images.flatten(1, 2)

    class Reward:
        def __call__(self, images: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
            assert images.shape == (1, 2 * SIZE, 2 * SIZE, 3)
            shown.append(images)
            return words.sum(dim=-1)

    vectors = torch.tensor([[1.0, 0.0, 0.0]]).expand(4, -1)
    same: Any = likeness(ball, features=Features(), vectors=vectors)
    reward: Any = Reward()
    words = torch.tensor([[0.5, 0.0]])
    shown: list[torch.Tensor] = []

    def total(geometry: float, semantics: float, shortfall: float) -> float:
        return Calibration(cameras, geometry, semantics, shortfall, same, reward, words).loss(**ball).item()

    geometry, semantics, shortfall = total(1, 0, 0), total(0, 1, 0), total(0, 0, 1)
    assert geometry == pytest.approx(-1, abs=1e-4) and semantics > 0 and shortfall == pytest.approx(1.5)
    assert total(1, 4, 2.5) == pytest.approx(geometry + 4 * semantics + 2.5 * shortfall, rel=1e-5)
    assert Calibration(cameras, 0, 0, 0).loss(**ball).item() == 0

    torch.testing.assert_close(shown[-1], two_by_two(ball["rgb"]))
    Calibration(cameras, 0, 0, 1, reward=reward, words=words).loss(**ball, judged=1 - ball["rgb"])
    torch.testing.assert_close(shown[-1], two_by_two(1 - ball["rgb"]))


@pytest.mark.parametrize("looks", [True, False])
def test_the_embedded_networks_find_pictures_like_themselves(looks: bool, ball: dict[str, torch.Tensor]) -> None:
    pictures = torch.nn.functional.interpolate(ball["rgb"].permute(0, 3, 1, 2), (64, 64)).permute(0, 2, 3, 1)
    sides = cut_sides(pictures, load_matting("embedded"))
    calibration = load_calibration(
        sides, "a red ball", geometry=1, semantics=1, reward=1, look_at_renderings=looks, size=64
    )
    assert calibration.targets is not None and (calibration.targets.geometry is not None) == looks
    rgb = (pictures * calibration.targets.mask + 1 - calibration.targets.mask).requires_grad_()
    assert calibration.targets.semantic_loss(rgb).item() == pytest.approx(0, abs=1e-5)
    alpha, depth = torch.ones(4, 64, 64, 1), 1 / calibration.targets.nearness.clamp_min(0.1)
    seen = {"alpha": alpha, "depth": depth, "normal": torch.rand(4, 64, 64, 3)}
    calibration.loss(rgb, **seen).backward()
    assert rgb.grad is not None and bool(torch.isfinite(rgb.grad).all())
    if looks:
        geometry = calibration.targets.geometry_loss(rgb, **seen, cameras=calibration.cameras)
        assert geometry.item() == pytest.approx(-1, abs=1e-3)


def test_a_missing_companion_is_told_with_its_folder() -> None:
    with pytest.raises(MissingModel, match="nowhere"):
        load_calibration(None, "a ball", geometry=0, semantics=0, reward=1, companions="nowhere", size=16)
    assert load_calibration(None, "a ball", geometry=0, semantics=0, reward=0, companions="nowhere", size=16)
