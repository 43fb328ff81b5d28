"""Alignment and distances of point clouds, where both are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from backend.cameras import orbit
from benchmarks.metrics import geometry


def test_chamfer_is_the_mean_of_both_ways() -> None:
    one, other = np.array([[0.0, 0, 0], [1, 0, 0]]), np.array([[0.0, 0, 0.5]])
    assert geometry.chamfer(one, one) == 0
    assert geometry.chamfer(one, other) == pytest.approx(0.5 * ((0.5 + 1.25**0.5) / 2 + 0.5))


def test_a_scale_and_a_shift_are_found_and_a_turn_is_not() -> None:
    fixed = np.random.default_rng(0).random((500, 3)) * [1.0, 0.4, 0.7]
    scale, shift = geometry.align(fixed / 1.6 - [0.2, 0.0, -0.3], fixed)
    assert scale == pytest.approx(1.6, rel=1e-3)
    np.testing.assert_allclose(shift, 1.6 * np.array([0.2, 0.0, -0.3]), atol=1e-3)
    assert geometry.aligned_chamfer(fixed * 3 + 1, fixed) < 1e-3
    assert geometry.aligned_chamfer(fixed[:, [1, 0, 2]], fixed) > 0.03  # a quarter turn


def test_a_ball_lies_on_the_unit_sphere_and_a_billboard_in_a_plane_that_faces_the_camera() -> None:
    np.testing.assert_allclose(np.linalg.norm(geometry.ball_points(), axis=1), 1)
    mask = torch.zeros(64, 64, 1)
    mask[16:48, 32:48] = 1.0  # to the right of the middle
    camera = orbit([0.0], 0.0, size=64)
    points = geometry.billboard_points(mask, camera)
    np.testing.assert_allclose(points[:, 1], 0, atol=1e-6)  # seen from -Y
    assert points[:, 0].min() >= 0 and points[:, 0].max() == pytest.approx(points[:, 2].max(), rel=0.02)
    assert points[:, 2].min() == pytest.approx(-points[:, 2].max(), rel=0.02)
    seen = camera.world_to_camera[0].double().numpy() @ np.c_[points, np.ones(len(points))].T
    columns = camera.intrinsics[0, 0, 0].item() * seen[0] / seen[2] + 32
    assert columns.min() >= 32 - 1e-3 and columns.max() <= 48 + 1e-3


def test_no_judging_camera_stands_where_the_picture_is_taken() -> None:
    cameras = geometry.held_out_cameras(size=8)
    assert len(cameras) == 24
    picture = orbit([0.0], 15.0, size=8).position[0]
    cosines = torch.nn.functional.cosine_similarity(cameras.position, picture[None], dim=-1)
    assert cosines.max() < torch.cos(torch.deg2rad(torch.tensor(7.0)))
