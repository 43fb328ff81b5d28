"""Render Gaussians: one signature over gsplat on CUDA and our own tiled rasteriser on the CPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from backend.cameras import Cameras
from backend.representations.gaussians import Gaussians


@dataclass
class Rendering:
    """What the cameras see, differentiable with respect to the Gaussians and the background."""

    rgb: Tensor  # [B, H, W, 3], over the background; above 1 where the Gaussians' colours are
    alpha: Tensor  # [B, H, W, 1]
    screen_points: Tensor  # [B, N, 2]: after backward(), .grad holds d(loss) / d(projected means) in pixels
    radii: Tensor  # [B, N, 2], pixels to either side; 0 where the camera does not see the Gaussian
    sums: Tensor | None  # [B, H, W, 4], camera z and normal times their blending weights, where geometry was asked for

    @property
    def depth(self) -> Tensor:
        """Return the expected camera z, [B, H, W, 1], 0 where alpha is 0."""
        alpha = torch.where(self.alpha > 0, self.alpha, torch.ones_like(self.alpha))
        return self._geometry[..., :1] / alpha

    @property
    def normal(self) -> Tensor:
        """Return unit normals in world space that face the camera, [B, H, W, 3], 0 where alpha is 0."""
        total = self._geometry[..., 1:]
        length = total.square().sum(-1, keepdim=True)  # the root only of what is not 0: its slope there is infinite
        return total / torch.where(length > 0, length, torch.ones_like(length)).sqrt()

    @property
    def visible(self) -> Tensor:
        """Return which camera sees which Gaussian, [B, N] bool."""
        return (self.radii > 0).all(-1)

    @property
    def _geometry(self) -> Tensor:
        if self.sums is None:
            raise ValueError("This rendering has no depth and no normals: call the renderer with geometry=True.")
        return self.sums


class Renderer(Protocol):
    """Draw Gaussians, all on one device; background is [3] or [B, 3]; depth and normals only with geometry=True."""

    def __call__(
        self, gaussians: Gaussians, cameras: Cameras, background: Tensor, *, geometry: bool = False
    ) -> Rendering: ...


def renderer_for(device: torch.device | str) -> Renderer:
    """Return the engine for a device: gsplat on CUDA, numba on the CPU."""
    kind = torch.device(device).type
    if kind == "cuda":
        return render_with_gsplat
    if kind == "cpu":
        return render_with_numba
    raise ValueError(f"Gaussians cannot be rendered on {kind!r}: the engines are 'cuda' and 'cpu'.")


def render_with_numba(
    gaussians: Gaussians, cameras: Cameras, background: Tensor, *, geometry: bool = False
) -> Rendering:
    """Draw on the CPU; see `Renderer`."""
    from backend.rendering.splats_cpu import RasteriseSplats  # here, because numba takes half a second to import

    means = gaussians.means
    screen_points = _screen_points(gaussians, cameras)
    rgb, alpha, sums, reach = RasteriseSplats.apply(  # pyright: ignore[reportGeneralTypeIssues]
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
    )
    return Rendering(rgb, alpha, screen_points, reach.ceil(), sums if geometry else None)


def render_with_gsplat(
    gaussians: Gaussians, cameras: Cameras, background: Tensor, *, geometry: bool = False
) -> Rendering:
    """Draw on a CUDA device; see `Renderer`."""
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
    )
    screen_points = meta["means2d"]  # [B, N, 2]
    if screen_points.requires_grad:
        screen_points.retain_grad()
    sums = torch.cat([image[..., 6:], image[..., 3:6]], dim=-1) if geometry else None
    return Rendering(image[..., :3], alpha, screen_points, meta["radii"], sums)


def facing_normals(gaussians: Gaussians, camera_positions: Tensor) -> Tensor:
    """Return each Gaussian's shortest axis in world space, turned towards cameras at [B, 3]: [B, N, 3], unit length."""
    shortest = gaussians.log_scales.argmin(-1)  # [N]
    axes = gaussians.rotations.gather(2, shortest[:, None, None].expand(-1, 3, 1)).squeeze(-1)  # [N, 3]
    away = ((gaussians.means - camera_positions[:, None]) * axes).sum(-1, keepdim=True) > 0  # [B, N, 1]
    return torch.where(away, -axes, axes)


def screen_gradients(rendering: Rendering, cameras: Cameras) -> Tensor:
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
