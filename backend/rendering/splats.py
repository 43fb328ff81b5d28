"""Render Gaussians: one signature over gsplat on CUDA and our own tiled rasteriser on the CPU."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from backend.cameras import Cameras
from backend.rendering.renderer import Rendering
from backend.representations.gaussians import Gaussians


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
    """Return the engine for a device: gsplat on CUDA, numba on the CPU."""
    kind = torch.device(device).type
    if kind == "cuda":
        return render_with_gsplat
    if kind == "cpu":
        return render_with_numba
    raise ValueError(f"Gaussians cannot be rendered on {kind!r}: the engines are 'cuda' and 'cpu'.")


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
    return gradient * (0.5 * len(cameras) * gradient.new_tensor([cameras.width, cameras.height]))


def _screen_points(gaussians: Gaussians, cameras: Cameras) -> Tensor:
    wanted = torch.is_grad_enabled() and any(value.requires_grad for value in gaussians.parameters().values())
    return torch.zeros(len(cameras), len(gaussians), 2, dtype=gaussians.means.dtype, requires_grad=wanted)


def _per_view(background: Tensor, cameras: Cameras) -> Tensor:
    if background.shape not in ((3,), (len(cameras), 3)):
        raise ValueError(f"The background has shape {tuple(background.shape)}: give [3], or [{len(cameras)}, 3].")
    return background.expand(len(cameras), 3)
