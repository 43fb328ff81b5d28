"""How guessed volumes are measured: the world of a crop, and what is compared with what."""

from __future__ import annotations

import pytest
import torch

from backend.cameras import framing_distance, orbit
from backend.representations.hull import project
from benchmarks.training.volumes import FOV, SIZE, compared, framed, measures, moved


def test_a_point_lies_where_the_crop_shows_it() -> None:
    camera = orbit([0.0], [15.0], fov_degrees=FOV, size=SIZE)
    corners = torch.tensor([[0.1, 0.0, 0.1], [0.5, 0.0, 0.1], [0.1, 0.0, 0.5], [0.5, 0.0, 0.5], [0.3, 0.0, 0.3]])
    places = (project(corners, camera)[0][0] + 1) / 2 * SIZE  # pixels, x right and y down
    mask = torch.zeros(SIZE, SIZE, 1)
    low, high = places.min(0).values.round().int().tolist(), places.max(0).values.round().int().tolist()
    mask[low[1] : high[1], low[0] : high[0]] = 1
    seen, origin, unit = framed(torch.rand(SIZE, SIZE, 3), mask, camera)
    assert unit < 0.45 and torch.allclose(origin, torch.tensor([0.3, 0.0, 0.3]), atol=0.12)
    inside = project((corners - origin) / unit, seen.camera)[0][0]
    assert float(inside[:4].norm(dim=-1).max()) == pytest.approx(0.92, abs=0.05)  # on the circle that fills the frame
    assert float(inside[4].norm()) < 0.05
    back = moved(orbit([180.0], [15.0], fov_degrees=FOV, size=SIZE), origin, unit)
    same = orbit([180.0], [15.0], fov_degrees=FOV, size=SIZE)
    assert torch.allclose(project((corners - origin) / unit, back)[0], project(corners, same)[0], atol=1e-4)
    assert float(framing_distance(FOV)) == pytest.approx(float(same.position.norm()), rel=1e-5)


def test_measures_are_of_each_view_and_an_exact_copy_has_forty_decibels() -> None:
    truth, solid = torch.zeros(2, 4, 4, 3), torch.zeros(2, 4, 4, 1)
    solid[:, :2] = 1
    other, half = truth.clone(), solid.clone()
    other[1] += 0.1
    half[1, :1] = 0
    psnr, iou = measures(other, half, truth, solid)
    assert psnr == pytest.approx([40.0, 20.0], abs=1e-3) and iou == pytest.approx([1.0, 0.5])


def test_differences_are_paired() -> None:
    ours = [[[float(v)] * 5, [0.5] * 5] for v in (10, 20, 30)]
    copies = [[[v - 2.0] * 5, [0.25] * 5] for v in (10, 20, 30)]
    found = compared(ours, copies)["psnr"]["90"]
    assert found[0] == 20 and found[1] < 15 and found[3:] == [2, 2, 2]
    assert compared(ours, copies)["iou"]["-90"][3:] == [0.25] * 3
