"""Meshes: against closed forms of the sphere and torus, and against a plain sum over all Gaussians."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.spatial import KDTree

from backend import meshing
from backend.cameras import orbit
from backend.errors import BackendError
from backend.rendering.meshes import rasterise, render_mesh, silhouette_iou
from backend.representations.fields import colour_field, opacity_field
from backend.representations.mesh import (
    Mesh,
    area,
    face_vectors,
    is_watertight,
    mesh_from_arrays,
    sample_surface,
    vertex_normals,
    volume,
    weld,
)
from tests.backend.gaussian_shapes import BLUE, RED, coloured, joined, selected, two_coloured_shell


def ball(radius: float = 0.6, centre: tuple[float, float, float] = (0.0, 0.0, 0.0)):
    return lambda points: radius - (points - torch.tensor(centre)).norm(dim=-1)


def ball_mesh(resolution: int = 48, radius: float = 0.6) -> Mesh:
    return meshing.mesh_from_field(ball(radius), resolution=resolution, threshold=0.0)


def tetrahedron(inwards: bool = False) -> Mesh:
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    faces = torch.tensor([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    return Mesh(vertices, faces.flip(1) if inwards else faces)


# ---- the mesh itself ----


def test_measures_of_a_tetrahedron() -> None:
    # Three right triangles of area 1/2, one equilateral of side sqrt(2): sqrt(3)/4 * 2. Volume 1/6.
    assert area(tetrahedron()) == pytest.approx(1.5 + math.sqrt(3) / 2)
    assert volume(tetrahedron()) == pytest.approx(1 / 6)
    assert volume(tetrahedron(inwards=True)) == pytest.approx(-1 / 6)


def test_watertight_needs_every_face_and_one_winding() -> None:
    mesh = tetrahedron()
    assert is_watertight(mesh)
    assert not is_watertight(Mesh(mesh.vertices, mesh.faces[1:]))
    turned = mesh.faces.clone()
    turned[0] = turned[0].flip(0)
    assert not is_watertight(Mesh(mesh.vertices, turned))
    soup = Mesh(mesh.vertices[mesh.faces].reshape(-1, 3), torch.arange(12).reshape(4, 3))
    assert is_watertight(soup) and len(weld(soup)[0]) == 4


def test_negative_zero_is_the_same_position() -> None:
    mesh = tetrahedron()
    soup = mesh.vertices[mesh.faces].reshape(-1, 3)
    soup[:3] *= torch.where(soup[:3] == 0, -1.0, 1.0)
    assert is_watertight(Mesh(soup, torch.arange(12).reshape(4, 3)))


def test_normals_of_a_ball_point_outwards() -> None:
    mesh = ball_mesh()
    directions = torch.nn.functional.normalize(mesh.vertices, dim=-1)
    assert float((vertex_normals(mesh) * directions).sum(dim=-1).min()) > 0.99


def test_surface_samples_are_uniform() -> None:
    points, normals = sample_surface(ball_mesh(), 20_000, torch.Generator().manual_seed(0))
    assert torch.allclose(points.norm(dim=-1), torch.tensor(0.6), atol=5e-3)
    assert float((normals * points).sum(dim=-1).min()) > 0
    # On a sphere every coordinate is uniform (Archimedes): an eighth of the points in each eighth of its height.
    shares = torch.histc(points[:, 2], bins=8, min=-0.6, max=0.6) / len(points)
    assert torch.allclose(shares, torch.tensor(1 / 8), atol=0.01)


@pytest.mark.parametrize(
    ("vertices", "faces", "sentence"),
    [
        (torch.zeros(3, 2), torch.zeros(1, 3, dtype=torch.long), r"vertices must be \[V, 3\], not \[3, 2\]"),
        (torch.zeros(3, 3), torch.zeros(1, 4, dtype=torch.long), r"faces must be \[F, 3\], not \[1, 4\]"),
        (torch.zeros(3, 3), torch.tensor([[0, 1, 3]]), "faces name vertices 0 to 3 of 3"),
    ],
)
def test_a_malformed_mesh_is_refused(vertices: torch.Tensor, faces: torch.Tensor, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Mesh(vertices, faces)


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

    mesh = meshing.mesh_from_field(box, resolution=33, threshold=0.0)
    assert is_watertight(mesh)
    assert volume(mesh) == pytest.approx(1.0, rel=0.02)
    assert float(face_vectors(mesh).norm(dim=-1).min()) > 0


def test_shape_that_leaves_the_bounds_is_closed_there() -> None:
    mesh = meshing.mesh_from_field(ball(2.0), resolution=16, threshold=0.0)
    assert is_watertight(mesh)
    assert volume(mesh) == pytest.approx(8.0, rel=0.3)  # the unit box, and up to half a step around it


def test_crumbs_and_cavities_are_dropped() -> None:
    def field(points: torch.Tensor) -> torch.Tensor:
        shell = torch.minimum(ball(0.6)(points), -ball(0.3)(points))
        return torch.maximum(shell, ball(0.05, (0.85, 0.85, 0.85))(points))

    mesh = meshing.mesh_from_field(field, resolution=48, threshold=0.0)
    assert volume(mesh) == pytest.approx(4 / 3 * math.pi * 0.6**3, rel=0.02)
    volumes, origin, spacing = meshing.sample_field(field, meshing.UNIT_BOX, 48)
    everything = meshing.keep_large_components(meshing.mesh_from_volume(volumes, origin, spacing, 0.0), 0.0)
    assert float(everything.vertices.max()) > 0.85  # the crumb is there when asked for
    assert float(mesh.vertices.max()) < 0.61


def test_decimation_keeps_the_shape_closed() -> None:
    fine = ball_mesh(64)
    coarse = meshing.decimate(fine, 1000)
    assert len(coarse.faces) <= 1000 < len(fine.faces)
    assert is_watertight(coarse)
    generator = torch.Generator().manual_seed(0)
    points = [sample_surface(mesh, 4000, generator)[0].numpy() for mesh in (fine, coarse)]
    hausdorff = max(KDTree(points[0]).query(points[1])[0].max(), KDTree(points[1]).query(points[0])[0].max())
    assert hausdorff < 0.06  # 4,000 samples lie about 0.03 apart


def test_impossible_decimation_says_so() -> None:
    with pytest.raises(BackendError, match="could not be brought to 1 in one closed piece"):
        meshing.decimate(ball_mesh(16), 1)


def test_taubin_removes_noise_and_keeps_the_volume() -> None:
    clean = ball_mesh(48)
    noise = torch.randn(clean.vertices.shape, generator=torch.Generator().manual_seed(0)) * 0.01
    noisy = Mesh(clean.vertices + noise, clean.faces)
    smooth = meshing.smooth_taubin(noisy, 10)
    assert float(smooth.vertices.norm(dim=-1).std()) < 0.5 * float(noisy.vertices.norm(dim=-1).std())
    assert volume(smooth) == pytest.approx(volume(clean), rel=0.01)


def test_nothing_above_the_threshold_is_a_sentence() -> None:
    with pytest.raises(BackendError, match=r"the field reaches -?\d.*, and the threshold is 5") as caught:
        meshing.mesh_from_field(ball(), resolution=16, threshold=5.0)
    assert "Lower the threshold" in caught.value.hint
    with pytest.raises(BackendError, match="There is no surface"):
        meshing.mesh_from_gaussians(coloured(torch.zeros(1, 3), torch.ones(1, 3), scale=0.1, opacity=0.1))


def test_a_grid_without_extent_is_refused() -> None:
    with pytest.raises(ValueError, match="a grid of 16 points between"):
        meshing.sample_field(ball(), ((0, 0, 0), (1, 1, 0)), 16)


# ---- Gaussians as fields ----


def plain_sum(gaussians, points: torch.Tensor) -> torch.Tensor:
    """The definition, one Gaussian at a time in float64, with a rotation built from two reflections' product."""
    total = torch.zeros(len(points), dtype=torch.float64)
    for mean, log_scale, quaternion, logit in zip(
        gaussians.means, gaussians.log_scales, gaussians.quaternions, gaussians.opacity_logits, strict=True
    ):
        w, *v = (quaternion.double() / quaternion.double().norm()).tolist()
        vector = torch.tensor(v, dtype=torch.float64)
        cross = torch.tensor([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]], dtype=torch.float64)
        rotation = torch.eye(3) * (w * w - vector @ vector) + 2 * torch.outer(vector, vector) + 2 * w * cross
        covariance = rotation @ torch.diag((2 * log_scale.double()).exp()) @ rotation.T
        offset = points.double() - mean.double()
        squared = (offset @ torch.linalg.inv(covariance) * offset).sum(dim=-1)
        total += torch.where(squared < 9, logit.double().sigmoid() * torch.exp(-0.5 * squared), 0.0)
    return total


