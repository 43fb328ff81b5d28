"""Coarser copies keep texture and place, and leave the mesh as it is."""

# pyright: reportMissingImports=false

from __future__ import annotations

from typing import Any

import pytest

bpy: Any = pytest.importorskip("bpy", reason="bpy is not in this environment; install requirements.lock")

from addon.scene import levels  # noqa: E402


def ball() -> Any:
    """Return a ball of 1,280 triangles with UVs and a material, in a collection of its own."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.mesh.primitive_ico_sphere_add(subdivisions=4, location=(1.0, 2.0, 3.0))
    item = bpy.context.object
    item.data.materials.append(bpy.data.materials.new("paint"))
    item["maquette_prompt"] = "a ball"
    own = bpy.data.collections.new("ball")
    bpy.context.scene.collection.children.link(own)
    for user in list(item.users_collection):
        user.objects.unlink(item)
    own.objects.link(item)
    return item


@pytest.mark.parametrize(
    ("first", "count", "expected"), [(1000, 3, [1000, 500, 250]), (8, 4, [8, 4, 4, 4]), (5, 1, [5])]
)
def test_each_level_has_half_the_faces(first: int, count: int, expected: list[int]) -> None:
    assert levels.level_counts(first, count) == expected


def test_copies_have_fewer_faces_and_keep_texture_and_place() -> None:
    original = ball()
    before = len(original.data.polygons)
    made = levels.make_levels(original, 3, "ball LOD")
    sizes = [len(item.data.polygons) for item in made.objects]
    assert sizes[0] == before == len(original.data.polygons)
    assert 580 <= sizes[1] <= 640 and 290 <= sizes[2] <= 320
    assert made in list(bpy.context.scene.collection.children) and original.name not in made.objects
    for item in made.objects:
        assert item.data.uv_layers and [each.name for each in item.data.materials] == ["paint"]
        assert tuple(item.location) == (1.0, 2.0, 3.0) and item["maquette_prompt"] == "a ball"
        assert len(item.modifiers) == 0 and item.data != original.data
    (own,) = levels.make_levels(original, 1, "ball", faces=100).objects
    assert 90 <= len(own.data.polygons) <= 100
    assert [item.hide_get() for item in made.objects] == [False, True, True]


def test_quads_are_made_where_the_surface_and_the_texture_allow_it() -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.mesh.primitive_grid_add(x_subdivisions=6, y_subdivisions=6)
    item = bpy.context.object
    bpy.ops.object.modifier_add(type="TRIANGULATE")
    bpy.ops.object.modifier_apply(modifier=item.modifiers[0].name)
    assert {len(face.vertices) for face in item.data.polygons} == {3}
    triangles = len(item.data.polygons)
    (copy,) = levels.make_levels(item, 1, "grid LOD", quads=True).objects
    assert {len(face.vertices) for face in copy.data.polygons} == {4} and len(copy.data.polygons) == triangles // 2
    assert copy.data.uv_layers
