"""Draw textured meshes on the CPU: previews, turntables, silhouettes, and texture baking's own lookups.

One numba kernel fills triangles, in images with a depth test and in texture space without. Rows are split into bands;
one thread owns a band and goes through the triangles in order, so the bytes do not depend on threads.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import torch

from backend.cameras import Cameras
from backend.meshes.mesh import Mesh, vertex_normals

BANDS = 16
NEAR = 1e-3


@dataclass(frozen=True)
class Fragments:
    """What the nearest triangle is at each pixel of one image."""

    face: np.ndarray  # [H, W] int64, -1 where there is none
    barycentric: np.ndarray  # [H, W, 3] float32, perspective-correct, 0 where there is none
    depth: np.ndarray  # [H, W] float32, camera z, 0 where there is none


@dataclass(frozen=True)
class MeshRendering:
    """Images of a mesh."""

    rgb: torch.Tensor  # [B, H, W, 3] sRGB in [0, 1], composited on the background
    alpha: torch.Tensor  # [B, H, W, 1] coverage in [0, 1]
    depth: torch.Tensor  # [B, H, W, 1] camera z, 0 where alpha is 0
    normal: torch.Tensor  # [B, H, W, 3] world space, unit length, 0 where alpha is 0


def rasterise(mesh: Mesh, camera: Cameras) -> Fragments:
    """Find the nearest triangle at each pixel centre of one camera. Triangles that reach behind it are left out."""
    if len(camera) != 1:
        raise ValueError(f"rasterise takes one camera, not {len(camera)}")
    world_to_camera = camera.world_to_camera[0].double().numpy()
    positions = mesh.vertices.double().numpy() @ world_to_camera[:3, :3].T + world_to_camera[:3, 3]  # [V, 3]
    pixels = positions @ camera.intrinsics[0].double().numpy().T  # [V, 3], homogeneous
    in_front = positions[:, 2] > NEAR
    nearness = np.where(in_front, 1.0 / np.where(in_front, positions[:, 2], 1.0), 0.0)
    corners = np.stack([pixels[:, 0] * nearness, pixels[:, 1] * nearness, nearness], axis=-1)  # [V, 3]
    return _fragments(corners, mesh.faces.numpy(), camera.height, camera.width)


def rasterise_uv(mesh: Mesh, size: int) -> Fragments:
    """Find the triangle at each texel centre of a square texture; where charts overlap the first face wins."""
    if mesh.uv is None:
        raise ValueError("the mesh has no texture coordinates: unwrap it first")
    corners = np.concatenate([mesh.uv.double().numpy() * size, np.ones((len(mesh.uv), 1))], axis=1)
    return _fragments(corners, mesh.faces.numpy(), size, size)


def interpolate(fragments: Fragments, faces: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Interpolate vertex values [V, C] at the covered pixels, in row order: [P, C]."""
    covered = np.flatnonzero(fragments.face >= 0)
    weights = fragments.barycentric.reshape(-1, 3)
    return torch.from_numpy(
        _interpolate(covered, fragments.face.reshape(-1), weights, faces.numpy(), values.contiguous().numpy())
    )


def sample_texture(texture: torch.Tensor, uv: torch.Tensor) -> torch.Tensor:
    """Read a texture [H, W, C] at uv [..., 2] (v down) with bilinear interpolation between texel centres: [..., C]."""
    height, width = texture.shape[:2]
    x = (uv[..., 0] * width - 0.5).clamp(0, width - 1)
    y = (uv[..., 1] * height - 0.5).clamp(0, height - 1)
    left, top = x.floor().long().clamp(max=max(width - 2, 0)), y.floor().long().clamp(max=max(height - 2, 0))
    right, bottom = (left + 1).clamp(max=width - 1), (top + 1).clamp(max=height - 1)
    along, down = (x - left)[..., None], (y - top)[..., None]
    upper = texture[top, left] * (1 - along) + texture[top, right] * along
    lower = texture[bottom, left] * (1 - along) + texture[bottom, right] * along
    return upper * (1 - down) + lower * down


