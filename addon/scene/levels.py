"""Coarser copies of an imported mesh, with its texture: another number of faces, levels of detail, quads."""

# Blender makes its module at run time; pyright sees an almost empty one.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import bpy

FEWEST = 4  # faces of a closed mesh
FLAT = math.radians(40)  # how far two triangles may be turned against each other, and a quad be from a rectangle


def level_counts(first: int, levels: int) -> list[int]:
    """Return how many triangles each level has, from the finest on, each half of the one before."""
    return [max(FEWEST, first >> level) for level in range(levels)]


def make_levels(
    original: bpy.types.Object, levels: int, name: str, *, faces: int = 0, quads: bool = False
) -> bpy.types.Collection:
    """Return a new collection beside the mesh's own with copies of it, the first of so many triangles at most.

    Each further one has half as many; 0 takes as many as there are. Modifiers are applied to the copies. UVs, materials
    and custom properties are kept; with `quads` flat pairs of triangles are joined where their UVs allow it. All stand
    where the mesh stands, and only the first is shown. The mesh stays as it is.
    """
    import bpy

    root, own = bpy.context.scene.collection, original.users_collection[0]
    parent = next((each for each in (root, *bpy.data.collections) if own in list(each.children)), root)
    collection = bpy.data.collections.new(name)
    parent.children.link(collection)
    whole = _shown(original)
    there = sum(len(face.vertices) - 2 for face in whole.polygons)
    for level, count in enumerate(level_counts(min(faces, there) if faces else there, levels)):
        item = original.copy()
        item.animation_data_clear()
        item.modifiers.clear()
        item.name, item.data = f"{name}{level}", whole
        collection.objects.link(item)
        if count < there:
            modifier = item.modifiers.new("Decimate", "DECIMATE")
            modifier.ratio, modifier.use_collapse_triangulate = count / there, True
        item.data = _shown(item)
        item.data.name = item.name
        item.modifiers.clear()
        if quads:
            _join_triangles(item.data)
        item.hide_render = level > 0
        item.hide_set(level > 0)
    bpy.data.meshes.remove(whole)
    return collection


def _shown(item: bpy.types.Object) -> bpy.types.Mesh:
    """Return a new mesh: that of an object with its modifiers."""
    import bpy

    bpy.context.view_layer.update()
    graph = bpy.context.evaluated_depsgraph_get()
    return bpy.data.meshes.new_from_object(item.evaluated_get(graph), preserve_all_data_layers=True, depsgraph=graph)


def _join_triangles(mesh: bpy.types.Mesh) -> None:
    import bmesh

    work = bmesh.new()
    try:
        work.from_mesh(mesh)
        limits = {"angle_face_threshold": FLAT, "angle_shape_threshold": FLAT}
        same = {"cmp_uvs": True, "cmp_seam": True, "cmp_sharp": True, "cmp_materials": True}
        bmesh.ops.join_triangles(work, faces=work.faces[:], **same, **limits)
        work.to_mesh(mesh)
    finally:
        work.free()
    mesh.update()
