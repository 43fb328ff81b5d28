"""What the artist gets and the original never makes: refined views baked onto the mesh, and points in its colours."""

from __future__ import annotations

from functools import partial

import torch

from addon.protocol.systems.customize_it_3d import CustomizeIt3DSettings
from backend.cameras import orbit
from backend.export import write_coloured_ply
from backend.meshes.baking import bake_from_views
from backend.meshes.finishing import finish_texture
from backend.meshes.mesh import Mesh
from backend.meshes.point_colours import ColouredPoints, seen_colours
from backend.meshes.rasteriser import render_mesh
from backend.rendering.points.deferred import DeferredRenderer
from backend.systems.customize_it_3d.refine import refined_views
from backend.systems.reference import Target
from backend.systems.results import Points
from backend.systems.textured_mesh import BAKE_AZIMUTHS, BAKE_ELEVATIONS, with_photo


@torch.no_grad()
def baked_mesh(
    mesh: Mesh, render: DeferredRenderer, photo: Target, settings: CustomizeIt3DSettings, view_size: int
) -> tuple[Mesh, dict[str, float]]:
    """Return the mesh with what refined points show of it in its texture, and on top of that the photo.

    With it comes `texture_error`: the mean absolute difference between its views and the refined ones, inside it.
    """
    cameras = orbit(BAKE_AZIMUTHS, BAKE_ELEVATIONS, size=view_size)
    pictures, alpha = refined_views(render, cameras), render_mesh(mesh, cameras).alpha
    made = bake_from_views(mesh, cameras, pictures, alpha=alpha, size=settings.texture_size)
    if settings.texture_steps:
        made = finish_texture(made, cameras, pictures, alpha=alpha, steps=settings.texture_steps)
    drawn = render_mesh(made, cameras, background=(0.0, 0.0, 0.0)).rgb
    error = float(((drawn - pictures).abs() * alpha).sum() / (3 * alpha.sum()).clamp_min(1))
    made = with_photo(made, photo, settings.texture_size, settings.texture_steps)
    return made, {"texture_error": error}


def textured_points(mesh: Mesh, coloured: ColouredPoints, view_size: int) -> ColouredPoints:
    """Return points in the colours that views of a textured mesh show of them; the rest keep theirs."""
    cameras = orbit(BAKE_AZIMUTHS, BAKE_ELEVATIONS, size=view_size)
    drawn = render_mesh(mesh, cameras, background=(0.0, 0.0, 0.0))
    total, weights = torch.zeros_like(coloured.points), coloured.points.new_zeros(len(coloured), 1)
    for camera, picture, alpha in zip(cameras, drawn.rgb, drawn.alpha, strict=True):
        # Drawn before black, it is multiplied by alpha already.
        colours, weight = seen_colours(
            mesh, coloured.points, coloured.normals, camera, picture / alpha.clamp_min(1e-3), alpha
        )
        total, weights = total + weight * colours, weights + weight
    colours = torch.where(weights > 0, total / weights.clamp_min(1e-9), coloured.colours)
    return ColouredPoints(coloured.points, coloured.normals, colours, coloured.is_known)


def result_points(coloured: ColouredPoints, render: DeferredRenderer) -> Points:
    """Return coloured points as a result."""
    points = coloured.points
    write = partial(write_coloured_ply, points=points, colours=coloured.colours)
    return Points("coloured", len(points), write, render, float(points.norm(dim=1).max()))
