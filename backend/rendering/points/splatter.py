"""Draw points as small discs: at each pixel the nearest few that cover it, blended front to back.

Where points are and how they cover a pixel is fixed, so that an image is linear in what the points carry, and the way
back is the same sum the other way round. Numba kernels; the same input gives the same bytes for any number of threads.
Source: Aliev et al., Neural Point-Based Graphics, 2020, section 3; Customize-It-3D's code, nerf/utils.py (8 points per
pixel, opacity by distance).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numba import prange
from torch import Tensor

from backend.cameras import Cameras
from backend.rendering.compiled import ONLY_PRANGE, compiled, follow_torch_threads

POINTS_PER_PIXEL = 8
BANDS = 8  # of rows, each one thread's at a time
GROUPS = 4  # of channels, in the way back
CLOSEST = 1e-3  # camera z, below which a point is not drawn


@dataclass(frozen=True)
class Splats:
    """Which points cover the pixels of some cameras, nearest first, and how much of each is seen."""

    index: np.ndarray  # [B, H, W, K] int32, -1 where there is none
    weight: np.ndarray  # [B, H, W, K] float32, opacity times what those before let through

    @property
    def alpha(self) -> Tensor:
        """Return how much of each pixel is covered, [B, H, W, 1]."""
        return torch.from_numpy(self.weight.sum(-1, keepdims=True))


def opacity(squared: Tensor) -> Tensor:
    """Return the opacity of a disc at squared distances from its middle, over its squared radius: 0.97 down to 0.68.

    Source: Customize-It-3D's code: 1 - sqrt(clamp(0.1 d^2 / r^2, 1e-3, 1)); beyond the radius there is nothing.
    """
    return torch.where(squared < 1, 1 - (0.1 * squared).clamp(1e-3, 1).sqrt(), 0.0)


def splat(points: Tensor, cameras: Cameras, *, radius: float = 2.0, nearest: int = POINTS_PER_PIXEL) -> Splats:
    """Find for each pixel the `nearest` points [N, 3] whose discs of `radius` pixels cover its centre."""
    to_camera, intrinsics = (value.double().cpu().numpy() for value in (cameras.world_to_camera, cameras.intrinsics))
    places = np.einsum("bij,nj->bni", to_camera[:, :3, :3], points.detach().double().cpu().numpy())  # not by threads
    places = np.einsum("bij,bnj->bni", intrinsics, places + to_camera[:, None, :3, 3])  # homogeneous
    depth = places[..., 2:]
    places[..., :2] /= np.where(depth > CLOSEST, depth, 1.0)
    places = places.astype(np.float32)  # [B, N, 3]
    shape = (len(cameras), cameras.height, cameras.width, nearest)
    index, weight = np.full(shape, -1, np.int32), np.zeros(shape, np.float32)
    order = np.argsort(places[..., 2], axis=1, kind="stable").astype(np.int32)
    follow_torch_threads()
    _find_nearest(np.ascontiguousarray(places), order, np.float32(radius), index, weight)
    _weigh(index, weight)
    return Splats(index, weight)


def blend(features: Tensor, splats: Splats) -> Tensor:
    """Return what points carry, [N, C], as pixels show it: [B, H, W, C], multiplied by alpha; differentiable."""
    return _Blend.apply(features, splats)  # pyright: ignore[reportReturnType]


class _Blend(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:
        features, splats = inputs
        ctx.splats, ctx.shape, ctx.device = splats, features.shape, features.device
        values = features.detach().float().cpu().contiguous().numpy()
        images = np.zeros((*splats.index.shape[:3], values.shape[1]), np.float32)
        follow_torch_threads()
        _gather(values, splats.index, splats.weight, images)
        return torch.from_numpy(images).to(features.device)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_images: Tensor) -> tuple:
        gradient = np.zeros(ctx.shape, np.float32)
        follow_torch_threads()
        _scatter(grad_images.float().cpu().contiguous().numpy(), ctx.splats.index, ctx.splats.weight, gradient)
        return torch.from_numpy(gradient).to(ctx.device), None


@compiled(parallel=ONLY_PRANGE)
def _find_nearest(places, order, radius, index, squared):
    """Fill index and squared distance over squared radius of each pixel's nearest points, by their depth.

    places [B, N, 3]: x and y in pixels, camera z; order [B, N]: the points, nearest first.
    """
    views, height, width, most = index.shape
    for task in prange(views * BANDS):
        view, band = task // BANDS, task % BANDS
        top, bottom = band * height // BANDS, (band + 1) * height // BANDS
        for i in order[view]:
            x, y, z = places[view, i, 0], places[view, i, 1], places[view, i, 2]
            if not (z > CLOSEST and -radius < x < width + radius and top - radius < y < bottom + radius):
                continue
            first, last = max(0, int(np.ceil(x - radius - 0.5))), min(width, int(np.floor(x + radius + 0.5)))
            for row in range(max(top, int(np.ceil(y - radius - 0.5))), min(bottom, int(np.floor(y + radius + 0.5)))):
                down = row + 0.5 - y
                for column in range(first, last):
                    if index[view, row, column, most - 1] >= 0:
                        continue  # all of its points are nearer
                    along = column + 0.5 - x
                    away = (down * down + along * along) / (radius * radius)
                    if not away < 1:
                        continue
                    slot = 0
                    while index[view, row, column, slot] >= 0:
                        slot += 1
                    index[view, row, column, slot] = i
                    squared[view, row, column, slot] = away


@compiled(parallel=ONLY_PRANGE)
def _weigh(index, weight):
    """Turn squared distances [B, H, W, K] into opacity times what the discs in front let through, in place."""
    views, height, width, most = index.shape
    for line in prange(views * height):
        view, row = line // height, line % height
        for column in range(width):
            through = np.float32(1)
            for k in range(most):
                if index[view, row, column, k] < 0:
                    weight[view, row, column, k] = 0
                    continue
                share = min(max(0.1 * weight[view, row, column, k], 1e-3), 1.0)
                opaque = np.float32(1 - np.sqrt(share))
                weight[view, row, column, k] = opaque * through
                through *= 1 - opaque


@compiled(parallel=ONLY_PRANGE)
def _gather(values, index, weight, images):
    """Add up weight times values [N, C] of each pixel's points: images [B, H, W, C]."""
    views, height, width, most = index.shape
    for line in prange(views * height):
        view, row = line // height, line % height
        for column in range(width):
            for k in range(most):
                point = index[view, row, column, k]
                if point < 0:
                    break
                share = weight[view, row, column, k]
                for channel in range(values.shape[1]):
                    images[view, row, column, channel] += share * values[point, channel]


@compiled(parallel=ONLY_PRANGE)
def _scatter(grad_images, index, weight, gradient):
    """Add to gradient [N, C] what those of the images [B, H, W, C] say; each thread has some of the channels."""
    views, height, width, most = index.shape
    channels = gradient.shape[1]
    for group in prange(GROUPS):
        low, high = group * channels // GROUPS, (group + 1) * channels // GROUPS
        for view in range(views):
            for row in range(height):
                for column in range(width):
                    for k in range(most):
                        point = index[view, row, column, k]
                        if point < 0:
                            break
                        share = weight[view, row, column, k]
                        for channel in range(low, high):
                            gradient[point, channel] += share * grad_images[view, row, column, channel]
