"""Render Gaussians on the CPU: the tiled rasteriser's kernels as one differentiable torch function."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from backend.rendering.compiled import follow_torch_threads
from backend.rendering.splats_blend import blend, blend_backward
from backend.rendering.splats_projection import CHANNELS, camera_table, project, project_backward
from backend.rendering.splats_sort import sort_into_tiles


class RasteriseSplats(torch.autograd.Function):
    """Blend Gaussians into images of all cameras at once.

    Inputs: means [N, 3], quaternions [N, 4], scales [N, 3], opacities [N], colours [B or 1, N, 3], background [B, 3],
    screen_points [B, N, 2] (ignored; its gradient is that of the projected means in pixels), world_to_camera
    [B, 4, 4], intrinsics [B, 3, 3], width, height, whether geometry is wanted, and whether opacity is compensated for
    the low-pass. Outputs: rgb [B, H, W, 3], alpha [B, H, W, 1], weighted sums of camera z and normal [B, H, W, 4]
    (or [0]), reach in pixels [B, N, 2].
    The same input gives the same bytes for any number of threads. Cameras get no gradient.
    """

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        *tensors, world_to_camera, intrinsics, width, height, geometry, antialiased = inputs
        arrays = [value.detach().contiguous().numpy() for value in tensors]
        means, quaternions, scales, opacities, colours, background, _ = arrays
        tasks = follow_torch_threads()
        dtype, count, views = means.dtype, len(means), len(intrinsics)
        cameras = camera_table(world_to_camera.numpy(), intrinsics.numpy(), width, height).astype(dtype, copy=False)
        splats = np.empty((views * count, CHANNELS + (7 if geometry else 3)), dtype)
        depths = np.empty(views * count, np.float32)
        reach = np.empty((views * count, 2), dtype)
        project(means, quaternions, scales, opacities, colours, cameras, antialiased, splats, depths, reach)
        size = (dtype.type(width), dtype.type(height))
        offsets, starts, *entries = sort_into_tiles(splats, depths, reach, size, views)
        rgb = np.empty((views, height, width, 3), dtype)
        transmittance = np.empty((views, height, width), dtype)
        sums = np.empty((views, height, width, 4), dtype) if geometry else None
        used = np.empty(len(starts) - 1, np.int64)
        blend(splats, starts, *entries[1:], background, rgb, transmittance, sums, used, tasks)
        ctx.save_for_backward(*tensors)
        ctx.antialiased = antialiased
        ctx.tables = (cameras, splats, offsets, starts, entries, used, rgb, transmittance, sums)
        reach = torch.from_numpy(reach).view(views, count, 2)
        ctx.mark_non_differentiable(reach)
        alpha = torch.from_numpy(1 - transmittance).unsqueeze(-1)
        return torch.from_numpy(rgb), alpha, torch.from_numpy(sums if geometry else rgb[:0, 0, 0, 0]), reach

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_rgb: Tensor, grad_alpha: Tensor, grad_sums: Tensor, _: Tensor) -> tuple:
        cameras, splats, offsets, starts, entries, used, rgb, transmittance, sums = ctx.tables
        means, quaternions, scales, opacities, colours, _background, screen = ctx.saved_tensors
        tasks = follow_torch_threads()
        grad_rgb = grad_rgb.contiguous()
        partial = np.empty((len(entries[0]), splats.shape[1]), splats.dtype)
        grad_geometry = None if sums is None else grad_sums.contiguous().numpy()
        grad_opacity = grad_alpha.reshape(transmittance.shape).contiguous().numpy()
        blend_backward(
            splats, starts, *entries, used, rgb, transmittance, sums,
            grad_rgb.numpy(), grad_opacity, grad_geometry, partial, tasks,
        )  # fmt: skip
        gradients = [torch.zeros_like(value) for value in (means, quaternions, scales, opacities, colours, screen)]
        shape = [value.detach().contiguous().numpy() for value in (means, quaternions, scales, opacities)]
        project_backward(*shape, cameras, ctx.antialiased, offsets, partial, *(value.numpy() for value in gradients))
        grad_background = None
        if ctx.needs_input_grad[5]:
            grad_background = torch.einsum("bhwc,bhw->bc", grad_rgb, torch.from_numpy(transmittance))
        return (*gradients[:5], grad_background, gradients[5], None, None, None, None, None, None)
