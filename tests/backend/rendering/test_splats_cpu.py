"""The rasteriser against references: gsplat, a dense version in float64, and finite differences."""

from __future__ import annotations

import pytest
import torch

from backend.cameras import Cameras, orbit
from backend.rendering.splats import render_with_gsplat, render_with_numba
from backend.representations.gaussians import Gaussians
from tests.backend.dense_splats import render_densely
from tests.backend.rendering.splat_scenes import BLACK, cloud, everything, slope

SCENES = {
    "translucent": {"opacity": 0.3},
    "opaque": {"opacity": 0.97, "count": 90},
    "needles": {"opacity": 0.6, "stretch": 1.3},
    "harmonics": {"degree": 2},
}


def assert_relative(found: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor], tolerance: float) -> None:
    assert found.keys() == wanted.keys()
    for name, reference in wanted.items():
        error = (found[name].double() - reference).abs().max() / reference.abs().max()
        assert error <= tolerance, f"{name}: {error:.1e}"


@pytest.mark.parametrize("antialiased", [False, True])
@pytest.mark.parametrize("scene", SCENES)
def test_double_precision_agrees_with_the_dense_reference(scene: str, antialiased: bool) -> None:
    cameras = orbit([0.0, 130.0], [15.0, -30.0], size=37)  # not a multiple of the tile
    found, wanted = (
        everything(render, cloud(**SCENES[scene], dtype=torch.float64), cameras, True, antialiased=antialiased)
        for render in (render_with_numba, render_densely)
    )
    assert_relative(found, wanted, 1e-5)


@pytest.mark.parametrize("antialiased", [False, True])
@pytest.mark.parametrize("geometry", [False, True])
@pytest.mark.parametrize("scene", SCENES)
def test_single_precision_stays_within_a_thousandth(scene: str, geometry: bool, antialiased: bool) -> None:
    cameras, options = orbit([0.0, 130.0], [15.0, -30.0], size=37), {"antialiased": antialiased}
    found = everything(render_with_numba, cloud(**SCENES[scene]), cameras, geometry, **options)
    wanted = everything(render_densely, cloud(**SCENES[scene], dtype=torch.float64), cameras, geometry, **options)
    assert_relative(found, wanted, 1e-3)


def test_a_wide_image_with_splats_over_its_edges_agrees_with_the_dense_reference() -> None:
    cameras = orbit([20.0], 10.0, distance=1.3, size=21)
    cameras = Cameras(cameras.camera_to_world, cameras.intrinsics, width=40, height=21)
    found, wanted = (
        everything(render, cloud(dtype=torch.float64), cameras, True) for render in (render_with_numba, render_densely)
    )
    assert_relative(found, wanted, 1e-5)


@pytest.mark.parametrize("antialiased", [False, True])
@pytest.mark.parametrize("name", ["means", "log_scales", "quaternions", "opacity_logits", "sh"])
def test_gradients_are_finite_differences(name: str, antialiased: bool) -> None:
    cameras = orbit([30.0], 20.0, size=16)
    generator = torch.Generator().manual_seed(2)
    weights = torch.randn(1, 16, 16, 8, generator=generator, dtype=torch.float64)
    gaussians = cloud(6, degree=1, dtype=torch.float64)
    direction = torch.randn(gaussians.parameters()[name].shape, generator=generator, dtype=torch.float64)

    def loss(amount: float) -> torch.Tensor:
        moved = cloud(6, degree=1, dtype=torch.float64)
        setattr(moved, name, gaussians.parameters()[name] + amount * direction)
        drawn = render_with_numba(moved, cameras, BLACK, geometry=True, antialiased=antialiased)
        return (torch.cat([drawn.rgb, drawn.alpha, drawn.depth, drawn.normal], -1) * weights).sum()

    loss(0.0).backward()
    analytic = (slope(gaussians.parameters()[name]) * direction).sum()
    step = 1e-6
    difference = (loss(step) - loss(-step)).detach() / (2 * step)
    torch.testing.assert_close(analytic, difference, rtol=1e-5, atol=1e-6)


@pytest.mark.gpu
@pytest.mark.filterwarnings("default")  # gsplat compiles and imports, and has warnings of its own
@pytest.mark.parametrize("antialiased", [False, True])
@pytest.mark.parametrize("geometry", [False, True])
@pytest.mark.parametrize("scene", SCENES)
def test_gsplat_on_the_gpu_draws_the_same(scene: str, geometry: bool, antialiased: bool) -> None:
    cameras, options = orbit([0.0, 130.0], [15.0, -30.0], size=37), {"antialiased": antialiased}
    wanted = everything(render_densely, cloud(**SCENES[scene], dtype=torch.float64), cameras, geometry, **options)
    found = everything_on_gpu(cloud(**SCENES[scene]), cameras, geometry, **options)
    assert_relative({name: value.cpu() for name, value in found.items()}, wanted, 2e-3)


def everything_on_gpu(
    gaussians: Gaussians, cameras: Cameras, geometry: bool, **options: bool
) -> dict[str, torch.Tensor]:
    def render(gaussians: Gaussians, cameras: Cameras, background: torch.Tensor, **options: bool):
        return render_with_gsplat(gaussians, cameras.to("cuda"), background.to("cuda"), **options)

    return everything(render, gaussians.to("cuda").requires_grad_(), cameras, geometry, **options)
