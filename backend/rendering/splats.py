"""Render Gaussians: one signature over gsplat on CUDA and our own tiled rasteriser on the CPU, which serves others."""

from __future__ import annotations

import importlib
import logging
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Protocol

import torch
from torch import Tensor

from backend.cameras import Cameras
from backend.rendering.renderer import Rendering
from backend.representations.gaussians import Gaussians

_log = logging.getLogger(__name__)


@dataclass
class SplatRendering(Rendering):
    """A rendering of N Gaussians, with what density control wants to know of each."""

    screen_points: Tensor  # [B, N, 2]: after backward(), .grad holds d(loss) / d(projected means) in pixels
    radii: Tensor  # [B, N, 2], pixels to either side; 0 where the camera does not see the Gaussian

    @property
    def visible(self) -> Tensor:
        """Return which camera sees which Gaussian, [B, N] bool."""
        return (self.radii > 0).all(-1)


class SplatEngine(Protocol):
    """Draw Gaussians, all on one device; otherwise as `Renderer`.

    Each splat is widened by a low-pass of 0.3 square pixels. That adds to what it covers, the more the smaller it is;
    `antialiased`, its opacity is lowered so that it does not.
    """

    def __call__(
        self,
        gaussians: Gaussians,
        cameras: Cameras,
        background: Tensor,
        *,
        geometry: bool = False,
        antialiased: bool = False,
    ) -> SplatRendering: ...


class SplatRenderer(Protocol):
    """A `Renderer` of the Gaussians that it was made for, as they are when it is called."""

    def __call__(self, cameras: Cameras, background: Tensor, *, geometry: bool = False) -> SplatRendering: ...


def splat_renderer(gaussians: Gaussians) -> SplatRenderer:
    """Return what draws these Gaussians, antialiased, by the engine of their device.

    Fitted so, they are as large in themselves as they look, and can be drawn at any size: docs/decisions/0018.
    """
    return partial(renderer_for(gaussians.means.device), gaussians, antialiased=True)


def renderer_for(device: torch.device | str) -> SplatEngine:
    """Return the engine for a device: gsplat on NVIDIA's cards where it works, else numba on the processor."""
    kind = torch.device(device).type
    if kind == "meta":
        raise ValueError("Gaussians on 'meta' have no numbers, and cannot be rendered.")
    if kind == "cuda" and not why_no_gsplat():
        return render_with_gsplat
    return render_with_numba if kind == "cpu" else render_on_the_processor


@lru_cache(maxsize=1)
def why_no_gsplat() -> str:
    """Return why gsplat does not draw here, nothing where it does; said once in the log.

    The first call may compile its kernels for minutes. Without NVIDIA's compiler it imports and has none.
    """
    reason = ""
    if getattr(torch.version, "hip", None):
        reason = "its kernels are for NVIDIA's cards"
    else:
        try:
            backend: Any = importlib.import_module("gsplat.cuda._backend")
            reason = "" if backend._C is not None else "its kernels are not compiled, and there is no compiler"
        except Exception as error:  # noqa: BLE001 - whatever a compiler does, the processor can draw
            reason = f"{type(error).__name__}: {str(error).splitlines()[0][:160] if str(error) else ''}"
    if reason:
        _log.warning("Splats are drawn on the processor, which is slower; gsplat does not work: %s", reason)
    return reason


def render_on_the_processor(
    gaussians: Gaussians, cameras: Cameras, background: Tensor, *, geometry: bool = False, antialiased: bool = False
) -> SplatRendering:
    """Draw Gaussians of any device with numba, there and back with their gradients; see `SplatEngine`."""
    here = Gaussians(**{name: value.cpu() for name, value in gaussians.parameters().items()})
    drawn = render_with_numba(here, cameras.to("cpu"), background.cpu(), geometry=geometry, antialiased=antialiased)
    device = gaussians.means.device
    sums = None if drawn.sums is None else drawn.sums.to(device)
    # The screen points stay where their gradient comes to lie.
    return SplatRendering(
        drawn.rgb.to(device), drawn.alpha.to(device), sums, drawn.screen_points, drawn.radii.to(device)
    )


