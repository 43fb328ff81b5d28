"""Colours of one mesh on another one: what is red stays red, wherever the new mesh has its texture."""

# pyright: reportMissingImports=false

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

bpy: Any = pytest.importorskip("bpy", reason="bpy is not in this environment; install requirements.lock")

from addon.scene import baking, importer  # noqa: E402
from tests.blender.made_results import make_result  # noqa: E402


@pytest.fixture
def source(tmp_path: Path) -> Any:
    """Return an imported block in red and blue, away from the origin."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    job = make_result(tmp_path / "20260101-000000-a", prompt="a block")
    return importer.import_result(job, location=(3.0, 1.0, 0.0), outputs=("mesh",)).mesh


def remesh_of(source: Any, *, uv: bool = False) -> Any:
    """Return a copy of a mesh of voxels, which have no UV map unless asked for, in the same place."""
    item = source.copy()
    item.data = source.data.copy()
    bpy.context.scene.collection.objects.link(item)
    modifier = item.modifiers.new("Remesh", "REMESH")
    modifier.voxel_size = 0.1
    graph = bpy.context.evaluated_depsgraph_get()
    item.data = bpy.data.meshes.new_from_object(item.evaluated_get(graph))
    item.modifiers.clear()
    item.name = "mine"
    if uv:
        item.data.uv_layers.new(name="own")
        spread = np.random.default_rng(0).random(len(item.data.loops) * 2).astype(np.float32)
        item.data.uv_layers[0].uv.foreach_set("vector", spread)
    return item


def colours(item: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the middle of each face [F, 3] and the colour that the texture has there [F, 3]."""
    node = next(node for node in item.active_material.node_tree.nodes if node.type == "TEX_IMAGE")
    size = node.image.size[0]
    pixels = np.array(node.image.pixels[:]).reshape(size, size, 4)[..., :3]
    layer, found = item.data.uv_layers.active, []
    for face in item.data.polygons:
        u, v = np.mean([layer.uv[loop].vector for loop in face.loop_indices], axis=0)
        found.append(pixels[min(int(v * size), size - 1), min(int(u * size), size - 1)])
    return np.array([face.center for face in item.data.polygons]), np.array(found)


def colour_at(item: Any, point: np.ndarray) -> np.ndarray:
    """Return the colour of the texture of a mesh of triangles where it is nearest to a point."""
    from mathutils import Vector
    from mathutils.geometry import barycentric_transform

    _, place, _, face = item.closest_point_on_mesh(Vector(point.tolist()))
    loops = item.data.polygons[face].loop_indices
    corners = [item.data.vertices[item.data.loops[loop].vertex_index].co for loop in loops]
    uv = [item.data.uv_layers.active.uv[loop].vector.to_3d() for loop in loops]
    u, v, _ = barycentric_transform(place, *corners, *uv)
    node = next(node for node in item.active_material.node_tree.nodes if node.type == "TEX_IMAGE")
    size = node.image.size[0]
    pixels = np.array(node.image.pixels[:]).reshape(size, size, 4)[..., :3]
    return pixels[min(int(v * size), size - 1), min(int(u * size), size - 1)]


def test_the_colours_lie_where_they_lay_and_nothing_else_has_changed(source: Any) -> None:
    target, scene = remesh_of(source), bpy.context.scene
    scene.render.engine, source.hide_render = "BLENDER_WORKBENCH", True
    scene.cycles.samples = 77
    source.select_set(True)
    bpy.context.view_layer.objects.active = source
    image = baking.bake_onto(source, target, 256)
    assert tuple(image.size) == (256, 256) and image.packed_file is not None
    assert image.colorspace_settings.name == "sRGB" and len(target.data.uv_layers) == 1
    centres, seen = colours(target)
    there = np.array([colour_at(source, centre) for centre in centres])
    assert len(np.unique(there.round(2), axis=0)) == 2
    assert np.median(np.abs(seen - there).max(-1)) < 0.02 and (np.abs(seen - there).max(-1) < 0.02).mean() > 0.9
    assert scene.render.engine == "BLENDER_WORKBENCH" and scene.cycles.samples == 77 and source.hide_render
    assert bpy.context.view_layer.objects.active == source and source.select_get() and not target.select_get()
    assert source.active_material != target.active_material
    own = next(node.image for node in source.active_material.node_tree.nodes if node.type == "TEX_IMAGE")
    assert own != image


def test_a_uv_map_of_the_artist_s_stays(source: Any) -> None:
    target = remesh_of(source, uv=True)
    before = np.empty(len(target.data.loops) * 2, dtype=np.float32)
    target.data.uv_layers[0].uv.foreach_get("vector", before)
    baking.bake_onto(source, target, 64)
    after = np.empty_like(before)
    target.data.uv_layers[0].uv.foreach_get("vector", after)
    assert [layer.name for layer in target.data.uv_layers] == ["own"] and (before == after).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda item: item.modifiers.new("Remesh", "REMESH"), "1 modifiers: apply them first"),
        (lambda item: item.data.clear_geometry(), "has no faces"),
        (lambda item: setattr(item, "location", (9.0, 9.0, 9.0)), "covers 0% of the place"),
    ],
)
def test_what_cannot_be_baked_onto_is_a_sentence(source: Any, change: Any, words: str) -> None:
    target = remesh_of(source)
    change(target)
    bpy.context.view_layer.update()
    images = len(bpy.data.images)
    with pytest.raises(baking.CannotBake, match=words):
        baking.bake_onto(source, target, 64)
    assert len(bpy.data.images) == images
