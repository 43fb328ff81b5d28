"""Textures: charts, padding, and colours that end up where they belong."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from scipy import ndimage

from backend.cameras import Cameras, orbit
from backend.meshes.baking import FADES, bake_from_views, bake_texture, pad_seams, unwrap, view_share
from backend.meshes.extraction import mesh_from_field, mesh_from_gaussians
from backend.meshes.mesh import Mesh, is_watertight, vertex_normals, volume
from backend.meshes.rasteriser import interpolate, rasterise_uv, render_mesh, sample_texture
from backend.representations.fields import colour_field
from backend.systems.reference import Target
from backend.systems.textured_mesh import with_photo
from tests.backend.gaussian_shapes import BLUE, RED, two_coloured_shell

SIZE = 256


def torus(points: torch.Tensor) -> torch.Tensor:
    ring = points[:, :2].norm(dim=-1) - 0.6
    return 0.25 - torch.stack([ring, points[:, 2]], dim=-1).norm(dim=-1)


@cache
def torus_mesh() -> Mesh:
    return mesh_from_field(torus, resolution=48, threshold=0.0, max_faces=3000)


@cache
def unwrapped() -> Mesh:
    return unwrap(torus_mesh(), size=SIZE)


def position_colour(points: torch.Tensor, normals: torch.Tensor) -> torch.Tensor:
    """The identity as a colour: where a texel lies can be read off it."""
    return (points + 1) / 2


def texels_on(mesh: Mesh, face: int) -> np.ndarray:
    return rasterise_uv(Mesh(mesh.vertices, mesh.faces[face : face + 1], mesh.uv), SIZE).face >= 0


def chart_of_faces(mesh: Mesh) -> np.ndarray:
    """Number the charts: faces that share a vertex, seams not merged, are in the same one."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    faces = mesh.faces.numpy()
    start, end = faces.reshape(-1), np.roll(faces, -1, axis=1).reshape(-1)
    graph = coo_array((np.ones(len(start)), (start, end)), shape=(len(mesh.vertices),) * 2)
    return connected_components(graph, directed=False)[1][faces[:, 0]]


def test_unwrapping_keeps_the_surface() -> None:
    mesh, before = unwrapped(), torus_mesh()
    assert mesh.uv is not None
    assert 0 <= float(mesh.uv.min()) and float(mesh.uv.max()) <= 1
    assert is_watertight(mesh) and len(mesh.faces) == len(before.faces)
    assert volume(mesh) == pytest.approx(volume(before), rel=1e-6)
    assert len(mesh.vertices) > len(before.vertices)  # a torus cannot be laid flat without a seam
    # The normals do not show the seams.
    pairs = {tuple(p): n for p, n in zip(before.vertices.tolist(), vertex_normals(before), strict=True)}
    for position, normal in zip(mesh.vertices.tolist(), vertex_normals(mesh), strict=True):
        assert torch.allclose(pairs[tuple(position)], normal, atol=1e-5)


def test_charts_share_no_texel() -> None:
    mesh = unwrapped()
    charts = chart_of_faces(mesh)
    assert charts.max() > 0
    owners = np.zeros((SIZE, SIZE), dtype=int)
    for chart in range(charts.max() + 1):
        of_chart = Mesh(mesh.vertices, mesh.faces[torch.from_numpy(charts == chart)], mesh.uv)
        covered = rasterise_uv(of_chart, SIZE).face >= 0
        owners += ndimage.binary_dilation(covered)  # not even a neighbouring one, which bilinear sampling reads
    assert owners.max() == 1


def test_baked_positions_are_found_where_the_surface_is() -> None:
    mesh = bake_texture(unwrapped(), position_colour, SIZE)
    assert mesh.texture is not None and mesh.uv is not None
    generator = torch.Generator().manual_seed(0)
    weights = -torch.rand(5000, 3, generator=generator).log()
    weights = weights / weights.sum(dim=1, keepdim=True)  # evenly over the triangle
    chosen = torch.randint(len(mesh.faces), (5000,), generator=generator)
    points = (mesh.vertices[mesh.faces[chosen]] * weights[..., None]).sum(dim=1)
    uv = (mesh.uv[mesh.faces[chosen]] * weights[..., None]).sum(dim=1)
    error = (sample_texture(mesh.texture, uv) * 2 - 1 - points).norm(dim=-1)
    # How far it is from one texel to the next on the surface.
    edges = mesh.vertices[mesh.faces].diff(dim=1).norm(dim=-1) / mesh.uv[mesh.faces].diff(dim=1).norm(dim=-1) / SIZE
    texel = float(edges.median())
    assert float(error.mean()) < 0.2 * texel
    assert float(error.max()) < 1.5 * texel


