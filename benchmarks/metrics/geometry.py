"""Compares shapes: sample points, align by a similarity without rotation, Chamfer distance, simple baselines."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial import KDTree

from backend.cameras import Cameras, orbit
from backend.embedded.objects.solids import Solid, signed_distance
from backend.meshes.extraction import mesh_from_field
from backend.meshes.mesh import Mesh, sample_surface

POINTS = 8_000


def solid_mesh(solid: Solid, resolution: int = 96) -> Mesh:
    """Return the true surface of a generated object."""
    return mesh_from_field(lambda points: -signed_distance(solid, points), resolution=resolution, threshold=0.0)


def surface_points(mesh: Mesh, seed: int = 0) -> np.ndarray:
    """Return points spread over a mesh, [8000, 3]."""
    return sample_surface(mesh, POINTS, torch.Generator().manual_seed(seed))[0].double().numpy()


def chamfer(one: np.ndarray, other: np.ndarray) -> float:
    """Return the Chamfer-L1 distance: the mean of the two mean distances to the nearest point of the other."""
    return 0.5 * float(KDTree(other).query(one)[0].mean() + KDTree(one).query(other)[0].mean())


def align(moving: np.ndarray, fixed: np.ndarray, rounds: int = 30) -> tuple[float, np.ndarray]:
    """Return the scale and shift that lay `moving` [N, 3] on `fixed`: boxes first, then closest points both ways.

    Rotation is not fitted: which side is the front is part of what is judged.
    """
    spans = [points.max(0) - points.min(0) for points in (moving, fixed)]
    scale = float(np.linalg.norm(spans[1]) / np.linalg.norm(spans[0]))
    shift = (fixed.max(0) + fixed.min(0)) / 2 - scale * (moving.max(0) + moving.min(0)) / 2
    tree = KDTree(fixed)
    for _ in range(rounds):
        placed = scale * moving + shift
        forward = tree.query(placed)[1]
        backward = KDTree(placed).query(fixed)[1]
        sources = np.concatenate([moving, moving[backward]])
        targets = np.concatenate([fixed[forward], fixed])
        source_mean, target_mean = sources.mean(0), targets.mean(0)
        centred = sources - source_mean
        scale = float((centred * (targets - target_mean)).sum() / (centred**2).sum())
        shift = target_mean - scale * source_mean
    return scale, shift


def aligned_chamfer(moving: np.ndarray, fixed: np.ndarray) -> float:
    """Return the Chamfer distance after alignment."""
    scale, shift = align(moving, fixed)
    return chamfer(scale * moving + shift, fixed)


def ball_points(seed: int = 0) -> np.ndarray:
    """Return points on the unit sphere: what an object of no particular shape scores."""
    points = np.random.default_rng(seed).normal(size=(POINTS, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def billboard_points(mask: torch.Tensor, camera: Cameras, seed: int = 0) -> np.ndarray:
    """Return points on a flat picture of a mask [H, W, 1], upright through the origin, facing the camera."""
    rows, columns = np.nonzero(mask[..., 0].numpy() > 0.5)
    chosen = np.random.default_rng(seed).integers(0, len(rows), POINTS)
    jitter = np.random.default_rng(seed + 1).random((2, POINTS))
    distance = float(camera.position[0].norm())
    focal = float(camera.intrinsics[0, 0, 0])
    x = (columns[chosen] + jitter[0] - camera.width / 2) * distance / focal
    y = (rows[chosen] + jitter[1] - camera.height / 2) * distance / focal
    axes = camera.camera_to_world[0, :3, :3].double().numpy()
    return x[:, None] * axes[:, 0] + y[:, None] * axes[:, 1]


def held_out_cameras(size: int = 128) -> Cameras:
    """Return the 24 cameras that judge: azimuths 7.5, 22.5, ... at elevations of 5, 20 and 40 degrees in turn.

    None stands where a reference image is taken from (azimuth 0, elevation 15).
    """
    return orbit([7.5 + 15.0 * i for i in range(24)], [5.0, 20.0, 40.0] * 8, size=size)
