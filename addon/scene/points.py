"""Bring coloured points and Gaussians into Blender: read the PLY, name its attributes as Blender does, show them."""

# Blender makes its module at run time; pyright sees an almost empty one.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false, reportOptionalMemberAccess=false

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .result_files import MAX_DISTANCE, ImportFailed, place_of_mesh

if TYPE_CHECKING:
    import bpy

POINTS = 20_000_000  # at most; the largest captures have six million Gaussians
HEADER_BYTES = 1 << 16
LOOK_NAME = "Maquette points"
COLOUR, RADIUS, OPACITY = "Color", "radius", "opacity"  # attributes that the look reads
FAINTEST_SHOWN = 0.1  # opacity; the look draws opaque balls, and a cloud of faint ones would hide the object
RADIUS_IN_SCALES = 1.5  # where a Gaussian has faded to a third
POINT_RADIUS = 0.01  # of points that have no size of their own
SH_DC = 0.28209479177387814  # the constant spherical harmonic, 1 / (2 sqrt(pi))
PLY_TYPES = {"uchar": "u1", "uint8": "u1", "int": "<i4", "int32": "<i4"} | {"float": "<f4", "float32": "<f4"}
PLY_TYPES |= {"double": "<f8", "float64": "<f8"}
FIELDS = {"FLOAT_COLOR": "color", "FLOAT_VECTOR": "vector", "FLOAT4": "vector"}  # of an attribute's items, else "value"


def make_points(
    columns: dict[str, np.ndarray],
    collection: bpy.types.Collection,
    name: str,
    *,
    base: tuple[float, float, float] | np.ndarray = (0.0, 0.0, 0.0),
) -> bpy.types.Object:
    """Make an object of the points of a PLY, with `base` as its origin.

    It is a point cloud where this Blender can set the size of one (5.1), else a mesh of loose vertices; a modifier
    shows its points, the faint ones left out. Gaussians keep all that they are in attributes under Blender's own names.
    """
    import bpy

    positions = np.stack([columns[axis] for axis in "xyz"], axis=1).astype(np.float32)
    positions -= np.asarray(base, dtype=np.float32)
    is_cloud = "resize" in bpy.types.PointCloud.bl_rna.functions
    data: Any = (bpy.data.pointclouds if is_cloud else bpy.data.meshes).new(name)
    if is_cloud:
        data.resize(len(positions))
        data.attributes["position"].data.foreach_set("vector", positions.ravel())
    else:
        data.vertices.add(len(positions))
        data.vertices.foreach_set("co", positions.ravel())
    known = bpy.types.Attribute.bl_rna.properties["data_type"].enum_items
    for key, (kind, values) in point_attributes(columns).items():
        kind = kind if kind in known else "FLOAT_COLOR"  # FLOAT4 came with Blender 5.2
        attribute = data.attributes.get(key) or data.attributes.new(key, kind, "POINT")
        attribute.data.foreach_set(FIELDS.get(kind, "value"), np.ascontiguousarray(values, dtype=np.float32).ravel())
    material = _point_material()
    data.materials.append(material)
    item = bpy.data.objects.new(name, data)
    collection.objects.link(item)
    if not is_cloud:
        data.update()
    item.modifiers.new(LOOK_NAME, "NODES").node_group = _point_look(material, is_cloud)
    return item


def resize_points(item: bpy.types.Object, factor: float) -> None:
    """Make points of `make_points` larger about their origin, and what each of them is with them."""
    for name, field in (("position", "vector"), (RADIUS, "value"), ("scale", "vector")):
        attribute = item.data.attributes.get(name)
        if attribute is not None:
            values = np.empty(len(attribute.data) * (3 if field == "vector" else 1), dtype=np.float32)
            attribute.data.foreach_get(field, values)
            attribute.data.foreach_set(field, values * np.float32(factor))
    item.data.update_tag()


