"""Blend Gaussians the slow and plain way: every Gaussian at every pixel, in torch, differentiated by autograd.

The reference of the rasteriser's tests and the naive version of its benchmark.
"""

from __future__ import annotations

import torch
from torch import Tensor

from backend.cameras import Cameras
from backend.rendering.splats import facing_normals
from backend.representations.gaussians import Gaussians


def render_densely(
    gaussians: Gaussians, cameras: Cameras, background: Tensor, *, geometry: bool = False, antialiased: bool = False
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return rgb [B, H, W, 3], alpha [B, H, W, 1] and, if wanted, weighted sums of z and normal [B, H, W, 4]."""
    background = background.expand(len(cameras), 3)
    world_to_camera = cameras.world_to_camera.to(gaussians.means)
    position = cameras.position.to(gaussians.means)
    colours = gaussians.colours(position).expand(len(cameras), -1, 3)
    normals = facing_normals(gaussians, position)
    spread = gaussians.rotations * gaussians.scales[:, None]  # [N, 3, 3]
    covariance = spread @ spread.transpose(1, 2)
    images = []
    for view in range(len(cameras)):
        pose, intrinsics = world_to_camera[view], cameras.intrinsics[view].to(gaussians.means)
        points = gaussians.means @ pose[:3, :3].T + pose[:3, 3]  # [N, 3]
        depth = points[:, 2]
        centre, conic, kept = _project(points, pose[:3, :3] @ covariance @ pose[:3, :3].T, intrinsics, cameras)
        opacities = gaussians.opacities * kept if antialiased else gaussians.opacities
        order = torch.argsort(depth.detach(), stable=True)
        order = order[depth[order] >= 0.01]
        alpha = _alpha(centre[order], conic[order], opacities[order], cameras)  # [N, H, W]
        through = torch.cumprod(1 - alpha, dim=0)  # after each Gaussian
        going = (through.detach() > 1e-4).to(alpha)  # exclusive: the Gaussian that would stop the light is not drawn
        before = torch.cat([torch.ones_like(through[:1]), through[:-1]])
        weight = alpha * before * going
        light = 1 - weight.sum(0)
        rgb = torch.einsum("nhw,nc->hwc", weight, colours[view, order]) + light[..., None] * background[view]
        sums = None
        if geometry:
            features = torch.cat([depth[order, None], normals[view, order]], dim=-1)
            sums = torch.einsum("nhw,nc->hwc", weight, features)
        images.append((rgb, 1 - light[..., None], sums))
    rgb, alpha, sums = zip(*images, strict=True)
    return torch.stack(rgb), torch.stack(alpha), torch.stack(sums) if geometry else None


def _project(points: Tensor, covariance: Tensor, intrinsics: Tensor, cameras: Cameras) -> tuple[Tensor, ...]:
    """Return centres [N, 2], inverse covariances [N, 2, 2] and what the low-pass keeps of a splat's height, [N]."""
    x, y, z = points.unbind(-1)
    fx, fy, cx, cy = intrinsics[0, 0], intrinsics[1, 1], intrinsics[0, 2], intrinsics[1, 2]
    margin_x, margin_y = 0.15 * cameras.width / fx, 0.15 * cameras.height / fy
    slope_x = torch.clamp(x / z, -cx / fx - margin_x, (cameras.width - cx) / fx + margin_x)
    slope_y = torch.clamp(y / z, -cy / fy - margin_y, (cameras.height - cy) / fy + margin_y)
    zero = torch.zeros_like(z)
    jacobian = torch.stack([fx / z, zero, -fx / z * slope_x, zero, fy / z, -fy / z * slope_y], dim=-1)
    jacobian = jacobian.unflatten(-1, (2, 3))
    sharp = jacobian @ covariance @ jacobian.transpose(1, 2)
    flat = sharp + 0.3 * torch.eye(2, dtype=z.dtype)
    kept = (torch.linalg.det(sharp) / torch.linalg.det(flat)).clamp_min(0).sqrt()
    return torch.stack([fx * x / z + cx, fy * y / z + cy], dim=-1), torch.linalg.inv(flat), kept


def _alpha(centre: Tensor, conic: Tensor, opacity: Tensor, cameras: Cameras) -> Tensor:
    rows = torch.arange(cameras.height, dtype=centre.dtype) + 0.5
    columns = torch.arange(cameras.width, dtype=centre.dtype) + 0.5
    dx = columns - centre[:, 0, None]  # [N, W]
    dy = rows - centre[:, 1, None]  # [N, H]
    a, b, c = (value[:, None, None] for value in (conic[:, 0, 0], conic[:, 0, 1], conic[:, 1, 1]))
    sigma = 0.5 * (a * dx[:, None] ** 2 + c * dy[..., None] ** 2) + b * dx[:, None] * dy[..., None]  # [N, H, W]
    alpha = (opacity[:, None, None] * torch.exp(-sigma)).clamp_max(0.999)
    return alpha * (alpha.detach() >= 1 / 255)


@torch.no_grad()
def touched_pixels(gaussians: Gaussians, cameras: Cameras, sample: int = 200) -> int:
    """Return about how many (Gaussian, pixel, view) triples have alpha >= 1/255, from a sample of the Gaussians."""
    chosen = torch.linspace(0, len(gaussians) - 1, min(sample, len(gaussians))).long()
    spread = gaussians.rotations[chosen] * gaussians.scales[chosen, None]
    covariance = spread @ spread.transpose(1, 2)
    touched = 0
    for pose, intrinsics in zip(cameras.world_to_camera, cameras.intrinsics, strict=True):
        points = gaussians.means[chosen] @ pose[:3, :3].T + pose[:3, 3]
        centre, conic, _ = _project(points, pose[:3, :3] @ covariance @ pose[:3, :3].T, intrinsics, cameras)
        alpha = _alpha(centre, conic, gaussians.opacities[chosen], cameras)
        touched += int(((alpha > 0) & (points[:, 2, None, None] >= 0.01)).sum())
    return round(touched * len(gaussians) / len(chosen))
