"""Redrawn views are seen from known cameras, all around, and nothing is kept far from the first object."""

from __future__ import annotations

import pytest
import torch

from addon.protocol.systems.dreambooth3d import DreamBooth3DSettings
from backend.cameras import azimuth_elevation
from backend.systems.dreambooth3d.pseudo_views import around, held_to, on_white, sides_apart


def test_cameras_are_evenly_around_at_heights_of_the_range_and_one_distance() -> None:
    settings = DreamBooth3DSettings(pseudo_views=20, low_elevation=-10.0, high_elevation=40.0)
    cameras = around(settings, 32)
    azimuths, heights = azimuth_elevation(cameras)
    assert torch.allclose(azimuths.remainder(360).sort().values, torch.arange(0.0, 360, 18), atol=1e-2)
    assert float(heights.min()) >= -10.01 and float(heights.max()) <= 40.01
    assert float(heights.sort().values.diff().max()) < 6  # evenly: 20 in 50 degrees
    assert torch.allclose(cameras.position.norm(dim=1), cameras.position[0].norm())


def test_the_field_is_held_to_them_in_its_own_pixels() -> None:
    settings = DreamBooth3DSettings(pseudo_views=3, view_size=16)
    views = held_to(settings, torch.full((3, 64, 64, 3), 0.4))
    assert views.pictures.shape == (3, 16, 16, 3) and views.cameras.width == 16 and len(views.cameras) == 3
    assert torch.allclose(views.cameras.camera_to_world, around(settings, 64).camera_to_world)


def test_what_was_invented_far_from_the_object_is_white() -> None:
    alpha = torch.zeros(1, 64, 64, 1)
    alpha[:, 24:40, 24:40] = 1
    seen = on_white(torch.zeros(1, 64, 64, 3), alpha)
    assert torch.equal(seen[:, :8], torch.ones(1, 8, 64, 3))
    assert float(seen[:, 24:40, 24:40].max()) == pytest.approx(0, abs=1e-6)


def test_views_that_are_redrawn_at_once_are_far_from_each_other_and_each_is_once() -> None:
    for count in (1, 3, 4, 10, 12, 20):
        taken = [list(range(count)[places]) for places in sides_apart(count)]
        assert sorted(sum(taken, [])) == list(range(count)) and max(map(len, taken)) <= 4
    assert [list(range(12)[places]) for places in sides_apart(12)][0] == [0, 3, 6, 9]