def render_mesh(
    mesh: Mesh,
    cameras: Cameras,
    *,
    background: tuple[float, float, float] = (1.0, 1.0, 1.0),
    shading: float = 0.0,
    samples: int = 2,
) -> MeshRendering:
    """Draw a mesh with its texture (grey without one), `samples` x `samples` times per pixel.

    `shading` darkens what turns away from the camera: 0 shows the bare texture, 1 is a light at the camera.
    """
    fine = cameras.with_width(cameras.width * samples)
    normals = vertex_normals(mesh)
    views = [torch.from_numpy(_shrink(_draw(mesh, normals, camera, shading), samples)) for camera in fine]
    rgb, normal, alpha, depth = torch.stack(views).split([3, 3, 1, 1], dim=-1)  # 0 outside, so averages are weighted
    return MeshRendering(
        rgb=(rgb + (1 - alpha) * torch.tensor(background)).clamp(0, 1),
        alpha=alpha,
        depth=depth / alpha.clamp(min=1e-6),
        normal=torch.nn.functional.normalize(normal, dim=-1),
    )


def silhouettes(mesh: Mesh, cameras: Cameras) -> torch.Tensor:
    """Draw which pixel centres a mesh covers, [B, H, W, 1] of zeros and ones."""
    covered = np.stack([rasterise(mesh, camera).face >= 0 for camera in cameras])
    return torch.from_numpy(covered[..., None].astype(np.float32))


def silhouette_iou(alpha: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """Return the intersection over union [B] of two stacks of masks [B, H, W, 1], cut at one half; 1 if empty."""
    one, other = (alpha > 0.5).flatten(1), (reference > 0.5).flatten(1)
    union = (one | other).sum(dim=1)
    return torch.where(
        union > 0, (one & other).sum(dim=1) / union.clamp(min=1), torch.ones_like(union, dtype=torch.float)
    )


def _draw(mesh: Mesh, normals: torch.Tensor, camera: Cameras, shading: float) -> np.ndarray:
    """Return rgb, normal, coverage and depth of each pixel centre, 0 where there is nothing: [H, W, 8]."""
    fragments = rasterise(mesh, camera)
    uv, texture = mesh.uv, mesh.texture
    if uv is None or texture is None:
        uv, texture = torch.zeros(len(mesh.vertices), 2), torch.full((1, 1, 3), 0.7)
    values = torch.cat([mesh.vertices, normals, uv], dim=1).float().numpy()  # [V, 8]
    image = np.zeros((*fragments.face.shape, 8), dtype=np.float32)
    position = camera.position.reshape(3).float().numpy()
    colours = texture.float().contiguous().numpy()
    _shade(
        fragments.face, fragments.barycentric, fragments.depth, mesh.faces.numpy(), values, colours, position,
        np.float32(shading), image,
    )  # fmt: skip
    return image


def _fragments(corners: np.ndarray, faces: np.ndarray, height: int, width: int) -> Fragments:
    face = np.full((height, width), -1, dtype=np.int64)
    barycentric = np.zeros((height, width, 3), dtype=np.float32)
    nearness = np.zeros((height, width))
    _fill(np.ascontiguousarray(corners), np.ascontiguousarray(faces), face, barycentric, nearness)
    depth = np.where(face >= 0, 1.0 / np.where(face >= 0, nearness, 1.0), 0.0).astype(np.float32)
    return Fragments(face, barycentric, depth)


@numba.njit(parallel=True, cache=True)
def _fill(corners, faces, face, barycentric, nearness):  # type: ignore[no-untyped-def]
    """Fill triangles given as vertices (x, y in pixels, 1 / z): 1 / z is linear in the image, and greater is nearer."""
    height, width = face.shape
    for band in numba.prange(BANDS):
        top, bottom = band * height // BANDS, (band + 1) * height // BANDS
        for f in range(len(faces)):
            ax, ay, an = corners[faces[f, 0], 0], corners[faces[f, 0], 1], corners[faces[f, 0], 2]
            bx, by, bn = corners[faces[f, 1], 0], corners[faces[f, 1], 1], corners[faces[f, 1], 2]
            cx, cy, cn = corners[faces[f, 2], 0], corners[faces[f, 2], 1], corners[faces[f, 2], 2]
            if an <= 0 or bn <= 0 or cn <= 0:
                continue
            twice_area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
            if twice_area == 0:
                continue
            first_row = max(top, int(np.floor(min(ay, by, cy) - 0.5)))
            last_row = min(bottom - 1, int(np.ceil(max(ay, by, cy) - 0.5)))
            first_column = max(0, int(np.floor(min(ax, bx, cx) - 0.5)))
            last_column = min(width - 1, int(np.ceil(max(ax, bx, cx) - 0.5)))
            for row in range(first_row, last_row + 1):
                y = row + 0.5
                for column in range(first_column, last_column + 1):
                    x = column + 0.5
                    a = ((bx - x) * (cy - y) - (by - y) * (cx - x)) / twice_area
                    b = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) / twice_area
                    c = 1.0 - a - b
                    # A hair of tolerance: a pixel centre on a shared edge must not fall between both triangles.
                    if a < -1e-9 or b < -1e-9 or c < -1e-9:
                        continue
                    near = a * an + b * bn + c * cn
                    if near > nearness[row, column]:
                        nearness[row, column] = near
                        face[row, column] = f
                        barycentric[row, column, 0] = a * an / near
                        barycentric[row, column, 1] = b * bn / near
                        barycentric[row, column, 2] = c * cn / near