def test_opacity_field_is_the_plain_sum() -> None:
    generator = torch.Generator().manual_seed(0)
    gaussians = coloured(
        torch.rand(60, 3, generator=generator) - 0.5, torch.rand(60, 3, generator=generator), scale=1.0
    )
    gaussians.log_scales = torch.rand(60, 3, generator=generator) * 2 - 3.5
    gaussians.quaternions = torch.randn(60, 4, generator=generator) * 3
    gaussians.opacity_logits = torch.randn(60, generator=generator)
    points = torch.rand(3000, 3, generator=generator) * 2 - 1
    expected = plain_sum(gaussians, points)
    actual = opacity_field(gaussians)(points).double()
    # A point within rounding of a three sigma border may fall to either side: that is 1 % of one opacity.
    assert float((actual - expected).abs().max()) < 0.012
    assert float(((actual - expected).abs() > 1e-4).double().mean()) < 0.002
    assert float(expected.max()) > 1


def test_faint_gaussians_and_far_points_count_nothing() -> None:
    gaussians = coloured(torch.zeros(1, 3), torch.ones(1, 3), scale=0.1, opacity=0.004)
    assert opacity_field(gaussians)(torch.zeros(1, 3)).tolist() == [0.0]
    gaussians = coloured(torch.zeros(1, 3), torch.ones(1, 3), scale=0.1)
    assert opacity_field(gaussians)(torch.tensor([[0.31, 0, 0], [9.0, 9, 9], [0, 0, 0]])).tolist() == pytest.approx(
        [0, 0, 0.9]
    )