def grown(mask: np.ndarray, texels: int) -> np.ndarray:
    return np.asarray(ndimage.binary_dilation(mask, structure=np.ones((3, 3)), iterations=texels), dtype=bool)


def test_no_background_next_to_a_chart() -> None:
    marker = torch.tensor([1.0, 0.5, 0.0])
    covered = rasterise_uv(unwrapped(), SIZE).face >= 0
    # Half the surface has the marker and half is black, so that the mean, the background, is neither.
    half = bake_texture(unwrapped(), lambda points, normals: (points[:, :1] > 0).float() * marker, SIZE, padding=2)
    assert half.texture is not None
    mean = half.texture[torch.from_numpy(covered)].mean(dim=0)
    background = (half.texture - mean).abs().amax(dim=-1).numpy() < 1e-4
    near = grown(covered, 1)
    assert not (background & near).any()
    assert background[~grown(covered, 3)].all()


def test_padding_repeats_the_nearest_texel() -> None:
    covered = torch.zeros(1, 8, dtype=torch.bool)
    covered[0, 2:4] = True
    texture = pad_seams(torch.tensor([[1.0, 0, 0], [0, 0, 1]]), covered, 2)
    red, blue, mean = [1.0, 0, 0], [0.0, 0, 1], [0.5, 0, 0.5]
    assert texture[0].tolist() == [red, red, red, blue, blue, blue, mean, mean]


def test_texture_reading_is_bilinear_between_centres_with_v_down() -> None:
    texture = torch.tensor([[0.0, 1.0], [2.0, 3.0]])[..., None]
    uv = torch.tensor([[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.5, 0.5], [0.0, 0.0], [1.0, 1.0], [0.5, 0.25]])
    assert sample_texture(texture, uv)[:, 0].tolist() == pytest.approx([0, 1, 2, 1.5, 0, 3, 0.5])


def test_each_side_of_a_two_coloured_ball_has_its_colour() -> None:
    shell = two_coloured_shell()
    mesh = unwrap(mesh_from_gaussians(shell, resolution=40, max_faces=2000), size=SIZE)
    mesh = bake_texture(mesh, colour_field(shell), SIZE)
    assert mesh.texture is not None and mesh.uv is not None
    at_vertices = sample_texture(mesh.texture, mesh.uv)
    for side, colour in ((mesh.vertices[:, 0] > 0.12, RED), (mesh.vertices[:, 0] < -0.12, BLUE)):
        assert torch.allclose(at_vertices[side], torch.tensor(colour).expand(int(side.sum()), 3), atol=0.03)
    # Seen from the front (from -Y), +X is on the right.
    front = render_mesh(mesh, orbit([0.0], 0.0, size=32)).rgb[0]
    assert torch.allclose(front[16, 22], torch.tensor(RED), atol=0.03)
    assert torch.allclose(front[16, 9], torch.tensor(BLUE), atol=0.03)


def views_of(mesh: Mesh) -> tuple[Cameras, torch.Tensor, torch.Tensor]:
    cameras = orbit([0.0, 60, 120, 180, 240, 300, 0, 0], [20.0, -20, 20, -20, 20, -20, 80, -80], size=128)
    drawn = render_mesh(mesh, cameras, background=(0.0, 1.0, 0.0))
    return cameras, drawn.rgb, drawn.alpha


def test_views_bring_the_texture_back() -> None:
    mesh = bake_texture(unwrapped(), position_colour, SIZE)
    cameras, images, alpha = views_of(mesh)
    again = bake_from_views(unwrapped(), cameras, images, alpha=alpha, background=(0.0, 1.0, 0.0), size=SIZE)
    covered = torch.from_numpy(rasterise_uv(mesh, SIZE).face >= 0)
    assert mesh.texture is not None and again.texture is not None
    error = (again.texture - mesh.texture)[covered].abs().amax(dim=-1)
    assert float(error.median()) < 0.01
    assert float(error.quantile(0.95)) < 0.06  # what no view sees well has the mean colour


