"""The projection of Gaussians against gsplat's, and the constants of both."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.cameras import Cameras, orbit
from backend.rendering import splats_blend, splats_projection
from backend.representations.gaussians import Gaussians
from tests.backend.rendering.splat_scenes import cloud


def test_projection_agrees_with_gsplat() -> None:
    reference = pytest.importorskip("gsplat.cuda._torch_impl", reason="gsplat is not installed")
    gaussians = cloud(200, opacity=0.9).requires_grad_(False)
    cameras = orbit([0.0, 75.0, 200.0], [0.0, 40.0, -20.0], distance=2.0, size=48)
    covariances = reference._quat_scale_to_covar_preci(gaussians.quaternions, gaussians.scales)[0]
    radii, means2d, depths, conics, _ = reference._fully_fused_projection(
        gaussians.means, covariances, cameras.world_to_camera, cameras.intrinsics, 48, 48
    )
    splats, found_depths, reach = project(gaussians, cameras)
    seen = reach[..., 0] > 0
    assert seen.sum() > 400
    for found, wanted in ((splats[..., :2], means2d), (splats[..., 2:5], conics), (found_depths, depths)):
        torch.testing.assert_close(found[seen], wanted[seen], rtol=1e-4, atol=1e-4)
    # gsplat's torch code takes 3.33 deviations, its kernels and ours stop earlier where alpha falls below 1/255.
    cut = (2 * (255 * gaussians.opacities).log()).sqrt()
    assert cut.max() < 3.33
    assert (reach.ceil() <= radii)[seen].all()
    torch.testing.assert_close(
        reach[seen] / cut.expand(3, -1)[seen][:, None], radii[seen] / 3.33, rtol=0, atol=1 / 3.33 + 1e-3
    )
    assert (~seen & (radii > 0).all(-1) & (gaussians.opacities > 0.02)).sum() <= 10, "only at the image's edge"


def project(gaussians: Gaussians, cameras: Cameras) -> tuple[torch.Tensor, ...]:
    """Run the projection kernel: splats [B, N, 9], depths [B, N], reach [B, N, 2]."""
    views, count = len(cameras), len(gaussians)
    shape = (cameras.world_to_camera.numpy(), cameras.intrinsics.numpy(), cameras.width, cameras.height)
    table = splats_projection.camera_table(*shape)
    splats = np.zeros((views * count, 9), np.float32)
    depths, reach = np.zeros(views * count, np.float32), np.zeros((views * count, 2), np.float32)
    parameters = (gaussians.means, gaussians.quaternions, gaussians.scales, gaussians.opacities)
    arrays = [value.numpy() for value in (*parameters, gaussians.colours(cameras.position))]
    splats_projection.project(*arrays, table, False, splats, depths, reach)
    return tuple(torch.from_numpy(value).unflatten(0, (views, count)) for value in (splats, depths, reach))


def test_constants_are_those_of_the_installed_gsplat() -> None:
    spec = importlib.util.find_spec("gsplat")
    if spec is None or spec.origin is None:
        pytest.skip("gsplat is not installed")
    source = Path(spec.origin).parent
    blend = (source / "cuda/csrc/RasterizeToPixels3DGSFwd.cu").read_text()
    rendering = (source / "rendering.py").read_text()
    assert "#define ALPHA_THRESHOLD (1.f / 255.f)" in (source / "cuda/include/Common.h").read_text()
    assert "min(0.999f, opac * __expf(-sigma))" in blend
    assert "next_T <= 1e-4f" in blend
    assert "eps2d: float = 0.3" in rendering and "near_plane: float = 0.01" in rendering
    ours = (splats_projection.ALPHA_THRESHOLD, splats_blend.MAX_ALPHA, splats_blend.TRANSMITTANCE_STOP)
    assert ours == tuple(np.float32(value) for value in (1 / 255, 0.999, 1e-4))
    assert (splats_projection.EPS2D, splats_projection.NEAR_PLANE) == (np.float32(0.3), np.float32(0.01))