def test_broken_gaussians_are_counted_in_a_sentence() -> None:
    gaussians = coloured(torch.zeros(3, 3), torch.ones(3, 3), scale=0.1)
    gaussians.means[1, 2] = float("nan")
    with pytest.raises(ValueError, match="1 of 3 Gaussians hold numbers that are not finite"):
        opacity_field(gaussians)


def test_colour_is_what_is_seen_from_outside() -> None:
    shell = two_coloured_shell()
    green = coloured(shell.means * 0.8, torch.tensor([[0.0, 1.0, 0.0]]).repeat(len(shell.means), 1), scale=0.05)
    colour = colour_field(joined(shell, green))
    directions = torch.tensor([[1.0, 0, 0], [-1, 0, 0], [0.8, 0, 0.6]])
    rgb = colour(directions * 0.72, directions)
    assert torch.allclose(rgb, torch.tensor([RED, BLUE, RED]), atol=0.08)  # hardly any of the green one below
    inner = colour_field(green, reach=0.05)(directions * 0.56, directions)
    assert torch.allclose(inner, torch.tensor([0.0, 1.0, 0.0]).expand(3, 3), atol=1e-3)


def test_a_point_off_every_gaussian_takes_the_nearest_colour() -> None:
    colour = colour_field(coloured(torch.tensor([[0.5, 0, 0], [-0.5, 0, 0]]), torch.tensor([RED, BLUE]), scale=0.02))
    rgb = colour(torch.tensor([[0.5, 0.9, 0], [-0.5, 0, 0.9]]), torch.tensor([[0.0, 1, 0], [0, 0, 1]]))
    assert torch.allclose(rgb, torch.tensor([RED, BLUE]), atol=1e-4)
    with pytest.raises(ValueError, match="none of 1 Gaussians is more opaque"):
        colour_field(coloured(torch.zeros(1, 3), torch.ones(1, 3), scale=0.1, opacity=0.001))


# ---- Gaussians to meshes ----


def test_a_hollow_leaky_shell_becomes_one_solid_ball() -> None:
    shell = two_coloured_shell()
    crumb = coloured(torch.full((1, 3), 0.9), torch.ones(1, 3), scale=0.03)
    shell = joined(selected(shell, shell.means[:, 2] < 0.69), crumb)  # with a hole of about five grid steps at the top
    hollow = meshing.mesh_from_gaussians(shell, resolution=48, threshold=0.5, gap=0)
    assert float(hollow.vertices.norm(dim=-1).min()) < 0.65  # the shell's inner wall
    mesh = meshing.mesh_from_gaussians(shell, resolution=48, threshold=0.5, gap=3, max_faces=4000)
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
    tidy = meshing.tidy_volume(sharp + 0.5, 0.5, blur=1.0, gap=0)
    mesh = meshing.mesh_from_volume(tidy, np.full(3, -1.0), float(axis[1] - axis[0]), 0.5)
    assert float(mesh.vertices.norm(dim=-1).mean()) == pytest.approx(0.6, abs=0.005)