def test_a_hidden_surface_keeps_its_texture() -> None:
    # Two parallel sheets: a camera in front sees the nearer one only.
    sheet = torch.tensor([[-0.5, 0, -0.5], [0.5, 0, -0.5], [0.5, 0, 0.5], [-0.5, 0, 0.5]])
    uv = torch.tensor([[0.02, 0.48], [0.48, 0.48], [0.48, 0.02], [0.02, 0.02]])
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
    mesh = Mesh(
        vertices=torch.cat([sheet - torch.tensor([0, 0.2, 0]), sheet + torch.tensor([0, 0.2, 0])]),
        faces=torch.cat([faces, faces + 4]),
        uv=torch.cat([uv, uv + 0.5]),
        texture=torch.full((64, 64, 3), 0.5),
    )
    camera = orbit([0.0], 0.0, size=64)
    red = torch.tensor([1.0, 0, 0]).expand(1, 64, 64, 3)
    baked = bake_from_views(mesh, camera, red, size=64).texture
    assert baked is not None
    assert torch.allclose(baked[8, 8], torch.tensor([1.0, 0, 0]), atol=0.05)
    assert torch.allclose(baked[48, 48], torch.tensor([0.5, 0.5, 0.5]), atol=1e-6)
    # The back of the sheet is turned away from a camera behind it: that one must not colour it either.
    behind = bake_from_views(mesh, orbit([0.0, 180.0], 0.0, size=64), torch.cat([red, 0 * red]), size=64).texture
    assert behind is not None and torch.allclose(behind, baked)


def test_a_photo_is_what_its_camera_sees_of_the_mesh_and_changes_nothing_behind() -> None:
    grey = replace(unwrapped(), texture=torch.full((SIZE, SIZE, 3), 0.5))
    camera, behind = orbit([0.0], 60.0, size=128), orbit([180.0], -60.0, size=128)
    mask = render_mesh(grey, camera).alpha
    photo = torch.ones(1, 128, 128, 3) * torch.tensor([0.9, 0.8, 0.1])  # its background looks the same: the mask counts
    photo[:, :64] = torch.tensor(RED)
    made = with_photo(grey, Target(camera, photo, mask), SIZE)
    seen, inside = render_mesh(made, camera).rgb, mask.clone()
    inside[:, 60:68] = 0  # where the colours meet
    core = -torch.nn.functional.max_pool2d(-inside.permute(0, 3, 1, 2), 7, 1, 3)[0, 0] > 0.99
    assert float((seen - photo)[0][core].abs().mean()) < 0.02
    assert torch.allclose(render_mesh(made, behind).rgb, render_mesh(grey, behind).rgb, atol=0.02)
    nothing = Target(camera, photo, torch.zeros_like(mask))
    assert with_photo(grey, nothing, SIZE) is grey


@cache
def globe() -> Mesh:
    return unwrap(mesh_from_field(lambda p: 0.8 - p.norm(dim=-1), resolution=40, threshold=0.0), size=SIZE)


