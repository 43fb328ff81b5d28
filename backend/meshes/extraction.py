"""From a field over space to a clean triangle mesh: marching cubes, components, smoothing, decimation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from backend.cameras import Cameras
from backend.errors import BackendError, NoSurface
from backend.meshes.mesh import Mesh, is_watertight, mesh_from_arrays
from backend.meshes.rasteriser import silhouettes
from backend.representations.fields import EXTENT, opacity_field
from backend.representations.gaussians import Gaussians, extent

MAX_FACES = 50_000  # xatlas takes hours on a million
MIN_COMPONENT = 0.01  # of the largest one's faces. Source: threestudio, isosurface_remove_outliers
BLUR, GAP, MIN_PART = 0.8, 2, 0.05  # of meshes from Gaussians: see mesh_from_gaussians
THRESHOLDS = (0.02, 8.0)  # between which a surface is looked for
Bounds = tuple[Sequence[float], Sequence[float]]
UNIT_BOX: Bounds = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))


def mesh_from_field(
    field: Callable[[torch.Tensor], torch.Tensor],
    *,
    bounds: Bounds = UNIT_BOX,
    resolution: int = 128,
    threshold: float,
    max_faces: int = MAX_FACES,
) -> Mesh:
    """Return the surface on which a field [M, 3] -> [M] falls below a threshold, closed at the bounds.

    `bounds` are two corners, `resolution` the points along the longest side. Raises NoSurface when nothing in the
    bounds is above the threshold.
    """
    volume, origin, spacing = sample_field(field, bounds, resolution)
    return decimate(keep_large_components(mesh_from_volume(volume, origin, spacing, threshold)), max_faces)


@dataclass(frozen=True)
class OpacityGrid:
    """The opacity field of Gaussians on a regular grid; how high it is near a surface depends on its spacing."""

    volume: np.ndarray  # [X, Y, Z]
    origin: np.ndarray  # [3], the first point
    spacing: float


def mesh_from_gaussians(
    gaussians: Gaussians,
    *,
    resolution: int = 128,
    threshold: float = 0.5,
    max_faces: int = MAX_FACES,
    blur: float = BLUR,
    gap: int = GAP,
    smoothing: int = 10,
    smallest_component: float = MIN_PART,
) -> Mesh:
    """Return a mesh of distilled Gaussians, which are noisy: hollow inside, fuzzy outside, with floating crumbs.

    The opacity field is sampled twice, coarsely to find the box that the object fills and then inside it; it is blurred
    by `blur` grid steps, hollows whose walls have holes of up to `2 * gap` steps are filled, crumbs are dropped and the
    surface gets `smoothing` Taubin steps. Raises NoSurface when no opacity reaches the threshold.
    Source: DreamGaussian (Tang et al. 2023), section 3.2; what is added to it is named above.
    """
    grid = opacity_grid(gaussians, resolution, threshold)
    return decimate(mesh_from_grid(grid, threshold, blur, gap, smoothing, smallest_component), max_faces)


def mesh_from_grid(
    grid: OpacityGrid,
    threshold: float,
    blur: float = BLUR,
    gap: int = GAP,
    smoothing: int = 10,
    smallest_component: float = MIN_PART,
) -> Mesh:
    """Return the surface of Gaussians as `mesh_from_gaussians` does, of all the faces that the grid gives."""
    volume = tidy_volume(grid.volume, threshold, blur=blur, gap=gap)
    mesh = mesh_from_volume(volume, grid.origin, grid.spacing, threshold)
    return smooth_taubin(keep_large_components(mesh, smallest_component), smoothing)


def fit_threshold(
    grid: OpacityGrid,
    cameras: Cameras,
    alpha: torch.Tensor,
    *,
    between: tuple[float, float] = THRESHOLDS,
    tolerance: float = 0.003,
    steps: int = 7,
) -> tuple[float, float]:
    """Return the threshold whose mesh covers as much of the images as the Gaussians do, and its area over theirs.

    `alpha` [B, H, W, 1] is what the cameras see of the Gaussians; a pixel counts where it is above one half. The sum of
    opacities at the surface depends on how many Gaussians overlap there and on the grid; what the artist saw does not.
    The area falls as the threshold rises, so bisection of its logarithm finds the place where both areas are equal, to
    a share `tolerance` or after `steps` meshes; beyond the ends of `between` it returns a threshold near that end.
    Raises NoSurface when nothing is covered, or no threshold gives a mesh.
    """
    wanted = float((alpha > 0.5).sum())
    if wanted == 0:
        raise NoSurface(
            f"There is no surface: none of {alpha.numel()} pixels is half covered by points.",
            "Let the optimisation run longer.",
        )
    low, high = between
    best = (low, math.inf)
    for _ in range(steps):
        threshold = (low * high) ** 0.5
        try:
            area = float(silhouettes(mesh_from_grid(grid, threshold), cameras).sum()) / wanted
        except NoSurface:  # so little is as opaque as this that blurring leaves nothing
            area = 0.0
        if area > 0 and abs(area - 1) < abs(best[1] - 1):
            best = (threshold, area)
        if abs(area - 1) < tolerance:
            break
        low, high = (threshold, high) if area > 1 else (low, threshold)
    if best[1] == math.inf:
        raise _nothing_above(best[0], float(grid.volume.max()))
    return best


def opacity_grid(
    gaussians: Gaussians, resolution: int, faintest: float = THRESHOLDS[0], min_scale: float = 0.0
) -> OpacityGrid:
    """Sample the opacity inside the box of what reaches half of `faintest`, with `resolution` points along it.

    Scales are raised to `min_scale`, and to half a grid step: a surface of thinner Gaussians has lumps and holes that
    nobody saw. Raises NoSurface when nothing is as opaque.
    """
    half = min(max(1.0, extent(gaussians, 0.999)), EXTENT)  # an edit may grow out of the unit sphere
    box = ([-half] * 3, [half] * 3)
    coarse, origin, step = sample_field(opacity_field(gaussians, min_scale=half / 48), box, 48)
    inside = np.argwhere(coarse > 0.5 * faintest)
    if len(inside) == 0:
        raise _nothing_above(faintest, float(coarse.max()))
    low, high = origin + step * (inside.min(axis=0) - 2), origin + step * (inside.max(axis=0) + 2)
    spacing = float((high - low).max()) / (resolution - 1)
    field = opacity_field(gaussians, min_scale=max(0.5 * spacing, min_scale))
    return OpacityGrid(*sample_field(field, (low.tolist(), high.tolist()), resolution))


def sample_field(
    field: Callable[[torch.Tensor], torch.Tensor], bounds: Bounds, resolution: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """Evaluate a field on a regular grid: values [X, Y, Z], the first point [3], and the spacing."""
    low, high = np.asarray(bounds[0], dtype=np.float64), np.asarray(bounds[1], dtype=np.float64)
    if resolution < 4 or not (high > low).all():
        raise ValueError(f"a grid of {resolution} points between {low.tolist()} and {high.tolist()} holds no shape")
    spacing = float((high - low).max()) / (resolution - 1)
    counts = np.ceil((high - low) / spacing - 1e-9).astype(int) + 1
    x, y, z = (torch.from_numpy(low[axis] + spacing * np.arange(counts[axis])).float() for axis in range(3))
    across = torch.stack(torch.meshgrid(y, z, indexing="ij"), dim=-1).reshape(-1, 2)  # [Y * Z, 2]
    rows = max(1, 2**20 // len(across))  # about a million points at a time
    volume = np.empty(tuple(counts), dtype=np.float32)
    for start in range(0, len(x), rows):
        some = x[start : start + rows]
        points = torch.cat([some.repeat_interleave(len(across))[:, None], across.repeat(len(some), 1)], dim=1)
        volume[start : start + rows] = field(points).reshape(len(some), *volume.shape[1:]).numpy()
    return volume, low, spacing


def tidy_volume(volume: np.ndarray, threshold: float, *, blur: float, gap: int) -> np.ndarray:
    """Blur an opacity volume and fill its hollows, also those that leak through holes of up to 2 * gap grid steps."""
    from scipy import ndimage

    # Cut at twice the threshold, the step at the surface is symmetric, and blurring it does not move the surface.
    volume = np.clip(volume, 0.0, 2.0 * threshold)
    if blur > 0:
        volume = ndimage.gaussian_filter(volume, blur)
    # Padded, closing cannot run into the border.
    inside = np.pad(volume > threshold, gap + 1)
    closed = _close(inside, gap) if gap > 0 else inside
    filled = _fill_holes(closed)
    # Closing took the hollows' outermost steps: give them back there, but leave slots and corners elsewhere open.
    hollows = ndimage.binary_dilation(filled & ~closed, iterations=gap + 1) & filled
    solid = _fill_holes(inside | hollows)
    added = (solid & ~inside)[(slice(gap + 1, -gap - 1),) * 3]
    volume[added] = 2.0 * threshold
    return volume


def _close(inside: np.ndarray, radius: float) -> np.ndarray:
    """Close holes through which no ball of a radius (in grid steps) fits."""
    from scipy import ndimage

    away = np.empty(inside.shape)
    ndimage.distance_transform_edt(~inside, distances=away)
    grown = away <= radius
    ndimage.distance_transform_edt(grown, distances=away)
    return inside | (away > radius)


def _fill_holes(inside: np.ndarray) -> np.ndarray:
    """Fill what the outside cannot reach."""
    from scipy import ndimage

    filled = np.empty_like(inside)
    ndimage.binary_fill_holes(inside, output=filled)
    return filled


def mesh_from_volume(volume: np.ndarray, origin: np.ndarray, spacing: float, threshold: float) -> Mesh:
    """Return the surface where a volume [X, Y, Z] falls below a threshold, wound outwards, closed at the border.

    Raises NoSurface when no value is above the threshold.
    """
    from skimage.measure import marching_cubes

    height = volume.astype(np.float64) - threshold
    if not (height > 0).any():
        raise _nothing_above(threshold, float(volume.max()))
    # A surface exactly through a grid point gives triangles without area: keep it a thousandth of the step off.
    hair = 1e-3 * min(float(height.max()), float(-height.min()) if (height < 0).any() else np.inf)
    height = np.where(np.abs(height) < hair, np.where(height < 0, -hair, hair), height)
    outside = -float(height.max())  # closes the surface at most half a step beyond the border
    height = np.pad(height, 1, constant_values=outside)
    vertices, faces, _, _ = marching_cubes(height, 0.0, gradient_direction="ascent", allow_degenerate=False)
    return mesh_from_arrays((vertices - 1.0) * spacing + origin, faces)


def keep_large_components(mesh: Mesh, fraction: float = MIN_COMPONENT) -> Mesh:
    """Drop the connected pieces with fewer faces than a fraction of the largest's, and the walls of inner cavities."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    faces = mesh.faces.numpy()
    start, end = faces.reshape(-1), np.roll(faces, -1, axis=1).reshape(-1)
    graph = coo_array((np.ones(len(start), dtype=bool), (start, end)), shape=(len(mesh.vertices),) * 2)
    _, piece = connected_components(graph, directed=False)
    piece = piece[faces[:, 0]]  # [F]
    sizes = np.bincount(piece)
    corners = mesh.vertices.double().numpy()[faces]  # [F, 3, 3]
    solid = np.einsum("fi,fi->f", corners[:, 0], np.cross(corners[:, 1], corners[:, 2]))
    volumes = np.bincount(piece, weights=solid)  # six times the volume, negative for a cavity's wall
    outer = volumes > 0
    largest = sizes[outer].max() if outer.any() else sizes.max()
    kept = (sizes >= fraction * largest) & (outer | ~outer.any())
    return _select_faces(mesh, kept[piece])


