"""The button of a finished job makes coarser copies of what stands in the scene, or of its result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.blender.made_results import make_result


def test_levels_are_made_of_a_result_that_is_not_there_yet(enabled: Any, folder: Path) -> None:
    job = make_result(folder / "20260101-000000-a", prompt="a red mug")
    assert enabled.ops.maquette.make_levels(job=str(job), count=2, faces=8) == {"FINISHED"}
    (made,) = (each for each in enabled.data.collections if "LOD" in each.name)
    assert len(made.objects) == 2 and all(len(item.data.polygons) <= 8 for item in made.objects)
    meshes = [item for item in enabled.data.objects if item.name == "red mug"]
    assert len(meshes) == 1 and len(meshes[0].data.polygons) == 12
    assert meshes[0].hide_get() and meshes[0].hide_render  # its finest copy would flicker in its place
    finest, coarser = made.objects
    assert finest.visible_get() and not finest.hide_render and not coarser.visible_get()
    assert enabled.context.view_layer.objects.active == finest and list(enabled.context.selected_objects) == [finest]


def test_what_the_artist_has_done_to_the_mesh_is_in_its_levels(enabled: Any, folder: Path) -> None:
    job = make_result(folder / "20260101-000000-a", prompt="a red mug")
    enabled.ops.maquette.import_result(job=str(job))
    mesh = enabled.data.objects["red mug"]
    mesh.location = (4.0, 0.0, 0.0)
    mesh.modifiers.new("Subdivision", "SUBSURF").subdivision_type = "SIMPLE"
    enabled.ops.maquette.make_levels(job=str(job), count=2, faces=40)
    (made,) = (each for each in enabled.data.collections if "LOD" in each.name)
    copy, other = made.objects
    assert tuple(copy.location) == (4.0, 0.0, 0.0) and 12 < len(copy.data.polygons) <= 40
    assert len(other.data.polygons) <= 20 and len(mesh.modifiers) == 1


def test_points_alone_have_no_levels(enabled: Any, folder: Path) -> None:
    job = make_result(folder / "20260101-000000-a")
    (job / "result/model.glb").unlink()
    with pytest.raises(RuntimeError, match="points only"):
        enabled.ops.maquette.make_levels(job=str(job))