def shares(mesh: Mesh, camera: Cameras, alpha: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What a picture has to say of each texel [P], where texels lie [P, 3], and the cosine of the view there [P]."""
    fragments = rasterise_uv(mesh, SIZE)
    points = interpolate(fragments, mesh.faces, mesh.vertices)
    normals = torch.nn.functional.normalize(interpolate(fragments, mesh.faces, vertex_normals(mesh)), dim=-1)
    cosine = (torch.nn.functional.normalize(camera.position - points, dim=-1) * normals).sum(-1)
    return view_share(mesh, camera, alpha, SIZE)[:, 0], points, cosine


def test_the_say_of_a_picture_falls_smoothly_with_the_angle() -> None:
    camera = orbit([20.0], 10.0, size=256)
    share, _, cosine = shares(globe(), camera, torch.ones(256, 256, 1))
    near, far = (math.cos(math.radians(angle)) for angle in FADES)
    assert bool((share[cosine > near] == 1).all()) and bool((share[cosine < far] == 0).all())
    order = cosine.argsort()
    steps, apart = share[order].diff(), cosine[order].diff()
    assert float(steps.min()) > -1e-5  # never less for a surface that is seen more from ahead
    assert bool((steps < 1.5 / (near - far) * apart + 1e-5).all())  # the steepest slope of 3 t^2 - 2 t^3
    middle = share[(cosine - (near + far) / 2).abs() < 0.005]
    torch.testing.assert_close(middle, torch.full_like(middle, 0.5), atol=0.03, rtol=0)


def test_the_seam_of_a_photo_is_no_line_where_the_photo_ends_and_where_something_hides_the_surface() -> None:
    grey = replace(globe(), texture=torch.full((SIZE, SIZE, 3), 0.5))
    camera = orbit([0.0], 0.0, size=256)
    mask = torch.zeros(1, 256, 256, 1)
    mask[:, :, :128] = 1  # half of the object, seen from ahead
    made = with_photo(grey, Target(camera, 0.9 * mask.expand(-1, -1, -1, 3), mask), SIZE)
    line = render_mesh(made, camera, samples=4).rgb[0, 128, :, 0]
    torch.testing.assert_close(line[60:118], torch.full((58,), 0.9), atol=1e-3, rtol=0)
    torch.testing.assert_close(line[130:190], torch.full((60,), 0.5), atol=1e-3, rtol=0)
    assert float(line[60:190].diff().abs().max()) < 0.25  # of the 0.4 between photo and rest

    sheet = torch.tensor([[-0.6, 0, -0.6], [0.6, 0, -0.6], [0.6, 0, 0.6], [-0.6, 0, 0.6]])
    uv = torch.tensor([[0.02, 0.48], [0.48, 0.48], [0.48, 0.02], [0.02, 0.02]])
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
    before = sheet * torch.tensor([0.5, 1, 2.0]) - torch.tensor([0.6, 0.3, 0])  # hides the left of the other
    two = Mesh(torch.cat([sheet, before]), torch.cat([faces, faces + 4]), torch.cat([uv, uv + 0.5]))
    share, points, _ = shares(two, camera, torch.ones(256, 256, 1))
    behind = (points[:, 1] > -0.01) & (points[:, 2].abs() < 0.01)
    share, x = share[behind], points[behind][:, 0]
    share = share[x.argsort()]
    assert float(share[0]) == 0 and float(share[-1]) == 1  # hidden, and in the open
    assert float(share.diff().min()) >= 0 and float(share.diff().max()) < 0.5
    assert int(((share > 0) & (share < 1)).sum()) >= 3


def test_a_photo_of_one_colour_leaves_no_rim_of_another() -> None:
    even = replace(unwrapped(), texture=torch.full((SIZE, SIZE, 3), 0.8))
    camera = orbit([0.0], 60.0, size=64)
    mask = (render_mesh(even, camera).alpha > 0.5).float()
    mask[:, :, 40:] = 0  # the photo ends on the object
    photo = 0.8 * mask.expand(-1, -1, -1, 3)  # and is black there, as pictures are where alpha is 0
    made = with_photo(even, Target(camera, photo, mask), SIZE).texture
    assert made is not None
    torch.testing.assert_close(made, torch.full_like(made, 0.8), atol=1e-4, rtol=0)
    # The same for pictures with soft edges over a background, which is what splats give.
    soft = torch.nn.functional.avg_pool2d(mask.permute(0, 3, 1, 2), 5, 1, 2).permute(0, 2, 3, 1)
    over_green = 0.8 * soft + (1 - soft) * torch.tensor([0.0, 1.0, 0.0])
    made = bake_from_views(even, camera, over_green, alpha=soft, background=(0.0, 1.0, 0.0), size=SIZE).texture
    assert made is not None
    torch.testing.assert_close(made, torch.full_like(made, 0.8), atol=1e-4, rtol=0)


def test_bad_bakes_are_refused() -> None:
    with pytest.raises(ValueError, match="unwrap it first"):
        bake_texture(torus_mesh(), position_colour, 64)
    with pytest.raises(ValueError, match="0 faces cannot be unwrapped"):
        unwrap(Mesh(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.long)))
    camera = orbit([0.0], 0.0, size=16)
    with pytest.raises(ValueError, match=r"images must be \[1, 16, 16, 3\]"):
        bake_from_views(unwrapped(), camera, torch.zeros(1, 8, 8, 3))
    away = replace(camera, camera_to_world=camera.camera_to_world @ torch.diag(torch.tensor([1.0, -1, -1, 1])))
    with pytest.raises(ValueError, match="none of 1 views sees any of"):
        bake_from_views(unwrapped(), away, torch.zeros(1, 16, 16, 3), size=64)
    with pytest.raises(ValueError, match="no texel of a 4 px texture"):
        pad_seams(torch.zeros(0, 3), torch.zeros(4, 4, dtype=torch.bool), 2)


def test_interpolated_normals_and_positions_fit_the_torus() -> None:
    mesh = unwrapped()
    fragments = rasterise_uv(mesh, SIZE)
    points = interpolate(fragments, mesh.faces, mesh.vertices)
    assert float(torus(points).abs().max()) < 0.02


def test_same_mesh_same_texture() -> None:
    first, second = (bake_texture(unwrap(torus_mesh(), size=SIZE), position_colour, SIZE) for _ in range(2))
    assert first.uv is not None and second.uv is not None and torch.equal(first.uv, second.uv)
    assert first.texture is not None and second.texture is not None and torch.equal(first.texture, second.texture)
