"""Colours for points on a mesh from pictures: first what one picture sees, then what others see of the rest.

Source: Customize-It-3D (arXiv 2312.11535), section 3.4, and its code, which asks a z-buffer of the points themselves;
here the mesh hides what lies behind it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

from backend.cameras import Cameras
from backend.meshes.baking import read_where_seen
from backend.meshes.mesh import Mesh

LEAST_COSINE = 0.2  # of the angle between a surface's normal and the way to the camera
INSIDE = 0.8  # of a mask, from which a colour is the object's


@dataclass(frozen=True)
class ColouredPoints:
    """Points of a surface and where their colours come from."""

    points: torch.Tensor  # [N, 3]
    normals: torch.Tensor  # [N, 3], unit length
    colours: torch.Tensor  # [N, 3], sRGB
    is_known: torch.Tensor  # [N, 1] bool: seen in the picture that counts first

    def __len__(self) -> int:
        return len(self.points)


def seen_colours(
    mesh: Mesh, points: torch.Tensor, normals: torch.Tensor, camera: Cameras, picture: torch.Tensor, mask: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what a picture [H, W, 3] shows of points [N, 3] of a mesh: colours [N, 3] and their weights [N, 1].

    A weight is the fourth power of the cosine between the normal and the way to the camera; 0 where the point is
    hidden, seen too much from the side, or where the mask [H, W, 1] is not above INSIDE.
    """
    cosine = functional.cosine_similarity(camera.position - points, normals, dim=-1)
    facing = torch.nonzero(cosine > LEAST_COSINE).squeeze(-1)
    layers = torch.cat([picture * mask, mask], dim=-1)  # what is behind the object must not come in
    found, visible = read_where_seen(mesh, camera, layers, points[facing], cosine[facing, None])
    inside = visible & (found[:, 3:] > INSIDE)
    colours, weights = points.new_zeros(len(points), 3), points.new_zeros(len(points), 1)
    colours[facing] = torch.where(inside, found[:, :3] / found[:, 3:].clamp_min(INSIDE), 0.0).clamp(0, 1)
    weights[facing] = inside * cosine[facing, None] ** 4
    return colours, weights


def colour_points(
    mesh: Mesh,
    points: torch.Tensor,
    normals: torch.Tensor,
    first: tuple[Cameras, torch.Tensor, torch.Tensor],
    cameras: Cameras,
    pictures: torch.Tensor,
    masks: torch.Tensor,
    otherwise: torch.Tensor,
) -> ColouredPoints:
    """Colour points [N, 3]: by the first view (camera, picture, mask) what it sees, the rest by the mean of the others.

    pictures [B, H, W, 3] and masks [B, H, W, 1] of the others; `otherwise` [N, 3] are the colours of what none sees.
    """
    known, weight = seen_colours(mesh, points, normals, *first)
    is_known = weight > 0
    total, weights = torch.zeros_like(points), weight.new_zeros(weight.shape)
    for camera, picture, mask in zip(cameras, pictures, masks, strict=True):
        colours, weight = seen_colours(mesh, points, normals, camera, picture, mask)
        total, weights = total + weight * colours, weights + weight
    rest = torch.where(weights > 0, total / weights.clamp_min(1e-9), otherwise)
    return ColouredPoints(points, normals, torch.where(is_known, known, rest), is_known)
