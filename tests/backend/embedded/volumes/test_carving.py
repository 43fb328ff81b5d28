"""Carving: closed things are full, open ones are empty, sheets have a thickness."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh

from backend.embedded.volumes.carving import THICKENED, depths_around, directions_around, inside
from backend.meshes.mesh import Mesh

SOFT = 0.03


def grown(mesh: trimesh.Trimesh, points: np.ndarray) -> np.ndarray:
    cameras, depths = depths_around(
        Mesh(torch.from_numpy(np.array(mesh.vertices)).float(), torch.from_numpy(mesh.faces))
    )
    return inside(cameras, depths, points, SOFT)


def grid(count: int = 40) -> np.ndarray:
    line = np.linspace(-0.95, 0.95, count)
    return np.stack(np.meshgrid(line, line, line, indexing="ij"), -1).reshape(-1, 3)


def test_cameras_are_spread_evenly() -> None:
    azimuths, elevations = np.radians(directions_around())
    flat = np.cos(elevations)
    around = np.stack([flat * np.cos(azimuths), flat * np.sin(azimuths), np.sin(elevations)], -1)
    assert np.abs(around.mean(0)).max() < 0.02
    nearest = np.sort(around @ around.T, axis=1)[:, -2]  # cosine to the next one
    assert np.degrees(np.arccos(nearest)).min() > 15 and np.degrees(np.arccos(nearest)).max() < 32


@pytest.mark.parametrize("extents", [(1.0, 1.0, 1.0), (0.3, 1.2, 0.8)])
def test_a_box_is_full_and_nothing_is_beside_it(extents: tuple[float, float, float]) -> None:
    points = grid()
    solid = grown(trimesh.creation.box(extents), points) > 0.5
    beyond = (np.abs(points) - np.array(extents) / 2).max(1)  # signed: below 0 it is inside
    assert solid[beyond < -0.01].all()
    assert not solid[beyond > SOFT * (THICKENED + 1)].any()


def test_what_a_camera_looks_into_is_empty_and_what_none_does_is_full() -> None:
    box = trimesh.creation.box((1.0, 1.0, 1.0))
    lid = box.face_normals[:, 2] > 0.5
    middle = np.array([[0.0, 0.0, 0.0], [0.2, -0.2, 0.3]])
    assert (grown(box, middle) > 0.5).all()
    assert not (grown(trimesh.Trimesh(box.vertices, box.faces[~lid]), middle) > 0.5).any()


def test_a_sheet_has_a_thickness_although_cameras_see_its_edge_as_nothing() -> None:
    """Of what is added on both sides cameras that look along it leave about half."""
    sheet = trimesh.Trimesh([[-0.6, 0, -0.6], [0.6, 0, -0.6], [0.6, 0, 0.6], [-0.6, 0, 0.6]], [[0, 1, 2], [0, 2, 3]])
    at = np.linspace(-0.1, 0.1, 81)
    solid = grown(sheet, np.stack([0 * at, at, 0 * at], -1)) > 0.5
    assert 0.7 * THICKENED * SOFT < solid.sum() * (at[1] - at[0]) < 2 * THICKENED * SOFT
    assert np.abs(at[solid].mean()) < 0.01
