"""Two things of one picture, made, and looked at from the picture's camera: `python -m benchmarks.report.pieces`.

The picture shows a robot and, nearer to the camera, a mushroom of half its size, on one ground. Their true forms and
places are known, so it is measured whether they stand in Blender as they did.
"""

# Blender makes its module at run time; pyright sees an almost empty one.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportOptionalMemberAccess=false

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from addon import protocol
from backend.cameras import Cameras, opencv_to_opengl, orbit
from backend.embedded.objects.shapes import HELD_OUT, make_subject
from backend.embedded.objects.solids import Solid, photograph, signed_distance
from backend.images import load_image, save_image
from backend.meshes.mesh import Mesh
from backend.meshes.rasteriser import render_mesh, silhouette_iou
from benchmarks.commands.demo import sample_subject

ELEVATION, FOV = 20.0, 40.0
WALL = 0.86
SIZES = (0.55, 0.3)  # of the unit spheres of robot and mushroom
PLACES = ((-0.22, 0.2), (0.42, -0.45))  # of their bases, x and y
GROUND = -0.45
SAMPLES = 32  # of each pixel, in Blender
PATH = Path("docs/images/pieces.png")


def two_things() -> list[Solid]:
    """Return the robot and the mushroom, each where it stands."""
    mushroom = make_subject(HELD_OUT.first_seed + 5, category="mushroom", colour="blue", pattern="dots", hat=False)
    line = torch.linspace(-1, 1, 96)
    grid = torch.stack(torch.meshgrid(line, line, line, indexing="ij"), dim=-1).reshape(-1, 3)
    placed = []
    for solid, size, (x, y) in zip((sample_subject().solid, mushroom.solid), SIZES, PLACES, strict=True):
        low = float(grid[signed_distance(solid, grid) < 0][:, 2].min())
        there = torch.tensor([x, y, GROUND - low * size]) / (size * solid.scale)
        placed.append(
            replace(solid, scale=size * solid.scale, offset=tuple((torch.tensor(solid.offset) - there).tolist()))
        )
    return placed


def picture_of(things: Sequence[Solid], size: int) -> tuple[Tensor, Tensor]:
    """Photograph things before a grey wall; return the picture [S, S, 3] and what is seen of each, [N, S, S, 1]."""
    camera = orbit([0.0], ELEVATION, fov_degrees=FOV, size=size)
    shots = [photograph(thing, camera, torch.full((3,), WALL)) for thing in things]
    depths = torch.cat([torch.where(shot.mask > 0.5, shot.depth, math.inf) for shot in shots])
    nearest = depths.amin(0)
    masks = ((depths == nearest) & nearest.isfinite()).float()
    rgb = torch.stack([shot.rgb[0] for shot in shots]).amin(0)  # along edges the wall is the brighter
    return torch.where(nearest.isfinite(), (masks * torch.cat([shot.rgb for shot in shots])).sum(0), rgb), masks


def make(folder: Path, size: int, options: Sequence[str]) -> Path:
    """Write the picture, make both things of it with Blender's command, and return the .blend."""
    from addon.cli import commands

    save_image(folder / "two.png", picture_of(two_things(), size)[0])
    os.environ.setdefault("MAQUETTE_PYTHON", sys.executable)
    save = folder / "two.blend"
    code = commands.main(
        ["batch", str(folder / "two.png"), "--elevation", str(ELEVATION), "--fov", str(FOV), "--pieces", "2",
         "--jobs", str(folder / "jobs"), "--save", str(save), "--output", "mesh", "--json", *options]
    )  # fmt: skip
    if code:
        raise RuntimeError(f"the batch has ended with {code}")
    return save


def standing(blend: Path, jobs: Path) -> tuple[list[Any], Cameras]:
    """Open a .blend; return the robot and the mushroom, and the camera that took the picture, of one pixel."""
    import bpy

    bpy.ops.wm.open_mainfile(filepath=str(blend))
    items = sorted(bpy.data.objects, key=lambda item: -item.dimensions.z)
    said = json.loads((jobs / items[0]["maquette_job"] / protocol.RESULT_FILE).read_text())["picture"]
    camera = orbit([said["azimuth_degrees"]], said["elevation_degrees"], fov_degrees=said["fov_degrees"], size=1)
    tangent = math.tan(math.radians(said["fov_degrees"]) / 2)
    depth = 1 / math.sin(math.atan(tangent * said["side"]))  # the robot's unit sphere fills its crop
    seen_at = depth * torch.tensor([2 * tangent * said["across"], 2 * tangent * said["down"], 1.0])
    middle = torch.tensor(items[0].location) - torch.tensor([0.0, 0.0, items[0]["maquette_base"][2]])
    pose = camera.camera_to_world.clone()
    pose[0, :3, 3] = middle - pose[0, :3, :3] @ seen_at
    return items, replace(camera, camera_to_world=pose)


