"""Views of meshes: moving the cameras is moving the thing."""

from __future__ import annotations

import numpy as np
import torch

from backend.cameras import orbit
from backend.meshes.rasteriser import silhouette_iou
from benchmarks.data.cases import (
    choose,
    true_mesh,
)
from benchmarks.data.draw import mesh_views, moved, painted_views
from benchmarks.metrics.surfaces import Similarity, place


def test_moving_cameras_is_moving_the_thing() -> None:
    mesh = true_mesh(choose("image-star")[0])
    fit = Similarity(0.8, np.array([0.1, -0.2, 0.05]), 35.0)
    cameras = orbit([10.0, 200.0], 20.0, size=64)
    one, other = mesh_views(place(mesh, fit))(cameras), moved(mesh_views(mesh), fit)(cameras)
    assert silhouette_iou(one.alpha, other.alpha).min() > 0.99
    both = (one.alpha[..., 0] > 0.99) & (other.alpha[..., 0] > 0.99)
    assert ((one.normal * other.normal).sum(-1)[both] > 0.99).float().mean() > 0.98
    blue = painted_views(mesh, torch.tensor([0.0, 0.0, 1.0]).expand(len(mesh.vertices), 3))(cameras)
    assert (blue.rgb[blue.alpha[..., 0] > 0.999][:, 0] < 1e-2).all()
