"""What is measured of two versions: dark texels, and the pairing of their jobs."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from backend.cameras import orbit
from backend.meshes.mesh import Mesh
from backend.meshes.rasteriser import render_mesh
from backend.systems.reference import Target
from benchmarks.report.faults import dark_share, darkest_about, jobs_of

CAMERAS = orbit([0.0, 90.0], 0.0, size=64)


@pytest.fixture(scope="module")
def ball() -> Mesh:
    """Return a ball of radius 0.8 whose texture, 0.8 everywhere, runs from its top to its bottom."""
    rows, columns = 24, 48
    polar, azimuth = torch.meshgrid(torch.arange(rows + 1) / rows, torch.arange(columns + 1) / columns, indexing="ij")
    t, f = math.pi * polar, 2 * math.pi * azimuth
    points = 0.8 * torch.stack([t.sin() * f.cos(), t.sin() * f.sin(), t.cos()], -1)
    corner = (torch.arange(rows)[:, None] * (columns + 1) + torch.arange(columns)).flatten()
    below = corner + columns + 1
    faces = torch.cat([torch.stack([corner, below, corner + 1], 1), torch.stack([corner + 1, below, below + 1], 1)])
    uv = torch.stack([azimuth, polar], -1).reshape(-1, 2)
    return Mesh(points.reshape(-1, 3), faces, uv, torch.full((64, 64, 3), 0.8))


def test_an_even_texture_has_no_dark_pixels(ball: Mesh):
    seen = render_mesh(ball, CAMERAS)
    assert dark_share(ball, seen.rgb, seen.alpha, seen.rgb, seen.alpha, CAMERAS) == 0


def test_a_dark_rim_is_counted_by_its_share(ball: Mesh):
    points = render_mesh(ball, CAMERAS)
    texture = torch.full((64, 64, 3), 0.8)
    texture[:32] = 0.4
    rim = replace(ball, texture=texture)
    seen = render_mesh(rim, CAMERAS)
    dark = (seen.rgb[..., 0] < 0.6) & (seen.alpha[..., 0] > 0.99)
    share = float(dark.sum() / (seen.alpha > 0.99).sum())
    assert 0.4 < share < 0.6  # the upper half
    found = dark_share(rim, seen.rgb, seen.alpha, points.rgb, points.alpha, CAMERAS)
    assert found == pytest.approx(share, abs=0.05)  # the outermost pixels do not count


def test_what_the_given_image_shows_may_be_dark(ball: Mesh):
    points = render_mesh(ball, CAMERAS)
    painted = replace(ball, texture=torch.full((64, 64, 3), 0.4))
    seen = render_mesh(painted, CAMERAS)
    camera = orbit([0.0], 0.0, size=64)
    shown = render_mesh(painted, camera)
    arguments = (painted, seen.rgb, seen.alpha, points.rgb, points.alpha, CAMERAS)
    assert dark_share(*arguments) > 0.9
    assert dark_share(*arguments, Target(camera, shown.rgb, (shown.alpha > 0.5).float())) == 0
    bright = Target(camera, torch.ones_like(shown.rgb), (shown.alpha > 0.5).float())
    assert dark_share(*arguments, bright) > 0.9


def test_the_darkest_of_what_is_solid_reaches_two_pixels():
    rgb = torch.ones(1, 9, 9, 3)
    rgb[0, 4, 4] = 0.0
    solid = torch.ones(1, 9, 9, 1, dtype=torch.bool)
    assert (darkest_about(rgb, solid)[0] == 0).sum() == 25
    solid[0, 4, 4] = False
    assert torch.allclose(darkest_about(rgb, solid), torch.ones(1, 9, 9))


def test_jobs_are_found_by_their_cases(tmp_path: Path):
    for name in ("image-dog-0-abc", "prompt-mug-0-def"):
        (tmp_path / name).mkdir()
    (tmp_path / "image-dog-0-abc" / "measured-embedded.json").write_text(json.dumps({}))
    assert list(jobs_of(tmp_path)) == ["image-dog"]