def mesh_of(item: Any) -> Mesh:
    """Return a mesh of Blender's, in the world."""
    corners = torch.tensor([list(item.matrix_world @ vertex.co) for vertex in item.data.vertices])
    return Mesh(corners, torch.tensor([list(face.vertices) for face in item.data.polygons]))


def measured(items: Sequence[Any], camera: Cameras, size: int) -> dict[str, list[float]]:
    """Compare what stands with the truth.

    `outline`: IoU of each thing as the picture's camera sees it alone and as the truth is seen. `place`: where the
    mushroom stands from the robot, and `true_place`; `height` of both and `true_height`; all in heights of the robot.
    """
    view, things = camera.with_width(size), two_things()
    alone = [picture_of([thing], size)[1][0] for thing in things]
    outlines = [
        silhouette_iou(render_mesh(mesh_of(item), view).alpha, mask[None])
        for item, mask in zip(items, alone, strict=True)
    ]
    line = torch.linspace(-1, 1, 128)
    grid = torch.stack(torch.meshgrid(line, line, line, indexing="ij"), dim=-1).reshape(-1, 3)
    inside = [grid[signed_distance(thing, grid) < 0][:, 2] for thing in things]
    heights = [float(heights.max() - heights.min()) for heights in inside]
    unit = items[0].dimensions.z
    return {
        "outline": [float(each) for each in outlines],
        "place": [(there - here) / unit for here, there in zip(items[0].location, items[1].location, strict=True)],
        "true_place": [(there - here) / heights[0] for here, there in zip(*PLACES, strict=True)] + [0.0],
        "height": [item.dimensions.z / unit for item in items],
        "true_height": [height / heights[0] for height in heights],
    }


def photographed(cameras: Sequence[Cameras], size: int) -> list[Tensor]:
    """Return what Cycles sees of the open file through each camera, in even light on a white floor, [S, S, 3] each."""
    import bpy
    from mathutils import Matrix

    scene, eye = bpy.context.scene, bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(eye)
    scene.camera, scene.world = eye, bpy.data.worlds.new("World")
    if scene.world.node_tree is None:  # before Blender 5.0
        scene.world.use_nodes = True
    scene.world.node_tree.nodes["Background"].inputs["Color"].default_value = (1.0, 1.0, 1.0, 1.0)
    bpy.ops.mesh.primitive_plane_add(size=5_000)
    scene.render.engine, scene.cycles.samples, scene.cycles.device = "CYCLES", SAMPLES, "CPU"
    scene.render.threads_mode, scene.render.threads = "FIXED", torch.get_num_threads()
    scene.render.resolution_x = scene.render.resolution_y = size
    scene.view_settings.view_transform = "Standard"
    seen = []
    with tempfile.TemporaryDirectory() as folder:
        for camera in cameras:
            eye.matrix_world = Matrix(opencv_to_opengl(camera.camera_to_world)[0].tolist())
            eye.data.angle = 2 * math.atan(0.5 / float(camera.intrinsics[0, 0, 0]))
            scene.render.filepath = f"{folder}/seen.png"
            bpy.ops.render.render(write_still=True)
            seen.append(load_image(Path(scene.render.filepath))[0])
    return seen


def main() -> int:
    """Make both, print what is measured and write the picture: given, seen by its camera, seen from the right."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("out/pieces"))
    parser.add_argument("--preset", default="bench")
    parser.add_argument("--system", default="customize_it_3d")
    parser.add_argument("--size", type=int, default=384)
    parser.add_argument("--sheet", type=Path, default=PATH)
    options = parser.parse_args()
    import bpy

    import addon

    torch.set_num_threads(1)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    addon.register()
    options.folder.mkdir(parents=True, exist_ok=True)
    asked = ["--preset", options.preset, "--system", options.system, "--seed", "1", "--threads", "1"]
    items, camera = standing(make(options.folder, options.size, asked), options.folder / "jobs")
    print(json.dumps(measured(items, camera, 256), indent=1), flush=True)
    middle = torch.tensor(np.mean([item.location for item in items], axis=0)).float() + torch.tensor([0.0, 0.0, 0.6])
    side = orbit([60.0], 25.0, fov_degrees=FOV, distance=6.0, size=1)
    pose = side.camera_to_world.clone()
    pose[0, :3, 3] += middle
    seen = photographed([camera, replace(side, camera_to_world=pose)], options.size)
    sheet = torch.cat([load_image(options.folder / "two.png")[0], *seen], dim=1).permute(2, 0, 1)
    smaller = functional.interpolate(sheet[None], scale_factor=0.75, mode="area")[0]
    save_image(options.sheet, smaller.permute(1, 2, 0))
    sys.stdout.flush()
    os._exit(0)  # as benchmarks.commands.scene does


if __name__ == "__main__":
    sys.exit(main())
