"""Meshes of radiance fields: near the surface alone, the same as everywhere; and the density that fits what is seen."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from backend.cameras import orbit
from backend.errors import NoSurface
from backend.meshes.extraction import UNIT_BOX, mesh_from_field
from backend.meshes.mesh import is_watertight
from backend.meshes.radiance_surface import crossed_cells, fit_density, mesh_from_radiance, sample_near_surface
from backend.rendering.volume import volume_renderer
from backend.representations.radiance import density_field, raw_of, surface_colours
from backend.representations.radiance_grid import RadianceGrid, grid_points
from backend.systems.textured_mesh import textured_mesh


def coloured_ball(radius: float = 0.6, resolution: int = 33) -> RadianceGrid:
    """An opaque ball, red in front and blue behind."""
    points = grid_points(resolution)
    raw = 120 * (radius - points.norm(dim=-1, keepdim=True))
    colours = torch.cat([-6 * points[:, 1:2], torch.full_like(raw, -4), 6 * points[:, 1:2]], -1)
    return RadianceGrid(torch.cat([raw, colours], -1).reshape(*[resolution] * 3, 4), torch.zeros(3))


@pytest.mark.parametrize("resolution", [61, 80])
def test_near_the_surface_alone_it_is_the_surface_of_the_whole_grid(resolution: int) -> None:
    counted = []

    def ball(points: torch.Tensor) -> torch.Tensor:
        counted.append(len(points))
        return 0.6 - (points - torch.tensor([0.1, -0.2, 0.05])).norm(dim=-1)

    volume, origin, spacing = sample_near_surface(ball, UNIT_BOX, resolution, 0.0)
    assert sum(counted) < 0.4 * resolution**3
    assert spacing == pytest.approx(2 / (resolution - 1)) and origin.tolist() == [-1, -1, -1]
    exact = np.stack(np.meshgrid(*[-1 + spacing * np.arange(count) for count in volume.shape], indexing="ij"), -1)
    wanted = 0.6 - np.linalg.norm(exact - [0.1, -0.2, 0.05], axis=-1)
    near = np.abs(wanted) < 2 * spacing
    np.testing.assert_allclose(volume[near], wanted[near], atol=1e-5)
    assert ((volume > 0) == (wanted > 0)).all()


def test_cells_beside_a_crossed_one_count_as_near() -> None:
    coarse = np.zeros((6, 6, 6), np.float32)
    coarse[0, 0, 0] = 1
    near = crossed_cells(coarse, 0.5)
    assert near.shape == (5, 5, 5) and near[:2, :2, :2].all() and near.sum() == 8


def test_the_mesh_of_a_ball_is_closed_and_lies_where_its_density_does() -> None:
    field, threshold = coloured_ball(), 10.0
    mesh = mesh_from_radiance(field, threshold, resolution=61)
    assert is_watertight(mesh)
    whole = mesh_from_field(density_field(field), resolution=61, threshold=threshold)
    assert len(mesh.faces) == pytest.approx(len(whole.faces), rel=0.02)
    assert mesh.vertices.norm(dim=-1).mean().item() == pytest.approx(
        whole.vertices.norm(dim=-1).mean().item(), abs=5e-3
    )
    with pytest.raises(NoSurface):
        mesh_from_radiance(field, 1e6, resolution=33)


def test_what_no_ray_reached_leaves_no_wall_inside() -> None:
    """A ball with a hollow that a thin leak opens has the surface of a full one."""
    full, hollow = coloured_ball(), coloured_ball()
    inside = grid_points(33).norm(dim=-1).reshape(33, 33, 33) < 0.35
    hollow.values[..., 0] = torch.where(inside, -20.0, hollow.values[..., 0])
    hollow.values[16, 16, 16:, 0] = -200.0  # one node wide
    meshes = [mesh_from_radiance(field, 10.0, resolution=65) for field in (full, hollow)]
    assert all((mesh.vertices.norm(dim=-1) > 0.45).all() for mesh in meshes)
    assert not (mesh_from_radiance(hollow, 10.0, resolution=65, blur=0, gap=0).vertices.norm(dim=-1) > 0.45).all()


def test_the_density_is_fitted_to_what_the_renderer_covers() -> None:
    field, cameras = coloured_ball(), orbit([0.0, 90.0], [0.0, 30.0], size=48)
    alpha = volume_renderer(field)(cameras, torch.zeros(3)).alpha
    threshold, iou = fit_density(field, cameras, alpha, resolution=33)
    assert iou > 0.9
    assert fit_density(field, cameras, alpha, candidates=[900.0, threshold], resolution=33)[0] == threshold
    # A shell as thin as fog around the ball has the ball's silhouette within the tolerance, and is taken.
    low = fit_density(field, cameras, alpha, candidates=[threshold, threshold / 2], resolution=33)
    assert low[0] == threshold / 2 and low[1] > iou - 0.02
    with pytest.raises(NoSurface, match="density reaches"):
        fit_density(field, cameras, alpha, candidates=[1e6], resolution=33)


def test_a_density_that_one_grid_point_reaches_is_no_candidate_for_the_surface() -> None:
    """The blur levels such a peak: it neither is the surface nor ends the search for one."""
    soft, cameras = coloured_ball(), orbit([0.0, 90.0], 0.0, size=48)
    soft.values[..., 0].clamp_(max=raw_of(torch.tensor(6.0)).item())
    alpha = volume_renderer(soft)(cameras, torch.zeros(3)).alpha
    peaked = RadianceGrid(soft.values.clone(), soft.background)
    peaked.values[16, 16, 16, 0] = raw_of(torch.tensor(25.0))
    wanted = fit_density(soft, cameras, alpha, candidates=[2.0, 5.0], resolution=33)
    assert fit_density(peaked, cameras, alpha, candidates=[2.0, 5.0, 20.0], resolution=33) == wanted
    with pytest.raises(NoSurface, match="density reaches 25, the lowest tried is 20"):
        fit_density(peaked, cameras, alpha, candidates=[20.0], resolution=33)


def test_a_textured_mesh_takes_its_colours_from_the_volume_renderer() -> None:
    field = coloured_ball()
    mesh = mesh_from_radiance(field, 10.0, resolution=33, max_faces=1500)
    mesh, facts = textured_mesh(mesh, surface_colours(field), volume_renderer(field), 128)
    assert facts["silhouette_iou"] > 0.93
    assert mesh.texture is not None
    red, green, blue = mesh.texture.reshape(-1, 3).unbind(-1)
    assert red.max() > 0.9 and blue.max() > 0.9 and green.median() < 0.1
