"""Bring a job's result into the scene: the mesh with its material, the coloured points, and where they come from.

Functions take everything they need as arguments, so that operators, `blender -b` scripts and tests call the same code.
Nothing here touches the interface; an operator around it makes the undo step.
"""

# Blender makes its module at run time; pyright sees an almost empty one.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false, reportOptionalMemberAccess=false
# pyright: reportOptionalSubscript=false

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import protocol

if TYPE_CHECKING:
    import bpy

MESH_FILE, POINTS_FILE, RESULT_FILE = "model.glb", "points.ply", "result.json"
PROPERTY_PREFIX = "maquette_"
JSON_BYTES = 1 << 20  # a result.json is a few kilobytes
HEADER_BYTES = 1 << 16
NAME_BYTES = 59  # Blender before 5.0 keeps 63, and a copy's .001 must fit
LOOK_NAME = "Maquette points"
COLOUR, RADIUS, OPACITY = "Color", "radius", "opacity"  # attributes that the look reads
FAINTEST_SHOWN = 0.1  # opacity; the look draws opaque balls, and a cloud of faint ones would hide the object
RADIUS_IN_SCALES = 1.5  # where a Gaussian has faded to a third
POINT_RADIUS = 0.01  # of points that have no size of their own
SH_DC = 0.28209479177387814  # the constant spherical harmonic, 1 / (2 sqrt(pi))
PLY_TYPES = {"uchar": "u1", "uint8": "u1", "int": "<i4", "int32": "<i4"} | {"float": "<f4", "float32": "<f4"}
PLY_TYPES |= {"double": "<f8", "float64": "<f8"}


class ImportFailed(ValueError):
    """Say in one sentence why a result cannot be imported."""


@dataclass(frozen=True)
class Imported:
    """What an import has put into the file."""

    collection: bpy.types.Collection
    mesh: bpy.types.Object | None
    points: bpy.types.Object | None


def _everything() -> list[bpy.types.ID]:
    """Return all that the open file holds, in Blender's order."""
    import bpy

    kinds = [kind.identifier for kind in bpy.data.bl_rna.properties if kind.type == "COLLECTION"]
    return [item for kind in kinds for item in getattr(bpy.data, kind)]


@contextmanager
def _whole_or_nothing() -> Iterator[None]:
    """Take everything out of the file again that was made in it, if not all could be made."""
    import bpy

    before = set(_everything())
    try:
        yield
    except BaseException:
        bpy.data.batch_remove([item for item in _everything() if item not in before])
        raise


@_whole_or_nothing()
def import_result(
    job_folder: Path,
    *,
    location: tuple[float, float, float] | None = None,
    parent: bpy.types.Collection | None = None,
    name: str = "",
    outputs: tuple[str, ...] = protocol.OUTPUTS,
) -> Imported:
    """Import what a finished job has left, into a collection of its own, and return it.

    The origin lies at the base of the object, at `location` or else at the 3D cursor. The collection goes under
    `parent` or else under the scene's; it is named `name` or else after the subject. Points are hidden where there is a
    mesh in the same place. Raises ImportFailed when the folder holds no result or a damaged one, and leaves nothing.
    """
    import bpy
    from mathutils import Matrix, Vector

    scene = bpy.context.scene
    metadata = read_metadata(job_folder)
    result = job_folder / protocol.RESULT_FOLDER
    mesh_path = _file_in(result, MESH_FILE) if "mesh" in outputs else None
    points_path = _file_in(result, POINTS_FILE) if "points" in outputs else None
    if mesh_path is None and points_path is None:
        raise ImportFailed(f"{result} holds neither {MESH_FILE} nor {POINTS_FILE}: run the job to its end first.")
    name = shortened(name or subject_name(metadata) or job_folder.name)
    columns = read_ply(points_path) if points_path else {}
    at = tuple(scene.cursor.location) if location is None else location

    collection = bpy.data.collections.new(name)
    (parent or scene.collection).children.link(collection)
    mesh = import_mesh(mesh_path, collection, name) if mesh_path else None
    base = _base_of(mesh, columns)
    if mesh is not None:
        mesh.data.transform(Matrix.Translation(Vector(-base)))
        mesh.data.update()
    points = make_points(columns, collection, f"{name} points", base=base) if columns else None
    for item in (collection, mesh, points):
        for key, value in metadata.items() if item is not None else ():
            item[key] = value
    for item in (mesh, points):
        if item is not None:
            item.location = at
            item[f"{PROPERTY_PREFIX}base"] = base
    if mesh is not None and points is not None:
        points.hide_render = True
        points.hide_set(True)
    return Imported(collection, mesh, points)


