"""Draw points as small discs: at each pixel the nearest few that cover it, blended front to back, at several scales.

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
BANDS = 4  # of rows, each one thread's at a time
GROUPS = 2  # of channels, in the way back
CLOSEST = 1e-3  # camera z, below which a point is not drawn
FAINTEST = 1e-3  # alpha, below which a pixel's mean is darkened


@dataclass(frozen=True)
class Splats:
    """Which points cover the pixels of some cameras, nearest first, and how much of each is seen.

    The pixels P of all scales lie one after the other, those of a scale [B, H, W] as `shapes` says.
    """

    index: np.ndarray  # [P, K] int32, -1 where there is none
    weight: np.ndarray  # [P, K] float32, opacity times what those before let through
    shapes: tuple[tuple[int, int, int], ...]

    @property
    def alphas(self) -> list[Tensor]:
        """Return how much of each pixel is covered, [B, H, W, 1] at each scale."""
        return self.by_scale(torch.from_numpy(self.weight.sum(-1, keepdims=True)))

    @property
    def means(self) -> Splats:
        """Return the same with weights that add up to one, so that what is blended is the mean of what is seen."""
        alpha = np.maximum(self.weight.sum(-1, keepdims=True), np.float32(FAINTEST))
        return Splats(self.index, self.weight / alpha, self.shapes)

    def by_scale(self, pixels: Tensor) -> list[Tensor]:
        """Return pixels [P, C] as images [B, H, W, C], one for each scale."""
        parts = pixels.split([views * height * width for views, height, width in self.shapes])
        return [part.reshape(*shape, -1) for part, shape in zip(parts, self.shapes, strict=True)]


def opacity(squared: Tensor) -> Tensor:
    """Return the opacity of a disc at squared distances from its middle, over its squared radius: 0.97 down to 0.68.

    Source: Customize-It-3D's code: 1 - sqrt(clamp(0.1 d^2 / r^2, 1e-3, 1)); beyond the radius there is nothing.
    """
    return torch.where(squared < 1, 1 - (0.1 * squared).clamp(1e-3, 1).sqrt(), 0.0)


def splat(
    points: Tensor, cameras: Cameras, *, radius: float = 2.0, nearest: int = POINTS_PER_PIXEL, scales: int = 1
) -> Splats:
    """Find for each pixel the `nearest` points [N, 3] whose discs of `radius` pixels cover its centre.

    Each scale has pixels of twice the side of the one before. Raises ValueError where the image has no such blocks.
    """
    largest = 2 ** (scales - 1)
    if cameras.width % largest or cameras.height % largest:
        raise ValueError(f"an image of {cameras.width} x {cameras.height} pixels has no {largest} x {largest} blocks")
    to_camera, intrinsics = (value.double().cpu().numpy() for value in (cameras.world_to_camera, cameras.intrinsics))
    places = np.einsum("bij,nj->bni", to_camera[:, :3, :3], points.detach().double().cpu().numpy())  # not by threads
    places = np.einsum("bij,bnj->bni", intrinsics, places + to_camera[:, None, :3, 3])  # homogeneous
    depth = places[..., 2:]
    places[..., :2] /= np.where(depth > CLOSEST, depth, 1.0)
    places = places.astype(np.float32)  # [B, N, 3]; half of it, which the next scale has, is as exact
    order = _by_depth(places[..., 2])
    places = np.take_along_axis(places, order[..., None], axis=1)  # in one's memory as they are read
    shapes = tuple((len(cameras), cameras.height >> scale, cameras.width >> scale) for scale in range(scales))
    starts = np.cumsum([0] + [views * height * width for views, height, width in shapes])
    index = np.full((starts[-1], nearest), -1, np.int32)
    weight = np.zeros((starts[-1], nearest), np.float32)
    follow_torch_threads()
    _find_nearest(places, order, np.float32(radius), np.array(shapes), starts, index, weight)
    return Splats(index, weight, shapes)


def _by_depth(depth: np.ndarray) -> np.ndarray:
    """Return the numbers of points, those of less depth [B, N] first; of equals, and behind the camera, any as long as
    they are always the same.
    """
    bits = np.ascontiguousarray(depth).view(np.int32).astype(np.int64)  # as floats in order, where these are positive
    keys = (bits << 32) + np.arange(depth.shape[1])  # all different, so that the fastest of sorts is a stable one
    keys.sort(axis=1)
    return (keys & 0xFFFFFFFF).astype(np.int32)


def blend(features: Tensor, splats: Splats) -> list[Tensor]:
    """Return what points carry, [N, C], as pixels show it: [B, H, W, C] at each scale; differentiable.

    It is multiplied by alpha, and not where the weights are those of `means`.
    """
    return splats.by_scale(_Blend.apply(features, splats))  # pyright: ignore[reportArgumentType]


class _Blend(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:
        features, splats = inputs
        ctx.splats, ctx.shape, ctx.device = splats, features.shape, features.device
        values = features.detach().float().cpu().contiguous().numpy()
        pixels = np.zeros((len(splats.index), values.shape[1]), np.float32)
        follow_torch_threads()
        _gather(values, splats.index, splats.weight, pixels)
        return torch.from_numpy(pixels).to(features.device)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_pixels: Tensor) -> tuple:
        gradient = np.zeros(ctx.shape, np.float32)
        follow_torch_threads()
        _scatter(grad_pixels.float().cpu().contiguous().numpy(), ctx.splats.index, ctx.splats.weight, gradient)
        return torch.from_numpy(gradient).to(ctx.device), None


@compiled(parallel=ONLY_PRANGE)
def _find_nearest(places, order, radius, shapes, starts, index, weight):
    """Fill index of each pixel's nearest points, by their depth, and opacity times what those in front let through.

    places [B, N, 3]: x and y in pixels of the finest scale, camera z, nearest first; order [B, N]: their numbers.
    """
    scales, views, most = len(shapes), len(places), index.shape[1]
    for task in prange(views * BANDS):
        view, band = task // BANDS, task % BANDS
        ends = np.empty((scales, 2), np.int64)  # the rows of this band, at each scale
        found = np.zeros((scales, (shapes[0, 1] // BANDS + 1) * shapes[0, 2]), np.uint8)  # points of each pixel
        for scale in range(scales):
            ends[scale, 0], ends[scale, 1] = band * shapes[scale, 1] // BANDS, (band + 1) * shapes[scale, 1] // BANDS
        reach = radius * np.float32(2 ** (scales - 1)) + np.float32(2**scales)  # and what bands are rounded by
        low, high = ends[0, 0] - reach, ends[0, 1] + reach
        for i in range(places.shape[1]):
            if not (low < places[view, i, 1] < high and places[view, i, 2] > CLOSEST):
                continue
            factor = np.float32(1)
            for scale in range(scales):
                x, y = factor * places[view, i, 0], factor * places[view, i, 1]
                factor *= np.float32(0.5)
                height, width, top, bottom = shapes[scale, 1], shapes[scale, 2], ends[scale, 0], ends[scale, 1]
                if not (-radius < x < width + radius and top - radius < y < bottom + radius):
                    continue
                first, last = max(0, int(np.ceil(x - radius - 0.5))), min(width, int(np.floor(x + radius + 0.5)))
                upper, lower = int(np.ceil(y - radius - 0.5)), int(np.floor(y + radius + 0.5))
                for row in range(max(top, upper), min(bottom, lower)):
                    down = row + 0.5 - y
                    for column in range(first, last):
                        here = (row - top) * width + column
                        slot = found[scale, here]
                        if slot == most:
                            continue  # all of its points are nearer
                        along = column + 0.5 - x
                        away = (down * down + along * along) / (radius * radius)
                        if away < 1:
                            pixel = starts[scale] + (view * height + top) * width + here
                            index[pixel, slot], weight[pixel, slot] = order[view, i], away
                            found[scale, here] = slot + 1
        for scale in range(scales):
            height, width, top, bottom = shapes[scale, 1], shapes[scale, 2], ends[scale, 0], ends[scale, 1]
            for here in range((bottom - top) * width):
                pixel, through = starts[scale] + (view * height + top) * width + here, np.float32(1)
                for k in range(found[scale, here]):
                    share = min(max(0.1 * weight[pixel, k], 1e-3), 1.0)
                    opaque = np.float32(1 - np.sqrt(share))
                    weight[pixel, k] = opaque * through
                    through *= 1 - opaque


@compiled(parallel=ONLY_PRANGE)
def _gather(values, index, weight, pixels):
    """Add up weight times values [N, C] of each pixel's points: pixels [P, C]."""
    for pixel in prange(len(index)):
        for k in range(index.shape[1]):
            point = index[pixel, k]
            if point < 0:
                break
            share = weight[pixel, k]
            for channel in range(values.shape[1]):
                pixels[pixel, channel] += share * values[point, channel]


@compiled(parallel=ONLY_PRANGE)
def _scatter(grad_pixels, index, weight, gradient):
    """Add to gradient [N, C] what those of the pixels [P, C] say; each thread has some of the channels."""
    channels = gradient.shape[1]
    for group in prange(GROUPS):
        low, high = group * channels // GROUPS, (group + 1) * channels // GROUPS
        for pixel in range(len(index)):
            for k in range(index.shape[1]):
                point = index[pixel, k]
                if point < 0:
                    break
                share = weight[pixel, k]
                for channel in range(low, high):
                    gradient[point, channel] += share * grad_pixels[pixel, channel]
