"""A radiance field composited by plain torch, sample by sample, in the precision that it is given: slow and obvious."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from backend.cameras import Cameras, orbit
from backend.rendering.volume_rendering import VolumeRendering
from backend.representations.radiance import DENSITY_GAIN, EMPTY_RAW, raw_of
from backend.representations.radiance_grid import RadianceGrid, grid_points

DIAGONAL = 2 * math.sqrt(3)


def bumpy_field(resolution: int = 9, dtype: torch.dtype = torch.float64, seed: int = 0) -> RadianceGrid:
    """Return a translucent ball with noise on it, empty outside."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(resolution, resolution, resolution, 4, generator=generator)
    distance = grid_points(resolution).norm(dim=-1).reshape(values.shape[:3])
    values[..., 0] = -2.5 + 1.0 * values[..., 0] - 20 * (distance - 0.75).clamp_min(0)
    return RadianceGrid(values.to(dtype), torch.zeros(3, dtype=dtype)).requires_grad_()


def drawn_points(count: int = 40) -> torch.Tensor:
    return torch.rand(count, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 - 1


def ramp(slope: tuple[float, float, float], resolution: int = 7) -> RadianceGrid:
    """A field whose raw density is linear, its albedo sigmoid(0)."""
    values = torch.zeros(resolution**3, 4)
    values[:, 0] = grid_points(resolution) @ torch.tensor(slope)
    return RadianceGrid(values.reshape(resolution, resolution, resolution, 4), torch.zeros(3))


def looking(size: int = 7, views: int = 2) -> Cameras:
    """Return cameras that see the field from above and below, and past its box."""
    return orbit([20.0 + 130 * view for view in range(views)], [25.0, -40.0][:views], fov_degrees=45.0, size=size)


def told(drawn: VolumeRendering) -> torch.Tensor:
    """Everything that a rendering of geometry tells, [B, H, W, 11]."""
    parts = [drawn.rgb, drawn.alpha, drawn.depth, drawn.normal, drawn.variance, drawn.orientation, drawn.distortion]
    return torch.cat(parts, -1)


def constant(density: float, size: int = 6, dtype: torch.dtype = torch.float64) -> RadianceGrid:
    """A box full of one density, its colour sigmoid(1)."""
    values = torch.ones(size, size, size, 4, dtype=dtype)
    values[..., 0] = raw_of(torch.tensor(density, dtype=dtype))
    return RadianceGrid(values, torch.zeros(3, dtype=dtype)).requires_grad_()


def along_y(size: int = 5, distance: float = 3.0) -> Cameras:
    """Parallel enough: the rays of the middle pixel go straight through the box, front to back."""
    return orbit([0.0], 0.0, distance=distance, fov_degrees=2.0, size=size)


def trilinear(values: Tensor, points: Tensor) -> Tensor:
    """Return values [R, R, R, C] at points [..., 3], corner by corner."""
    size = len(values)
    places = ((points + 1) / 2 * (size - 1)).clamp(0, size - 1)
    cell = places.floor().clamp(max=size - 2).long()
    inside = places - cell
    total = torch.zeros(1, dtype=values.dtype)
    for corner in range(8):
        step = torch.tensor([corner >> 2 & 1, corner >> 1 & 1, corner & 1])
        weight = torch.where(step == 1, inside, 1 - inside).prod(-1, keepdim=True)
        total = total + weight * values[tuple((cell + step).unbind(-1))]
    return total


def central_normals(values: Tensor, points: Tensor) -> Tensor:
    """Return normals against (f(x + h) - f(x - h)) / 2h of the density between nodes, h one cell, for inner points."""
    h = 2 / (len(values) - 1)
    raw = values[..., :1]
    slopes = []
    for axis in range(3):
        offset = torch.zeros(3, dtype=points.dtype)
        offset[axis] = h
        slopes.append((trilinear(raw, points + offset) - trilinear(raw, points - offset)) / (2 * h))
    slope = torch.cat(slopes, -1)
    length = slope.norm(dim=-1, keepdim=True)
    return torch.where(length > 1e-10, -slope / length.clamp_min(1e-10), 0.0)


def render_slowly(
    field: RadianceGrid,
    cameras: Cameras,
    background: Tensor,
    *,
    samples: int,
    jitter: Tensor | None = None,
    shading=None,
) -> VolumeRendering:
    """Draw every pixel of every camera; jitter [B, H, W]. All formulas are written as in the papers."""
    values = field.values
    found = []
    origin_depth = torch.stack([camera.world_to_camera[0, 2, 3] for camera in cameras]).to(values)
    for view, camera in enumerate(cameras):
        for row in range(camera.height):
            for column in range(camera.width):
                u = 0.5 if jitter is None else jitter[view, row, column]
                found.append(_ray(values, camera, row, column, samples, u, background, shading, origin_depth[view]))
    out = torch.stack(found).reshape(len(cameras), cameras.height, cameras.width, 11)
    return VolumeRendering(out[..., :3], out[..., 3:4], out[..., 4:8], out[..., 8:], origin_depth.reshape(-1, 1, 1, 1))


def _ray(values, camera, row, column, samples, u, background, shading, origin_depth) -> Tensor:  # type: ignore[no-untyped-def]
    pose = camera.camera_to_world[0].double()
    pixel = torch.tensor([column + 0.5, row + 0.5, 1.0], dtype=torch.float64)
    ahead = torch.linalg.inv(camera.intrinsics[0].double()) @ pixel
    direction = pose[:3, :3] @ ahead / ahead.norm()
    origin, cosine = pose[:3, 3], 1 / ahead.norm()
    crossings = torch.stack([(-1 - origin) / direction, (1 - origin) / direction])
    near, far = crossings.amin(0).max().clamp_min(0), crossings.amax(0).min()
    if near >= far:
        return torch.cat([background.to(values), values.new_zeros(8)])
    step = DIAGONAL / samples
    starts = near + step * torch.arange(math.ceil((far - near) / step), dtype=torch.float64)
    lengths = (starts + step).clamp(max=far) - starts
    t = starts + u * lengths
    points = (origin + t[:, None] * direction).to(values)
    found = trilinear(values, points)
    density = torch.where(found[:, 0] > EMPTY_RAW, DENSITY_GAIN * torch.log1p(found[:, 0].exp()), 0.0)
    alpha = 1 - torch.exp(-density * lengths.to(values))
    passed = torch.cat([alpha.new_ones(1), (1 - alpha).cumprod(0)])
    passed = torch.where(passed.detach() > 1e-4, passed, torch.zeros_like(passed))  # the kernels stop there
    kept = int((passed.detach() > 0).sum())
    weights = passed[:-1] * alpha
    left = (1 - alpha)[: min(kept, len(alpha))].prod()
    albedo = found[:, 1:].sigmoid()
    normals = central_normals(values, points)
    colour = albedo
    if shading is not None:
        towards = shading.light.to(points) if shading.is_far else shading.light.to(points) - points
        towards = towards / towards.norm(dim=-1, keepdim=True)
        lit = shading.ambient + shading.diffuse * (normals * towards).sum(-1, keepdim=True).clamp_min(0)
        colour = lit * (albedo if shading.kind == "lambertian" else torch.ones_like(albedo))
    z = t.to(values) * cosine.to(values)
    middles = (starts + lengths / 2 - near).to(values) / DIAGONAL
    pairs = weights[:, None] * weights * (middles[:, None] - middles).abs()
    spread = pairs.sum() + (weights.square() * lengths.to(values)).sum() / (3 * DIAGONAL)
    away = (normals * direction.to(values)).sum(-1).clamp_min(0)
    return torch.cat(
        [
            (weights[:, None] * colour).sum(0) + left * background.to(values),
            (1 - left)[None],
            (weights * z).sum()[None],
            (weights[:, None] * normals).sum(0),
            (weights * (z - origin_depth).square()).sum()[None],
            (weights.detach() * away.square()).sum()[None],
            spread[None],
        ]
    )
