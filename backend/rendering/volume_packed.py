"""Render any radiance field from packed samples, in torch: those of all rays behind each other, and whose they are.

On a GPU the samples and their weights come from nerfacc (`volume_nerfacc`) where it imports.
Source: Mildenhall et al., NeRF, 2020, eq. 3; packed samples: Li et al., NerfAcc, 2023.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from backend.cameras import Cameras, rays
from backend.rendering.volume_nerfacc import nerfacc_or_none
from backend.rendering.volume_rendering import DIAGONAL, VolumeRendering
from backend.rendering.volume_shading import Shading
from backend.representations.occupancy import OccupancyGrid
from backend.representations.radiance import RadianceField, density, normals

NORMAL_STEP = 0.02  # over which normals' slopes are taken. Source: threestudio's 0.01 in a box of half the size


@dataclass
class Samples:
    """N stretches of rays, ray by ray and along each of them front to back."""

    ray: Tensor  # [N] int64
    start: Tensor  # [N], world units from the camera
    end: Tensor  # [N]


def render_packed(
    field: RadianceField,
    cameras: Cameras,
    background: Tensor,
    jitter: Tensor,
    step: float,
    shading: Shading,
    occupancy: OccupancyGrid | None,
    *,
    geometry: bool,
) -> VolumeRendering:
    """Draw a field on the device of its parameters; as `VolumeRenderer`, jitter [B, H, W] in [0, 1)."""
    parameter = next(iter(field.parameters().values()))
    origins, directions = (value.to(parameter).reshape(-1, 3) for value in rays(cameras))
    near, far = box_crossings(origins, directions)
    fast = nerfacc_or_none() if parameter.is_cuda else None
    if fast and occupancy:
        samples = Samples(*fast.samples(origins, directions, near, far, step, occupancy))
    else:
        samples = march_all(origins, directions, near, far, step, occupancy)
    length = samples.end - samples.start
    t = samples.start + jitter.to(parameter).reshape(-1)[samples.ray] * length
    points = (origins[samples.ray] + t[:, None] * directions[samples.ray]).clamp(-1, 1)
    raw, colour = field(points)
    if fast:
        weights = fast.weights(samples.ray, samples.start, samples.end, density(raw), len(origins))
    else:
        weights = weights_of(samples, density(raw), len(origins))
    views = samples.ray // (cameras.width * cameras.height)
    extras = sums = None
    z0 = cameras.world_to_camera[:, 2, 3].to(parameter)
    if geometry or shading.kind != "albedo":
        normal = normals(field, points, NORMAL_STEP)
        if shading.kind != "albedo":
            colour = shading.factor(normal, points, views) * (colour if shading.kind == "lambertian" else 1.0)
            colour = colour.expand(-1, 3)
    if geometry:
        ahead = cameras.camera_to_world[:, :3, 2].to(parameter)[views]
        z = t * (directions[samples.ray] * ahead).sum(-1)
        away = (normal * directions[samples.ray]).sum(-1).clamp_min(0)
        middle = ((samples.start + samples.end) / 2 - near[samples.ray]) / DIAGONAL
        told = [weights * z, *(weights[:, None] * normal).unbind(-1), weights * (z - z0[views]).square()]
        told += [weights.detach() * away.square(), distortion_of(samples, weights, middle, length / DIAGONAL)]
        image = _gather(torch.stack(told, -1), samples.ray, cameras)
        sums, extras = image[..., :4], image[..., 4:]
    seen = _gather(torch.cat([weights[:, None] * colour, weights[:, None]], -1), samples.ray, cameras)
    rgb, alpha = seen[..., :3], seen[..., 3:]
    behind = background.to(parameter).expand(len(cameras), 3)[:, None, None]
    return VolumeRendering(rgb + (1 - alpha) * behind, alpha, sums, extras, z0.reshape(-1, 1, 1, 1))


def box_crossings(origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
    """Return where rays [N, 3] enter and leave the box [-1, 1]^3, [N] each; one misses it where far is before near."""
    inverse = 1 / torch.where(directions.abs() > 1e-12, directions, 1e-12)
    one, other = (-1 - origins) * inverse, (1 - origins) * inverse
    near = torch.minimum(one, other).amax(-1).clamp_min(0)
    return near, torch.maximum(one, other).amin(-1)


def march_all(
    origins: Tensor, directions: Tensor, near: Tensor, far: Tensor, step: float, occupancy: OccupancyGrid | None
) -> Samples:
    """Return all stretches of length `step` inside the box, the last of each ray shorter; those in occupied cells."""
    counts = ((far - near).clamp_min(0) / step).ceil().long()
    ray = torch.repeat_interleave(torch.arange(len(near), device=near.device), counts)
    place = torch.arange(len(ray), device=near.device) - (counts.cumsum(0) - counts)[ray]
    start = near[ray] + place * step
    end = torch.minimum(start + step, far[ray])
    kept = end > start
    if occupancy is not None:
        middle = origins[ray] + ((start + end) / 2)[:, None] * directions[ray]
        kept &= occupancy.at(middle.clamp(-1, 1))
    return Samples(ray[kept], start[kept], end[kept])


def weights_of(samples: Samples, densities: Tensor, count: int) -> Tensor:
    """Return the weights [N] of samples of `count` rays: what gets to them times what they stop."""
    depth = densities * (samples.end - samples.start)
    before = _before(depth, samples.ray, count)
    return torch.exp(-before) * -torch.expm1(-depth)


def distortion_of(samples: Samples, weights: Tensor, middle: Tensor, length: Tensor) -> Tensor:
    """Return each sample's part of its ray's distortion, [N]; see `regularisers.distortion`."""
    count = int(samples.ray[-1]) + 1 if len(samples.ray) else 0
    total = _before(weights, samples.ray, count)
    moment = _before(weights * middle, samples.ray, count)
    return 2 * weights * (middle * total - moment) + weights.square() * length / 3


def _before(values: Tensor, ray: Tensor, count: int) -> Tensor:
    """Return the sums of values [N] over the samples before each one on its ray: [N].

    Summed in double precision over all rays: what comes before a ray is taken away again.
    """
    running = values.double().cumsum(0)
    sizes = torch.bincount(ray, minlength=count)
    first = (sizes.cumsum(0) - sizes)[ray]
    padded = torch.cat([running.new_zeros(1), running])
    return (padded[:-1] - padded[first]).to(values)


def _gather(values: Tensor, ray: Tensor, cameras: Cameras) -> Tensor:
    """Add values [N, C] up along their rays: [B, H, W, C]."""
    pixels = len(cameras) * cameras.height * cameras.width
    total = values.new_zeros(pixels, values.shape[1]).index_add(0, ray, values)
    return total.reshape(len(cameras), cameras.height, cameras.width, -1)