def render_with_numba(
    gaussians: Gaussians, cameras: Cameras, background: Tensor, *, geometry: bool = False, antialiased: bool = False
) -> SplatRendering:
    """Draw on the CPU; see `SplatEngine`."""
    from backend.rendering.splats_cpu import RasteriseSplats  # here, because numba takes half a second to import

    means = gaussians.means
    screen_points = _screen_points(gaussians, cameras)
    rgb, alpha, sums, radii = RasteriseSplats.apply(  # pyright: ignore[reportGeneralTypeIssues]
        means,
        gaussians.quaternions,
        gaussians.scales,
        gaussians.opacities,
        gaussians.colours(cameras.position.to(means)),
        _per_view(background, cameras).to(means),
        screen_points,
        cameras.world_to_camera.to(means),
        cameras.intrinsics.to(means),
        cameras.width,
        cameras.height,
        geometry,
        antialiased,
    )
    return SplatRendering(rgb, alpha, sums if geometry else None, screen_points, radii.ceil())


def render_with_gsplat(
    gaussians: Gaussians, cameras: Cameras, background: Tensor, *, geometry: bool = False, antialiased: bool = False
) -> SplatRendering:
    """Draw on a CUDA device; see `SplatEngine`."""
    from gsplat import rasterization

    means, views, count = gaussians.means, len(cameras), len(gaussians)
    world_to_camera = cameras.world_to_camera.to(means)
    background = _per_view(background, cameras).to(means)
    channels = gaussians.colours(cameras.position.to(means)).expand(views, count, 3)
    if geometry:
        channels = torch.cat([channels, facing_normals(gaussians, cameras.position.to(means))], dim=-1)  # [B, N, 6]
        background = torch.nn.functional.pad(background, (0, 3))
    image, alpha, meta = rasterization(
        means=means,
        quats=gaussians.quaternions,
        scales=gaussians.scales,
        opacities=gaussians.opacities,
        colors=channels,
        viewmats=world_to_camera,
        Ks=cameras.intrinsics.to(means),
        width=cameras.width,
        height=cameras.height,
        packed=False,  # so that radii and screen gradients are [B, N, ...]
        backgrounds=background,
        render_mode="RGB+D" if geometry else "RGB",
        rasterize_mode="antialiased" if antialiased else "classic",
    )
    screen_points = meta["means2d"]  # [B, N, 2]
    if screen_points.requires_grad:
        screen_points.retain_grad()
    sums = torch.cat([image[..., 6:], image[..., 3:6]], dim=-1) if geometry else None
    return SplatRendering(image[..., :3], alpha, sums, screen_points, meta["radii"])


def facing_normals(gaussians: Gaussians, camera_positions: Tensor) -> Tensor:
    """Return each Gaussian's shortest axis in world space, turned towards cameras at [B, 3]: [B, N, 3], unit length."""
    shortest = gaussians.log_scales.argmin(-1)  # [N]
    axes = gaussians.rotations.gather(2, shortest[:, None, None].expand(-1, 3, 1)).squeeze(-1)  # [N, 3]
    away = ((gaussians.means - camera_positions[:, None]) * axes).sum(-1, keepdim=True) > 0  # [B, N, 1]
    return torch.where(away, -axes, axes)


def screen_gradients(rendering: SplatRendering, cameras: Cameras) -> Tensor:
    """Return the gradients of the projected means in normalised device units, [B, N, 2], after a backward().

    Scaled as if each view were a batch of its own, as gsplat's DefaultStrategy does, so that its thresholds carry over.
    """
    gradient = rendering.screen_points.grad
    if gradient is None:
        raise ValueError("The screen gradients are not known yet: call backward() on a loss of this rendering first.")
    gradient = gradient.to(rendering.rgb.device)
    return gradient * (0.5 * len(cameras) * gradient.new_tensor([cameras.width, cameras.height]))


def _screen_points(gaussians: Gaussians, cameras: Cameras) -> Tensor:
    wanted = torch.is_grad_enabled() and any(value.requires_grad for value in gaussians.parameters().values())
    return torch.zeros(len(cameras), len(gaussians), 2, dtype=gaussians.means.dtype, requires_grad=wanted)


def _per_view(background: Tensor, cameras: Cameras) -> Tensor:
    if background.shape not in ((3,), (len(cameras), 3)):
        raise ValueError(f"The background has shape {tuple(background.shape)}: give [3], or [{len(cameras)}, 3].")
    return background.expand(len(cameras), 3)
