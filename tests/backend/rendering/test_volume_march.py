"""The compiled marcher against plain torch, finite differences and closed forms."""

from __future__ import annotations

import math

import pytest
import torch

from backend.cameras import Cameras, orbit
from backend.rendering.volume import SAMPLES, volume_renderer
from backend.rendering.volume_shading import ALBEDO, Shading
from backend.representations.radiance_grid import RadianceGrid, blob_grid
from tests.backend.dense_volume import along_y, bumpy_field, constant, looking, render_slowly, told

LIGHT = torch.tensor([0.9, -1.1, 1.3])
SHADINGS = {
    "albedo": ALBEDO,
    "lambertian": Shading("lambertian", LIGHT, ambient=0.2, diffuse=0.7),
    "textureless": Shading("textureless", LIGHT, is_far=True),
}
BLACK = torch.zeros(3)


@pytest.mark.parametrize("name", SHADINGS)
@pytest.mark.parametrize("stratified", [False, True])
def test_images_and_gradients_are_those_of_plain_torch(name: str, stratified: bool) -> None:
    field, cameras = bumpy_field(), looking()
    jitter = torch.rand(2, 7, 7, generator=torch.Generator().manual_seed(4)) if stratified else None
    generator = torch.Generator().manual_seed(4) if stratified else None
    shading = SHADINGS[name]
    weights = torch.randn(2, 7, 7, 11, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    background = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    results = []
    for slow in (False, True):
        behind = background.clone().requires_grad_()
        if slow:
            drawn = render_slowly(
                field, cameras, behind, samples=24, jitter=jitter, shading=None if name == "albedo" else shading
            )
        else:
            render = volume_renderer(field, samples=24, generator=generator, shading=shading)
            drawn = render(cameras, behind, geometry=True)
        seen = told(drawn)
        results.append((seen.detach(), *torch.autograd.grad((seen * weights).sum(), [field.values, behind])))
    assert results[1][0][..., 3].mean() > 0.2 and results[1][0][..., 9].max() > 1e-4  # there is something to see
    for found, wanted in zip(*results, strict=True):
        assert (found - wanted).abs().max() <= 2e-6 * wanted.abs().max()


def test_without_geometry_the_picture_and_its_gradient_are_the_same() -> None:
    field, cameras = bumpy_field(), looking()
    found = []
    for geometry in (False, True):
        drawn = volume_renderer(field, samples=24)(cameras, BLACK, geometry=geometry)
        (gradient,) = torch.autograd.grad((drawn.rgb * drawn.alpha).sum(), [field.values])
        found.append((drawn.rgb, drawn.alpha, gradient))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("channel", range(5), ids=["density", "red", "green", "blue", "all"])
def test_gradients_are_finite_differences(channel: int) -> None:
    field, cameras = bumpy_field(seed=3), looking(9)
    generator = torch.Generator().manual_seed(2)
    weights = torch.randn(2, 9, 9, 11, generator=generator, dtype=torch.float64)
    weights[..., 9] = 0  # the weights' gradient is stopped in the orientation, as its own test says
    direction = torch.randn(field.values.shape, generator=generator, dtype=torch.float64)
    if channel < 4:
        direction[..., [c for c in range(4) if c != channel]] = 0

    def loss(amount: float) -> torch.Tensor:
        moved = RadianceGrid(field.values + amount * direction, field.background_logits)
        drawn = volume_renderer(moved, samples=24, shading=SHADINGS["lambertian"])(cameras, BLACK, geometry=True)
        return (told(drawn) * weights).sum()

    (slope,) = torch.autograd.grad(loss(0.0), [field.values])
    step = 1e-6
    difference = (loss(step) - loss(-step)).detach() / (2 * step)
    torch.testing.assert_close((slope * direction).sum(), difference, rtol=2e-5, atol=1e-7)


def test_single_precision_stays_close_to_double() -> None:
    cameras = looking(12)
    found = []
    for dtype in (torch.float32, torch.float64):
        field = bumpy_field(dtype=dtype)
        drawn = volume_renderer(field)(cameras, BLACK, geometry=True)
        seen = told(drawn)
        (gradient,) = torch.autograd.grad(seen[..., :4].sum(), [field.values])
        found.append((seen.double()[..., :5], gradient.double()))
    for single, double in zip(*found, strict=True):
        assert (single - double).abs().max() <= 1e-3 * double.abs().max()


@pytest.mark.parametrize("density", [0.05, 1.0, 3.0])
@pytest.mark.parametrize("samples", [7, 96])
def test_a_homogeneous_box_follows_beer_and_lambert(density: float, samples: int) -> None:
    drawn = volume_renderer(constant(density), samples=samples)(along_y(), BLACK, geometry=True)
    opacity = 1 - math.exp(-density * 2.0)
    assert drawn.alpha[0, 2, 2, 0].item() == pytest.approx(opacity, abs=1e-7)
    colour = 1 / (1 + math.exp(-1))
    assert drawn.rgb[0, 2, 2, 1].item() == pytest.approx(colour * opacity, abs=1e-7)


def test_the_expected_depth_of_a_homogeneous_box_is_its_closed_form() -> None:
    density, side = 1.5, 2.0
    drawn = volume_renderer(constant(density), samples=2000)(along_y(distance=3.0), BLACK, geometry=True)
    opacity = 1 - math.exp(-density * side)
    depth = 2.0 + 1 / density - side * math.exp(-density * side) / opacity
    assert drawn.depth[0, 2, 2, 0].item() == pytest.approx(depth, abs=1e-5)
    mean_square = (2 / density**2) - math.exp(-density * side) * (side**2 + 2 * side / density + 2 / density**2)
    variance = mean_square - opacity * (depth - 2.0) ** 2
    assert drawn.variance[0, 2, 2, 0].item() == pytest.approx(variance, abs=1e-5)


def test_where_in_its_stretch_a_sample_lies_does_not_change_what_a_homogeneous_box_shows() -> None:
    field, cameras = constant(0.8), looking(6)
    plain = volume_renderer(field, samples=11)(cameras, BLACK)
    drawn = volume_renderer(field, samples=31, generator=torch.Generator().manual_seed(0))(cameras, BLACK)
    torch.testing.assert_close(drawn.rgb, plain.rgb, atol=1e-6, rtol=0)
    torch.testing.assert_close(drawn.alpha, plain.alpha, atol=1e-6, rtol=0)


def test_a_homogeneous_box_has_the_distortion_of_its_exponential_weights() -> None:
    density, side = 1.5, 2.0
    drawn = volume_renderer(constant(density), samples=4000)(along_y(), BLACK, geometry=True)
    t = (torch.arange(4000, dtype=torch.float64) + 0.5) * side / 4000
    weights = density * torch.exp(-density * t) * side / 4000
    pairs = (weights[:, None] * weights * (t[:, None] - t).abs()).sum() / (2 * math.sqrt(3))
    assert drawn.distortion[0, 2, 2, 0].item() == pytest.approx(pairs.item(), rel=1e-3)


def test_what_is_culled_takes_less_than_a_thousandth_of_any_rays_opacity() -> None:
    cameras = orbit([0.0, 70.0], [10.0, 40.0], size=24)
    field = blob_grid(17, strength=30.0)
    everywhere = RadianceGrid(field.values.clone(), field.background_logits)
    thin = everywhere.values[..., 0] < -11.9
    everywhere.values[..., 0] = torch.where(thin, -11.9, everywhere.values[..., 0])  # just above what is culled
    field.values[..., 0] = torch.where(thin, -12.1, field.values[..., 0])
    culled, whole = (volume_renderer(f)(cameras, BLACK).alpha for f in (field, everywhere))
    assert 0 <= float((whole - culled).max()) < 1e-3 and whole.max() > 0.9


def test_a_ray_beside_the_box_and_an_empty_box_show_the_background() -> None:
    field = blob_grid(5)
    field.values[..., 0] = -20
    background = torch.tensor([[0.2, 0.4, 0.6], [1.0, 0.0, 0.5]])
    drawn = volume_renderer(field.requires_grad_())(looking(4), background, geometry=True)
    assert torch.equal(drawn.rgb, background[:, None, None].expand(2, 4, 4, 3)) and not drawn.alpha.any()
    (gradient,) = torch.autograd.grad(told(drawn).sum(), [field.values])
    assert not gradient.any()


def test_seen_from_inside_only_what_is_ahead_counts() -> None:
    field = constant(0.7)
    pose = torch.eye(4)[None].clone()
    pose[0, :3, 3] = torch.tensor([0.0, 0.0, 0.5])  # looks along +z, half a unit of the box ahead
    cameras = Cameras(pose, along_y().intrinsics, 5, 5)
    drawn = volume_renderer(field)(cameras, BLACK)
    assert drawn.alpha[0, 2, 2, 0].item() == pytest.approx(1 - math.exp(-0.35), abs=1e-6)


def test_broken_numbers_are_seen_as_nothing_and_broken_cameras_are_refused() -> None:
    field = blob_grid(9)
    field.values[4, 4, 4] = torch.nan
    drawn = volume_renderer(field)(looking(8), BLACK)
    assert drawn.alpha.isfinite().all()
    cameras = looking(4)
    with pytest.raises(ValueError, match="not finite"):
        volume_renderer(field)(
            Cameras(cameras.camera_to_world * torch.nan, cameras.intrinsics, cameras.width, cameras.height), BLACK
        )
    with pytest.raises(ValueError, match="background"):
        volume_renderer(field)(cameras, torch.zeros(4))


def test_normals_of_a_ball_point_away_from_its_middle() -> None:
    size = 33
    field = blob_grid(size, radius=0.6)
    drawn = volume_renderer(field, samples=4 * SAMPLES)(orbit([0.0], 0.0, size=21), BLACK, geometry=True)
    solid = drawn.alpha[0, ..., 0] > 0.9
    rows, columns = torch.nonzero(solid, as_tuple=True)
    assert len(rows) > 20
    normal = drawn.normal[0, rows, columns]
    assert (normal[:, 1] < 0).all()  # towards the camera in front
    right = columns - 10
    assert (normal[right < -1, 0] < 0).all() and (normal[right > 1, 0] > 0).all()
    middle = drawn.normal[0, 10, 10]
    torch.testing.assert_close(middle, torch.tensor([0.0, -1.0, 0.0]), atol=0.02, rtol=0)
