"""Puts what was imported beside what stands there already, in a row along X."""

# Blender makes its module at run time; pyright sees an almost empty one.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import bpy

    from .importer import Imported

GAP = 0.1  # between two things in a row, in widths of the one that is placed
ROOM = 4.0  # what is so many times as wide or deep is a floor, a wall or a room, in which things stand, or a block
TOUCH = 1e-4  # of its size: so far things may reach into each other, as what stands on a floor does
APART = 2.5  # between the middles of two results of a batch, in units; they are about two units across
IN_A_ROW = 5  # results; of more, the rows make a square
SOLID = {"MESH", "CURVE", "SURFACE", "META", "FONT", "POINTCLOUD"}

Corner = tuple[float, float, float]
Box = tuple[Corner, Corner]  # the lowest and the highest corner, in the world


def spot(place: int, count: int, apart: float = APART, columns: int = 0) -> Corner:
    """Return where the result of a number stands among so many: in a row along X, or a square whose rows go along -Y.

    `columns` makes a grid of so many instead.
    """
    if columns <= 0:
        columns = count if count <= IN_A_ROW else math.ceil(math.sqrt(count))
    return place % columns * apart, place // columns * -apart, 0.0


def around(first: Iterable[float], count: int, apart: float = APART, columns: int = 0) -> list[Corner]:
    """Return the places of so many results in the world."""
    x, y, z = first
    offsets = [spot(place, count, apart, columns) for place in range(count)]
    return [(x + along, y + behind, z) for along, behind, _ in offsets]


def apart_at(height: float) -> float:
    """Return how far apart results of a height in metres stand, 0 for those that nobody has asked for.

    They may be wider than high: then `place_beside` makes room.
    """
    return APART * height / 2 if height else APART


def place_beside(*made: Imported, among: Iterable[bpy.types.Object] | None = None) -> float:
    """Move what was imported together along +X as far as it stands in another visible object; return how far, in units.

    `among` are the objects that count, all if not given.
    """
    import bpy

    items = [item for each in made for item in each.objects]
    if not items:
        return 0.0
    bpy.context.view_layer.update()  # else its matrix is that of before
    counted = bpy.context.view_layer.objects if among is None else among
    there = [each for each in counted if each.type in SOLID and each.visible_get() and each not in items]
    box = box_around(box_of(each.objects[0]) for each in made)
    blocks = [box_of(each) for each in there if encloses(each, middle_of(box)) and not looked_into(box_of(each))]
    shift = free_shift(box, map(box_of, there), blocks)
    for item in items:
        item.location.x += shift
    return shift


def free_shift(box: Box, others: Iterable[Box], blocks: Collection[Box] = ()) -> float:
    """Return how far along +X a box must go so that it is in none of the others that are no rooms for it.

    `blocks` are those among them in which it would not be seen, whatever their size.
    """
    width, depth, height = size_of(box)
    reach = TOUCH * max(width, depth, height)
    blocking = []
    for other in others:
        is_room = other not in blocks and max(size_of(other)[:2]) > ROOM * max(width, depth)
        is_beside = min(overlap(box, other, axis) for axis in (1, 2)) <= reach
        if not (is_room or is_beside):
            blocking.append(other)
    shift = 0.0
    for other in sorted(blocking):  # from the lowest X on: each can only push it further
        if overlap(box, other, 0, shift) > reach:
            shift = other[1][0] - box[0][0] + GAP * width
    return shift


def encloses(item: bpy.types.Object, point: Corner) -> bool:
    """Say whether a point is in a closed mesh: whichever way it looks, it sees the inside of a face.

    A room has faces that look inwards, or a side that is open.
    """
    import bpy
    from mathutils import Vector

    if item.type != "MESH" or not len(item.data.polygons) or not item.matrix_world.determinant():
        return False
    shown = item.evaluated_get(bpy.context.evaluated_depsgraph_get())
    into = item.matrix_world.inverted()
    for axis in range(3):
        for sign in (1.0, -1.0):
            ray = into.to_3x3() @ Vector(sign if each == axis else 0.0 for each in range(3))
            is_hit, _, normal, _ = shown.ray_cast(into @ Vector(point), ray)
            if not is_hit or normal.dot(ray) <= 0:
                return False
    return True


def looked_into(box: Box) -> bool:
    """Say whether the scene's camera or a 3D view is in a box: then what is in there can be seen."""
    import bpy

    eyes = [bpy.context.scene.camera.matrix_world.translation] if bpy.context.scene.camera is not None else []
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas if window.scene == bpy.context.scene else ():
            if area.type == "VIEW_3D":
                eyes.append(area.spaces.active.region_3d.view_matrix.inverted().translation)
    return any(all(box[0][axis] < eye[axis] < box[1][axis] for axis in range(3)) for eye in eyes)


def middle_of(box: Box) -> Corner:
    """Return the middle of a box."""
    (x0, y0, z0), (x1, y1, z1) = box
    return (x0 + x1) / 2, (y0 + y1) / 2, (z0 + z1) / 2


def size_of(box: Box) -> Corner:
    """Return the width, depth and height of a box."""
    (x0, y0, z0), (x1, y1, z1) = box
    return x1 - x0, y1 - y0, z1 - z0


def box_around(boxes: Iterable[Box]) -> Box:
    """Return the box around boxes."""
    lows, highs = zip(*boxes, strict=True)
    low, high = (
        tuple(end(corner[axis] for corner in corners) for axis in range(3))
        for end, corners in ((min, lows), (max, highs))
    )
    return low, high  # pyright: ignore[reportReturnType] - three each


def overlap(box: Box, other: Box, axis: int, shift: float = 0.0) -> float:
    """Return how far a box, shifted along an axis, reaches into another along it; below 0 how far apart they are."""
    return min(box[1][axis] + shift, other[1][axis]) - max(box[0][axis] + shift, other[0][axis])


def box_of(item: bpy.types.Object) -> Box:
    """Return the box along the world's axes around an object."""
    from mathutils import Vector

    corners = [item.matrix_world @ Vector(corner) for corner in item.bound_box]
    low, high = ([end(corner[axis] for corner in corners) for axis in range(3)] for end in (min, max))
    return (low[0], low[1], low[2]), (high[0], high[1], high[2])
