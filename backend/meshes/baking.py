"""Textures for meshes: unwrapping, and baking colours from a field or from views."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from backend.cameras import Cameras
from backend.meshes.mesh import Mesh, vertex_normals
from backend.meshes.rasteriser import Fragments, interpolate, rasterise, rasterise_uv, sample_texture
from backend.meshes.unwrapping import charts

CHUNK = 262_144  # texels asked of a colour field at a time
PADDING = 16  # texels around a chart that take its border colour
FADES = (50.0, 80.0)  # degrees off the surface's normal: up to the first a picture has all say, from the second on none
FADE_WIDTH = 1 / 64  # of the picture: so far from where it ends, or from what stands before a surface, it has all say


def unwrap(mesh: Mesh, *, size: int = 1024) -> Mesh:
    """Cut a mesh into charts and lay them out for a texture of `size` texels; vertices on seams are duplicated.

    Raises ValueError for a mesh without faces.
    """
    if len(mesh.faces) == 0:
        raise ValueError("a mesh of 0 faces cannot be unwrapped")
    corners = mesh.faces.numpy().astype(np.uint32)
    origin, faces, uv = charts(mesh.vertices.numpy(), corners, vertex_normals(mesh).numpy(), size)
    return Mesh(
        vertices=mesh.vertices[torch.from_numpy(origin.astype(np.int64))],
        faces=torch.from_numpy(faces.astype(np.int64)),
        uv=torch.from_numpy(np.ascontiguousarray(uv, dtype=np.float32)).clamp(0, 1),
    )


def bake_texture(
    mesh: Mesh,
    colour: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    size: int = 1024,
    *,
    padding: int = PADDING,
) -> Mesh:
    """Fill the texture of an unwrapped mesh from a function (points [M, 3], unit normals [M, 3]) -> sRGB [M, 3].

    Normals point outwards. Texels within `padding` of a chart repeat its border, so that no seam shows; the rest is the
    mean colour. Raises ValueError when the mesh is not unwrapped.
    """
    fragments = rasterise_uv(mesh, size)
    points = interpolate(fragments, mesh.faces, mesh.vertices)  # [P, 3]
    normals = torch.nn.functional.normalize(interpolate(fragments, mesh.faces, vertex_normals(mesh)), dim=-1)
    chunks = [colour(*chunk) for chunk in zip(points.split(CHUNK), normals.split(CHUNK), strict=True)]
    covered = torch.from_numpy(fragments.face >= 0)
    return replace(mesh, texture=pad_seams(torch.cat(chunks), covered, padding))


def pad_seams(colours: torch.Tensor, covered: torch.Tensor, padding: int) -> torch.Tensor:
    """Lay colours [P, 3] out on the covered texels [T, T] and let them grow by `padding` texels: [T, T, 3]."""
    from scipy import ndimage

    if len(colours) == 0:
        raise ValueError(f"no texel of a {covered.shape[0]} px texture lies on the mesh: use a larger texture")
    texture = colours.double().mean(dim=0).float().expand(*covered.shape, 3).clone()
    texture[covered] = colours.float()
    distance, nearest = np.empty(covered.shape), np.empty((2, *covered.shape), dtype=np.int32)
    ndimage.distance_transform_edt(~covered.numpy(), return_indices=True, distances=distance, indices=nearest)
    ring = torch.from_numpy((distance > 0) & (distance <= padding))
    rows, columns = (torch.from_numpy(index.astype(np.int64)) for index in nearest)
    texture[ring] = texture[rows[ring], columns[ring]]
    return texture.clamp(0, 1)


def bake_from_views(
    mesh: Mesh,
    cameras: Cameras,
    images: torch.Tensor,
    *,
    alpha: torch.Tensor | None = None,
    background: tuple[float, float, float] = (0.0, 0.0, 0.0),
    fill_weight: float = 0.02,
    min_cosine: float = 0.2,
    size: int = 1024,
    padding: int = PADDING,
) -> Mesh:
    """Project images [B, H, W, 3] onto an unwrapped mesh: sharper than a field, where a view saw the surface.

    A texel takes the mean of the views that see it unoccluded, weighted with the fourth power of the cosine between its
    normal and the direction to the camera (zero below `min_cosine`). `alpha` [B, H, W, 1] tells how much of a pixel is
    the object: the images are then taken as composited on `background`. The mesh's texture so far comes in with
    `fill_weight`, so it fills what no view saw and hides the borders between views; without one the mean colour does.
    Raises ValueError when shapes do not fit or no view sees a texel.
    """
    if images.shape != (len(cameras), cameras.height, cameras.width, 3):
        raise ValueError(
            f"images must be [{len(cameras)}, {cameras.height}, {cameras.width}, 3] as the cameras are, "
            f"not {list(images.shape)}"
        )
    fragments = rasterise_uv(mesh, size)
    points = interpolate(fragments, mesh.faces, mesh.vertices)  # [P, 3]
    normals = torch.nn.functional.normalize(interpolate(fragments, mesh.faces, vertex_normals(mesh)), dim=-1)
    colours, weights = torch.zeros(len(points), 3), torch.zeros(len(points), 1)
    for view, camera in enumerate(cameras):
        confidence = torch.ones(*images.shape[1:3], 1) if alpha is None else alpha[view]
        # Multiplied by alpha while it is interpolated: what colour is outside the object must not come in.
        weighted = (images[view] - (1 - confidence) * torch.tensor(background)).clamp(0, 1)
        towards = torch.nn.functional.normalize(camera.position - points, dim=-1)
        cosine = (towards * normals).sum(dim=-1)  # [P]
        facing = torch.nonzero(cosine > min_cosine).squeeze(-1)  # [K], a third of the texels: the rest costs nothing
        image = torch.cat([weighted, confidence], dim=-1)
        rgba, visible = read_where_seen(mesh, camera, image, points[facing], cosine[facing, None])
        weight = visible * (rgba[:, 3:] > 0.5) * rgba[:, 3:] * cosine[facing, None] ** 4
        colours[facing] += weight * (rgba[:, :3] / rgba[:, 3:].clamp(min=0.5)).clamp(0, 1)
        weights[facing] += weight
    if not bool((weights > 0).any()):
        raise ValueError(
            f"none of {len(cameras)} views sees any of {len(points)} texels: do the cameras look at the mesh?"
        )
    covered = torch.from_numpy(fragments.face >= 0)
    if mesh.texture is not None:
        before = sample_texture(mesh.texture, interpolate(fragments, mesh.faces, mesh.uv))  # type: ignore[arg-type]
    else:
        before = (colours.sum(dim=0) / weights.sum()).expand_as(colours)
    mixed = (colours + fill_weight * before) / (weights + fill_weight)
    return replace(mesh, texture=pad_seams(mixed, covered, padding))


def blend_view(mesh: Mesh, onto: Mesh, share: torch.Tensor) -> Mesh:
    """Return a mesh in a straight blend of two textures of the same size: `share` [P, 1] of the second on each texel.

    Texels on charts come in row order, as `view_share` has them.
    """
    assert mesh.texture is not None and onto.texture is not None
    covered = torch.from_numpy(rasterise_uv(mesh, mesh.texture.shape[0]).face >= 0)
    mixed = torch.lerp(mesh.texture[covered], onto.texture[covered], share)
    return replace(mesh, texture=pad_seams(mixed, covered, PADDING))


def view_share(mesh: Mesh, camera: Cameras, alpha: torch.Tensor, size: int) -> torch.Tensor:
    """Return how much say a picture has on each texel on a chart, [P, 1] in [0, 1], in row order: a seam is a slope.

    It falls smoothly with the cosine of the angle at which its camera sees the surface, between the angles FADES, and
    to 0 where alpha [H, W, 1] ends and beside what stands before the surface. Nothing is said of what is not seen.
    """
    points, cosine = _towards(mesh, rasterise_uv(mesh, size), camera)  # [P, 3], [P]
    near, far = (math.cos(math.radians(angle)) for angle in FADES)
    share = torch.zeros(len(points), 1)
    facing = torch.nonzero(cosine > far).squeeze(-1)
    inside, visible = read_where_seen(mesh, camera, _fade(mesh, camera, alpha), points[facing], cosine[facing, None])
    along = ((cosine[facing, None] - far) / (near - far)).clamp(0, 1)
    share[facing] = along.square() * (3 - 2 * along) * inside * visible
    return share


def _towards(mesh: Mesh, fragments: Fragments, camera: Cameras) -> tuple[torch.Tensor, torch.Tensor]:
    """Return where fragments lie, [P, 3], and the cosine between normal and direction to the camera there, [P]."""
    points, normals = interpolate(fragments, mesh.faces, torch.cat([mesh.vertices, vertex_normals(mesh)], 1)).split(
        3, 1
    )
    return points, torch.nn.functional.cosine_similarity(camera.position - points, normals, dim=-1)


def _fade(mesh: Mesh, camera: Cameras, alpha: torch.Tensor) -> torch.Tensor:
    """Return a slope [H, W, 1] from 0, where alpha [H, W, 1] ends or a nearer surface hides another, to 1 inside.

    That is where a neighbour is nearer by more than the surface itself rises between diagonal pixels.
    """
    from scipy import ndimage

    drawn = rasterise(mesh, camera)
    there = drawn.face >= 0
    steepness = np.ones(there.shape)
    steepness[there] = 1 / _towards(mesh, drawn, camera)[1].clamp(min=0.05).numpy()
    rise = 2**1.5 * steepness / float(camera.intrinsics[0, 0, 0])  # of the depth
    nearest = ndimage.minimum_filter(np.where(there, drawn.depth, np.inf), 3)
    hidden = there & (drawn.depth > nearest * (1 + rise))
    away = np.empty(there.shape)
    ndimage.distance_transform_edt((alpha[..., 0].numpy() > 0.5) & ~hidden, distances=away)
    width = max(1.0, FADE_WIDTH * there.shape[1])
    return torch.from_numpy(np.clip((away - 1) / width, 0, 1).astype(np.float32))[..., None]


def read_where_seen(
    mesh: Mesh, camera: Cameras, image: torch.Tensor, points: torch.Tensor, cosine: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Read an image [H, W, C] where points [K, 3] appear: values [K, C], and whether each is visible [K, 1].

    `cosine` [K, 1], above 0, is of the angle between the surface's normal and the direction to the camera.
    """
    world_to_camera = camera.world_to_camera[0]
    local = points @ world_to_camera[:3, :3].T + world_to_camera[:3, 3]  # [K, 3]
    depth = local[:, 2:].clamp(min=1e-6)
    pixels = (local @ camera.intrinsics[0].T)[:, :2] / depth
    uv = pixels / torch.tensor([camera.width, camera.height])
    inside = ((uv > 0) & (uv < 1)).all(dim=-1, keepdim=True) & (local[:, 2:] > 0)
    nearest = torch.from_numpy(rasterise(mesh, camera).depth)[..., None]
    column = pixels[:, 0].clamp(0, camera.width - 1).long()
    row = pixels[:, 1].clamp(0, camera.height - 1).long()
    seen = nearest[row, column]
    # The depth changes within a pixel by its width over the cosine: a surface further behind than that is hidden.
    pixel_width = depth / camera.intrinsics[0, 0, 0]
    visible = inside & (seen > 0) & (depth < seen + 1.5 * pixel_width / cosine.clamp(min=0.1))
    return sample_texture(image, uv), visible
