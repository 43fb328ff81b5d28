"""The rasteriser's behaviour: numbers computed by hand, order, threads, culling, depth and normals, bad input."""

from __future__ import annotations

import math
import sys
import types
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from backend.cameras import Cameras, orbit
from backend.rendering import splats
from backend.rendering.splats import (
    SplatRendering,
    facing_normals,
    render_on_the_processor,
    render_with_gsplat,
    render_with_numba,
    renderer_for,
    screen_gradients,
    splat_renderer,
)
from backend.representations.gaussians import Gaussians, ball_of_points, gaussians_from_points
from tests.backend.rendering.splat_scenes import BLACK, cloud, everything, joined, looking_along_z, single, slope


def test_one_round_gaussian_is_drawn_as_computed_by_hand() -> None:
    # focal 20, z 2, scale 0.1: one pixel of deviation; with the blur, variance 1 + 0.3 square pixels.
    drawn = render_with_numba(single((0.0, 0.0, 2.0), 0.1, 0.5), looking_along_z(), torch.ones(3))
    alpha = drawn.alpha[0, ..., 0]
    for right, down in ((0, 0), (1, 0), (0, 2), (-1, 1)):
        wanted = 0.5 * math.exp(-(right**2 + down**2) / 2 / 1.3)
        assert alpha[8 + down, 8 + right].item() == pytest.approx(wanted, rel=1e-4)
    # Under 1/255 where exp(-r^2 / 2.6) < 2 / 255, that is beyond 3.55 pixels.
    assert alpha[8, 11] > 0 and alpha[8, 12] == 0
    assert drawn.rgb[0, 8, 8].tolist() == pytest.approx([1.0, 0.75, 0.625], rel=1e-5)
    assert drawn.radii[0, 0].tolist() == [4.0, 4.0]


@pytest.mark.parametrize("size", [48, 96, 192])
def test_what_a_small_splat_covers_does_not_depend_on_the_size_of_the_picture(size: int) -> None:
    # Its light is the integral of a Gaussian, but for pixels below 1/255. Classic, 48 px: 7 times as much.
    camera, scale, opacity = orbit([30.0], 20.0, size=size), 0.01, 0.9
    variance = (scale * float(camera.intrinsics[0, 0, 0]) / float(camera.position.norm())) ** 2
    gaussian = single((0.0, 0.0, 0.0), scale, opacity)
    light = float(splat_renderer(gaussian)(camera, BLACK).alpha.sum())
    assert light == pytest.approx(2 * math.pi * variance * opacity, rel=0.12)
    classic = float(render_with_numba(gaussian, camera, BLACK).alpha.sum())
    assert classic == pytest.approx(2 * math.pi * (variance + 0.3) * opacity, rel=0.02)


def test_the_same_input_gives_the_same_bytes_with_any_number_of_threads() -> None:
    cameras, threads = orbit([0.0, 90.0, 180.0], 15.0, size=48), torch.get_num_threads()
    results = []
    for count in (1, 2, 2):
        torch.set_num_threads(count)
        results.append(everything(render_with_numba, cloud(300), cameras, True))
        assert torch.get_num_threads() == count, "rendering must leave torch's threads alone"
    torch.set_num_threads(threads)
    for other in results[1:]:
        assert all(torch.equal(results[0][name], other[name]) for name in other)


def test_views_of_a_batch_are_drawn_as_each_alone() -> None:
    cameras, gaussians = orbit([0.0, 90.0, 180.0], [0.0, 30.0, 60.0], size=32), cloud(degree=1)
    together = render_with_numba(gaussians, cameras, BLACK, geometry=True)
    for view, camera in enumerate(cameras):
        alone = render_with_numba(gaussians, camera, BLACK, geometry=True)
        for name in ("rgb", "alpha", "depth", "normal"):
            assert torch.equal(getattr(together, name)[view], getattr(alone, name)[0]), name


def wall(tilt_degrees: float) -> Gaussians:
    """Return a wall of flat, opaque discs through (0, 0, 4), turned about the y axis so that z grows with x."""
    along, down = torch.meshgrid(torch.linspace(-2, 2, 41), torch.linspace(-2, 2, 41), indexing="ij")
    tilt = math.radians(tilt_degrees)
    points = torch.stack([along * math.cos(tilt), down, 4 + along * math.sin(tilt)], dim=-1).reshape(-1, 3)
    discs = gaussians_from_points(points, torch.full((len(points), 3), 0.5), opacity=0.9)
    discs.log_scales = torch.tensor([0.08, 0.08, 0.001]).log().repeat(len(points), 1)
    discs.quaternions = torch.tensor([math.cos(-tilt / 2), 0.0, math.sin(-tilt / 2), 0.0]).repeat(len(points), 1)
    return discs


def test_depth_is_camera_z_not_distance() -> None:
    drawn = render_with_numba(wall(0.0), looking_along_z(21, focal=30.0), BLACK, geometry=True)
    assert (drawn.alpha > 0.99).all()
    torch.testing.assert_close(drawn.depth, torch.full_like(drawn.depth, 4.0))
    torch.testing.assert_close(drawn.normal, torch.tensor([0.0, 0.0, -1.0]).expand_as(drawn.normal))


