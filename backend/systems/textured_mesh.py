"""From an object to a mesh with a base-colour texture: the colours of a field, of renderings and of a photo on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from backend.cameras import Cameras, orbit
from backend.errors import BackendError
from backend.meshes.baking import bake_from_views, bake_texture, blend_view, unwrap, view_share
from backend.meshes.extraction import decimate, fit_threshold, mesh_from_grid, opacity_grid
from backend.meshes.finishing import finish_texture
from backend.meshes.mesh import Mesh
from backend.meshes.mirroring import mirrored_faces
from backend.meshes.radiance_surface import fit_density, mesh_from_radiance
from backend.meshes.rasteriser import render_mesh, silhouette_iou
from backend.meshes.relighting import without_light
from backend.rendering.renderer import Renderer
from backend.rendering.splats import splat_renderer
from backend.rendering.volume import volume_renderer
from backend.representations.fields import colour_field
from backend.representations.gaussians import Gaussians
from backend.representations.radiance_grid import RadianceGrid
from backend.systems.reference import Target

AZIMUTHS, ELEVATIONS = (0, 60, 120, 180, 240, 300), (0.0, 30.0) * 3  # from where outlines are compared
BAKE_AZIMUTHS = [*range(0, 360, 45)] * 3 + [0, 0]
BAKE_ELEVATIONS = [10.0] * 8 + [45.0] * 8 + [-30.0] * 8 + [90.0, -90.0]
THINNEST = 0.7  # pixels: how thin the optimisation can tell a Gaussian to be. See benchmarks.commands.meshing

ColourField = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # points [M, 3], unit normals [M, 3] -> sRGB [M, 3]
Tell = Callable[[int, int], object]  # how many parts of the work are done, and of how many
PARTS = 7  # of Gaussians on their way to a mesh: grid, surface, unwrapping, two bakings, photo, comparison
# Cameras, renderings [B, H, W, 3] before black, alpha [B, H, W, 1] -> pictures [B, H, W, 3] before black
Redraw = Callable[[Cameras, torch.Tensor, torch.Tensor], torch.Tensor]


@torch.no_grad()
def textured_mesh(
    mesh: Mesh,
    colours: ColourField,
    render: Renderer,
    texture_size: int,
    photo: Target | None = None,
    *,
    view_size: int = 128,
    texture_steps: int = 0,
    redraw: Redraw | None = None,
    remove_light: bool = False,
    tell: Tell = lambda done, count: None,
) -> tuple[Mesh, dict[str, float]]:
    """Unwrap a mesh and bake what its object shows into a base-colour texture; a photo goes on top.

    `colours` fill what no rendering sees. The texture is then optimised `texture_steps` times against the renderings,
    `view_size` pixels a side, or against what `redraw` makes of them, and under the photo against that.
    With `remove_light` the photo first loses what the mesh's normals explain of its brightness.
    `tell` hears how many of PARTS are done. With the mesh comes `silhouette_iou`: how well it covers the object.
    """
    cameras = orbit(BAKE_AZIMUTHS, BAKE_ELEVATIONS, size=view_size)
    views = render(cameras, torch.zeros(3))
    pictures, alpha = views.rgb.clamp(0, 1), views.alpha
    mesh = unwrap(mesh, size=texture_size)
    tell(3, PARTS)
    mesh = bake_texture(mesh, colours, texture_size)
    tell(4, PARTS)
    mesh = bake_from_views(mesh, cameras, pictures, alpha=alpha, size=texture_size)
    tell(5, PARTS)
    if texture_steps:
        wanted = redraw(cameras, pictures, alpha) if redraw is not None else pictures
        mesh = finish_texture(mesh, cameras, wanted, alpha=alpha, steps=texture_steps)
    if photo is not None:
        if remove_light:
            photo = replace(photo, rgb=without_light(mesh, photo.camera, photo.rgb[0], photo.mask[0])[None])
        mesh = with_photo(mesh, photo, texture_size, texture_steps)
    tell(6, PARTS)
    around = orbit(AZIMUTHS, ELEVATIONS, size=view_size)
    alpha = render(around, torch.zeros(3)).alpha
    overlap = float(silhouette_iou(render_mesh(mesh, around, samples=1).alpha, alpha).mean())
    return mesh, {"silhouette_iou": overlap}


@torch.no_grad()
def surface_of_field(field: RadianceGrid, resolution: int, view_size: int) -> tuple[Mesh, float, Renderer]:
    """Return the surface of a field on the CPU, the density that it lies at, and what draws the field.

    The density is fitted on as fine a grid as the mesh is made from: the blur takes more away on a coarser one, and
    fog seems to fit. Raises NoSurface.
    """
    render = volume_renderer(field, samples=2 * len(field))
    cameras = orbit(AZIMUTHS, ELEVATIONS, size=view_size)
    threshold, _ = fit_density(field, cameras, render(cameras, torch.zeros(3)).alpha, resolution=resolution)
    return mesh_from_radiance(field, threshold, resolution=resolution), threshold, render


def textured_gaussians(
    gaussians: Gaussians,
    *,
    resolution: int,
    max_faces: int,
    texture_size: int,
    texture_steps: int = 0,
    view_size: int = 128,
    photo: Target | None = None,
    remove_light: bool = False,
    mirror: str = "none",
    tell: Tell = lambda done, count: None,
) -> tuple[Mesh, dict[str, float]]:
    """Return the textured mesh of Gaussians on the CPU, its `threshold` and `silhouette_iou`. Raises NoSurface.

    `view_size` is the side, in pixels, of the views that the Gaussians were optimised in: there they cover what they
    should, so there the mesh is compared with them. `mirror` is that of `simplified`.
    """
    render = splat_renderer(gaussians)
    around = orbit(AZIMUTHS, ELEVATIONS, size=view_size)
    with torch.no_grad():
        alpha = render(around, torch.zeros(3)).alpha
    pixel = float(around.position[0].norm() / around.intrinsics[0, 0, 0])  # its width at the origin
    grid = opacity_grid(gaussians, resolution, min_scale=THINNEST * pixel)
    tell(1, PARTS)
    threshold, _ = fit_threshold(grid, around, alpha)
    mesh = simplified(mesh_from_grid(grid, threshold), max_faces, mirror)
    tell(2, PARTS)
    mesh, facts = textured_mesh(
        mesh, colour_field(gaussians), render, texture_size, photo, view_size=view_size, texture_steps=texture_steps,
        remove_light=remove_light, tell=tell,
    )  # fmt: skip
    return mesh, {"threshold": threshold} | facts


def with_photo(mesh: Mesh, photo: Target, texture_size: int, steps: int = 0) -> Mesh:
    """Lay a photo onto the texture where it sees the mesh from ahead; the rest stays, and between them colours blend.

    From its camera the mesh then looks like the photo, sharper than any optimisation has time for, and more so after
    some steps of finishing. A rim is left out, in which background shines through. Where it sees nothing of the mesh,
    that is returned as it is.
    """
    rim = max(1, photo.rgb.shape[1] // 128)
    mask = (photo.mask > 0.5).float().permute(0, 3, 1, 2)
    inside = -torch.nn.functional.max_pool2d(-mask, 2 * rim + 1, 1, rim).permute(0, 2, 3, 1)
    share = view_share(mesh, photo.camera, inside[0], texture_size)
    if not bool((share > 0).any()):
        return mesh
    rgb = photo.rgb * inside
    onto = bake_from_views(mesh, photo.camera, rgb, alpha=inside, size=texture_size, fill_weight=1e-5, min_cosine=0.1)
    if steps:
        onto = finish_texture(onto, photo.camera, rgb, alpha=inside, steps=steps)
    return blend_view(mesh, onto, share)


def simplified(mesh: Mesh, max_faces: int, mirror: str = "none") -> Mesh:
    """Return a mesh of so many faces at most, or of up to eight times as many where a ragged shape needs them.

    It has so few when one half of it, `mirror`, is put in place of the other: the cut between them makes faces.
    """
    made = _simplified(mesh, max_faces)
    for _ in range(3 if mirror != "none" and len(made.faces) <= max_faces else 0):
        count = mirrored_faces(made, mirror)
        if count <= max_faces:
            break
        fewer = _simplified(mesh, int(0.99 * len(made.faces) * max_faces / count))
        if mirrored_faces(fewer, mirror) >= count:  # too ragged for that: as near as it comes
            break
        made = fewer
    return made


def _simplified(mesh: Mesh, max_faces: int, tries: int = 4) -> Mesh:
    try:
        return decimate(mesh, max_faces)
    except BackendError:  # could not be simplified so far without a hole
        if tries == 1:
            raise
        return _simplified(mesh, 2 * max_faces, tries - 1)
