"""Draws true objects and results in one way, so that they can be compared: colour, coverage and normals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from backend.cameras import Cameras
from backend.embedded.objects.solids import Solid, photograph
from backend.meshes.mesh import Mesh, vertex_normals
from backend.meshes.rasteriser import interpolate, rasterise, render_mesh
from benchmarks.metrics.surfaces import Similarity, turn

WHITE = torch.ones(3)
SUN = torch.nn.functional.normalize(torch.tensor([-0.4, -0.7, 0.8]), dim=-1)


@dataclass(frozen=True)
class Views:
    """What an object looks like before white: rgb [B, H, W, 3], coverage [B, H, W, 1], world normals [B, H, W, 3]."""

    rgb: torch.Tensor
    alpha: torch.Tensor
    normal: torch.Tensor


Draw = Callable[[Cameras], Views]


def solid_views(solid: Solid) -> Draw:
    """Return what photographs a generated object."""

    def draw(cameras: Cameras) -> Views:
        seen = photograph(solid, cameras, WHITE)
        return Views(seen.rgb, seen.mask, seen.normal)

    return draw


def mesh_views(mesh: Mesh) -> Draw:
    """Return what draws a textured mesh, without any light: its texture already has the light in it."""

    def draw(cameras: Cameras) -> Views:
        seen = render_mesh(mesh, cameras)
        return Views(seen.rgb, seen.alpha, seen.normal)

    return draw


def painted_views(mesh: Mesh, colours: torch.Tensor, samples: int = 2) -> Draw:
    """Return what draws a mesh with a base colour [V, 3] for each vertex, lit by a bright sky and a weak sun."""
    normals = vertex_normals(mesh)
    light = 0.8 + 0.06 * normals[:, 2:] + 0.28 * (normals @ SUN).clamp_min(0)[:, None]
    values = torch.cat([(colours * light).clamp(0, 1), normals, torch.ones(len(normals), 1)], 1)  # [V, 7]

    def draw_one(camera: Cameras) -> torch.Tensor:
        fine = camera.with_width(camera.width * samples)
        fragments = rasterise(mesh, fine)
        image = torch.zeros(fine.height, fine.width, 7)
        image[torch.from_numpy(fragments.face >= 0)] = interpolate(fragments, mesh.faces, values)
        return torch.nn.functional.avg_pool2d(image.permute(2, 0, 1), samples).permute(1, 2, 0)

    def draw(cameras: Cameras) -> Views:
        seen = torch.stack([draw_one(camera) for camera in cameras])
        alpha = seen[..., 6:]
        normal = torch.nn.functional.normalize(seen[..., 3:6], dim=-1) * (alpha > 0.5)
        return Views(seen[..., :3] + 1 - alpha, alpha, normal)

    return draw


def moved(draw: Draw, fit: Similarity) -> Draw:
    """Return what draws a thing after a similarity has moved it: the cameras are moved the other way.

    So it keeps its own light and texture.
    """
    rotation = torch.from_numpy(turn(fit.azimuth_degrees)).float()
    shift = torch.from_numpy(fit.shift).float()

    def draw_moved(cameras: Cameras) -> Views:
        pose = cameras.camera_to_world.clone()
        pose[:, :3, :3] = rotation.T @ pose[:, :3, :3]
        pose[:, :3, 3] = (pose[:, :3, 3] - shift) @ rotation / fit.scale
        seen = draw(Cameras(pose, cameras.intrinsics, cameras.width, cameras.height))
        return Views(seen.rgb, seen.alpha, seen.normal @ rotation.T)

    return draw_moved
