"""From the shape to what carries colours: its mesh, redrawn views of that, and points coloured by image and views.

Source: Customize-It-3D (arXiv 2312.11535), section 3.4: points of the mesh, or of depth images, which it compares.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from addon.protocol.systems.customize_it_3d import CustomizeIt3DSettings
from backend.cameras import Cameras, azimuth_elevation, fields_of_view, orbit
from backend.diffusion.denoiser import Prior
from backend.diffusion.sampling import image_to_image
from backend.errors import BadInput
from backend.images import load_image, save_image
from backend.meshes.mesh import Mesh
from backend.meshes.point_colours import ColouredPoints, colour_points
from backend.meshes.poisson_disk import poisson_disk
from backend.meshes.rasteriser import interpolate, rasterise, render_mesh
from backend.representations.radiance import surface_colours
from backend.representations.radiance_grid import RadianceGrid
from backend.runtime.job import Job
from backend.systems.customize_it_3d.modalities import words_for
from backend.systems.customize_it_3d.perceived import Perceived
from backend.systems.customize_it_3d.teaching import sided
from backend.systems.palette import palette_of, recoloured
from backend.systems.reference import Target
from backend.systems.textured_mesh import simplified, surface_of_field, textured_mesh
from backend.vision.matting import load_matting
from backend.weights import network_name

GOLDEN_SHARE = 0.618034  # of the range of heights from one view to the next
TEXTURE = 512  # pixels a side: the field's colours are coarser, and the final mesh has a texture of its own
NEAR_DEGREES = 50.0  # from the image's side: so far a view is near to it


@torch.no_grad()
def find_surface(
    field: RadianceGrid, settings: CustomizeIt3DSettings, photo: Target, view_size: int
) -> tuple[Mesh, dict[str, float]]:
    """Return the textured mesh of a field on the CPU, its `threshold` and `silhouette_iou`. Raises NoSurface."""
    mesh, threshold, render = surface_of_field(field, settings.mesh_resolution, view_size)
    mesh = simplified(mesh, settings.max_faces)
    mesh, facts = textured_mesh(
        mesh, surface_colours(field), render, TEXTURE, photo, view_size=view_size,
        texture_steps=settings.texture_steps, remove_light=settings.remove_light,
    )  # fmt: skip
    return mesh, {"threshold": threshold} | facts


def cameras_around(reference: Cameras, count: int, settings: CustomizeIt3DSettings, size: int) -> Cameras:
    """Return cameras evenly around the object, the first at the image's azimuth, at heights spread over the range."""
    middle, low, high = float(azimuth_elevation(reference)[0][0]), settings.low_elevation, settings.high_elevation
    azimuths = [middle + 360.0 * view / count for view in range(count)]
    heights = [low + (high - low) * ((0.5 + GOLDEN_SHARE * view) % 1) for view in range(count)]
    return orbit(azimuths, heights, fov_degrees=float(fields_of_view(reference)[0]), size=size)


def enhance_views(
    job: Job, taught: Prior, mesh: Mesh, seen: Perceived, settings: CustomizeIt3DSettings, made_with: dict
) -> tuple[Cameras, Tensor, Tensor]:
    """Run the stage `enhanced`: views of the mesh, redrawn a little by the taught prior, one after the other.

    Return cameras, pictures [N, S, S, 3] on white and the mesh's masks [N, S, S, 1]. It leaves side-NN.png, which the
    artist may replace by pictures of the same size. Raises BadInput where one has another size.
    """
    size = taught.image_size
    cameras = cameras_around(seen.target.camera, settings.enhanced_views, settings, size)
    words = words_for("rgb", settings, seen.subject, seen.prompt)
    middle = azimuth_elevation(seen.target.camera)[0]
    away = ((azimuth_elevation(cameras)[0] - middle + 180) % 360 - 180).abs().tolist()
    masks = render_mesh(mesh, cameras).alpha

    @torch.no_grad()
    def make() -> dict[str, Any]:
        drawn = render_mesh(mesh, cameras).rgb
        palette = palette_of(seen.target) if settings.palette else None
        matting = load_matting(network_name(settings.companions, "matting"), taught.device)
        for number, (camera, picture, mask) in enumerate(zip(cameras, drawn, masks, strict=True)):
            is_near = away[number] <= NEAR_DEGREES
            again = image_to_image(
                taught, picture[None].to(taught.device), sided(words, camera, settings),
                strength=settings.enhance_near if is_near else settings.enhance_far, steps=settings.enhance_steps,
                scale=settings.enhance_scale, cameras=camera if settings.camera_tokens else None,
                negative_prompt=job.request.negative_prompt, generator=job.generator,
            )[0].cpu()  # fmt: skip
            own = matting(again[None].to(taught.device))[0].cpu()
            again = own * again + (1 - own) * picture  # where it draws background on the surface, that stays
            if palette is not None:
                again = recoloured(again[None], mask[None], camera, palette)[0]
            save_image(job.stage_folder / f"side-{number + 1:02}.png", torch.where(mask > 0, again, 1.0))
            job.preview(again)
        return {}

    job.stage("enhanced", make, depends_on=made_with)
    pictures = []
    for number in range(1, len(cameras) + 1):
        rgb, alpha = load_image(job.stage_path("enhanced") / f"side-{number:02}.png")
        if rgb.shape[:2] != (size, size):
            raise BadInput(
                f"side-{number:02}.png has {rgb.shape[1]} x {rgb.shape[0]} pixels, not {size} x {size}.",
                "Replace it by a picture of the same size.",
            )
        pictures.append(rgb if alpha is None else rgb * alpha + 1 - alpha)
    return cameras, torch.stack(pictures), masks


def draw_points(
    mesh: Mesh, settings: CustomizeIt3DSettings, cameras: Cameras, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return points [N, 3] of the surface and their unit normals: spread evenly, or from what the cameras see."""
    if settings.points_from == "mesh":
        return poisson_disk(mesh, settings.points, generator)
    return depth_points(mesh, cameras, settings.points, generator)


def depth_points(mesh: Mesh, cameras: Cameras, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return `count` of the places [N, 3] that the pixels of cameras show of a mesh, and their normals.

    They crowd where several cameras look. Fewer where the cameras have not so many pixels on it.
    """
    from backend.meshes.mesh import vertex_normals

    attributes = torch.cat([mesh.vertices, vertex_normals(mesh)], dim=1)
    found = torch.cat([interpolate(rasterise(mesh, camera), mesh.faces, attributes) for camera in cameras])
    chosen = found[torch.randperm(len(found), generator=generator)[:count]]
    return chosen[:, :3], torch.nn.functional.normalize(chosen[:, 3:], dim=-1)


def coloured_points(
    mesh: Mesh,
    seen: Perceived,
    views: tuple[Cameras, Tensor, Tensor],
    settings: CustomizeIt3DSettings,
    generator: torch.Generator,
) -> ColouredPoints:
    """Return the points of a textured mesh: in the image's colours where it sees them, else in those of the views."""
    points, normals = draw_points(mesh, settings, views[0], generator)
    target = seen.target
    otherwise = points.new_full(points.shape, 0.5)
    weights = views[2].sum()
    if float(weights) > 0:
        otherwise = ((views[1] * views[2]).sum((0, 1, 2)) / weights).expand_as(points)
    return colour_points(mesh, points, normals, (target.camera, target.rgb[0], target.mask[0]), *views, otherwise)