@_whole_or_nothing()
def import_mesh(path: Path, collection: bpy.types.Collection, name: str) -> bpy.types.Object:
    """Import a GLB of one mesh, seams merged and textures packed, as an object of the collection.

    Raises ImportFailed when Blender's glTF importer refuses the file or it does not hold one mesh, and leaves nothing.
    """
    import bpy

    before = set(_everything())
    options = {"import_pack_images": True, "merge_vertices": True, "import_select_created_objects": False}
    known = bpy.ops.import_scene.gltf.get_rna_type().properties
    try:
        bpy.ops.import_scene.gltf(filepath=str(path), **{key: value for key, value in options.items() if key in known})
    except RuntimeError as error:  # how an operator reports what went wrong
        raise ImportFailed(f"Blender cannot read {path}: {str(error).strip()}") from error
    created: list[Any] = [item for item in _everything() if item not in before]
    meshes = [item for item in created if item.id_type == "OBJECT" and item.type == "MESH"]
    if len(meshes) != 1:
        raise ImportFailed(f"{path} holds {len(meshes)} meshes; a result holds one.")
    mesh, world = meshes[0], meshes[0].matrix_world.copy()
    for user in list(mesh.users_collection):
        user.objects.unlink(mesh)
    images, materials = ([item for item in created if item.id_type == kind] for kind in ("IMAGE", "MATERIAL"))
    bpy.data.batch_remove([item for item in created if item.id_type in ("OBJECT", "COLLECTION") and item != mesh])
    collection.objects.link(mesh)
    mesh.name = mesh.data.name = name
    mesh.matrix_world = world
    for image in images:
        image.name = f"{name} base colour"
        if image.packed_file is None:
            image.pack()
    for material in materials:
        material.name = name
    return mesh


def make_points(
    columns: dict[str, np.ndarray],
    collection: bpy.types.Collection,
    name: str,
    *,
    base: tuple[float, float, float] | np.ndarray = (0.0, 0.0, 0.0),
) -> bpy.types.Object:
    """Make an object of the points of a PLY, with `base` as its origin.

    It is a point cloud where this Blender can set the size of one (5.1), else a mesh of loose vertices with a modifier
    that shows them. Gaussians keep all that they are in attributes under Blender's own names for splats.
    """
    import bpy

    attributes = point_attributes(columns)
    positions = np.stack([columns[axis] for axis in "xyz"], axis=1).astype(np.float32) - np.asarray(
        base, dtype=np.float32
    )
    data: Any = None
    if hasattr(bpy.types.PointCloud, "resize"):
        data = bpy.data.pointclouds.new(name)
        data.resize(len(positions))
        data.attributes["position"].data.foreach_set("vector", positions.ravel())
    else:
        data = bpy.data.meshes.new(name)
        data.vertices.add(len(positions))
        data.vertices.foreach_set("co", positions.ravel())
    for key, (kind, values) in attributes.items():
        attribute = data.attributes.get(key) or data.attributes.new(key, kind, "POINT")
        field = {"FLOAT_COLOR": "color", "FLOAT_VECTOR": "vector"}.get(kind, "value")
        attribute.data.foreach_set(field, np.ascontiguousarray(values, dtype=np.float32).ravel())
    material = _point_material()
    data.materials.append(material)
    item = bpy.data.objects.new(name, data)
    collection.objects.link(item)
    if item.type == "MESH":
        data.update()
        modifier = item.modifiers.new(LOOK_NAME, "NODES")
        modifier.node_group = _point_look(material)
    return item


def point_attributes(columns: dict[str, np.ndarray]) -> dict[str, tuple[str, np.ndarray]]:
    """Turn the columns of a PLY into attributes: name -> (Blender's type, values [N] or [N, C]).

    Gaussians (3DGS layout: raw harmonics, logits, logarithms) get `radiance:base` (raw harmonic and activated opacity),
    `radiance:sh_0`... , `scale` (activated) and `rotation` (w x y z, unit length). All points get a linear colour, a
    radius and an opacity for the eye.
    """
    if "f_dc_0" not in columns:
        rgb = np.full((len(columns["x"]), 3), 0.8)
        if {"red", "green", "blue"} <= columns.keys():
            rgb = np.stack([columns[channel] for channel in ("red", "green", "blue")], axis=1)
            rgb = rgb / 255.0 if rgb.dtype == np.uint8 else rgb
        return _look_attributes(rgb, np.ones(len(rgb)), np.full(len(rgb), POINT_RADIUS))
    dc = np.stack([columns[f"f_dc_{k}"] for k in range(3)], axis=1).astype(np.float64)
    opacity = 1.0 / (1.0 + np.exp(-np.clip(columns["opacity"].astype(np.float64), -80, 80)))
    log_scale = np.stack([columns[f"scale_{k}"] for k in range(3)], axis=1).astype(np.float64)
    rotation = np.stack([columns[f"rot_{k}"] for k in range(4)], axis=1).astype(np.float64)
    rotation /= np.maximum(np.linalg.norm(rotation, axis=1, keepdims=True), 1e-12)
    rest = sum(key.startswith("f_rest_") for key in columns) // 3
    radius = RADIUS_IN_SCALES * np.exp(log_scale.mean(axis=1))
    attributes = _look_attributes(np.clip(0.5 + SH_DC * dc, 0, 1), opacity, radius)
    attributes["radiance:base"] = ("FLOAT_COLOR", np.concatenate([dc, opacity[:, None]], axis=1))
    attributes["scale"] = ("FLOAT_VECTOR", np.exp(log_scale))
    attributes["rotation"] = ("QUATERNION", rotation)
    for k in range(rest):
        coefficient = [columns[f"f_rest_{channel * rest + k}"] for channel in range(3)]
        attributes[f"radiance:sh_{k}"] = ("FLOAT_VECTOR", np.stack(coefficient, axis=1))
    return attributes


