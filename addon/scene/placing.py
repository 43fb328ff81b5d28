"""Puts what was imported beside what stands there already, in a row along X."""

# Blender makes its module at run time; pyright sees an almost empty one.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import bpy

    from .importer import Imported

GAP = 0.1  # between two things in a row, in widths of the one that is placed
ROOM = 4.0  # what is so many times as wide or deep is a floor, a wall or a room, in which things stand
TOUCH = 1e-4  # of its size: so far things may reach into each other, as what stands on a floor does
SOLID = {"MESH", "CURVE", "SURFACE", "META", "FONT", "POINTCLOUD"}

Box = np.ndarray  # [2, 3]: the lowest and the highest corner, in the world


def place_beside(made: Imported) -> float:
    """Move what was imported along +X as far as it stands in another visible object; return how far, in units."""
    import bpy

    main = made.mesh or made.points
    if main is None:
        return 0.0
    bpy.context.view_layer.update()  # else its matrix is that of before
    others = [
        box_of(each) for each in bpy.context.view_layer.objects
        if each.type in SOLID and each.visible_get() and each not in (made.mesh, made.points)
    ]  # fmt: skip
    shift = free_shift(box_of(main), others)
    for item in (made.mesh, made.points):
        if item is not None:
            item.location.x += shift
    return shift


def free_shift(box: Box, others: Iterable[Box]) -> float:
    """Return how far along +X a box must go so that it is in none of the others that are no rooms for it."""
    size = box[1] - box[0]
    reach = TOUCH * float(size.max())
    blocking = []
    for other in others:
        is_room = ((other[1] - other[0])[:2] > ROOM * size[:2].max()).any()
        beside = (np.minimum(box[1], other[1]) - np.maximum(box[0], other[0]))[1:].min() <= reach  # in Y or in Z
        if not (is_room or beside):
            blocking.append(other)
    shift = 0.0
    for other in sorted(blocking, key=lambda other: float(other[0, 0])):  # each can only push it further
        inside = min(box[1, 0] + shift, other[1, 0]) - max(box[0, 0] + shift, other[0, 0])
        if inside > reach:
            shift = float(other[1, 0] - box[0, 0] + GAP * size[0])
    return shift


def box_of(item: bpy.types.Object) -> Box:
    """Return the box along the world's axes around an object."""
    corners = np.array([tuple(corner) for corner in item.bound_box])  # [8, 3], its own axes
    matrix = np.array(item.matrix_world)
    world = corners @ matrix[:3, :3].T + matrix[:3, 3]
    return np.stack([world.min(axis=0), world.max(axis=0)])
