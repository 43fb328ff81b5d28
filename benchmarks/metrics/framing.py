"""Where an object stands that was made of a picture: its world is the crop's, and the picture's camera says where.

So a result can be compared with the truth from any side without fitting one to the other. A fit by surfaces pays for
what is too deep by making everything smaller: outlines that are right from the front then are not any more.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch

from backend.cameras import Cameras, azimuth_elevation, framing_distance, orbit
from backend.images import MARGIN, crop_box, square_crop
from backend.systems.reference import Target
from benchmarks.data.cases import ELEVATION, FOV, Case, true_views
from benchmarks.metrics.surfaces import Similarity

SIZE = 256  # pixels of the picture, by whose outline the crop is found


def framed(rgb: torch.Tensor, mask: torch.Tensor, camera: Cameras, size: int) -> tuple[Target, torch.Tensor, float]:
    """Return what systems see of a picture [S, S, 3] and mask [S, S, 1]; where their world's origin is, and its unit.

    `camera` has taken the picture. The world is that of the crop of `size` pixels: its middle is the origin, and its
    circle has a radius of 0.92.
    """
    left, top, side = crop_box(mask, MARGIN, enclose="circle")
    pixels, cut = square_crop(rgb, mask, size, MARGIN, enclose="circle")
    focal, distance = float(camera.intrinsics[0, 0, 0]), float(camera.position[0].norm())
    fov = math.degrees(2 * math.atan(side / 2 / focal))
    elevation = float(azimuth_elevation(camera)[1][0])
    seen = Target(orbit([0.0], [elevation], fov_degrees=fov, size=size), pixels[None], cut[None])
    middle = camera.width / 2
    across = torch.tensor([left + side / 2 - middle, top + side / 2 - middle, 0.0]) / focal * distance
    return seen, camera.camera_to_world[0, :3, :3] @ across, distance / float(framing_distance(fov))


@lru_cache(maxsize=64)
def frame_of(case: Case) -> Similarity:
    """Return what lays the world of a case's single image on that of the true object."""
    camera = orbit([0.0], ELEVATION, fov_degrees=FOV, size=SIZE)
    seen = true_views(case)(camera)
    _, origin, unit = framed(seen.rgb[0], seen.alpha[0], camera, SIZE)
    return Similarity(unit, origin.double().numpy())
