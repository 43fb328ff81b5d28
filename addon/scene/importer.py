"""Bring a job's result into the scene: the mesh with its material, the coloured points, and where they come from.

Functions take everything they need as arguments, so that operators, `blender -b` scripts and tests call the same code.
Nothing here touches the interface; an operator around it makes the undo step.
"""

# Blender makes its module at run time; pyright sees an almost empty one.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false, reportOptionalMemberAccess=false
# pyright: reportOptionalSubscript=false

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import protocol
from .assets import mark_asset
from .points import MAX_DISTANCE, make_points, placed_as_mesh, read_ply, resize_points
from .result_files import (
    PROPERTY_PREFIX,
    TEXTURE_PROPERTY,
    ImportFailed,
    check_mesh_file,
    check_result,
    file_in,
    read_json,
    read_metadata,
    shortened,
    subject_name,
)

if TYPE_CHECKING:
    import bpy

FILES = {"mesh": protocol.MESH_FILE, "points": protocol.POINTS_FILE}
SRGB_INPUTS = ("Base Color", "Emission Color", "Specular Tint", "Sheen Tint", "Coat Tint")  # the others take numbers
BASE_PROPERTY = f"{PROPERTY_PREFIX}base"
# What a glTF file may bring beside the mesh, its material and its textures; none of it belongs to a result.
NOT_OF_A_RESULT = ("OBJECT", "COLLECTION", "ACTION", "CAMERA", "LIGHT", "ARMATURE")


@dataclass(frozen=True)
class Imported:
    """What an import has put into the file."""

    collection: bpy.types.Collection
    mesh: bpy.types.Object | None
    points: bpy.types.Object | None

    @property
    def objects(self) -> list[bpy.types.Object]:
        """Return the objects, the mesh before the points."""
        return [item for item in (self.mesh, self.points) if item is not None]

    @property
    def base(self) -> float:
        """Return how high, in the result's files, the point lies that is now the origin."""
        return self.objects[0][BASE_PROPERTY][2]


def _everything() -> list[bpy.types.ID]:
    """Return all that the open file holds, each once, in Blender's order."""
    import bpy

    kinds = [kind.identifier for kind in bpy.data.bl_rna.properties if kind.type == "COLLECTION"]
    return list(dict.fromkeys(item for kind in kinds for item in getattr(bpy.data, kind)))  # 5.2 has `all_ids` too


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
    outputs: Sequence[str] = protocol.OUTPUTS,
    as_asset: bool = False,
    tags: Sequence[str] = (),
) -> Imported:
    """Import what a finished job has left, into a collection of its own, and return it.

    The origin lies at the base of the object, at `location` or else at the 3D cursor. The collection goes under
    `parent` or else under the scene's; it is named `name` or else after the subject. Points are hidden where there is a
    mesh in the same place. `as_asset` marks the object (the mesh, or else the points) as an asset with the job's
    picture and `tags`. Selection and active object stay; Blender is in Object Mode afterwards. Raises ImportFailed when
    the folder holds no result or one that is damaged or not safe, and leaves nothing.
    """
    import bpy
    from mathutils import Matrix, Vector

    scene, job_folder = bpy.context.scene, Path(job_folder)
    metadata = read_metadata(job_folder)
    mesh_path = file_in(job_folder, protocol.MESH_FILE) if "mesh" in outputs else None
    points_path = file_in(job_folder, protocol.POINTS_FILE) if "points" in outputs else None
    if mesh_path is None and points_path is None:
        wanted = " nor ".join(Path(name).name for kind, name in FILES.items() if kind in outputs)
        told = "{folder} does not hold {wanted}: run the job to its end first."
        if " nor " in wanted:
            told = "{folder} holds neither {wanted}: run the job to its end first."
        raise ImportFailed(protocol.Phrase(told, folder=job_folder / protocol.RESULT_FOLDER, wanted=wanted))
    name = shortened(name or subject_name(metadata) or job_folder.name)
    columns = read_ply(points_path) if points_path else {}
    result = read_json(job_folder, protocol.RESULT_FILE)
    check_result(result)
    columns = placed_as_mesh(columns, result) if columns else {}
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
            item[BASE_PROPERTY] = base
    if mesh is not None and points is not None:
        points.hide_render = True
        points.hide_set(True)
    if as_asset and (shown := mesh or points) is not None:
        picture = file_in(job_folder, protocol.PICTURE_FILE)
        prompt = str(metadata.get(f"{PROPERTY_PREFIX}prompt", ""))
        mark_asset(shown, description=prompt, tags=tags, picture=picture)
    return Imported(collection, mesh, points)


def resize(made: Imported, factor: float) -> None:
    """Make what was imported larger about its base; its objects keep unit scale."""
    from mathutils import Matrix

    if made.mesh is not None:
        made.mesh.data.transform(Matrix.Scale(factor, 4))
        made.mesh.data.update()
    if made.points is not None:
        resize_points(made.points, factor)
    for item in made.objects:
        item[BASE_PROPERTY] = [factor * value for value in item[BASE_PROPERTY]]


