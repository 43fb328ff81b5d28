"""The last step of a texture: its texels are optimised until the mesh looks like given pictures from their cameras."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from scipy import ndimage, sparse

from backend.cameras import Cameras
from backend.meshes.baking import PADDING
from backend.meshes.mesh import Mesh, vertex_normals
from backend.meshes.rasteriser import interpolate, rasterise, rasterise_uv

PIXEL_SAMPLES = 2  # along both sides
JUMP = 3.0  # pixel widths in depth between neighbours, over the cosine: there another surface begins
MIN_COSINE = 0.15  # of the angle at which a picture says anything about a surface


def finish_texture(
    mesh: Mesh,
    cameras: Cameras,
    images: torch.Tensor,
    *,
    alpha: torch.Tensor,
    background: tuple[float, float, float] = (0.0, 0.0, 0.0),
    steps: int = 30,
) -> Mesh:
    """Optimise the texels of a textured mesh so that it looks like images [B, H, W, 3] from their cameras.

    `alpha` [B, H, W, 1] is how much of a pixel is the object; the images are composited on `background`. What a camera
    sees of the mesh does not depend on texels, so a picture is linear in them: A x. Each step moves every texel by the
    mean error of the pixels that it is seen in, x <- x + C A^T W (b - A x) with C the inverse column sums of W A, and
    back into [0, 1]. A texel that no picture sees keeps its colour, and the gutter follows its chart.
    Raises ValueError when the mesh has no texture.
    Source: Gilbert, Iterative methods for the three-dimensional reconstruction of an object from projections, 1972
    (SIRT); DreamGaussian (Tang et al. 2023), section 3.3, for a second stage on the texture alone.
    """
    if mesh.uv is None or mesh.texture is None:
        raise ValueError("only a texture that is there can be finished: bake one first")
    size = mesh.texture.shape[0]
    chart_texel = nearest_chart_texel(mesh, size)  # [T * T]
    rows = [
        _rows(mesh, camera, image, cover, torch.tensor(background), chart_texel)
        for camera, image, cover in zip(cameras, images, alpha, strict=True)
    ]
    matrix = sparse.csr_array(sparse.vstack([matrix for matrix, _, _ in rows]))  # [R, T * T], each row sums to 1
    targets, weights = (np.concatenate(parts) for parts in list(zip(*rows, strict=True))[1:])  # [R, 3], [R, 1]
    seen = np.unique(matrix.indices)  # the others keep their colour
    texture = mesh.texture.reshape(-1, 3).numpy().astype(np.float32)  # [T * T, 3]
    texels, matrix = texture[seen], matrix[:, seen]  # [K, 3], [R, K]
    way_back = sparse.csr_array(matrix.T)
    step = 1 / np.maximum(way_back @ weights, 1e-6)  # [K, 1]
    for _ in range(steps):
        error = weights * (targets - matrix @ texels)
        texels = np.clip(texels + step * (way_back @ error), 0, 1)
    texture[seen] = texels
    return replace(mesh, texture=torch.from_numpy(texture[chart_texel]).reshape(size, size, 3))


def nearest_chart_texel(mesh: Mesh, size: int) -> np.ndarray:
    """Return the index of the texel that each texel repeats, [T * T]: itself on a chart and far from all of them."""
    outside = rasterise_uv(mesh, size).face < 0
    distance, nearest = np.empty(outside.shape), np.empty((2, *outside.shape), dtype=np.int32)
    ndimage.distance_transform_edt(outside, return_indices=True, distances=distance, indices=nearest)
    own = np.arange(size * size).reshape(size, size)
    return np.where(distance <= PADDING, nearest[0].astype(np.int64) * size + nearest[1], own).reshape(-1)


def _rows(
    mesh: Mesh,
    camera: Cameras,
    image: torch.Tensor,
    alpha: torch.Tensor,
    background: torch.Tensor,
    chart_texel: np.ndarray,
) -> tuple[sparse.csr_array, np.ndarray, np.ndarray]:
    """Return how the pixels of one camera are made of texels, [R, T * T], their colours [R, 3] and weights [R, 1].

    A pixel is the mean of the samples in it that meet the mesh. It counts by how much of it mesh and object cover and
    by the squared cosine of the view; not at all beside another surface, where a little error of shape shows it.
    """
    height, width = camera.height, camera.width
    fragments = rasterise(mesh, camera.with_width(width * PIXEL_SAMPLES))
    row, column = np.nonzero(fragments.face >= 0)
    pixel = (row // PIXEL_SAMPLES) * width + column // PIXEL_SAMPLES  # [S]
    values = torch.cat([mesh.vertices, vertex_normals(mesh), mesh.uv], dim=1)  # type: ignore[list-item]
    points, normals, uv = interpolate(fragments, mesh.faces, values).split([3, 3, 2], dim=-1)
    towards = torch.nn.functional.normalize(camera.position - points, dim=-1)
    facing = (towards * torch.nn.functional.normalize(normals, dim=-1)).sum(-1).numpy()  # [S]

    count = np.bincount(pixel, minlength=height * width)
    cosine = np.bincount(pixel, facing, minlength=height * width) / np.maximum(count, 1)
    covered, pixel_width = count / PIXEL_SAMPLES**2, 1 / float(camera.intrinsics[0, 0, 0])
    cover = alpha.reshape(-1).numpy()
    steady = _depth_range(fragments.depth).reshape(-1) < JUMP * pixel_width / np.maximum(cosine, MIN_COSINE)
    weight = np.where(steady & (cover > 0.5) & (cosine > MIN_COSINE), covered * cover * cosine**2, 0)
    used = weight > 0
    number = np.cumsum(used) - 1  # of the row that a pixel becomes

    texels, shares = _bilinear(uv.numpy(), round(len(chart_texel) ** 0.5))  # [S, 4]
    kept = used[pixel]
    shares = (shares / count[pixel][:, None])[kept]
    place = np.repeat(number[pixel[kept]], 4), chart_texel[texels[kept]].reshape(-1)
    matrix = sparse.coo_array((shares.reshape(-1), place), shape=(int(used.sum()), len(chart_texel)))
    straight = (image - (1 - alpha) * background) / alpha.clamp(min=0.5)
    targets = straight.reshape(-1, 3).clamp(0, 1).numpy()[used]
    return matrix.tocsr(), targets, weight[used, None].astype(np.float32)


def _depth_range(depth: np.ndarray) -> np.ndarray:
    """Return by what share depths [sH, sW] of samples differ in and around each pixel, [H, W]; 0 is no surface."""
    around = 3 * PIXEL_SAMPLES
    far = ndimage.maximum_filter(depth, around)[
        PIXEL_SAMPLES // 2 :: PIXEL_SAMPLES, PIXEL_SAMPLES // 2 :: PIXEL_SAMPLES
    ]
    near = ndimage.minimum_filter(np.where(depth > 0, depth, np.inf), around)
    near = near[PIXEL_SAMPLES // 2 :: PIXEL_SAMPLES, PIXEL_SAMPLES // 2 :: PIXEL_SAMPLES]
    return np.where(far > 0, (far - near) / np.where(far > 0, near, 1), 0)


def _bilinear(uv: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the four texels around places [S, 2] of a square texture and their shares, both [S, 4].

    As in `sample_texture`; texels are numbered row by row.
    """
    place = np.clip(uv * size - 0.5, 0, size - 1)
    first = np.minimum(place.astype(np.int64), size - 2)
    (along, down), (left, top) = (place - first).T, first.T
    texels = np.stack(
        [top * size + left, top * size + left + 1, (top + 1) * size + left, (top + 1) * size + left + 1], 1
    )
    shares = np.stack([(1 - along) * (1 - down), along * (1 - down), (1 - along) * down, along * down], 1)
    return texels, shares.astype(np.float32)
