"""Meshes measured against splats: fine pictures, and the figures of equal and of shrunken objects."""

from __future__ import annotations

import pytest
import torch

from backend.cameras import orbit
from backend.embedded.objects.solids import Primitive, Solid
from benchmarks.commands.meshing import figures, finely
from benchmarks.data.draw import Views, solid_views

CAMERA = orbit([0.0], 0.0, size=48)


def ball(radius: float) -> Views:
    return finely(solid_views(Solid((Primitive("ellipsoid", (0, 0, 0), (radius, radius, radius)),), ((1, 0, 0),))))(
        CAMERA
    )


def test_fine_pictures_have_soft_edges_and_the_mean_of_their_samples() -> None:
    column = torch.arange(192.0).expand(1, 192, 192)[..., None]
    fine = finely(lambda cameras: Views(column.expand(-1, -1, -1, 3), (column >= 10).float(), column))(CAMERA)
    assert fine.rgb.shape == (1, 48, 48, 3)
    assert fine.rgb[0, 0, :3, 0].tolist() == [1.5, 5.5, 9.5]
    assert fine.alpha[0, 0, :4, 0].tolist() == [0, 0, 0.5, 1]


def test_the_figures_of_the_truth_are_perfect_and_of_a_smaller_ball_they_are_its() -> None:
    true = ball(0.8)
    same = figures(true, true)
    assert same["psnr"] == float("inf") and same["iou"] == 1 and same["area"] == 1
    less = figures(ball(0.72), true)
    assert less["area"] == pytest.approx(0.81, abs=0.03) and less["iou"] == pytest.approx(0.81, abs=0.03)
    assert less["psnr"] < 20
