"""Compares surfaces: Chamfer-L1, F-score, volume IoU, and the similarity that lays one on the other first."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.spatial import KDTree

from backend.meshes.mesh import Mesh
from benchmarks.metrics.geometry import align, chamfer

THRESHOLD = 0.05  # of the F-score, in units of the true object's largest side
VOXELS = 64
CLOSER = 3  # members of a family that are aligned in full
AZIMUTH_STEP = 5.0


@dataclass(frozen=True)
class Similarity:
    """x -> scale R(azimuth) x + shift, with R a turn about the vertical axis, anticlockwise seen from above."""

    scale: float
    shift: np.ndarray  # [3]
    azimuth_degrees: float = 0.0

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Return points [N, 3] laid on the true object."""
        return self.scale * points @ turn(self.azimuth_degrees).T + self.shift


def turn(azimuth_degrees: float) -> np.ndarray:
    """Return the rotation about +Z, [3, 3]."""
    angle = math.radians(azimuth_degrees)
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def fit_similarity(made: np.ndarray, true: np.ndarray, *, turning: bool = False) -> Similarity:
    """Return what lays `made` [N, 3] on `true` [M, 3] with the least Chamfer distance that closest points find.

    Without `turning` only scale and shift are fitted: which side is the front is then part of what is judged. With it
    every azimuth in steps of 5 degrees is tried on a tenth of the points, and the best three on all of them.
    """
    if not turning:
        return Similarity(*align(made, true))
    fits = [Similarity(*align(made @ turn(azimuth).T, true), azimuth) for _, azimuth in _turned(made, true)[:3]]
    return min(fits, key=lambda fit: chamfer(fit(made), true))


def _turned(made: np.ndarray, true: np.ndarray) -> list[tuple[float, float]]:
    """Return the distance of a tenth of the points, roughly aligned, at each azimuth in degrees; the least first."""
    few, fewer = made[::10], true[::10]
    tries = []
    for azimuth in np.arange(0.0, 360.0, AZIMUTH_STEP):
        turned = few @ turn(azimuth).T
        scale, shift = align(turned, fewer, rounds=4)
        tries.append((chamfer(scale * turned + shift, fewer), float(azimuth)))
    return sorted(tries)


def place(mesh: Mesh, similarity: Similarity) -> Mesh:
    """Return the mesh moved by a similarity."""
    return replace(mesh, vertices=torch.from_numpy(similarity(mesh.vertices.double().numpy())).float())


def largest_side(points: np.ndarray) -> float:
    """Return the longest side of the axis-aligned box around points [N, 3]: the unit of all distances here."""
    return float((points.max(0) - points.min(0)).max())


def chamfer_l1(made: np.ndarray, true: np.ndarray) -> float:
    """Return half the sum of the mean distances to the nearest point of the other, in largest sides of `true`.

    Points are spread evenly over both surfaces, [N, 3] and [M, 3]. 0 is best; a ball scores what it scores.
    """
    return chamfer(made, true) / largest_side(true)


def f_score(made: np.ndarray, true: np.ndarray, threshold: float = THRESHOLD) -> float:
    """Return the harmonic mean of precision and recall, in [0, 1].

    Precision is the share of made points within `threshold` (in largest sides of `true`) of a true one, recall the
    share of true points within it of a made one. Source: Tatarchenko et al., What do single-view 3D reconstruction
    networks learn?, 2019, section 4.
    """
    reach = threshold * largest_side(true)
    precision = float((KDTree(true).query(made)[0] <= reach).mean())
    recall = float((KDTree(made).query(true)[0] <= reach).mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def voxels(mesh: Mesh, low: np.ndarray, side: float, resolution: int = VOXELS) -> np.ndarray:
    """Return which voxel centres of a cube [low, low + side] lie inside a closed mesh, bool [R, R, R] (x, y, z).

    A centre is inside where a ray along +Z crosses the surface an odd number of times above it.
    """
    inside = np.zeros((resolution, resolution, resolution), dtype=bool)
    # Half a thousandth of a voxel off the centre: a ray through an edge would count both of its triangles.
    corners = (mesh.vertices.double().numpy()[mesh.faces.numpy()] - low) / side * resolution - 0.5 - 5e-4  # [F, 3, 3]
    for (ax, ay, az), (bx, by, bz), (cx, cy, cz) in corners.tolist():
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        x0, x1 = max(math.ceil(min(ax, bx, cx)), 0), min(math.floor(max(ax, bx, cx)), resolution - 1)
        y0, y1 = max(math.ceil(min(ay, by, cy)), 0), min(math.floor(max(ay, by, cy)), resolution - 1)
        if area == 0 or x1 < x0 or y1 < y0:
            continue
        x, y = np.meshgrid(np.arange(x0, x1 + 1), np.arange(y0, y1 + 1), indexing="ij")
        u = ((bx - x) * (cy - y) - (by - y) * (cx - x)) / area
        v = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) / area
        hit = (u >= 0) & (v >= 0) & (u + v <= 1)
        height = u * az + v * bz + (1 - u - v) * cz
        for column, row, top in zip(x[hit], y[hit], height[hit], strict=True):
            inside[column, row, : max(math.ceil(top), 0)] ^= True
    return inside


def volume_iou(made: Mesh, true: Mesh, resolution: int = VOXELS) -> float:
    """Return the intersection over union of two closed meshes on 64^3 voxels of the cube around both, in [0, 1]."""
    both = torch.cat([made.vertices, true.vertices]).double().numpy()
    low, high = both.min(0), both.max(0)
    side = float((high - low).max()) * 1.02
    low = (low + high) / 2 - side / 2
    one, other = voxels(made, low, side, resolution), voxels(true, low, side, resolution)
    return float((one & other).sum() / max((one | other).sum(), 1))


def best_of_family(made: np.ndarray, family: list[np.ndarray]) -> float:
    """Return the least Chamfer-L1 of a result to draws of what its prompt may mean.

    A prompt has no true shape, so the result is compared with many, each after alignment with turning; all point sets
    are [N, 3]. Only the CLOSER members that a tenth of the points is nearest to are aligned with all of them.
    """
    return _least_distance(made, family, turning=True)


def family_distance(family: list[np.ndarray]) -> float:
    """Return the mean over a family's members [N, 3] of the least Chamfer-L1 to another member, without turning."""
    if len(family) < 2:
        raise ValueError(f"{len(family)} members: a family has at least 2")
    others = [[other for other in family if other is not one] for one in family]
    nearest = [_least_distance(one, rest, turning=False) for one, rest in zip(family, others, strict=True)]
    return sum(nearest) / len(nearest)


def _least_distance(made: np.ndarray, family: list[np.ndarray], *, turning: bool) -> float:
    def rough(member: np.ndarray) -> float:
        if turning:
            return _turned(made, member)[0][0] / largest_side(member)
        return _aligned_distance(made[::10], member[::10], turning=False)

    closest = sorted(family, key=rough)[:CLOSER]
    return min(_aligned_distance(made, member, turning=turning) for member in closest)


def _aligned_distance(made: np.ndarray, true: np.ndarray, *, turning: bool) -> float:
    return chamfer_l1(fit_similarity(made, true, turning=turning)(made), true)
