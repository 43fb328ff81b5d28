"""The colours of a mesh on another one that stands in its place: an artist's own remesh of a result."""

# Blender makes its module at run time; pyright sees an almost empty one.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportOptionalMemberAccess=false

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from .result_files import TEXTURE_PROPERTY

if TYPE_CHECKING:
    import bpy

REACH = 0.05  # of the source's diagonal: so far apart the two surfaces may lie
MARGIN = 1 / 128  # of the texture's side, around each island
OVERLAP = 0.5  # of the source's box that the target's must cover


class CannotBake(ValueError):
    """Say why the colours cannot be laid onto a mesh."""


def bake_onto(source: bpy.types.Object, target: bpy.types.Object, size: int) -> bpy.types.Image:
    """Lay the base colours of one mesh onto another one in its place; return the new texture, size x size and packed.

    The target gets a material like the source's with that texture, and a UV map where it has none. Cycles casts the
    rays; what was selected and the render settings stay. Raises CannotBake for a target without faces, with modifiers,
    or in another place, and where Blender refuses.
    """
    import bpy

    check_target(source, target)
    texture = bpy.data.images.new(f"{target.name} base colour", size, size)
    texture[TEXTURE_PROPERTY] = "base colour"
    before = [slot.material for slot in target.material_slots]
    material, show = _material_like(source, texture, target.name)
    target.data.materials.clear()
    target.data.materials.append(material)
    try:
        with _alone(source, target), _cycles():
            if not target.data.uv_layers:
                _unwrap()
            reach = REACH * source.dimensions.length
            bpy.ops.object.bake(
                type="DIFFUSE", pass_filter={"COLOR"}, use_selected_to_active=True, cage_extrusion=reach,
                max_ray_distance=2 * reach, margin=max(1, round(MARGIN * size)), use_clear=True,
            )  # fmt: skip
    except RuntimeError as error:  # how an operator reports what went wrong
        target.data.materials.clear()
        for each in before:
            target.data.materials.append(each)
        bpy.data.materials.remove(material)
        bpy.data.images.remove(texture)
        raise CannotBake(f"Blender cannot bake onto {target.name}: {str(error).strip()}") from error
    show()
    texture.pack()
    return texture


def check_target(source: bpy.types.Object, target: bpy.types.Object) -> None:
    """Raise CannotBake, with a sentence, for a mesh that the colours of another one cannot be laid onto."""
    if not target.data.polygons:
        raise CannotBake(f"{target.name} has no faces: choose a mesh with some.")
    if target.modifiers:
        raise CannotBake(f"{target.name} has {len(target.modifiers)} modifiers: apply them first, or remove them.")
    covered = _overlap(source, target)
    if covered < OVERLAP:
        raise CannotBake(
            f"{target.name} covers {covered:.0%} of the place where {source.name} stands: move it there, "
            "as it was when it was copied."
        )


def _overlap(source: bpy.types.Object, target: bpy.types.Object) -> float:
    """Return the share of the box around one object that the box around another covers."""
    from mathutils import Vector

    boxes = []
    for item in (source, target):
        corners = [item.matrix_world @ Vector(corner) for corner in item.bound_box]
        boxes.append([(min(c[axis] for c in corners), max(c[axis] for c in corners)) for axis in range(3)])
    share = 1.0
    for (low, high), (start, end) in zip(*boxes, strict=True):
        share *= max(0.0, min(high, end) - max(low, start)) / max(high - low, 1e-9)
    return share


def _material_like(
    source: bpy.types.Object, texture: bpy.types.Image, name: str
) -> tuple[bpy.types.Material, Callable[[], object]]:
    """Return a copy of a mesh's material, and what makes it show the texture, once there is something on it.

    Until then the texture is what Blender bakes into, and the base colour of nothing. A mesh without a material has a
    plain one.
    """
    import bpy

    own = source.active_material
    material = own.copy() if own is not None else bpy.data.materials.new(name)
    material.name = name
    if material.node_tree is None:  # Blender 4.5; later ones have it always, and warn of the switch
        material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    shader: Any = next(node for node in nodes if node.type == "BSDF_PRINCIPLED")
    socket = shader.inputs["Base Color"]
    node = next((link.from_node for link in socket.links if link.from_node.type == "TEX_IMAGE"), None)
    for link in socket.links:
        links.remove(link)
    node = nodes.new("ShaderNodeTexImage") if node is None else node
    node.image = texture
    for each in nodes:
        each.select = each == node
    nodes.active = node
    return material, lambda: links.new(node.outputs["Color"], socket)


@contextlib.contextmanager
def _alone(source: bpy.types.Object, target: bpy.types.Object) -> Iterator[None]:
    """Select the two alone, the target active and both shown, and then what was selected before."""
    import bpy

    layer = bpy.context.view_layer
    selected, active = [item for item in layer.objects if item.select_get()], layer.objects.active
    hidden = {item: (item.hide_get(), item.hide_render) for item in (source, target)}
    try:
        for item in selected:
            item.select_set(False)
        for item in hidden:
            item.hide_set(False)
            item.hide_render = False
            item.select_set(True)
        layer.objects.active = target
        yield
    finally:
        for item, (in_view, in_render) in hidden.items():
            item.select_set(item in selected)
            item.hide_set(in_view)
            item.hide_render = in_render
        for item in selected:
            item.select_set(True)
        layer.objects.active = active


@contextlib.contextmanager
def _cycles() -> Iterator[None]:
    """Render with one sample of Cycles, and then as before."""
    import bpy

    scene = bpy.context.scene
    engine = scene.render.engine
    scene.render.engine = "CYCLES"
    samples, scene.cycles.samples = scene.cycles.samples, 1
    try:
        yield
    finally:
        scene.cycles.samples = samples
        scene.render.engine = engine


def _unwrap() -> None:
    import bpy

    bpy.ops.object.mode_set(mode="EDIT")
    try:
        bpy.ops.mesh.select_all(action="SELECT")
        bpy.ops.uv.smart_project(island_margin=MARGIN)
    finally:
        bpy.ops.object.mode_set(mode="OBJECT")