def test_depth_and_normal_of_a_tilted_wall() -> None:
    drawn = render_with_numba(wall(45.0), looking_along_z(21, focal=30.0), BLACK, geometry=True)
    # The ray through the pixel 5 right of the centre has x = z / 6 and meets the wall z = 4 + x at 4.8; 5 left, 24/7.
    # Discs overlap by a tenth of a unit, so that nearer ones win everywhere, by some hundredths more or less.
    left, middle, right = drawn.depth[0, 10, [5, 10, 15], 0].tolist()
    assert (right - middle, middle - left) == pytest.approx((0.8, 4 - 24 / 7), abs=0.08)
    wanted = torch.tensor([1.0, 0.0, -1.0]).div(math.sqrt(2)).expand(11, 11, 3)
    torch.testing.assert_close(drawn.normal[0, 5:16, 5:16], wanted, rtol=0, atol=1e-5)


def test_depth_and_normal_are_zero_and_have_finite_gradients_where_alpha_is_zero() -> None:
    gaussians = single((0.0, 0.0, 2.0), 0.1, 0.5).requires_grad_()
    drawn = render_with_numba(gaussians, looking_along_z(), BLACK, geometry=True)
    empty = drawn.alpha[..., 0] == 0
    assert empty.any() and not empty.all()
    assert (drawn.depth[empty] == 0).all() and (drawn.normal[empty] == 0).all()
    torch.testing.assert_close(drawn.depth[~empty], torch.full_like(drawn.depth[~empty], 2.0))
    (drawn.depth.sum() + drawn.normal.sum()).backward()
    assert all(value.grad is None or value.grad.isfinite().all() for value in gaussians.parameters().values())
    assert gaussians.means.grad is not None and gaussians.means.grad[0, 2] != 0


def test_normals_face_the_camera() -> None:
    gaussians, cameras = cloud(), orbit([0.0, 180.0], 20.0, size=16)
    normals = facing_normals(gaussians, cameras.position)
    towards = cameras.position[:, None] - gaussians.means
    assert ((normals * towards).sum(-1) >= 0).all()
    torch.testing.assert_close(normals.norm(dim=-1), torch.ones(2, 60))


def test_screen_gradients_are_those_of_moving_the_image() -> None:
    # Shifting the principal point shifts every splat: the sum of screen gradients is the slope along it.
    gaussians, cameras = cloud(dtype=torch.float64), orbit([40.0], 10.0, size=24)
    weights = torch.randn(1, 24, 24, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)

    def draw(shift: float) -> SplatRendering:
        intrinsics = cameras.intrinsics.double().clone()
        intrinsics[:, 0, 2] += shift
        moved = Cameras(cameras.camera_to_world.double(), intrinsics, 24, 24)
        return render_with_numba(gaussians, moved, BLACK)

    drawn = draw(0.0)
    (drawn.rgb * weights).sum().backward()
    step = 1e-6
    difference = ((draw(step).rgb - draw(-step).rgb) * weights).sum() / (2 * step)
    found = slope(drawn.screen_points)
    torch.testing.assert_close(found[0, :, 0].sum(), difference.detach(), rtol=1e-5, atol=1e-6)
    assert torch.equal(screen_gradients(drawn, cameras), found * 12.0), "half of the image's 24 pixels, one camera"


def test_what_lies_behind_or_is_not_finite_is_culled_and_disturbs_nothing() -> None:
    cameras = orbit([0.0], 10.0, size=24)
    good = cloud(20)
    bad = [single((0.0, -50.0, 0.0), 0.1, 0.9)]  # behind the camera
    for name in good.parameters():
        for value in (math.nan, math.inf, -math.inf):
            broken = single((0.1, 0.1, 0.1), 0.1, 0.9)
            broken.parameters()[name].view(-1)[0] = value
            if name != "sh" and (name, value) != ("opacity_logits", math.inf):
                bad.append(broken)
    mixed = joined(*bad[:5], good, *bad[5:]).requires_grad_()
    drawn = render_with_numba(mixed, cameras, BLACK, geometry=True)
    alone = render_with_numba(good, cameras, BLACK, geometry=True)
    flat = mixed.log_scales.detach().isneginf().any(-1)  # a scale of zero is a disc, and is drawn
    others = torch.arange(len(mixed))[(torch.arange(len(mixed)) < 5) | (torch.arange(len(mixed)) >= 25)]
    assert not drawn.visible[0, [i for i in others.tolist() if not flat[i]]].any()
    assert torch.equal(drawn.visible[0, 5:25], alone.visible[0])
    drawn.rgb.sum().backward()
    for value in mixed.parameters().values():
        assert value.grad is not None and value.grad[5:25].isfinite().all()


