"""A radiance grid that begins as the outline of one picture, blown up: thick where the outline is wide.

Source: Igarashi et al., Teddy: A Sketching Interface for 3D Freeform Design, 1999, section 5.1, for the idea.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from backend.cameras import Cameras
from backend.representations.radiance import EMPTY_RAW, START_DENSITY, logit, raw_of
from backend.representations.radiance_grid import RadianceGrid, grid_points

ROUND = 1.3  # half the thickness over the distance to the outline; 1 makes a tube of a line, more makes up for slopes
STEEP = 0.85  # sine of the camera's elevation, above which the plane faces it: 58 degrees
STRENGTH = 12.0  # of the density at the middle, as a blob's
BLURRED = 10  # cells along a side that are left of the colours: details belong to the side that shows them


def inflated_grid(
    resolution: int, camera: Cameras, rgb: Tensor, mask: Tensor, *, background: float = 0.9
) -> RadianceGrid:
    """Return a grid whose density fills a mask [1, S, S, 1] as one camera sees it, about a plane through the origin.

    The plane is upright, as things stand, and faces the camera; one that looks steeply finds it lying. Half its
    thickness is ROUND times the distance to the outline. Its colours are those of rgb [1, S, S, 3] inside the mask,
    blurred, so that no detail of the front is on the back.
    """
    from scipy import ndimage

    points = grid_points(resolution)
    to_camera = camera.world_to_camera[0].cpu()
    local = points @ to_camera[:3, :3].T + to_camera[:3, 3]
    pixels = local @ camera.intrinsics[0].cpu().T
    places = pixels[:, :2] / pixels[:, 2:].clamp_min(1e-6) / torch.tensor([camera.width, camera.height]) * 2 - 1
    inside = mask[0, ..., 0].cpu() > 0.5
    away = torch.from_numpy(np.asarray(ndimage.distance_transform_edt(inside.numpy()), dtype=np.float32))
    layers = torch.cat([away[None, None], _blurred(rgb.cpu(), mask.cpu())], dim=1)  # [1, 4, S, S]
    found = functional.grid_sample(layers, places.view(1, 1, -1, 2), align_corners=False)[0, :, 0].T  # [M, 4]
    half = ROUND * found[:, 0] * local[:, 2] / camera.intrinsics[0, 0, 0].cpu()  # world units
    towards = functional.normalize(camera.position[0].cpu() * torch.tensor([1.0, 1.0, 0.0]), dim=0)  # things stand
    if float(functional.normalize(camera.position[0].cpu(), dim=0)[2].abs()) > STEEP:
        towards = functional.normalize(camera.position[0].cpu(), dim=0)
    off = (points @ towards).abs()  # from the plane through the origin
    falling = functional.softplus(STRENGTH * (1 - off / half.clamp_min(1e-3))).clamp_min(START_DENSITY)
    raw = torch.where(half > 0, raw_of(falling), raw_of(torch.tensor(START_DENSITY)))
    raw = torch.where(points.norm(dim=1) <= 1, raw, EMPTY_RAW - 1)
    values = torch.cat([raw[:, None], torch.logit(found[:, 1:].clamp(0.02, 0.98))], dim=1)
    return RadianceGrid(values.reshape(resolution, resolution, resolution, 4), torch.full((3,), logit(background)))


def _blurred(rgb: Tensor, mask: Tensor) -> Tensor:
    """Return colours [1, 3, S, S] as means over coarse cells of what the mask [1, S, S, 1] shows, elsewhere of all."""
    size = rgb.shape[1]
    weighted = functional.adaptive_avg_pool2d(torch.cat([rgb * mask, mask], -1).permute(0, 3, 1, 2), BLURRED)
    mean = (rgb * mask).sum((1, 2)) / mask.sum((1, 2)).clamp_min(1.0)  # [1, 3]
    share = weighted[:, 3:]
    cells = (weighted[:, :3] + 0.05 * mean[..., None, None]) / (share + 0.05)
    return functional.interpolate(cells, (size, size), mode="bilinear", align_corners=False)
