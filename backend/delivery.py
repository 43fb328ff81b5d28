"""The last stages that every Gaussian system shares: mesh, texture, files, pictures, result.json."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from backend.baking import bake_from_views, bake_texture, unwrap
from backend.cameras import Cameras, framing_distance, orbit
from backend.errors import BackendError, NoSurface
from backend.export import write_glb, write_points_ply, write_result_json
from backend.images import save_preview, save_turntable
from backend.job import Job
from backend.meshing import fit_threshold, mesh_from_gaussians
from backend.rendering.meshes import render_mesh, silhouette_iou
from backend.rendering.splats import renderer_for
from backend.representations.fields import colour_field
from backend.representations.gaussians import Gaussians, reach
from backend.representations.mesh import Mesh
from backend.vision.reference import Target

FILES = ("model.glb", "points.ply", "preview.png", "turntable.webp", "result.json")
BAKE_AZIMUTHS = [*range(0, 360, 60), *range(30, 360, 60), 0, 0]
BAKE_ELEVATIONS = [5.0] * 6 + [45.0, -35.0] * 3 + [90.0, -90.0]


def deliver(
    job: Job,
    gaussians: Gaussians,
    *,
    mesh_resolution: int,
    max_faces: int,
    texture_size: int,
    made_with: Mapping[str, Any],
    photo: Target | None = None,
) -> None:
    """Leave result/: points.ply first, then model.glb, and preview.png, turntable.webp and result.json of either.

    `made_with` goes into result.json: the prior's fingerprint and all settings. What a `photo` of the object shows is
    laid onto the mesh.
    """
    request, result = job.request, job.folder / "result"
    result.mkdir(exist_ok=True)
    for name in FILES:  # of a run that was asked for something else
        (result / name).unlink(missing_ok=True)
    if "points" in request.outputs:
        write_points_ply(result / "points.ply", gaussians)
    mesh, values = None, {}
    if "mesh" in request.outputs:
        values = job.stage("mesh", lambda: textured_mesh(gaussians, mesh_resolution, max_faces, texture_size, photo))
        mesh = Mesh(**{name: values.pop(name) for name in ("vertices", "faces", "uv", "texture")})
        details = {"prompt": request.prompt, "system": request.system, "seed": request.seed}
        write_glb(result / "model.glb", mesh, name=request.prompt[:60], extras=details)
    draw = mesh_views(mesh) if mesh is not None else point_views(gaussians)
    extent = reach(gaussians, 0.999) if mesh is None else float(mesh.vertices.norm(dim=1).max())
    away = float(framing_distance(40.0)) * max(1.0, 1.05 * extent)  # what grew in an edit is in the pictures, too
    save_preview(result / "preview.png", draw(orbit([30], 15, distance=away, size=512))[0])
    save_turntable(result / "turntable.webp", list(draw(orbit(range(0, 360, 10), 15, distance=away, size=256))), 80)
    record = job.record()
    write_result_json(
        result,
        points="gaussians" if "points" in request.outputs else "none",
        seed=request.seed,
        seconds={stage["name"]: stage["seconds"] for stage in record["stages"]},
        details={
            "system": request.system, "prompt": request.prompt, "negative_prompt": request.negative_prompt,
            "preset": request.preset, "prior": request.prior, "made_with": dict(made_with),
            "threads": record["threads"], "inputs": record["inputs"], "gaussians": len(gaussians),
            "faces": 0 if mesh is None else len(mesh.faces), "mesh": values,
        },
    )  # fmt: skip


def mesh_views(mesh: Mesh) -> Callable[[Cameras], torch.Tensor]:
    """Return what draws a mesh, lightly shaded."""
    return lambda cameras: render_mesh(mesh, cameras, shading=0.35).rgb


def point_views(gaussians: Gaussians) -> Callable[[Cameras], torch.Tensor]:
    """Return what draws Gaussians before white."""
    return lambda cameras: renderer_for("cpu")(gaussians, cameras, torch.ones(3)).rgb.clamp(0, 1)


def textured_mesh(
    gaussians: Gaussians, resolution: int, max_faces: int, texture_size: int, photo: Target | None = None
) -> dict[str, Any]:
    """Turn Gaussians into an unwrapped mesh with a base-colour texture; with it, how well it covers what they show.

    Raises NoSurface when the Gaussians have none.
    """
    render = renderer_for("cpu")
    with torch.no_grad():
        around = orbit([0, 60, 120, 180, 240, 300], [0.0, 30.0] * 3, size=96)
        alpha = render(gaussians, around, torch.zeros(3)).alpha
        cameras = orbit(BAKE_AZIMUTHS, BAKE_ELEVATIONS, size=256)
        seen = render(gaussians, cameras, torch.zeros(3))
    threshold, _ = fit_threshold(gaussians, around, alpha)
    mesh = surface(gaussians, resolution, max_faces, threshold)
    mesh = bake_texture(unwrap(mesh, size=texture_size), colour_field(gaussians), texture_size)
    mesh = bake_from_views(mesh, cameras, seen.rgb.clamp(0, 1), alpha=seen.alpha, size=texture_size)
    if photo is not None:
        mesh = with_photo(mesh, photo, texture_size)
    overlap = float(silhouette_iou(render_mesh(mesh, around, samples=1).alpha, alpha).mean())
    values = {"vertices": mesh.vertices, "faces": mesh.faces, "uv": mesh.uv, "texture": mesh.texture}
    return values | {"threshold": threshold, "silhouette_iou": overlap}


def with_photo(mesh: Mesh, photo: Target, texture_size: int) -> Mesh:
    """Lay a photo onto the texture where it sees the mesh from ahead; the rest stays.

    From its camera the mesh then looks like the photo, sharper than any optimisation has time for. A rim is left out,
    in which background shines through. Where it sees nothing of the mesh, that is returned as it is.
    """
    rim = max(1, photo.rgb.shape[1] // 128)
    mask = (photo.mask > 0.5).float().permute(0, 3, 1, 2)
    inside = -torch.nn.functional.max_pool2d(-mask, 2 * rim + 1, 1, rim).permute(0, 2, 3, 1)
    try:
        return bake_from_views(
            mesh, photo.camera, photo.rgb * inside, alpha=inside, size=texture_size, fill_weight=0.002, min_cosine=0.1
        )
    except ValueError:  # no texel is seen
        return mesh


def surface(gaussians: Gaussians, resolution: int, max_faces: int, threshold: float, tries: int = 4) -> Mesh:
    """Return the mesh at a threshold.

    A finer grid than the one the threshold was fitted on may want a lower one, and a ragged shape more faces to stay
    closed: either is tried a few times.
    """
    try:
        return mesh_from_gaussians(gaussians, resolution=resolution, threshold=threshold, max_faces=max_faces)
    except NoSurface:
        if tries == 1:
            raise
        threshold /= 2
    except BackendError:  # could not be simplified so far without a hole
        if tries == 1:
            raise
        max_faces *= 2
    return surface(gaussians, resolution, max_faces, threshold, tries - 1)
