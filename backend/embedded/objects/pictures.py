"""Takes pictures of forms: traces, shades, and traces again with more rays where neighbouring pixels differ."""

from __future__ import annotations

import numpy as np
import torch

from backend.cameras import Cameras
from backend.embedded.objects.forms import Form, table
from backend.embedded.objects.solids import Photograph
from backend.embedded.objects.surfaces import Light, shade
from backend.embedded.objects.tracing import trace_again, trace_views

EDGE = 0.07  # a difference between neighbours (sRGB) from which a pixel is traced with more rays
SAMPLES = 2


def picture(
    form: Form, cameras: Cameras, background: tuple[float, float, float], light: Light, *, finish: str = "matte"
) -> Photograph:
    """Photograph a form from every camera (square images, principal point in the middle) over one colour.

    As `solids.photograph`: silhouettes and edges of colour are anti-aliased; mask, depth and normal are of the hits
    of the central rays alone.
    """
    poses = cameras.camera_to_world.double().numpy()
    focal = cameras.intrinsics[:, 0, 0].double().numpy()
    size = cameras.width
    written = table(form)
    sun = np.array(light.direction, dtype=np.float64)
    setting = (written.rows, written.placement, poses, focal, size, sun, light.shadows)
    found = trace_views(*setting)  # [V, S, S, FOUND]
    directions = _directions(poses, focal, size)  # [V, S, S, 3]
    behind = np.array(background, dtype=np.float32)
    rgb = np.broadcast_to(behind, (*found.shape[:3], 3)).copy()
    drawn = found[..., 0] > 0
    colour = shade(found[drawn], directions[drawn], form.materials, light, finish)
    cover = found[drawn][:, :1]
    rgb[drawn] = cover * colour + (1 - cover) * behind

    pixels = np.argwhere(_edges(rgb, drawn))  # [N, 3]
    if len(pixels):
        at = tuple(pixels.T)
        again = trace_again(*setting, pixels, found[(*at, 12)].astype(np.float64), SAMPLES)  # [N, K, FOUND]
        rays = np.repeat(directions[at], SAMPLES * SAMPLES, axis=0)
        flat = again.reshape(-1, again.shape[-1])
        colour = shade(flat, rays, form.materials, light, finish).reshape(len(pixels), -1, 3)
        rgb[at] = (again[..., :1] * colour + (1 - again[..., :1]) * behind).mean(axis=1)

    seen = found[..., 1:2]
    forward = poses[:, None, None, :3, 2]
    depth = seen * found[..., 2:3] * (directions * forward).sum(-1, keepdims=True)
    arrays = (rgb, depth, seen * found[..., 3:6], seen)
    return Photograph(*(torch.from_numpy(np.ascontiguousarray(a, dtype=np.float32)) for a in arrays))


def _edges(rgb: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Mark drawn pixels that differ from a neighbour by more than EDGE in some channel, [V, S, S]."""
    marked = np.zeros(drawn.shape, dtype=bool)
    for axis in (1, 2):
        differs = (np.abs(np.diff(rgb, axis=axis)) > EDGE).any(-1)
        before = tuple(slice(None, -1) if a == axis else slice(None) for a in range(3))
        after = tuple(slice(1, None) if a == axis else slice(None) for a in range(3))
        marked[before] |= differs
        marked[after] |= differs
    return marked & drawn


def _directions(poses: np.ndarray, focal: np.ndarray, size: int) -> np.ndarray:
    line = np.arange(size) + 0.5 - size / 2
    pixels = np.ones((len(poses), size, size, 3))
    pixels[..., 0] = line[None, None, :] / focal[:, None, None]
    pixels[..., 1] = line[None, :, None] / focal[:, None, None]
    world = np.einsum("vij,vhwj->vhwi", poses[:, :3, :3], pixels)
    return world / np.linalg.norm(world, axis=-1, keepdims=True)
