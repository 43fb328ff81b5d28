"""The button of a finished job lays its colours onto the active mesh, whether the result stands in the scene or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.blender.made_results import make_result


def own_mesh(enabled: Any, job: Path) -> Any:
    """Return a cube in the place of a result, active."""
    enabled.ops.maquette.import_result(job=str(job))
    block = enabled.data.objects["red mug"]
    enabled.ops.mesh.primitive_cube_add(size=1)
    cube = enabled.context.object
    cube.dimensions, cube.location = block.dimensions, block.location
    corners = [block.matrix_world @ type(block.location)(corner) for corner in block.bound_box]
    cube.location = sum(corners, type(block.location)()) / 8
    enabled.context.view_layer.update()
    enabled.ops.object.transform_apply(location=True, rotation=False, scale=True)
    return cube


def has_texture(item: Any) -> bool:
    nodes = item.active_material.node_tree.nodes if item.active_material else ()
    return any(node.type == "TEX_IMAGE" and node.image.size[0] == 64 for node in nodes)


def test_the_active_mesh_gets_the_colours_of_the_result(enabled: Any, folder: Path) -> None:
    job = make_result(folder / "20260101-000000-a", prompt="a red mug")
    cube = own_mesh(enabled, job)
    assert enabled.ops.maquette.bake_onto(job=str(job), size=64) == {"FINISHED"}
    assert has_texture(cube) and "red mug" in enabled.data.objects


def test_a_result_that_is_not_there_comes_for_as_long_and_leaves_nothing(enabled: Any, folder: Path) -> None:
    job = make_result(folder / "20260101-000000-a", prompt="a red mug")
    cube = own_mesh(enabled, job)
    (imported,) = (each for each in enabled.data.collections if each.name == "red mug")
    for item in list(imported.objects):
        enabled.data.objects.remove(item)
    enabled.data.collections.remove(imported)
    enabled.ops.outliner.orphans_purge(do_recursive=True)
    before = {kind: len(getattr(enabled.data, kind)) for kind in ("objects", "meshes", "collections")}
    assert enabled.ops.maquette.bake_onto(job=str(job), size=64) == {"FINISHED"}
    assert has_texture(cube)
    assert before == {kind: len(getattr(enabled.data, kind)) for kind in before}
    assert [image.size[0] for image in enabled.data.images] == [64]


def test_without_a_mesh_of_one_s_own_the_button_says_so(enabled: Any, folder: Path) -> None:
    job = make_result(folder / "20260101-000000-a", prompt="a red mug")
    enabled.context.view_layer.objects.active = None
    with pytest.raises(RuntimeError, match="active object first"):
        enabled.ops.maquette.bake_onto(job=str(job))
    cube = own_mesh(enabled, job)
    cube.modifiers.new("Remesh", "REMESH")
    with pytest.raises(RuntimeError, match="apply them first"):
        enabled.ops.maquette.bake_onto(job=str(job))