def test_an_empty_view_shows_the_background() -> None:
    gaussians = single((0.0, 0.0, -2.0), 0.1, 0.9).requires_grad_()
    drawn = render_with_numba(gaussians, looking_along_z(), torch.tensor([0.2, 0.4, 0.6]), geometry=True)
    assert (drawn.rgb == torch.tensor([0.2, 0.4, 0.6])).all() and (drawn.alpha == 0).all()
    (drawn.rgb.sum() + drawn.depth.sum()).backward()
    assert (gaussians.means.grad == 0).all()


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Small work on a busy machine: threads would wait for one another most of the time."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
def test_four_views_of_a_disc_are_fitted_above_30_db() -> None:
    # A flat disc of radius 0.6 in the xz plane: blue core, orange rim; from the side it is a thin line.
    generator = torch.Generator().manual_seed(0)
    angle, radius = (
        2 * math.pi * torch.rand(4000, generator=generator),
        0.6 * torch.rand(4000, generator=generator).sqrt(),
    )
    points = torch.stack([radius * angle.cos(), torch.zeros(4000), radius * angle.sin()], dim=-1)
    colours = torch.where(radius[:, None] < 0.3, torch.tensor([0.1, 0.3, 0.9]), torch.tensor([0.9, 0.5, 0.1]))
    disc = gaussians_from_points(points, colours, opacity=0.9)
    cameras, white = orbit([-60.0, -20.0, 20.0, 60.0], 10.0, size=64), torch.ones(3)
    target = render_with_numba(disc, cameras, white).rgb
    start = ball_of_points(500, 0.7, generator)
    fitted = gaussians_from_points(start, torch.full((500, 3), 0.5)).requires_grad_()
    groups = [
        {"params": [value], "lr": rate}
        for value, rate in zip(fitted.parameters().values(), (5e-3, 2e-2, 1e-2, 5e-2, 5e-2), strict=True)
    ]
    optimiser = torch.optim.Adam(groups)
    for _ in range(300):
        optimiser.zero_grad()
        (render_with_numba(fitted, cameras, white).rgb - target).square().mean().backward()
        optimiser.step()
    error = (render_with_numba(fitted, cameras, white).rgb - target).square().mean()
    assert -10 * math.log10(error.item()) > 30


def test_bad_input_is_answered_with_a_sentence() -> None:
    with pytest.raises(ValueError, match=r"\(4,\)"):
        render_with_numba(cloud(), orbit([0.0, 90.0], 0.0, size=8), torch.zeros(4))
    drawn = render_with_numba(cloud(), orbit([0.0], 0.0, size=8), BLACK)
    with pytest.raises(ValueError, match="geometry=True"):
        _ = drawn.depth
    with pytest.raises(ValueError, match="backward"):
        screen_gradients(drawn, orbit([0.0], 0.0, size=8))
    with pytest.raises(ValueError, match="meta"):
        renderer_for("meta")


def test_other_devices_draw_on_the_processor_with_the_same_pixels_and_gradients() -> None:
    drawn = []
    for engine in (render_with_numba, render_on_the_processor):
        gaussians = cloud(50).requires_grad_()
        cameras = orbit([0.0, 90.0], 15.0, size=24)
        rendering = engine(gaussians, cameras, torch.ones(3), geometry=True, antialiased=True)
        (rendering.rgb.square().sum() + rendering.alpha.sum()).backward()
        gradients = [value.grad for value in gaussians.parameters().values()]
        assert rendering.sums is not None and rendering.screen_points.grad is not None
        drawn.append([rendering.rgb, rendering.sums, rendering.radii, rendering.screen_points.grad, *gradients])
    for ours, theirs in zip(*drawn, strict=True):
        assert (ours is None and theirs is None) or torch.equal(ours, theirs)  # pyright: ignore
    assert sum(gradient is not None and gradient.abs().sum() > 0 for gradient in drawn[1][4:]) >= 4


def test_each_device_has_an_engine_and_gsplat_only_where_it_works(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(**backend: Any) -> str:
        splats.why_no_gsplat.cache_clear()
        monkeypatch.setitem(sys.modules, "gsplat.cuda._backend", types.SimpleNamespace(**backend))
        return splats.why_no_gsplat()

    monkeypatch.setitem(sys.modules, "gsplat", types.ModuleType("gsplat"))
    monkeypatch.setitem(sys.modules, "gsplat.cuda", types.ModuleType("gsplat.cuda"))
    try:
        assert answer(_C=object()) == "" and renderer_for("cuda") is render_with_gsplat
        assert "there is no compiler" in answer(_C=None) and renderer_for("cuda") is render_on_the_processor
        assert "Splats are drawn on the processor" in caplog.text
        assert "AttributeError" in answer()  # whatever goes wrong
        monkeypatch.setattr(torch.version, "hip", "6.4", raising=False)
        assert "NVIDIA's cards" in answer(_C=object())
        assert renderer_for("mps") is render_on_the_processor and renderer_for("cpu") is render_with_numba
    finally:
        splats.why_no_gsplat.cache_clear()
