"""Where cameras stand, what they see, and that conversions come back."""

from __future__ import annotations

import pytest
import torch

from backend.cameras import (
    Cameras,
    azimuth_elevation,
    blender_to_gltf,
    draw_around,
    fields_of_view,
    framing_distance,
    gltf_to_blender,
    opencv_to_opengl,
    orbit,
    rays,
    view_word,
    view_words,
)


def project(cameras, points):
    """Return pixel coordinates [B, N, 2] of world points [N, 3]."""
    seen = torch.einsum("bij,nj->bni", cameras.world_to_camera, torch.nn.functional.pad(points, (0, 1), value=1.0))
    pixels = torch.einsum("bij,bnj->bni", cameras.intrinsics, seen[..., :3])
    return pixels[..., :2] / pixels[..., 2:]


def test_poses_are_rotations_that_look_at_the_origin():
    cameras = orbit([0, 33, 90, 180, -77, 10], [0, 20, -40, 89, 5, 90], size=64)
    rotation = cameras.camera_to_world[:, :3, :3]
    torch.testing.assert_close(rotation @ rotation.transpose(1, 2), torch.eye(3).expand(6, 3, 3), atol=1e-6, rtol=0)
    torch.testing.assert_close(torch.linalg.det(rotation), torch.ones(6))
    torch.testing.assert_close(project(cameras, torch.zeros(1, 3)), torch.full((6, 1, 2), 32.0), atol=1e-4, rtol=0)


def test_azimuth_zero_sees_the_front_and_right_is_plus_x():
    front = orbit([0], 0, size=100)
    assert front.position[0].tolist() == pytest.approx([0, -float(framing_distance(40.0)), 0], abs=1e-5)
    right, up = project(front, torch.tensor([[0.5, 0, 0], [0, 0, 0.5]]))[0]
    assert right[0] > 50 and right[1] == pytest.approx(50, abs=1e-4)
    assert up[1] < 50 and up[0] == pytest.approx(50, abs=1e-4)
    assert orbit([90], 0).position[0, 0] > 2  # 90 degrees stands on +X


def test_azimuth_and_elevation_come_back():
    azimuths, elevations = torch.tensor([-170.0, -30, 0, 45, 120]), torch.tensor([-60.0, 0, 10, 45, 80])
    back = azimuth_elevation(orbit(azimuths, elevations))
    torch.testing.assert_close(back[0], azimuths, atol=1e-3, rtol=0)
    torch.testing.assert_close(back[1], elevations, atol=1e-3, rtol=0)


def test_the_unit_sphere_touches_the_border():
    for fov in (20.0, 40.0, 60.0):
        camera = orbit([25.0], 10.0, fov_degrees=fov, size=128)
        # The tangent cone of the unit sphere at distance 1 / sin(fov / 2) is exactly the field of view.
        tangent = torch.asin(1 / camera.position.norm(dim=-1))
        assert float(torch.rad2deg(2 * tangent)) == pytest.approx(fov, abs=1e-3)


def test_rays_go_through_their_pixels():
    camera = orbit([40.0], 25.0, size=8)
    origins, directions = rays(camera)
    points = (origins + 2.5 * directions).reshape(-1, 3)
    rows, columns = torch.meshgrid(torch.arange(8) + 0.5, torch.arange(8) + 0.5, indexing="ij")
    expected = torch.stack([columns, rows], -1).reshape(1, -1, 2)
    torch.testing.assert_close(project(camera, points), expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(directions.norm(dim=-1), torch.ones(1, 8, 8))


def test_other_widths_see_the_same_in_other_pixels():
    cameras = orbit([0.0, 70.0], [10.0, 30.0], fov_degrees=35.0, size=48)
    finer = cameras.with_width(96)
    torch.testing.assert_close(finer.intrinsics, orbit([0.0, 70.0], 20.0, fov_degrees=35.0, size=96).intrinsics)
    assert torch.equal(finer.camera_to_world, cameras.camera_to_world) and (finer.width, finer.height) == (96, 96)
    assert torch.equal(finer.with_width(48).intrinsics, cameras.intrinsics)
    wide = Cameras(cameras.camera_to_world, cameras.intrinsics, 48, 32)
    assert wide.with_width(24).height == 16
    with pytest.raises(ValueError, match="48 x 32 pixels cannot become 10 wide"):
        wide.with_width(10)


def test_conversions_round_trip():
    pose = orbit([12.0, -140.0], [5.0, 50.0]).camera_to_world
    torch.testing.assert_close(opencv_to_opengl(opencv_to_opengl(pose)), pose)
    torch.testing.assert_close(opencv_to_opengl(pose)[:, :3, 2], -pose[:, :3, 2])  # OpenGL looks along -z
    points = torch.randn(10, 3)
    torch.testing.assert_close(gltf_to_blender(blender_to_gltf(points)), points)
    assert blender_to_gltf(torch.tensor([0.0, 0, 1])).tolist() == [0, 1, 0]  # up stays up
    assert blender_to_gltf(torch.tensor([0.0, -1, 0])).tolist() == [0, 0, 1]  # the front faces glTF's +Z


@pytest.mark.parametrize(
    ("azimuth", "elevation", "word"),
    [(0, 0, "front"), (44.9, 0, "front"), (45.1, 0, "side"), (-134.9, 0, "side"), (135.1, 10, "back")]
    + [(-180, 0, "back"), (361, 0, "front"), (0, 60, "front"), (170, 60.1, "overhead")],
)
def test_view_words_change_at_the_printed_borders(azimuth: float, elevation: float, word: str):
    assert view_word(azimuth, elevation) == word


def test_a_wrong_number_of_values_is_named():
    with pytest.raises(ValueError, match="2 values for 3 cameras"):
        orbit([0, 1, 2], [0, 1])


def test_drawn_views_stand_evenly_between_their_heights_and_carry_their_words():
    cameras = draw_around(4, (0.0, 10.0), size=32, generator=torch.Generator().manual_seed(1))
    azimuths, elevations = azimuth_elevation(cameras)
    gaps = (azimuths.roll(-1) - azimuths) % 360
    torch.testing.assert_close(gaps, torch.full((4,), 90.0), atol=1e-2, rtol=0)
    assert bool(((elevations > -1e-3) & (elevations < 10.001)).all()) and float(elevations.std()) > 0.5
    assert view_words(orbit([0, 90, 180, 0], [0, 0, 0, 75.0])) == ["front", "side", "back", "overhead"]


def test_drawn_views_have_one_field_of_view_which_may_be_given():
    drawn = [draw_around(3, (0.0, 9.0), size=32, generator=torch.manual_seed(2), fov_degrees=fov) for fov in (None, 25)]
    fields = [fields_of_view(cameras) for cameras in drawn]
    assert 30 <= float(fields[0][0]) <= 50 and bool((fields[0] == fields[0][0]).all())
    torch.testing.assert_close(fields[1], torch.full((3,), 25.0))
    for one, other in zip(*(azimuth_elevation(cameras) for cameras in drawn), strict=True):
        torch.testing.assert_close(one, other, atol=1e-3, rtol=0)  # nothing else is drawn otherwise
