"""Where what was made of a picture stands: as the crop shows it, with nothing fitted."""

from __future__ import annotations

import pytest
import torch

from backend.cameras import framing_distance, orbit
from backend.representations.hull import project
from benchmarks.data.cases import FOV, choose, true_views
from benchmarks.data.draw import moved as moved_by
from benchmarks.metrics.framing import frame_of, framed
from benchmarks.metrics.surfaces import Similarity
from benchmarks.training.volumes import SIZE, moved


def test_a_point_lies_where_the_crop_shows_it() -> None:
    camera = orbit([0.0], [15.0], fov_degrees=FOV, size=SIZE)
    corners = torch.tensor([[0.1, 0.0, 0.1], [0.5, 0.0, 0.1], [0.1, 0.0, 0.5], [0.5, 0.0, 0.5], [0.3, 0.0, 0.3]])
    places = (project(corners, camera)[0][0] + 1) / 2 * SIZE  # pixels, x right and y down
    mask = torch.zeros(SIZE, SIZE, 1)
    low, high = places.min(0).values.round().int().tolist(), places.max(0).values.round().int().tolist()
    mask[low[1] : high[1], low[0] : high[0]] = 1
    seen, origin, unit = framed(torch.rand(SIZE, SIZE, 3), mask, camera, SIZE)
    assert unit < 0.45 and torch.allclose(origin, torch.tensor([0.3, 0.0, 0.3]), atol=0.12)
    inside = project((corners - origin) / unit, seen.camera)[0][0]
    assert float(inside[:4].norm(dim=-1).max()) == pytest.approx(0.92, abs=0.05)  # on the circle that fills the frame
    assert float(inside[4].norm()) < 0.05
    back = moved(orbit([180.0], [15.0], fov_degrees=FOV, size=SIZE), origin, unit)
    same = orbit([180.0], [15.0], fov_degrees=FOV, size=SIZE)
    assert torch.allclose(project((corners - origin) / unit, back)[0], project(corners, same)[0], atol=1e-4)
    assert float(framing_distance(FOV)) == pytest.approx(float(same.position.norm()), rel=1e-5)


def test_what_a_crop_shows_is_laid_on_the_object_that_was_photographed() -> None:
    """The object, brought into the world of its crop and back by the frame, is where it was; by half the frame not."""
    case = choose("image-robot")[0]
    frame = frame_of(case)
    assert 0.8 < frame.scale < 1.0 and abs(float(frame.shift[0])) < 0.02  # seen from the front, smaller than its ball
    inverse = Similarity(1 / frame.scale, -frame.shift / frame.scale)
    in_crop = moved_by(true_views(case), inverse)
    camera = orbit([40.0], 20.0, size=64)
    again, true = moved_by(in_crop, frame)(camera), true_views(case)(camera)
    assert torch.allclose(again.rgb, true.rgb, atol=2e-3)
    assert float((in_crop(camera).rgb - true.rgb).abs().mean()) > 0.01