def test_fitted_threshold_gives_back_the_silhouette() -> None:
    shell = two_coloured_shell()
    cameras = orbit([0.0, 120.0], 20.0, size=64)
    for wanted in (0.2, 1.5):
        surface = meshing.mesh_from_gaussians(shell, resolution=40, threshold=wanted)
        alpha = render_mesh(ball_mesh(radius=float(surface.vertices.norm(dim=-1).median())), cameras).alpha
        threshold, iou = meshing.fit_threshold(shell, cameras, alpha, candidates=(0.2, 0.7, 1.5), resolution=40)
        assert threshold == wanted
        assert iou > 0.95
    alpha = torch.zeros(2, 64, 64, 1)
    with pytest.raises(BackendError, match="There is no surface"):
        meshing.fit_threshold(shell, cameras, alpha, candidates=(500.0,), resolution=40)


def test_same_gaussians_same_mesh() -> None:
    first, second = (meshing.mesh_from_gaussians(two_coloured_shell(), resolution=40) for _ in range(2))
    assert torch.equal(first.vertices, second.vertices) and torch.equal(first.faces, second.faces)


# ---- drawing meshes ----


def test_drawn_ball_covers_its_disc_at_its_distance() -> None:
    cameras = orbit([0.0, 90.0], [0.0, 30.0], distance=4.0, size=64)
    drawn = render_mesh(ball_mesh(64), cameras, samples=4)
    # The outline of a ball of radius r at distance d has the angular radius asin(r / d).
    disc = math.pi * (float(cameras.intrinsics[0, 0, 0]) * math.tan(math.asin(0.6 / 4))) ** 2
    assert drawn.alpha.sum(dim=(1, 2, 3)).tolist() == pytest.approx([disc, disc], rel=0.01)
    assert float(drawn.depth[0, 32, 32]) == pytest.approx(3.4, abs=0.01)
    assert torch.allclose(drawn.normal[0, 31:33, 31:33].mean(dim=(0, 1)), torch.tensor([0.0, -1, 0]), atol=0.02)
    assert torch.equal(drawn.depth[0, 0, 0], torch.zeros(1)) and torch.equal(drawn.rgb[0, 0, 0], torch.ones(3))


def test_nearer_triangle_hides_the_farther_one_in_any_order() -> None:
    triangle = torch.tensor([[-1.0, 0, -1], [1, 0, -1], [0, 0, 1]])
    vertices = torch.cat([triangle * 0.5 - torch.tensor([0, 0.3, 0]), triangle])
    camera = orbit([0.0], 0.0, size=33)
    for faces in (torch.tensor([[0, 1, 2], [3, 4, 5]]), torch.tensor([[3, 4, 5], [0, 1, 2]])):
        fragments = rasterise(Mesh(vertices, faces), camera)
        assert int(faces[fragments.face[16, 16], 0]) == 0
        assert fragments.depth[16, 16] == pytest.approx(float(camera.position.norm()) - 0.3, abs=1e-5)


def test_interpolation_is_perspective_correct() -> None:
    # A floor seen at an angle: the point under a pixel must project back to that pixel.
    floor = mesh_from_arrays(
        np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]), np.array([[0, 1, 2], [0, 2, 3]])
    )
    camera = orbit([30.0], 25.0, size=48)
    fragments = rasterise(floor, camera)
    covered = fragments.face >= 0
    weights = torch.from_numpy(fragments.barycentric[covered])
    points = (floor.vertices[floor.faces[fragments.face[covered]]] * weights[..., None]).sum(dim=1)
    to_camera = camera.world_to_camera[0]
    pixels = (points @ to_camera[:3, :3].T + to_camera[:3, 3]) @ camera.intrinsics[0].T
    expected = np.argwhere(covered)[:, ::-1] + 0.5
    assert np.abs((pixels[:, :2] / pixels[:, 2:]).numpy() - expected).max() < 1e-3


def test_triangles_behind_the_camera_are_not_drawn() -> None:
    behind = Mesh(tetrahedron().vertices - torch.tensor([0.0, 9, 0]), tetrahedron().faces)
    assert (rasterise(behind, orbit([0.0], 0.0, size=16)).face == -1).all()


def test_silhouette_iou_counts_pixels() -> None:
    one, other = torch.zeros(2, 4, 4, 1), torch.zeros(2, 4, 4, 1)
    one[0, :, :2], other[0, :, 1:3] = 1, 1
    assert silhouette_iou(one, other).tolist() == pytest.approx([4 / 12, 1.0])