def read_ply(path: Path) -> dict[str, np.ndarray]:
    """Read the points of a binary little endian PLY: column name -> values [N].

    Raises ImportFailed when the file is something else, has no points, or is shorter than its header says.
    """
    with open(path, "rb") as file:
        header = file.read(HEADER_BYTES)
    end = header.find(b"end_header\n")
    lines = header[: max(end, 0)].decode("ascii", errors="replace").split("\n")
    words = [line.split() for line in lines]
    elements = [line for line in words if line[:1] == ["element"]]
    if end < 0 or lines[0] != "ply" or "format binary_little_endian 1.0" not in lines:
        raise ImportFailed(f"{path} is not a binary little endian PLY.")
    if not elements or elements[0][1:2] != ["vertex"] or not elements[0][-1].isdecimal():
        raise ImportFailed(f"{path} does not begin with points.")
    last = words.index(elements[1]) if len(elements) > 1 else len(words)
    fields = [line for line in words[:last] if line[:1] == ["property"]]
    if any(len(field) != 3 or field[1] not in PLY_TYPES for field in fields):
        raise ImportFailed(f"{path} has points with fields that are not numbers.")
    dtype = np.dtype([(field[2], PLY_TYPES[field[1]]) for field in fields])
    count, start = int(elements[0][-1]), end + len(b"end_header\n")
    found = path.stat().st_size - start
    if count == 0 or found < count * dtype.itemsize:
        raise ImportFailed(f"{path} has {found} bytes of points; its header promises {count * dtype.itemsize}.")
    table = np.fromfile(path, dtype=dtype, count=count, offset=start)
    names = table.dtype.names or ()
    missing = [axis for axis in "xyz" if axis not in names]
    gaussian = [*(f"f_dc_{k}" for k in range(3)), *(f"scale_{k}" for k in range(3)), *(f"rot_{k}" for k in range(4))]
    if "f_dc_0" in names:
        missing += [key for key in ("opacity", *gaussian) if key not in names]
    if missing:
        raise ImportFailed(f"{path} has points without the fields {', '.join(missing)}.")
    return {key: table[key] for key in names}


def read_metadata(job_folder: Path) -> dict[str, str | int | float | bool]:
    """Collect what is worth keeping on the objects: custom property -> value. Missing files leave properties out.

    Raises ImportFailed when a file is there and is not a JSON object.
    """
    request = _read_json(job_folder / protocol.REQUEST_FILE)
    result = _read_json(job_folder / protocol.RESULT_FOLDER / RESULT_FILE)
    found: dict[str, Any] = {"job": job_folder.name}
    for source in (request, result):
        for key in ("system", "prompt", "negative_prompt", "seed", "preset", "prior", "points", "subject"):
            if key in source:
                found[key] = source[key]
    for key in ("versions", "seconds", "files", "settings"):
        value = result.get(key) or request.get(key)
        if isinstance(value, dict) and value:
            found[key] = json.dumps(value, sort_keys=True)
    return {PROPERTY_PREFIX + key: _property(value) for key, value in found.items() if value not in ("", None)}


def subject_name(metadata: dict[str, str | int | float | bool]) -> str:
    """Name the subject in a few words: the job's own word for it, or its prompt without article and afterthoughts."""
    words = str(metadata.get(f"{PROPERTY_PREFIX}subject") or metadata.get(f"{PROPERTY_PREFIX}prompt") or "")
    words = words.split(",")[0].split(".")[0].strip()
    first, _, others = words.partition(" ")
    return others.strip() if first.lower() in ("a", "an", "the") and others else words


