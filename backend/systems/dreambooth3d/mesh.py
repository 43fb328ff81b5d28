"""The field's surface as a textured mesh, and points drawn from it."""

from __future__ import annotations

from functools import partial

import torch

from addon.protocol.systems.dreambooth3d import DreamBooth3DSettings
from backend.export import write_coloured_ply
from backend.meshes.mesh import Mesh, sample_surface
from backend.rendering.volume import volume_renderer
from backend.representations.radiance import surface_colours
from backend.representations.radiance_grid import RadianceGrid
from backend.systems.results import Points
from backend.systems.textured_mesh import simplified, surface_of_field, textured_mesh


@torch.no_grad()
def textured_field(
    field: RadianceGrid, settings: DreamBooth3DSettings, view_size: int
) -> tuple[Mesh, dict[str, float]]:
    """Return the textured mesh of a field on the CPU, its `threshold` and `silhouette_iou`. Raises NoSurface."""
    mesh, threshold, render = surface_of_field(field, settings.mesh_resolution, view_size)
    mesh = simplified(mesh, settings.max_faces, settings.mirror)
    mesh, facts = textured_mesh(
        mesh, surface_colours(field), render, settings.texture_size, view_size=view_size,
        texture_steps=settings.texture_steps,
    )  # fmt: skip
    return mesh, {"threshold": threshold} | facts


def sampled_points(mesh: Mesh, count: int, seed: int, field: RadianceGrid) -> Points:
    """Return points that are uniform on a textured mesh, with the colours of the field there."""
    places, normals = sample_surface(mesh, count, torch.Generator().manual_seed(seed))
    colours = surface_colours(field)(places, normals)
    write = partial(write_coloured_ply, points=places, colours=colours)
    return Points(
        "coloured", count, write, volume_renderer(field, samples=2 * len(field)), float(places.norm(dim=1).max())
    )
