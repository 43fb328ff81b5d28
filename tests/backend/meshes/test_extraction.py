"""Meshes: against closed forms of the sphere and torus, and against a plain sum over all Gaussians."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial import KDTree

from backend.cameras import Cameras, orbit
from backend.errors import BackendError, NoSurface
from backend.meshes import extraction
from backend.meshes.mesh import (
    Mesh,
    area,
    face_vectors,
    is_watertight,
    sample_surface,
    volume,
)
from backend.meshes.rasteriser import render_mesh, silhouettes
from tests.backend.gaussian_shapes import coloured, joined, selected, two_coloured_shell


def ball(radius: float = 0.6, centre: tuple[float, float, float] = (0.0, 0.0, 0.0)):
    return lambda points: radius - (points - torch.tensor(centre)).norm(dim=-1)


def ball_mesh(resolution: int = 48, radius: float = 0.6) -> Mesh:
    return extraction.mesh_from_field(ball(radius), resolution=resolution, threshold=0.0)


# ---- marching cubes, components, smoothing, decimation ----


def test_ball_has_its_volume_and_area_and_is_closed() -> None:
    mesh = ball_mesh(96)
    assert volume(mesh) == pytest.approx(4 / 3 * math.pi * 0.6**3, rel=0.01)  # positive: wound outwards
    assert area(mesh) == pytest.approx(4 * math.pi * 0.6**2, rel=0.01)
    assert is_watertight(mesh)


def test_surface_through_grid_points_is_closed() -> None:
    # 33 points from -1 to 1 have spacing 1/16: planes of this box go exactly through them.
    def box(points: torch.Tensor) -> torch.Tensor:
        return (0.5 - points.abs()).amin(dim=-1)

    mesh = extraction.mesh_from_field(box, resolution=33, threshold=0.0)
    assert is_watertight(mesh)
    assert volume(mesh) == pytest.approx(1.0, rel=0.02)
    assert float(face_vectors(mesh).norm(dim=-1).min()) > 0


def test_shape_that_leaves_the_bounds_is_closed_there() -> None:
    mesh = extraction.mesh_from_field(ball(2.0), resolution=16, threshold=0.0)
    assert is_watertight(mesh)
    assert volume(mesh) == pytest.approx(8.0, rel=0.3)  # the unit box, and up to half a step around it


def test_crumbs_and_cavities_are_dropped() -> None:
    def field(points: torch.Tensor) -> torch.Tensor:
        shell = torch.minimum(ball(0.6)(points), -ball(0.3)(points))
        return torch.maximum(shell, ball(0.05, (0.85, 0.85, 0.85))(points))

    mesh = extraction.mesh_from_field(field, resolution=48, threshold=0.0)
    assert volume(mesh) == pytest.approx(4 / 3 * math.pi * 0.6**3, rel=0.02)
    volumes, origin, spacing = extraction.sample_field(field, extraction.UNIT_BOX, 48)
    everything = extraction.keep_large_components(extraction.mesh_from_volume(volumes, origin, spacing, 0.0), 0.0)
    assert float(everything.vertices.max()) > 0.85  # the crumb is there when asked for
    assert float(mesh.vertices.max()) < 0.61


def test_decimation_keeps_the_shape_closed() -> None:
    fine = ball_mesh(64)
    coarse = extraction.decimate(fine, 1000)
    assert len(coarse.faces) <= 1000 < len(fine.faces)
    assert is_watertight(coarse)
    generator = torch.Generator().manual_seed(0)
    points = [sample_surface(mesh, 4000, generator)[0].numpy() for mesh in (fine, coarse)]
    hausdorff = max(KDTree(points[0]).query(points[1])[0].max(), KDTree(points[1]).query(points[0])[0].max())
    assert hausdorff < 0.06  # 4,000 samples lie about 0.03 apart


def test_impossible_decimation_says_so() -> None:
    with pytest.raises(BackendError, match="could not be brought to 1 in one closed piece"):
        extraction.decimate(ball_mesh(16), 1)


def test_taubin_removes_noise_and_keeps_the_volume() -> None:
    clean = ball_mesh(48)
    noise = torch.randn(clean.vertices.shape, generator=torch.Generator().manual_seed(0)) * 0.01
    noisy = Mesh(clean.vertices + noise, clean.faces)
    smooth = extraction.smooth_taubin(noisy, 10)
    assert float(smooth.vertices.norm(dim=-1).std()) < 0.5 * float(noisy.vertices.norm(dim=-1).std())
    assert volume(smooth) == pytest.approx(volume(clean), rel=0.01)


def test_nothing_above_the_threshold_is_a_sentence() -> None:
    with pytest.raises(BackendError, match=r"the field reaches -?\d.*, and the threshold is 5") as caught:
        extraction.mesh_from_field(ball(), resolution=16, threshold=5.0)
    assert "Lower the threshold" in caught.value.hint
    with pytest.raises(BackendError, match="There is no surface"):
        extraction.mesh_from_gaussians(coloured(torch.zeros(1, 3), torch.ones(1, 3), scale=0.1, opacity=0.1))


def test_a_grid_without_extent_is_refused() -> None:
    with pytest.raises(ValueError, match="a grid of 16 points between"):
        extraction.sample_field(ball(), ((0, 0, 0), (1, 1, 0)), 16)


# ---- Gaussians to meshes ----


def test_a_hollow_leaky_shell_becomes_one_solid_ball() -> None:
    shell = two_coloured_shell()
    crumb = coloured(torch.full((1, 3), 0.9), torch.ones(1, 3), scale=0.03)
    shell = joined(selected(shell, shell.means[:, 2] < 0.69), crumb)  # with a hole of about five grid steps at the top
    hollow = extraction.mesh_from_gaussians(shell, resolution=48, threshold=0.5, gap=0)
    assert float(hollow.vertices.norm(dim=-1).min()) < 0.65  # the shell's inner wall
    mesh = extraction.mesh_from_gaussians(shell, resolution=48, threshold=0.5, gap=3, max_faces=4000)
    assert is_watertight(mesh)
    assert len(mesh.faces) <= 4000
    radii = mesh.vertices.norm(dim=-1)
    assert 0.7 < float(radii.median()) < 0.85
    assert float(radii.min()) > 0.65
    assert volume(mesh) > 0.95 * 4 / 3 * math.pi * float(radii.median()) ** 3
    assert float(mesh.vertices.max()) < 0.88  # the crumb is gone


def test_blurring_does_not_move_a_surface() -> None:
    axis = torch.linspace(-1, 1, 64)
    radius = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij")).norm(dim=0)
    sharp = (200 * (0.6 - radius)).numpy()  # as steep and as high inside as a heap of Gaussians
    tidy = extraction.tidy_volume(sharp + 0.5, 0.5, blur=1.0, gap=0)
    mesh = extraction.mesh_from_volume(tidy, np.full(3, -1.0), float(axis[1] - axis[0]), 0.5)
    assert float(mesh.vertices.norm(dim=-1).mean()) == pytest.approx(0.6, abs=0.005)


def covered(mesh: Mesh, cameras: Cameras) -> float:
    return float(silhouettes(mesh, cameras).sum())


@pytest.mark.parametrize("resolution", [24, 40, 64])
def test_the_fitted_threshold_covers_what_is_to_be_covered_at_every_resolution(resolution: int) -> None:
    # Flat Gaussians: the finer the grid, the less is added to them, and the lower is the field at the same place.
    shell = two_coloured_shell(scale=0.06)
    flat = replace(shell, log_scales=shell.log_scales + torch.tensor([0.0, 0.0, -2.0]))
    cameras = orbit([0.0, 120.0], 20.0, size=96)
    alpha = render_mesh(ball_mesh(96, 0.76), cameras).alpha
    grid = extraction.opacity_grid(flat, resolution)
    threshold, share = extraction.fit_threshold(grid, cameras, alpha)
    mesh = extraction.mesh_from_grid(grid, threshold)
    assert share == pytest.approx(covered(mesh, cameras) / float((alpha > 0.5).sum()))
    assert share == pytest.approx(1.0, abs=0.006)


def test_the_area_decides_and_not_the_sign_of_the_error() -> None:
    shell = two_coloured_shell()
    cameras = orbit([0.0, 120.0], 20.0, size=96)
    grid = extraction.opacity_grid(shell, 40)
    for wanted in (0.1, 0.6, 1.5):
        alpha = silhouettes(extraction.mesh_from_grid(grid, wanted), cameras)
        threshold, share = extraction.fit_threshold(grid, cameras, alpha, tolerance=0.0, steps=12)
        assert threshold == pytest.approx(wanted, rel=0.1) and share == pytest.approx(1.0, abs=0.002)


def test_a_threshold_beyond_the_ends_is_the_nearest_end() -> None:
    shell = two_coloured_shell()
    cameras = orbit([0.0], 20.0, size=64)
    grid = extraction.opacity_grid(shell, 32)
    everything, speck = torch.ones(1, 64, 64, 1), torch.zeros(1, 64, 64, 1)
    speck[:, 32, 32] = 1
    low, share = extraction.fit_threshold(grid, cameras, everything)
    assert low < 0.025 and share < 1
    high, share = extraction.fit_threshold(grid, cameras, speck, between=(0.02, 0.5))
    assert high > 0.45 and share > 1
    high, share = extraction.fit_threshold(grid, cameras, speck)  # the highest that gives any mesh
    assert share > 0 and high <= float(grid.volume.max())


def test_nothing_to_cover_and_nothing_to_cover_it_with_are_sentences() -> None:
    shell = two_coloured_shell()
    cameras = orbit([0.0], 20.0, size=64)
    grid = extraction.opacity_grid(shell, 32)
    with pytest.raises(NoSurface, match="none of 4096 pixels is half covered"):
        extraction.fit_threshold(grid, cameras, torch.zeros(1, 64, 64, 1))
    with pytest.raises(NoSurface, match="There is no surface: the field reaches"):
        extraction.fit_threshold(grid, cameras, torch.ones(1, 64, 64, 1), between=(400.0, 500.0))
    with pytest.raises(NoSurface, match="There is no surface: the field reaches"):
        extraction.opacity_grid(coloured(torch.zeros(1, 3), torch.ones(1, 3), scale=0.1, opacity=0.006), 32)


def test_thin_gaussians_are_thickened_as_far_as_is_asked() -> None:
    point = coloured(torch.zeros(1, 3), torch.ones(1, 3), scale=0.002)
    for scale in (0.05, 0.1):
        grid = extraction.opacity_grid(point, 48, min_scale=scale)
        mesh = extraction.mesh_from_volume(grid.volume, grid.origin, grid.spacing, 0.45)
        radius = float(mesh.vertices.norm(dim=-1).mean())
        assert radius == pytest.approx(scale * math.sqrt(2 * math.log(2)), rel=0.02)  # where half of 0.9 is left


def test_same_gaussians_same_mesh() -> None:
    first, second = (extraction.mesh_from_gaussians(two_coloured_shell(), resolution=40) for _ in range(2))
    assert torch.equal(first.vertices, second.vertices) and torch.equal(first.faces, second.faces)
