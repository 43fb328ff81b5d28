"""The last stages that every Gaussian system shares: mesh, texture, files, pictures, result.json."""

from __future__ import annotations

import shutil
from typing import Any

import torch

from backend.baking import bake_from_views, bake_texture, unwrap
from backend.cameras import orbit
from backend.errors import BackendError
from backend.export import write_glb, write_points_ply, write_result_json
from backend.images import save_image, save_turntable
from backend.job import Job
from backend.meshing import fit_threshold, mesh_from_gaussians
from backend.rendering.meshes import render_mesh, turntable
from backend.rendering.splats import renderer_for
from backend.representations.fields import colour_field
from backend.representations.gaussians import Gaussians
from backend.representations.mesh import Mesh

FILES = ("model.glb", "points.ply", "preview.png", "turntable.webp", "result.json")
BAKE_AZIMUTHS = [*range(0, 360, 60), *range(30, 360, 60), 0, 0]
BAKE_ELEVATIONS = [5.0] * 6 + [45.0, -35.0] * 3 + [90.0, -90.0]


def deliver(job: Job, gaussians: Gaussians, *, mesh_resolution: int, max_faces: int, texture_size: int) -> None:
    """Make the mesh, then write result/: model.glb, points.ply, preview.png, turntable.webp and result.json."""
    made = job.stage("mesh", lambda: textured_mesh(gaussians, mesh_resolution, max_faces, texture_size))
    mesh = Mesh(**{name: made[name] for name in ("vertices", "faces", "uv", "texture")})
    job.stage("export", lambda: export(job, gaussians, mesh, made))
    result = job.folder / "result"
    result.mkdir(exist_ok=True)
    for path in job.stage_path("export").iterdir():  # from the stage each time, so a lost result comes back
        if path.name in FILES:
            shutil.copyfile(path, result / path.name)


def textured_mesh(gaussians: Gaussians, resolution: int, max_faces: int, texture_size: int) -> dict[str, Any]:
    """Turn Gaussians into an unwrapped mesh with a base-colour texture, and say how well it covers what they show.

    Raises BackendError when the Gaussians have no surface.
    """
    render = renderer_for("cpu")
    with torch.no_grad():
        around = orbit([0, 60, 120, 180, 240, 300], [0.0, 30.0] * 3, size=96)
        threshold, overlap = fit_threshold(gaussians, around, render(gaussians, around, torch.zeros(3)).alpha)
        cameras = orbit(BAKE_AZIMUTHS, BAKE_ELEVATIONS, size=256)
        seen = render(gaussians, cameras, torch.zeros(3))
    mesh = surface(gaussians, resolution, max_faces, threshold)
    mesh = bake_texture(unwrap(mesh, size=texture_size), colour_field(gaussians), texture_size)
    mesh = bake_from_views(mesh, cameras, seen.rgb.clamp(0, 1), alpha=seen.alpha, size=texture_size)
    values = {"vertices": mesh.vertices, "faces": mesh.faces, "uv": mesh.uv, "texture": mesh.texture}
    return values | {"threshold": threshold, "silhouette_iou": overlap}


def surface(gaussians: Gaussians, resolution: int, max_faces: int, threshold: float, tries: int = 4) -> Mesh:
    """Return the mesh at a threshold; a finer grid than the one it was fitted on may want a lower one."""
    try:
        return mesh_from_gaussians(gaussians, resolution=resolution, threshold=threshold, max_faces=max_faces)
    except BackendError:
        if tries == 1:
            raise
    return surface(gaussians, resolution, max_faces, threshold / 2, tries - 1)


def export(job: Job, gaussians: Gaussians, mesh: Mesh, made: dict[str, Any]) -> dict[str, Any]:
    """Write the result's files into the stage's folder and return what result.json says."""
    request, result = job.request, job.stage_folder
    wants_points = "points" in request.outputs
    if "mesh" in request.outputs:
        details = {"prompt": request.prompt, "system": request.system, "seed": request.seed}
        write_glb(result / "model.glb", mesh, name=request.prompt[:60] or "Maquette", extras=details)
    if wants_points:
        write_points_ply(result / "points.ply", gaussians)
    save_image(result / "preview.png", render_mesh(mesh, orbit([30], 15, size=512), shading=0.35).rgb[0])
    save_turntable(result / "turntable.webp", list(turntable(mesh)), 80)
    record = job.record()
    return write_result_json(
        result,
        points="gaussians" if wants_points else "none",
        seed=request.seed,
        seconds={stage["name"]: stage["seconds"] for stage in record["stages"]},
        details={
            "system": request.system, "prompt": request.prompt, "negative_prompt": request.negative_prompt,
            "preset": request.preset, "prior": request.prior, "settings": dict(request.settings),
            "threads": record["threads"], "inputs": record["inputs"], "gaussians": len(gaussians),
            "faces": len(mesh.faces), "mesh_silhouette_iou": made["silhouette_iou"],
        },
    )  # fmt: skip
