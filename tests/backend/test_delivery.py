"""The pictures of a result show all of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from addon.protocol import Request
from backend.delivery import deliver
from backend.job import Job
from backend.representations.gaussians import gaussians_from_points
from backend.supervision import Control


@pytest.mark.parametrize("output", ["mesh", "points"])
@pytest.mark.parametrize("top", [0.55, 1.0])
def test_what_leaves_the_unit_sphere_is_in_the_pictures(top: float, output: str, tmp_path: Path) -> None:
    """A red ball with a blue one on it that does, and one that does not, lie inside the unit sphere."""
    generator = torch.manual_seed(1)
    balls = [
        centre + radius * torch.nn.functional.normalize(torch.randn(800, 3, generator=generator), dim=-1)
        for centre, radius in ((torch.tensor([0.0, 0.0, top - 0.6]), 0.4), (torch.tensor([0.0, 0.0, top]), 0.25))
    ]
    colours = torch.tensor([[0.8, 0.1, 0.1], [0.1, 0.1, 0.8]]).repeat_interleave(800, dim=0)
    gaussians = gaussians_from_points(torch.cat(balls), colours, opacity=0.95)
    job = Job(tmp_path, Request(system="tv3dg", prompt="two balls", outputs=(output,)), lambda event: None, Control())
    deliver(job, gaussians, mesh_resolution=48, max_faces=4_000, texture_size=256, made_with={})
    picture = np.asarray(Image.open(tmp_path / "result/preview.png").convert("RGB"), dtype=float)
    blue = (picture[..., 2] > 1.5 * picture[..., 0]) & (picture[..., 2] > 60)
    rows = np.flatnonzero(blue.any(axis=1))
    assert rows.min() > 0 and blue.sum() > 2_000  # whole
    columns = np.flatnonzero(blue.any(axis=0))
    assert abs(np.ptp(rows) - np.ptp(columns)) < 0.2 * np.ptp(columns)  # and round
