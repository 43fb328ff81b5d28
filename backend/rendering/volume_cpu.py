"""Render a dense radiance grid on the CPU: the marching kernels as one differentiable torch function."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from backend.rendering import volume_march as march
from backend.rendering.compiled import follow_torch_threads
from backend.rendering.volume_grid import CULLED, add_slopes_backward, find_occupied, find_slopes

MAX_TASKS = 8  # each has a gradient of the whole grid


class MarchRays(torch.autograd.Function):
    """Composite the samples of all pixels' rays.

    Inputs: values [R, R, R, 4], background [B, 3], cameras [B, CAMERA], lights [B, LIGHT], jitter [B, H, W] in [0, 1),
    step, and whether geometry is wanted. Outputs: rgb [B, H, W, 3], alpha [B, H, W, 1], sums [B, H, W, GEOMETRY] (or
    [0]). The same input and number of threads give the same bytes. Cameras and lights get no gradient.
    """

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> tuple[Tensor, Tensor, Tensor]:
        *tensors, step, geometry = inputs
        values, background, cameras, lights, jitter = (value.detach().contiguous().numpy() for value in tensors)
        views, height, width = jitter.shape
        tasks = min(follow_torch_threads(), MAX_TASKS)
        occupied, reach = occupancy(values)
        slopes = sums = middles = None
        if geometry:
            slopes = np.empty((*values.shape[:3], 3), values.dtype)
            find_slopes(values, slopes)
            sums = np.empty((views, height, width, march.GEOMETRY), values.dtype)
            middles = np.empty((views, height, width), values.dtype)
        rgb = np.empty((views, height, width, 3), values.dtype)
        opacity, transmittance = (np.empty((views, height, width), values.dtype) for _ in range(2))
        step = values.dtype.type(step)
        scene = (values, slopes, occupied, reach, cameras, lights, jitter)
        march.march(*scene, background, step, rgb, opacity, transmittance, sums, middles, tasks)
        ctx.save_for_backward(tensors[0], tensors[1])
        ctx.tables, ctx.transmittance = (*scene, step, rgb, opacity, sums, middles), transmittance
        alpha = torch.from_numpy(opacity).unsqueeze(-1)
        return torch.from_numpy(rgb), alpha, torch.from_numpy(rgb[:0, 0, 0, 0] if sums is None else sums)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_rgb: Tensor, grad_alpha: Tensor, grad_sums: Tensor) -> tuple:
        values, slopes, *_, sums, _middles = ctx.tables
        tasks = min(follow_torch_threads(), MAX_TASKS)
        grad_rgb = grad_rgb.contiguous()
        grad_values = None
        if ctx.needs_input_grad[0]:
            parts = np.zeros((tasks, *values.shape), values.dtype)
            slope_parts = None if slopes is None else np.zeros((tasks, *slopes.shape), values.dtype)
            wanted = None if sums is None else grad_sums.contiguous().numpy()
            through = grad_alpha.squeeze(-1).contiguous().numpy()
            march.march_backward(*ctx.tables, grad_rgb.numpy(), through, wanted, parts, slope_parts, tasks)
            total = _added(parts)
            if slope_parts is not None:
                add_slopes_backward(_added(slope_parts), total)
            grad_values = torch.from_numpy(total)
        grad_background = None
        if ctx.needs_input_grad[1]:
            grad_background = torch.einsum("bhwc,bhw->bc", grad_rgb, torch.from_numpy(ctx.transmittance))
        return grad_values, grad_background, None, None, None, None, None


def occupancy(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which blocks of CULLED^3 cells hold anything, [C, C, C] uint8, and corners [2, 3] around those that do.

    values [R, R, R, 4]. Where nothing is above EMPTY_RAW the second corner lies before the first.
    """
    cells = len(values) - 1
    blocks = -(-cells // CULLED)
    occupied = np.empty((blocks,) * 3, np.uint8)
    find_occupied(values, occupied)
    reach = np.empty((2, 3), values.dtype)
    for axis in range(3):
        (found,) = np.nonzero(occupied.any(axis=tuple({0, 1, 2} - {axis})))
        ends = (found[0], found[-1] + 1) if len(found) else (blocks, 0)
        reach[:, axis] = np.clip(2.0 * CULLED * np.array(ends) / cells - 1, -1, 1)
    return occupied, reach


def _added(parts: np.ndarray) -> np.ndarray:
    """Return the sum of the tasks' gradients, always in the same order; the first one's memory is used for it."""
    for part in parts[1:]:
        parts[0] += part
    return parts[0]
