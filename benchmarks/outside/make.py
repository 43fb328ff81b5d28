"""Makes the five objects from outside the generator through Blender: `python -m benchmarks.outside.make [--only NAME]`.

Each leaves NAME.png, the picture that a system is given (256 px, over a grey wall), and NAME.safetensors: vertices,
faces and the base colours of the vertices. Cycles draws the picture, with another light and other materials than the
generator's own photographer.
"""

# Blender makes its module at run time; pyright sees an almost empty one.
# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
# pyright: reportOptionalSubscript=false, reportMissingImports=false
from __future__ import annotations

import argparse
import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from backend.cameras import Cameras, opencv_to_opengl, orbit
from backend.images import load_image, save_image

FOLDER = Path(__file__).parent
RADIUS = 0.92  # of the sphere that every object fits, as the generator's do
ELEVATION, FOV = 15.0, 40.0
SAMPLES = 40
WALL = 0.8
COLOURS = {  # linear
    "brown": (0.25, 0.08, 0.03), "pale": (0.8, 0.6, 0.4), "pink": (0.9, 0.2, 0.4), "yellow": (0.9, 0.6, 0.03),
    "dark": (0.02, 0.02, 0.02), "teal": (0.02, 0.45, 0.45), "white": (0.85, 0.85, 0.8), "green": (0.1, 0.4, 0.08),
    "orange": (0.9, 0.25, 0.03),
}  # fmt: skip


def monkey(bpy: Any) -> None:
    """Blender's own monkey, smooth, with dark eyes; it looks to -Y."""
    bpy.ops.mesh.primitive_monkey_add()
    head = bpy.context.object
    head.modifiers.new("Smooth", "SUBSURF").levels = 2
    _paint(bpy, head, "brown")
    for x in (-0.35, 0.35):
        bpy.ops.mesh.primitive_uv_sphere_add(location=(x, -0.72, 0.24), radius=0.17)
        _paint(bpy, bpy.context.object, "dark")


def doughnut(bpy: Any) -> None:
    """Two of Blender's tori: dough, and icing on its upper half; it lies tilted to the viewer."""
    bpy.ops.mesh.primitive_torus_add(major_radius=0.7, minor_radius=0.32, rotation=(0.6, 0, 0))
    _paint(bpy, bpy.context.object, "pale")
    up = np.array([0.0, -math.sin(0.6), math.cos(0.6)]) * 0.07
    bpy.ops.mesh.primitive_torus_add(major_radius=0.7, minor_radius=0.3, rotation=(0.6, 0, 0), location=up)
    _paint(bpy, bpy.context.object, "pink")


def star(bpy: Any) -> None:
    """A thick star of five points, of our making, with two eyes in front."""
    outline = [
        (r * math.sin(a), r * math.cos(a)) for i in range(10) for r, a in [((0.95, 0.42)[i % 2], math.pi * i / 5)]
    ]
    points = [(x, y, z) for y in (-0.16, 0.16) for x, z in outline] + [(0, -0.34, 0), (0, 0.34, 0)]
    faces = []
    for i in range(10):
        j = (i + 1) % 10
        faces += [(20, i, j), (21, 10 + j, 10 + i), (i, 10 + i, 10 + j, j)]
    _paint(bpy, _add(bpy, points, faces), "yellow")
    for x in (-0.14, 0.14):
        bpy.ops.mesh.primitive_uv_sphere_add(location=(x, -0.31, 0.08), radius=0.07)
        _paint(bpy, bpy.context.object, "dark")


def vase(bpy: Any) -> None:
    """A turned and fluted vase, of our making, with a pale ring."""
    profile = [(0.0, -0.9), (0.36, -0.9), (0.6, -0.45), (0.56, -0.05), (0.26, 0.45), (0.24, 0.6), (0.4, 0.9), (0, 0.75)]
    around, points, faces = 72, [], []
    levels = np.linspace(0, len(profile) - 1, 57)
    radii = np.interp(levels, range(len(profile)), [r for r, _ in profile])
    heights = np.interp(levels, range(len(profile)), [z for _, z in profile])
    for r, z in zip(radii, heights, strict=True):
        for k in range(around):
            a = 2 * math.pi * k / around
            flute = r * (1 + 0.05 * math.cos(12 * a + 2 * z))
            points.append((flute * math.cos(a), flute * math.sin(a), z))
    for i in range(len(levels) - 1):
        for k in range(around):
            j = (k + 1) % around
            faces.append((i * around + k, i * around + j, (i + 1) * around + j, (i + 1) * around + k))
    _paint(bpy, _add(bpy, points, faces), "teal")
    bpy.ops.mesh.primitive_torus_add(major_radius=0.28, minor_radius=0.07, location=(0, 0, 0.5))
    _paint(bpy, bpy.context.object, "white")