def placed_as_mesh(columns: dict[str, np.ndarray], result: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return points in the size and place of their mesh, as the `mesh` of result.json says, if it says anything.

    The mesh may have been given a height in metres and an origin at its base; points.ply never is.
    """
    scale, lift = place_of_mesh(result)
    if scale == 1 and lift == 0:
        return columns
    moved = {axis: (columns[axis] * scale).astype(np.float32) for axis in "xyz"}
    moved["z"] += np.float32(lift)
    grown = {name: columns[name] + np.float32(math.log(scale)) for name in columns if name.startswith("scale_")}
    return columns | moved | grown


def point_attributes(columns: dict[str, np.ndarray]) -> dict[str, tuple[str, np.ndarray]]:
    """Turn the columns of a PLY into attributes: name -> (Blender's type, values [N] or [N, C]).

    Gaussians (3DGS layout: raw harmonics, logits, logarithms) get `radiance:base` (raw harmonic and activated opacity),
    `radiance:sh_0`... , `scale` (activated) and `rotation` (w x y z, unit length), which is what Blender 5.3 reads from
    such a file. All points get a linear colour, a radius and an opacity for the eye.
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
    if not any(columns[f"f_rest_{k}"].any() for k in range(3 * rest)):  # there for other programs, and say nothing
        rest = 0
    radius = RADIUS_IN_SCALES * np.exp(log_scale.mean(axis=1))
    attributes = _look_attributes(np.clip(0.5 + SH_DC * dc, 0, 1), opacity, radius)
    attributes["radiance:base"] = ("FLOAT4", np.concatenate([dc, opacity[:, None]], axis=1))
    attributes["scale"] = ("FLOAT_VECTOR", np.exp(log_scale))
    attributes["rotation"] = ("QUATERNION", rotation)
    for k in range(rest):
        coefficient = [columns[f"f_rest_{channel * rest + k}"] for channel in range(3)]
        attributes[f"radiance:sh_{k}"] = ("FLOAT_VECTOR", np.stack(coefficient, axis=1))
    return attributes


def read_ply(path: Path) -> dict[str, np.ndarray]:
    """Read the points of a binary little endian PLY: column name -> values [N].

    Raises ImportFailed when the file is something else, has no points or too many, is shorter than its header says, or
    has points that lie nowhere.
    """
    dtype, count, start = _read_header(path)
    found = path.stat().st_size - start
    if count == 0 or found < count * dtype.itemsize:
        raise ImportFailed(f"{path} has {found} bytes of points; its header promises {count * dtype.itemsize}.")
    if count > POINTS:
        raise ImportFailed(f"{path} has {count} points; at most {POINTS} are imported.")
    table = np.fromfile(path, dtype=dtype, count=count, offset=start)
    names = dtype.names or ()
    missing = [axis for axis in "xyz" if axis not in names]
    gaussian = [*(f"f_dc_{k}" for k in range(3)), *(f"scale_{k}" for k in range(3)), *(f"rot_{k}" for k in range(4))]
    if "f_dc_0" in names:
        rest = sum(name.startswith("f_rest_") for name in names)
        missing += [key for key in ("opacity", *gaussian, *(f"f_rest_{k}" for k in range(rest))) if key not in names]
        if rest % 3:
            raise ImportFailed(f"{path} has {rest} fields f_rest; three colours need a multiple of three.")
    if missing:
        raise ImportFailed(f"{path} has points without the fields {', '.join(missing)}.")
    lost = sum(int((~(np.abs(table[name]) <= MAX_DISTANCE)).sum()) for name in names)  # also counts what is no number
    if lost:
        raise ImportFailed(f"{path} has {lost} numbers beyond {MAX_DISTANCE:.0f}; no result has any.")
    if "f_dc_0" in names and (
        large := sum(int((table[f"scale_{k}"] > math.log(MAX_DISTANCE)).sum()) for k in range(3))
    ):
        raise ImportFailed(
            f"{path} has {large} Gaussians that are larger than {MAX_DISTANCE:.0f} units; no result has any."
        )
    return {key: table[key] for key in names}


def _read_header(path: Path) -> tuple[np.dtype, int, int]:
    """Return what a point of a PLY is made of, how many there are, and the byte at which they begin."""
    with open(path, "rb") as file:
        header = file.read(HEADER_BYTES)
    end = header.find(b"end_header\n")
    lines = header[: max(end, 0)].decode("ascii", errors="replace").split("\n")
    words = [line.split() for line in lines]
    elements = [line for line in words if line[:1] == ["element"]]
    if end < 0 or lines[0] != "ply" or "format binary_little_endian 1.0" not in lines:
        raise ImportFailed(f"{path} is not a binary little endian PLY.")
    if (
        not elements
        or elements[0][1:2] != ["vertex"]
        or not (elements[0][-1].isdecimal() and len(elements[0][-1]) < 19)
    ):
        raise ImportFailed(f"{path} does not begin with points.")
    last = words.index(elements[1]) if len(elements) > 1 else len(words)
    fields = [line for line in words[:last] if line[:1] == ["property"]]
    if any(len(field) != 3 or field[1] not in PLY_TYPES for field in fields):
        raise ImportFailed(f"{path} has points with fields that are not numbers.")
    names = [field[2] for field in fields]
    if not names or len(set(names)) < len(names):
        raise ImportFailed(f"{path} has {len(names)} fields, of which {len(set(names))} have a name of their own.")
    return (
        np.dtype([(field[2], PLY_TYPES[field[1]]) for field in fields]),
        int(elements[0][-1]),
        end + len("end_header\n"),
    )


def _look_attributes(rgb: np.ndarray, opacity: np.ndarray, radius: np.ndarray) -> dict[str, tuple[str, np.ndarray]]:
    # Colours are sRGB; Blender's float colours are linear. Source: IEC 61966-2-1.
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return {
        COLOUR: ("FLOAT_COLOR", np.concatenate([linear, opacity[:, None]], axis=1)),
        RADIUS: ("FLOAT", radius),
        OPACITY: ("FLOAT", opacity),
    }


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


def _point_look(material: bpy.types.Material, is_cloud: bool) -> bpy.types.GeometryNodeTree:
    """Return the geometry nodes that leave the faint points out and show loose vertices as points of their radius."""
    import bpy

    name = f"{LOOK_NAME} of clouds" if is_cloud else LOOK_NAME
    if tree := bpy.data.node_groups.get(name):
        return tree
    tree = bpy.data.node_groups.new(name, "GeometryNodeTree")
    tree.is_modifier = True
    tree.interface.new_socket("Geometry", in_out="INPUT", socket_type="NodeSocketGeometry")
    tree.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    start, opacity = tree.nodes.new("NodeGroupInput"), tree.nodes.new("GeometryNodeInputNamedAttribute")
    faint, visible = tree.nodes.new("FunctionNodeCompare"), tree.nodes.new("GeometryNodeDeleteGeometry")
    opacity.inputs["Name"].default_value = OPACITY
    faint.operation = "LESS_THAN"
    faint.inputs["B"].default_value = FAINTEST_SHOWN
    visible.domain = "POINT"
    tree.links.new(opacity.outputs["Attribute"], faint.inputs["A"])
    tree.links.new(start.outputs["Geometry"], visible.inputs["Geometry"])
    tree.links.new(faint.outputs["Result"], visible.inputs["Selection"])
    shown = visible.outputs["Geometry"]
    if not is_cloud:
        radius, points = tree.nodes.new("GeometryNodeInputNamedAttribute"), tree.nodes.new("GeometryNodeMeshToPoints")
        radius.inputs["Name"].default_value = RADIUS
        tree.links.new(shown, points.inputs["Mesh"])
        tree.links.new(radius.outputs["Attribute"], points.inputs["Radius"])
        shown = points.outputs["Points"]
    coloured = tree.nodes.new("GeometryNodeSetMaterial")  # also for clouds: deleting points takes their material away
    coloured.inputs["Material"].default_value = material
    tree.links.new(shown, coloured.inputs["Geometry"])
    tree.links.new(coloured.outputs["Geometry"], tree.nodes.new("NodeGroupOutput").inputs["Geometry"])
    for column, node in enumerate(tree.nodes):
        node.location = (200 * column, 0)
    return tree