@_whole_or_nothing()
def import_mesh(path: Path, collection: bpy.types.Collection, name: str) -> bpy.types.Object:
    """Import a GLB of one mesh, seams merged and textures packed, as an object of the collection at the world's origin.

    Raises ImportFailed when the file is not safe, Blender's glTF importer refuses it, or it does not hold one mesh, and
    leaves nothing.
    """
    import bpy
    from mathutils import Matrix

    check_mesh_file(path)
    before = set(_everything())
    options = {"import_pack_images": True, "merge_vertices": True}
    options |= {"import_select_created_objects": False, "import_scene_extras": False}
    known = bpy.ops.import_scene.gltf.get_rna_type().properties
    try:
        bpy.ops.import_scene.gltf(filepath=str(path), **{key: value for key, value in options.items() if key in known})
    except RuntimeError as error:  # how an operator reports what went wrong
        told = "Blender cannot read {path}: {reason}"
        raise ImportFailed(protocol.Phrase(told, path=path, reason=str(error).strip())) from error
    created: list[Any] = [item for item in _everything() if item not in before]
    meshes = [item for item in created if item.id_type == "OBJECT" and item.type == "MESH"]
    if len(meshes) != 1:
        told = "{path} holds {count} meshes; a result holds one."
        raise ImportFailed(protocol.Phrase(told, path=path, count=len(meshes)))
    (mesh,) = meshes
    world = mesh.matrix_world.copy()
    for user in list(mesh.users_collection):
        user.objects.unlink(mesh)
    mesh.modifiers.clear()
    materials = [item for item in created if item.id_type == "MATERIAL"]
    bpy.data.batch_remove([item for item in created if item.id_type in NOT_OF_A_RESULT and item != mesh])
    collection.objects.link(mesh)
    mesh.name = mesh.data.name = name
    mesh.rotation_mode = "XYZ"
    mesh.matrix_basis = Matrix()
    mesh.data.transform(world)  # so that the object has unit scale and no rotation
    if world.is_negative:
        mesh.data.flip_normals()
    mesh.data.update()
    farthest = float(np.abs(_positions(mesh)).max(initial=0.0))
    if not farthest <= MAX_DISTANCE:  # also no number
        raise ImportFailed(f"{path} reaches {farthest:g} units from its origin; at most {MAX_DISTANCE:g} are imported.")
    for material in materials:
        material.name = name
        _arrange_textures(material, name)
        _colour_in_solid_view(material, mesh)
    return mesh


def _arrange_textures(material: bpy.types.Material, name: str) -> None:
    """Pack the textures of a material, name them after what they are for and set their colour space accordingly."""
    tree = material.node_tree
    for node in tree.nodes if tree else ():
        if node.type != "TEX_IMAGE" or node.image is None:
            continue
        links = [link for output in node.outputs for link in output.links]
        while links and links[0].to_node.type not in ("BSDF_PRINCIPLED", "GROUP"):  # through a normal map, a separator
            links = [link for output in links[0].to_node.outputs for link in output.links]
        use = links[0].to_socket.name if links else "unused"
        purpose = "base colour" if use == "Base Color" else use.lower()
        node.image.name, node.image[TEXTURE_PROPERTY] = f"{name} {purpose}", purpose
        node.image.colorspace_settings.name = "sRGB" if use in SRGB_INPUTS else "Non-Color"
        if node.image.packed_file is None:
            node.image.pack()


def _colour_in_solid_view(material: bpy.types.Material, mesh: bpy.types.Object) -> None:
    """Give a material the mean colour of its texture on the mesh, which is what Solid view shows of it."""
    tree, layer = material.node_tree, mesh.data.uv_layers.active
    colours = [
        node.image for node in (tree.nodes if tree else ())
        if node.type == "TEX_IMAGE" and node.image is not None and node.image.get(TEXTURE_PROPERTY) == "base colour"
    ]  # fmt: skip
    if not colours or layer is None or not len(layer.uv) or not all(colours[0].size):
        return
    width, height = colours[0].size
    pixels = np.empty(width * height * 4, dtype=np.float32)
    colours[0].pixels.foreach_get(pixels)
    uv = np.empty(len(layer.uv) * 2, dtype=np.float32)
    layer.uv.foreach_get("vector", uv)
    at = np.clip(uv.reshape(-1, 2) * (width, height), 0, (width - 1, height - 1)).astype(int)
    seen = pixels.reshape(height, width, 4)[at[:, 1], at[:, 0], :3]
    if not colours[0].is_float:  # then its pixels are as stored, in sRGB; a viewport colour is linear
        seen = np.where(seen <= 0.04045, seen / 12.92, ((seen + 0.055) / 1.055) ** 2.4)
    material.diffuse_color = (*seen.mean(axis=0).tolist(), 1.0)


def _positions(mesh: bpy.types.Object) -> np.ndarray:
    """Return where the vertices of a mesh are, [N, 3]."""
    values = np.empty(len(mesh.data.vertices) * 3, dtype=np.float32)
    mesh.data.vertices.foreach_get("co", values)
    return values.reshape(-1, 3)


def _base_of(mesh: bpy.types.Object | None, columns: dict[str, np.ndarray]) -> np.ndarray:
    """Return the point under the object's centre at the height of its lowest part, [3]."""
    if mesh is not None:
        return np.array([0.0, 0.0, _positions(mesh)[:, 2].min()])
    return np.array([0.0, 0.0, np.quantile(columns["z"], 0.005)])  # not where a stray point lies