def snail(bpy: Any) -> None:
    """A snail of our making: a foot, a spiral shell, two horns with eyes; it crawls to -Y."""
    bpy.ops.mesh.primitive_uv_sphere_add(location=(0, -0.1, -0.45), radius=1.0)
    bpy.context.object.scale = (0.2, 0.85, 0.15)
    _paint(bpy, bpy.context.object, "green")
    bpy.ops.mesh.primitive_uv_sphere_add(location=(0, -0.78, -0.2), radius=0.2)
    _paint(bpy, bpy.context.object, "green")
    for x in (-0.1, 0.1):
        bpy.ops.mesh.primitive_cylinder_add(location=(x, -0.84, 0.06), radius=0.03, depth=0.3)
        _paint(bpy, bpy.context.object, "green")
        bpy.ops.mesh.primitive_uv_sphere_add(location=(x, -0.84, 0.22), radius=0.06)
        _paint(bpy, bpy.context.object, "dark")
    turns, steps, ring = 2.2, 88, 20
    points, faces = [], []
    for i in range(steps + 1):
        a = 2 * math.pi * turns * i / steps
        reach, tube = 0.05 + 0.38 * i / steps, 0.03 + 0.15 * i / steps
        centre = np.array([0.0, 0.2 + reach * math.cos(a), 0.12 + reach * math.sin(a)])
        outward = np.array([0.0, math.cos(a), math.sin(a)])
        for k in range(ring):
            b = 2 * math.pi * k / ring
            points.append(tuple(centre + tube * (math.cos(b) * outward + 1.3 * math.sin(b) * np.array([1.0, 0, 0]))))
    for i in range(steps):
        for k in range(ring):
            j = (k + 1) % ring
            faces.append((i * ring + k, i * ring + j, (i + 1) * ring + j, (i + 1) * ring + k))
    faces += [tuple(reversed(range(ring))), tuple(steps * ring + k for k in range(ring))]
    _paint(bpy, _add(bpy, points, faces), "orange")


OBJECTS: dict[str, Callable[[Any], None]] = {
    "monkey": monkey, "doughnut": doughnut, "star": star, "vase": vase, "snail": snail,
}  # fmt: skip


def make(name: str, folder: Path = FOLDER) -> None:
    """Build one object, fit it into the unit sphere, and write its two files."""
    import bpy

    bpy.ops.wm.read_factory_settings(use_empty=True)
    OBJECTS[name](bpy)
    _fit(bpy)
    vertices, faces, colours = _surface(bpy)
    tensors = {"vertices": vertices.astype(np.float16), "faces": faces, "colours": colours.astype(np.float16)}
    save_file({key: torch.from_numpy(value) for key, value in tensors.items()}, folder / f"{name}.safetensors")
    light(bpy)
    with tempfile.TemporaryDirectory() as scratch:
        given = render(bpy, orbit([0.0], ELEVATION, fov_degrees=FOV, size=256), Path(scratch) / "view.png")
    save_image(folder / f"{name}.png", given[..., :3] * given[..., 3:] + WALL * (1 - given[..., 3:]))


def _paint(bpy: Any, thing: Any, colour: str) -> None:
    material = bpy.data.materials.new(colour)
    if material.node_tree is None:
        material.use_nodes = True
    shader = material.node_tree.nodes["Principled BSDF"]
    shader.inputs["Base Color"].default_value = (*COLOURS[colour], 1.0)
    shader.inputs["Roughness"].default_value = 0.45
    thing.data.materials.append(material)
    if colour != "yellow":  # the star has edges
        thing.data.polygons.foreach_set("use_smooth", [True] * len(thing.data.polygons))


def _add(bpy: Any, points: list, faces: list) -> Any:
    data = bpy.data.meshes.new("made")
    data.from_pydata([tuple(map(float, point)) for point in points], [], faces)
    thing = bpy.data.objects.new("made", data)
    bpy.context.scene.collection.objects.link(thing)
    return thing


