"""From a radiance field to a mesh: marching cubes on a fine grid that is evaluated only near the surface."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from backend.cameras import Cameras
from backend.errors import NoSurface
from backend.meshes.extraction import (
    BLUR,
    GAP,
    MAX_FACES,
    MIN_PART,
    UNIT_BOX,
    Bounds,
    decimate,
    keep_large_components,
    mesh_from_volume,
    sample_field,
    smooth_taubin,
    tidy_volume,
)
from backend.meshes.mesh import Mesh
from backend.meshes.rasteriser import silhouette_iou, silhouettes
from backend.representations.radiance import RadianceField, density_field

COARSER = 4  # of a coarse cell's side in fine steps
DENSITIES = (2.0, 5.0, 10.0, 20.0, 40.0)  # tried as the surface: two units of path through 2 stop 98 % of the light
NEAR_BEST = 0.02  # of an IoU
CHUNK = 1 << 20  # points at a time

Field = Callable[[torch.Tensor], torch.Tensor]  # points [M, 3] -> [M]


def mesh_from_radiance(
    field: RadianceField,
    threshold: float,
    *,
    resolution: int = 128,
    max_faces: int = MAX_FACES,
    blur: float = BLUR,
    gap: int = GAP,
    smoothing: int = 5,
) -> Mesh:
    """Return the surface on which a field's density falls below a threshold, closed at its box, in large pieces.

    `resolution` are the points along a side. What no ray reached is whatever it was in the beginning: hollows are
    filled, also those whose walls have holes of up to `2 * gap` grid steps, after a blur of `blur` steps; then come
    `smoothing` Taubin steps. Raises NoSurface when nothing is as dense as the threshold.
    """
    volume, origin, spacing = sample_near_surface(density_field(field), UNIT_BOX, resolution, threshold)
    volume = tidy_volume(volume, threshold, blur=blur, gap=gap)
    mesh = keep_large_components(mesh_from_volume(volume, origin, spacing, threshold), MIN_PART)
    return decimate(smooth_taubin(mesh, smoothing), max_faces)


def sample_near_surface(
    field: Field, bounds: Bounds, resolution: int, threshold: float, *, coarser: int = COARSER
) -> tuple[np.ndarray, np.ndarray, float]:
    """Evaluate a field where it may cross a threshold: values [X, Y, Z], the first point [3], the spacing.

    First on a grid `coarser` times as wide; then at the points of all cells whose corners, or those of a neighbour,
    lie on both sides. The rest takes what the coarse grid says. As `sample_field`, for surfaces that the coarse grid
    does not miss: a part thinner than a coarse cell, and far from any other, may be lost.
    """
    low = np.asarray(bounds[0], dtype=np.float64)
    longest = float((np.asarray(bounds[1]) - low).max())
    spacing = longest / (resolution - 1)
    cells = [int(np.ceil(s / spacing / coarser - 1e-9)) for s in np.asarray(bounds[1]) - low]
    high = low + np.array(cells) * coarser * spacing
    wide = max(cells) + 1
    if wide < 4:
        return sample_field(field, bounds, resolution)
    coarse, origin, _ = sample_field(field, (low.tolist(), high.tolist()), wide)
    is_near = crossed_cells(coarse, threshold)
    fine = _between(coarse, coarser)
    wanted = np.zeros(fine.shape, dtype=bool)
    for i, j, k in np.ndindex((coarser + 1,) * 3):
        part = wanted[i : i + coarser * cells[0] : coarser, j : j + coarser * cells[1] : coarser]
        part[:, :, k : k + coarser * cells[2] : coarser] |= is_near
    places = np.argwhere(wanted)
    points = torch.from_numpy(origin + spacing * places).float()
    found = [field(chunk) for chunk in points.split(CHUNK)]
    if found:
        fine[tuple(places.T)] = torch.cat(found).numpy()
    return fine, origin, spacing


def crossed_cells(coarse: np.ndarray, threshold: float) -> np.ndarray:
    """Return the cells [X - 1, Y - 1, Z - 1] of a grid [X, Y, Z] that a surface crosses, and their neighbours."""
    from scipy import ndimage

    corners = [coarse[i : i - 1 or None, j : j - 1 or None, k : k - 1 or None] for i, j, k in np.ndindex(2, 2, 2)]
    crossed = (np.min(corners, axis=0) < threshold) & (np.max(corners, axis=0) >= threshold)
    return ndimage.binary_dilation(crossed, np.ones((3, 3, 3)))


def fit_density(
    field: RadianceField,
    cameras: Cameras,
    alpha: torch.Tensor,
    *,
    candidates: Sequence[float] = DENSITIES,
    resolution: int = 64,
) -> tuple[float, float]:
    """Return the density whose surface has the silhouettes of the field's renderings, and the mean IoU with them.

    Of those whose IoU is within NEAR_BEST of the highest it is the lowest: where front and back have one colour, a fit
    leaves walls thin, and a high density makes holes of them that no silhouette shows.
    `alpha` [B, H, W, 1] is what the field covers as seen by the cameras. Raises NoSurface when no candidate gives one.
    """
    found = []
    at = density_field(field)
    volume, origin, spacing = sample_field(at, UNIT_BOX, resolution)
    for threshold in candidates:
        if volume.max() <= threshold:
            continue
        tidy = tidy_volume(volume, threshold, blur=BLUR, gap=GAP)
        if tidy.max() <= threshold:  # a peak that the blur has levelled
            continue
        mesh = keep_large_components(mesh_from_volume(tidy, origin, spacing, threshold), MIN_PART)
        found.append((threshold, float(silhouette_iou(silhouettes(mesh, cameras), alpha).mean())))
    if not found:
        raise NoSurface(
            f"There is no surface: the density reaches {volume.max():.3g}, the lowest tried is {min(candidates)}.",
            "Let the optimisation run longer.",
        )
    best = max(iou for _, iou in found)
    return min((threshold, iou) for threshold, iou in found if iou >= best - NEAR_BEST)


def _between(coarse: np.ndarray, coarser: int) -> np.ndarray:
    """Return a grid [X, Y, Z] interpolated trilinearly to `coarser` times as many steps."""
    volume = torch.from_numpy(coarse)[None, None]
    size = [coarser * (count - 1) + 1 for count in coarse.shape]
    return torch.nn.functional.interpolate(volume, size, mode="trilinear", align_corners=True)[0, 0].numpy()