def shortened(name: str) -> str:
    """Cut a name to what Blender keeps of it, not through the middle of a letter."""
    return name.encode()[:NAME_BYTES].decode(errors="ignore").strip()


def _look_attributes(rgb: np.ndarray, opacity: np.ndarray, radius: np.ndarray) -> dict[str, tuple[str, np.ndarray]]:
    # Colours are sRGB; Blender's float colours are linear. Source: IEC 61966-2-1.
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return {
        COLOUR: ("FLOAT_COLOR", np.concatenate([linear, opacity[:, None]], axis=1)),
        RADIUS: ("FLOAT", radius),
        OPACITY: ("FLOAT", opacity),
    }


def _file_in(folder: Path, name: str) -> Path | None:
    """Return a file of the folder; None when it is missing. A link that leads out of the folder is refused."""
    path = folder / name
    if not path.is_file():
        return None
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ImportFailed(f"{path} leads out of its folder to {path.resolve()}: it was not imported.")
    return path


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    if path.stat().st_size > JSON_BYTES:
        raise ImportFailed(f"{path} has {path.stat().st_size} bytes; at most {JSON_BYTES} are read.")
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ImportFailed(f"{path} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ImportFailed(f"{path} holds a {type(value).__name__}, not an object.")
    return value


def _property(value: Any) -> str | int | float | bool:
    """Turn a JSON value into one that a custom property can hold; whole numbers there have 32 bits."""
    fits = isinstance(value, bool | float | str) or (isinstance(value, int) and abs(value) < 2**31)
    return value if fits else str(value)


def _base_of(mesh: bpy.types.Object | None, columns: dict[str, np.ndarray]) -> np.ndarray:
    """Return the point under the object's centre at the height of its lowest part, [3]."""
    if mesh is not None:
        heights = np.empty(len(mesh.data.vertices) * 3, dtype=np.float32)
        mesh.data.vertices.foreach_get("co", heights)
        return np.array([0.0, 0.0, heights[2::3].min()])
    return np.array([0.0, 0.0, np.quantile(columns["z"], 0.005)])  # not where a stray point lies


def _point_material() -> bpy.types.Material:
    """Return the material of all imported points: it shines in their colour, which has its light in it already."""
    import bpy

    if material := bpy.data.materials.get(LOOK_NAME):
        return material
    material = bpy.data.materials.new(LOOK_NAME)
    if material.node_tree is None:  # before Blender 5.0
        material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    colour = tree.nodes.new("ShaderNodeAttribute")
    colour.attribute_name = COLOUR
    emission = tree.nodes.new("ShaderNodeEmission")
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    tree.links.new(colour.outputs["Color"], emission.inputs["Color"])
    tree.links.new(emission.outputs["Emission"], output.inputs["Surface"])
    for column, node in enumerate((colour, emission, output)):
        node.location = (220 * column, 0)
    return material


def _point_look(material: bpy.types.Material) -> bpy.types.GeometryNodeTree:
    """Return the geometry nodes that show loose vertices as points of their radius, the faint ones left out."""
    import bpy

    if tree := bpy.data.node_groups.get(LOOK_NAME):
        return tree
    tree = bpy.data.node_groups.new(LOOK_NAME, "GeometryNodeTree")
    tree.is_modifier = True
    tree.interface.new_socket("Geometry", in_out="INPUT", socket_type="NodeSocketGeometry")
    tree.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    start, end = tree.nodes.new("NodeGroupInput"), tree.nodes.new("NodeGroupOutput")
    radius, opacity = (tree.nodes.new("GeometryNodeInputNamedAttribute") for _ in range(2))
    visible, points = tree.nodes.new("FunctionNodeCompare"), tree.nodes.new("GeometryNodeMeshToPoints")
    coloured = tree.nodes.new("GeometryNodeSetMaterial")
    radius.inputs["Name"].default_value = RADIUS
    opacity.inputs["Name"].default_value = OPACITY
    visible.operation = "GREATER_EQUAL"
    visible.inputs["B"].default_value = FAINTEST_SHOWN
    coloured.inputs["Material"].default_value = material
    tree.links.new(start.outputs["Geometry"], points.inputs["Mesh"])
    tree.links.new(opacity.outputs["Attribute"], visible.inputs["A"])
    tree.links.new(visible.outputs["Result"], points.inputs["Selection"])
    tree.links.new(radius.outputs["Attribute"], points.inputs["Radius"])
    tree.links.new(points.outputs["Points"], coloured.inputs["Geometry"])
    tree.links.new(coloured.outputs["Geometry"], end.inputs["Geometry"])
    for column, node in enumerate((start, radius, opacity, visible, points, coloured, end)):
        node.location = (200 * column, 0)
    return tree
