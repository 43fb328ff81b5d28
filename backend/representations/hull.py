"""A coarse shape from silhouettes: the visual hull of a few pictures, as points or as a field, in their colours."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from backend.cameras import Cameras
from backend.representations.gaussians import ball_of_points, outward_directions
from backend.representations.inflated import STRENGTH
from backend.representations.radiance import EMPTY_RAW, START_DENSITY, logit, raw_of
from backend.representations.radiance_grid import RadianceGrid, grid_points

CANDIDATES = 60  # for each point wanted; a chair fills a fortieth of the ball
SHELL = 3  # of so many points inside, the one nearest to a silhouette is kept
ZBUFFER = 48  # cells along a side
SOFT = 1.0  # grid steps at the edge of a field, over which its density rises
DEEP = 4  # of those: how far light goes into such a field
BEHIND = 0.06  # how far behind the nearest point of its cell a point is still seen


class HullPoints(NamedTuple):
    """Points of a visual hull [N, 3], the colours that the pictures show there [N, 3], and what is outwards [N, 3]."""

    points: Tensor
    colours: Tensor
    normals: Tensor


def hull_points(
    pictures: Tensor, masks: Tensor, cameras: Cameras, count: int, generator: torch.Generator
) -> HullPoints | None:
    """Draw points of the visual hull inside the unit ball, most of them near its surface.

    pictures [V, H, W, 3] and masks [V, H, W, 1] in [0, 1] as the V cameras see them. None where the silhouettes have
    less than `count` points in common. Source: Laurentini, The Visual Hull Concept for Silhouette-Based Image
    Understanding, 1994.
    """
    candidates = ball_of_points(CANDIDATES * count, 1.0, generator).to(masks)
    places, depths = project(candidates, cameras)
    inside = look_up(masks, places).amin(dim=0)[:, 0] > 0.5
    if int(inside.sum()) < count:
        return None
    places, depths, candidates = places[:, inside], depths[:, inside], candidates[inside]
    colours = seen_colours(pictures, places, depths, masks)
    chosen = slice(0, SHELL * count)  # the candidates are in random order
    nearest = look_up(distances(masks), places[:, chosen]).amin(dim=0)[:, 0].argsort()[:count]
    points = candidates[chosen][nearest]
    return HullPoints(points, colours[chosen][nearest], outward_directions(points, candidates))


def hull_grid(
    resolution: int, pictures: Tensor, masks: Tensor, cameras: Cameras, *, background: float = 0.9
) -> RadianceGrid | None:
    """Return a field that is solid in the visual hull of masks [V, H, W, 1], in the colours of pictures [V, H, W, 3].

    Outside it has START_DENSITY, of which something can become. None where the silhouettes have nothing in common.
    """
    points = grid_points(resolution).to(masks)
    places, depths = project(points, cameras)
    from_edge = look_up(distances(masks) - distances(1 - masks), places)[..., 0]  # pixels, less than 0 outside
    from_edge = torch.where((places.abs() <= 1).all(dim=-1), from_edge, -torch.inf)
    focal = cameras.intrinsics[:, 0, 0].to(points)
    deep = (from_edge * depths / focal[:, None]).amin(dim=0)  # [M], world units
    inside = deep > 0
    if not bool(inside.any()):
        return None
    step = SOFT * 2.0 / (resolution - 1)
    seen = seen_colours(pictures, places[:, inside], depths[:, inside], masks, behind=DEEP * step)
    colours = seen[_nearest(inside.reshape(resolution, resolution, resolution))]
    dense = functional.softplus(STRENGTH * (deep / step).clamp(-1, 1)).clamp_min(START_DENSITY)
    raw = torch.where(points.norm(dim=1) <= 1, raw_of(dense), EMPTY_RAW - 1)
    values = torch.cat([raw[:, None], torch.logit(colours.clamp(0.02, 0.98))], dim=1)
    return RadianceGrid(values.reshape(resolution, resolution, resolution, 4), torch.full((3,), logit(background)))


def _nearest(inside: Tensor) -> Tensor:
    """Return for each node of a grid [R, R, R] which of the nodes inside is nearest to it, counted as they lie."""
    from scipy.ndimage import distance_transform_edt

    solid = inside.cpu().numpy()
    found = distance_transform_edt(~solid, return_distances=False, return_indices=True)
    places = torch.from_numpy(np.ravel_multi_index(tuple(found), solid.shape).ravel())  # pyright: ignore
    return (inside.flatten().cumsum(0) - 1)[places.to(inside.device)]


def project(points: Tensor, cameras: Cameras) -> tuple[Tensor, Tensor]:
    """Return where points [N, 3] lie in the images, in [-1, 1] from corner to corner [V, N, 2], and camera z [V, N]."""
    poses, intrinsics = cameras.world_to_camera.to(points), cameras.intrinsics.to(points)
    local = points @ poses[:, :3, :3].transpose(1, 2) + poses[:, None, :3, 3]  # [V, N, 3]
    pixels = local @ intrinsics.transpose(1, 2)
    size = pixels.new_tensor([cameras.width, cameras.height])
    return 2 * pixels[..., :2] / pixels[..., 2:].clamp_min(1e-6) / size - 1, local[..., 2]


def look_up(images: Tensor, places: Tensor) -> Tensor:
    """Return what images [V, H, W, C] show at places [V, N, 2] in [-1, 1], 0 outside: [V, N, C]."""
    found = functional.grid_sample(images.permute(0, 3, 1, 2), places[:, None], align_corners=False)  # [V, C, 1, N]
    return found[:, :, 0].transpose(1, 2)


def distances(masks: Tensor) -> Tensor:
    """Return how far each pixel inside masks [V, H, W, 1] is from the outside, in pixels."""
    from scipy.ndimage import distance_transform_edt  # here, because the import takes a tenth of a second

    fields = [torch.from_numpy(distance_transform_edt(mask[..., 0].cpu().numpy() > 0.5)) for mask in masks]
    return torch.stack(fields)[..., None].to(masks)


def seen_colours(
    pictures: Tensor, places: Tensor, depths: Tensor, masks: Tensor | None = None, *, behind: float = BEHIND
) -> Tensor:
    """Return the mean colour [N, 3] of points in those pictures where nothing lies before them, else in all.

    pictures [V, H, W, 3], places [V, N, 2] in [-1, 1], depths [V, N]; what lies outside masks [V, H, W, 1] colours
    nothing, not even a point at its edge.
    """
    cells = ((places + 1) / 2 * ZBUFFER).long().clamp(0, ZBUFFER - 1)
    cells = cells[..., 1] * ZBUFFER + cells[..., 0]  # [V, N]
    buffer = depths.new_full((len(depths), ZBUFFER**2), float("inf"))
    front = buffer.scatter_reduce(1, cells, depths, "amin").gather(1, cells)
    visible = (depths < front + behind).to(depths)[..., None]  # [V, N, 1]
    solid = torch.ones_like(pictures[..., :1]) if masks is None else masks
    colours, shares = look_up(pictures * solid, places), look_up(solid, places)
    seen, everywhere = (visible * shares).sum(dim=0), shares.sum(dim=0).clamp_min(1e-6)
    return torch.where(
        seen > 1e-6, (colours * visible).sum(dim=0) / seen.clamp_min(1e-6), colours.sum(dim=0) / everywhere
    )