def _fit(bpy: Any) -> None:
    """Centre everything and scale it to RADIUS."""
    from mathutils import Matrix

    vertices, _, _ = _surface(bpy)
    middle = (vertices.max(0) + vertices.min(0)) / 2
    scale = RADIUS / float(np.linalg.norm(vertices - middle, axis=1).max())
    for thing in [thing for thing in bpy.context.scene.objects if thing.type == "MESH"]:
        world = np.array(thing.matrix_world)
        world[:3] *= scale
        world[:3, 3] -= scale * middle
        thing.matrix_world = Matrix(world.tolist())  # a plain list would be read column by column
    bpy.context.view_layer.update()


def _surface(bpy: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return all triangles as they are drawn: vertices [V, 3], faces [F, 3], base colours of the vertices in sRGB."""
    graph = bpy.context.evaluated_depsgraph_get()
    vertices, faces, colours, count = [], [], [], 0
    for thing in bpy.context.scene.objects:
        if thing.type != "MESH":
            continue
        evaluated = thing.evaluated_get(graph)
        data = evaluated.to_mesh()
        data.calc_loop_triangles()
        own = np.empty(3 * len(data.vertices), np.float32)
        data.vertices.foreach_get("co", own)
        world = np.array(evaluated.matrix_world)
        vertices.append(own.reshape(-1, 3) @ world[:3, :3].T + world[:3, 3])
        corners = np.empty(3 * len(data.loop_triangles), np.int32)
        data.loop_triangles.foreach_get("vertices", corners)
        corners = corners.reshape(-1, 3)
        a, b, c = (vertices[-1][corners[:, i]] for i in range(3))
        if float((a * np.cross(b, c)).sum()) < 0:  # wound inwards
            corners = corners[:, ::-1].copy()
        faces.append(corners + count)
        linear = np.array(COLOURS[thing.data.materials[0].name.split(".")[0]])
        srgb = np.where(linear < 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
        colours.append(np.tile(srgb, (len(data.vertices), 1)))
        count += len(data.vertices)
        evaluated.to_mesh_clear()
    return np.concatenate(vertices), np.concatenate(faces), np.concatenate(colours)


def light(bpy: Any, sun: float = 2.2, sky: float = 1.0) -> None:
    """Light the scene by a sun from the upper left of the front, and by a sky as bright from everywhere."""
    scene = bpy.context.scene
    lamp = bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN"))
    lamp.data.energy, lamp.data.angle = sun, 0.2
    lamp.rotation_euler = (math.radians(48), 0, math.radians(-35))
    scene.collection.objects.link(lamp)
    scene.world = bpy.data.worlds.new("World")
    if scene.world.node_tree is None:  # Blender 4.5; later ones have it always, and warn of the switch
        scene.world.use_nodes = True
    scene.world.node_tree.nodes["Background"].inputs[0].default_value = (0.75, 0.78, 0.8, 1)
    scene.world.node_tree.nodes["Background"].inputs[1].default_value = sky


def render(bpy: Any, camera: Cameras, path: Path, *, samples: int = SAMPLES, denoise: bool = False) -> torch.Tensor:
    """Return what Cycles sees from one camera, [H, W, 4] in sRGB."""
    from mathutils import Matrix

    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.device, scene.cycles.seed = samples, "CPU", 1
    scene.cycles.use_denoising = denoise
    scene.render.threads_mode, scene.render.threads = "FIXED", 2
    scene.render.film_transparent = True
    scene.view_settings.view_transform = "Standard"
    scene.render.resolution_x = scene.render.resolution_y = camera.width
    scene.render.image_settings.file_format, scene.render.image_settings.color_mode = "PNG", "RGBA"
    lens = bpy.data.cameras.new("Camera")
    lens.angle = 2 * math.atan(camera.width / 2 / float(camera.intrinsics[0, 0, 0]))
    holder = bpy.data.objects.new("Camera", lens)
    scene.collection.objects.link(holder)
    holder.matrix_world = Matrix(opencv_to_opengl(camera.camera_to_world)[0].tolist())
    scene.camera = holder
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    rgb, alpha = load_image(path)
    assert alpha is not None, "Cycles wrote no alpha"
    return torch.cat([rgb, alpha], -1)


def main() -> None:
    """Make all objects, or the one that is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=OBJECTS)
    parser.add_argument("--out", type=Path, default=FOLDER)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name in [options.only] if options.only else OBJECTS:
        make(name, options.out)
        print(f"{name}: {', '.join(path.name for path in sorted(options.out.glob(f'{name}*.*')))}", flush=True)


if __name__ == "__main__":
    main()
