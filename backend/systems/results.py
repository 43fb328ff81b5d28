"""The last stage and the files that every system leaves: mesh, points, pictures, result.json."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from addon import protocol
from addon.protocol.pictured import KEY as PICTURE_KEY
from backend.cameras import Cameras, framing_distance, orbit
from backend.export import PointKind, write_glb, write_result_json
from backend.images import save_preview, save_turntable
from backend.meshes.mesh import Mesh
from backend.meshes.mirroring import mirrored
from backend.meshes.rasteriser import render_mesh
from backend.rendering.renderer import Renderer
from backend.runtime.job import Job


@dataclass(frozen=True)
class Points:
    """The points of a result, for those who want them beside the mesh, or instead of it."""

    kind: PointKind
    count: int
    write: Callable[[Path], None]
    render: Renderer  # for pictures where there is no mesh
    extent: float  # how far they reach from the origin
    write_splats: Callable[..., None] | None = None  # as glTF, where that is wanted; takes what `write_glb` takes


def mesh_stage(job: Job, make: Callable[[], tuple[Mesh, dict[str, float]]]) -> tuple[Mesh, dict[str, float]]:
    """Run the stage `mesh`; return the textured mesh and what there is to say of it, as they are read back."""

    def values() -> dict[str, Any]:
        mesh, facts = make()
        return {"vertices": mesh.vertices, "faces": mesh.faces, "uv": mesh.uv, "texture": mesh.texture} | facts

    own = {name: value for name, value in job.settings.items() if name in job.mesh_settings}
    made = job.stage("mesh", values, depends_on={"mesh_settings": own})
    mesh = Mesh(**{name: made.pop(name) for name in ("vertices", "faces", "uv", "texture")})
    _tell_of_faces(job, len(mesh.faces))
    return mesh, made


def _tell_of_faces(job: Job, count: int, already: int = 0) -> None:
    """Warn of a mesh of more faces than asked for, unless that is already said of so many."""
    most = job.settings.get("max_faces") if "max_faces" in job.mesh_settings else None
    if isinstance(most, int) and already <= most < count:
        job.warn(
            f"The mesh has {count} faces, not {most}: with fewer it would not stay in one closed piece.",
            "In Blender, Levels of Detail makes coarser copies of it.",
        )


def write_results(
    job: Job,
    *,
    mesh: Callable[[], tuple[Mesh, dict[str, float]]] | tuple[Mesh, dict[str, float]],
    points: Points,
    made_with: Mapping[str, Any],
    pictured: protocol.Pictured | None = None,
    origin: str = "centre",
    height: float = 0.0,
    mirror: str = "none",
) -> None:
    """Leave result/: points.ply first, and splats.glb where it is wanted, then model.glb, and preview.png,
    turntable.webp and result.json of either.


    Which of them, the request says. `mesh` makes the textured mesh and says of it what goes into result.json, as does
    `made_with`: the prior's fingerprint and all settings. Where points come from it, it is what `mesh_stage` gave.
    `pictured` is where in its picture the object was. `origin`, `height` and `mirror` are those of model.glb, as
    `placed` and `symmetric` have them; points.ply stays as it was made.
    """
    request, result = job.request, job.folder / protocol.RESULT_FOLDER
    protocol.make_folder_in(job.folder, protocol.RESULT_FOLDER)
    for name in protocol.RESULT_FILES:  # of a run that was asked for something else, or by a stranger
        protocol.remove_inside(job.folder, name)
    has_points = "points" in request.outputs and points.kind != "none"
    if has_points:  # first: there may be no surface
        points.write(job.folder / protocol.POINTS_FILE)
    details = {"prompt": request.prompt, "system": request.system, "seed": request.seed}
    called = (request.prompt or str(made_with.get("class", request.system)))[:60]  # one image needs no words
    if points.write_splats is not None and has_points:
        points.write_splats(job.folder / protocol.SPLATS_FILE, name=called, extras=details)
    elif points.write_splats is not None:
        job.warn("There is no splats.glb, since Points is not among the outputs.", "Choose that output as well.")
    shape, facts = None, {}
    if "mesh" in request.outputs:
        shape, facts = mesh_stage(job, mesh) if callable(mesh) else mesh
    if shape is not None:
        shape = shape if mirror == "none" else symmetric(job, shape, mirror)
        there, place = placed(shape, origin, height)
        facts |= place
        write_glb(job.folder / protocol.MESH_FILE, there, name=called, extras=details)
    draw = mesh_views(shape) if shape is not None else point_views(points.render)
    extent = points.extent if shape is None else float(shape.vertices.norm(dim=1).max())
    away = float(framing_distance(40.0)) * max(1.0, 1.05 * extent)  # what grew in an edit is in the pictures, too
    save_preview(job.folder / protocol.PICTURE_FILE, draw(orbit([30], 15, distance=away, size=512))[0])
    frames = draw(orbit(range(0, 360, 10), 15, distance=away, size=256))
    save_turntable(job.folder / protocol.TURNTABLE_FILE, list(frames), 80)
    record = job.record()
    write_result_json(
        result,
        points=points.kind if has_points else "none",
        seed=request.seed,
        seconds={stage["name"]: stage["seconds"] for stage in record["stages"]},
        details={
            "system": request.system, "prompt": request.prompt, "negative_prompt": request.negative_prompt,
            "preset": request.preset, "prior": request.prior, "made_with": dict(made_with),
            "threads": record["threads"], "inputs": record["inputs"], "warnings": record["warnings"],
            "gaussians": points.count if points.kind == "gaussians" else 0,
            "faces": 0 if shape is None else len(shape.faces), "mesh": facts,
            **({} if pictured is None else {PICTURE_KEY: asdict(pictured)}),
        },
    )  # fmt: skip


def symmetric(job: Job, mesh: Mesh, kept: str) -> Mesh:
    """Return a mesh with the half that is `kept`, left or right, in place of the other one.

    Warns where nothing lies there, and leaves the mesh as it is: what was optimised for hours is not lost to that.
    """
    made = mirrored(mesh, kept)
    low, high = float(mesh.vertices[:, 0].min()), float(mesh.vertices[:, 0].max())
    reach = f"it reaches from x = {low:.2f} to {high:.2f}, and is mirrored at 0"
    other = "left" if kept == "right" else "right"
    if not len(made.faces):
        job.warn(
            f"The mesh was not mirrored: nothing of it lies in the {kept} half; {reach}.",
            f"Mesh Again, or remesh --set mirror={other}, puts the {other} half on the {kept}.",
        )
        return mesh
    if len(made.faces) == 2 * len(mesh.faces):  # nothing was cut
        job.warn(
            f"Nothing of the mesh lies in the {other} half, so its mirror image stands apart from it: {reach}.",
            "Mesh Again, or remesh --set mirror=none, makes the mesh as it was.",
        )
    _tell_of_faces(job, len(made.faces), len(mesh.faces))
    return made


def placed(mesh: Mesh, origin: str, height: float) -> tuple[Mesh, dict[str, float]]:
    """Return a mesh so many metres high, 0 for as high as it is, with its origin at the centre or at its base.

    With it comes what was done to it: `scale`, and then `lift` along Z; nothing where nothing was.
    """
    low, high = float(mesh.vertices[:, 2].min()), float(mesh.vertices[:, 2].max())
    scale = height / max(high - low, 1e-6) if height > 0 else 1.0
    lift = -low * scale if origin == "base" else 0.0
    if scale == 1 and lift == 0:
        return mesh, {}
    up = mesh.vertices.new_tensor([0.0, 0.0, lift])
    return replace(mesh, vertices=mesh.vertices * scale + up), {"scale": scale, "lift": lift}


def mesh_views(mesh: Mesh) -> Callable[[Cameras], torch.Tensor]:
    """Return what draws a mesh without any light: its texture already has the light in it."""
    return lambda cameras: render_mesh(mesh, cameras).rgb


def point_views(render: Renderer) -> Callable[[Cameras], torch.Tensor]:
    """Return what draws an object before white."""
    return lambda cameras: render(cameras, torch.ones(3)).rgb.clamp(0, 1)