@numba.njit(cache=True)
def _interpolate(covered, face, weights, faces, values):  # type: ignore[no-untyped-def]
    """Mix the values [V, C] of the corners around each covered pixel; torch would write them out three times first."""
    mixed = np.empty((len(covered), values.shape[1]), dtype=values.dtype)
    for i, pixel in enumerate(covered):
        corners, shares = faces[face[pixel]], weights[pixel]
        for channel in range(values.shape[1]):
            mixed[i, channel] = (
                values[corners[0], channel] * shares[0]
                + values[corners[1], channel] * shares[1]
                + values[corners[2], channel] * shares[2]
            )
    return mixed


@numba.njit(parallel=True, cache=True)
def _shade(face, barycentric, depth, faces, values, texture, position, shading, image):  # type: ignore[no-untyped-def]
    """Write rgb, normal, coverage and depth of each pixel; values [V, 8] are place, normal and uv of the vertices."""
    height, width = face.shape
    last_row, last_column = texture.shape[0] - 1, texture.shape[1] - 1
    for row in numba.prange(height):
        here = np.empty(8, dtype=np.float32)
        for column in range(width):
            if face[row, column] < 0:
                continue
            corners, shares = faces[face[row, column]], barycentric[row, column]
            for i in range(8):
                here[i] = (
                    values[corners[0], i] * shares[0]
                    + values[corners[1], i] * shares[1]
                    + values[corners[2], i] * shares[2]
                )
            length = max(np.sqrt(here[3] ** 2 + here[4] ** 2 + here[5] ** 2), 1e-12)
            away, facing = 0.0, 0.0
            for i in range(3):
                here[3 + i] /= length
                towards = position[i] - here[i]
                away += towards * towards
                facing += towards * here[3 + i]
            light = 1.0 - shading + shading * max(facing / np.sqrt(max(away, 1e-24)), 0.0)
            # The four texels around, as `sample_texture` finds them.
            x = min(max(here[6] * texture.shape[1] - 0.5, 0.0), last_column)
            y = min(max(here[7] * texture.shape[0] - 0.5, 0.0), last_row)
            left, top = min(int(x), max(last_column - 1, 0)), min(int(y), max(last_row - 1, 0))
            right, bottom = min(left + 1, last_column), min(top + 1, last_row)
            along, down = x - left, y - top
            for i in range(3):
                upper = texture[top, left, i] * (1 - along) + texture[top, right, i] * along
                lower = texture[bottom, left, i] * (1 - along) + texture[bottom, right, i] * along
                image[row, column, i] = (upper * (1 - down) + lower * down) * light
                image[row, column, 3 + i] = here[3 + i]
            image[row, column, 6] = 1.0
            image[row, column, 7] = depth[row, column]


@numba.njit(parallel=True, cache=True)
def _shrink(image, samples):  # type: ignore[no-untyped-def]
    """Average blocks of pixels, [sH, sW, C] -> [H, W, C]."""
    height, width, channels = image.shape[0] // samples, image.shape[1] // samples, image.shape[2]
    shrunk = np.zeros((height, width, channels), dtype=image.dtype)
    for row in numba.prange(height):
        for column in range(width):
            for down in range(row * samples, (row + 1) * samples):
                for right in range(column * samples, (column + 1) * samples):
                    for channel in range(channels):
                        shrunk[row, column, channel] += image[down, right, channel]
            for channel in range(channels):
                shrunk[row, column, channel] /= samples * samples
    return shrunk
