"""What is inside of triangles that need not be closed: all that no two cameras around them see to be empty.

Source: Kutulakos and Seitz, A Theory of Shape by Space Carving, 2000, section 3, with depth in the place of colours.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch.nn import functional

from backend.cameras import Cameras, framing_distance, orbit
from backend.meshes.mesh import Mesh
from backend.meshes.rasteriser import rasterise

AROUND = 48  # cameras
PIXELS = 192
FOV = 30.0  # degrees
THICKENED = 0.75  # of `soft`, by which surfaces lie inside: a sheet is as thick as cells are soft
FAR = 1e3
OUTSIDE = 0.2  # world units before a surface, from which a point is not looked at again


def directions_around(count: int = AROUND) -> tuple[list[float], list[float]]:
    """Return azimuths and elevations in degrees, spread evenly over the sphere along a spiral."""
    heights = [1 - (2 * i + 1) / count for i in range(count)]
    turns = [(i * (math.sqrt(5) - 1) / 2 * 360) % 360 for i in range(count)]
    return turns, [math.degrees(math.asin(height)) for height in heights]


def depths_around(mesh: Mesh) -> tuple[Cameras, np.ndarray]:
    """Return cameras [AROUND] about a mesh in the unit ball and the nearest depths [AROUND, S, S] that they see.

    Each pixel has the least depth of those about it, so that what is thinner than a pixel is not lost; FAR where
    nothing is seen.
    """
    azimuths, elevations = directions_around()
    cameras = orbit(azimuths, elevations, fov_degrees=FOV, distance=float(framing_distance(FOV)), size=PIXELS)
    depths = []
    for camera in cameras:
        seen = rasterise(mesh, camera)
        depth = torch.from_numpy(np.where(seen.face >= 0, seen.depth, FAR))[None, None]
        depths.append(-functional.max_pool2d(-depth, 3, 1, 1)[0, 0])
    return cameras, torch.stack(depths).float().numpy()


def inside(cameras: Cameras, depths: np.ndarray, points: np.ndarray, soft: float) -> np.ndarray:
    """Return how much of world points [N, 3] is inside, before it is cut to [0, 1]: .5 at surfaces, falling over `soft`

    world units along the ray of whichever camera looks deepest into the point's surroundings.
    """
    # What one camera alone sees to be empty may lie in a sheet that it sees from the edge, as nothing.
    least, solid = np.full(len(points), FAR), np.full(len(points), FAR)
    left = np.arange(len(points))  # those that may yet be inside, or nearly
    size = cameras.width
    for k in range(len(cameras)):
        pose, intrinsics = cameras.world_to_camera[k].numpy(), cameras.intrinsics[k].numpy()
        local = points[left] @ pose[:3, :3].T + pose[:3, 3]
        column = (intrinsics[0, 0] * local[:, 0] / local[:, 2] + intrinsics[0, 2]).astype(np.int64).clip(0, size - 1)
        row = (intrinsics[1, 1] * local[:, 1] / local[:, 2] + intrinsics[1, 2]).astype(np.int64).clip(0, size - 1)
        deep = local[:, 2] - depths[k][row, column]
        solid[left] = np.minimum(solid[left], np.maximum(least[left], deep))
        least[left] = np.minimum(least[left], deep)
        left = left[solid[left] > -OUTSIDE]
    return 0.5 + THICKENED + solid / soft