def smooth_taubin(mesh: Mesh, steps: int = 10, *, shrink: float = 0.5, inflate: float = -0.53) -> Mesh:
    """Smooth the vertices without shrinking the shape. Source: Taubin 1995, a signal processing approach, eq. 10."""
    from scipy.sparse import coo_array, diags_array

    faces = mesh.faces.numpy()
    start, end = faces.reshape(-1), np.roll(faces, -1, axis=1).reshape(-1)
    edges = coo_array(
        (np.ones(2 * len(start)), (np.r_[start, end], np.r_[end, start])), shape=(len(mesh.vertices),) * 2
    )
    edges = edges.tocsr()
    edges.data[:] = 1.0  # an inner edge belongs to two faces and was entered twice
    mean = diags_array(1.0 / np.maximum(edges.sum(axis=1), 1.0)) @ edges
    positions = mesh.vertices.double().numpy()
    for _ in range(steps):
        for amount in (shrink, inflate):
            positions = positions + amount * (mean @ positions - positions)
    return mesh_from_arrays(positions, faces)


def decimate(mesh: Mesh, max_faces: int = MAX_FACES) -> Mesh:
    """Return at most `max_faces` triangles of the same shape, by quadric edge collapse; a closed mesh stays closed.

    Source: Garland and Heckbert 1997. Raises BackendError when no setting of the collapse keeps the mesh closed.
    """
    import fast_simplification

    if len(mesh.faces) <= max_faces:
        return mesh
    closed = is_watertight(mesh)
    # The greedier the collapse, the sooner it folds a surface over: be as greedy as stays closed.
    for greed in (5, 3, 1):
        vertices, faces, *_ = fast_simplification.simplify(
            mesh.vertices.numpy(), mesh.faces.numpy().astype(np.int32), target_count=max_faces, agg=greed
        )
        simpler = _select_faces(mesh_from_arrays(vertices, faces), np.ones(len(faces), dtype=bool))
        if len(simpler.faces) <= max_faces and (is_watertight(simpler) or not closed):
            return simpler
    raise BackendError(
        f"The mesh of {len(mesh.faces)} faces could not be brought to {max_faces} in one closed piece.",
        "Allow more faces, or use a lower grid resolution.",
    )


def _select_faces(mesh: Mesh, kept: np.ndarray) -> Mesh:
    """Keep some faces, and of the vertices those that they use."""
    used, faces = np.unique(mesh.faces.numpy()[kept], return_inverse=True)
    return mesh_from_arrays(mesh.vertices.numpy()[used], faces.reshape(-1, 3))


def _nothing_above(threshold: float, highest: float) -> NoSurface:
    return NoSurface(
        f"There is no surface: the field reaches {highest:.3g}, and the threshold is {threshold:.3g}.",
        "Lower the threshold, or let the optimisation run longer.",
    )
