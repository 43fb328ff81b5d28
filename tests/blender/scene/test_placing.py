"""What is imported stands beside what is there, not in it."""

# pyright: reportMissingImports=false, reportOptionalMemberAccess=false

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

bpy: Any = pytest.importorskip("bpy", reason="bpy is not in this environment; install requirements.lock")

from addon.scene import importer, placing  # noqa: E402
from tests.blender.made_results import make_result  # noqa: E402


def moved(x: float = 0.0, y: float = 0.0, z: float = 0.0, size: float = 1.0) -> placing.Box:
    """Return a cube that stands on its place."""
    return (x - size / 2, y - size / 2, z), (x + size / 2, y + size / 2, z + size)


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([], 0.0),
        ([moved()], 1.1),  # beside it, a tenth of its width away
        ([moved(x=0.4)], 1.5),
        ([moved(x=-0.4)], 0.7),
        ([moved(x=1.0)], 0.0),  # touching is beside
        ([moved(y=1.0)], 0.0),
        ([moved(z=-1.0)], 0.0),  # it stands on that
        ([moved(z=1.5)], 0.0),
        ([moved(x=1.1), moved()], 2.2),  # in a row, in whatever order they are found
        ([moved(), moved(x=2.5)], 1.1),  # there is room between these
        ([moved(), moved(x=2.0)], 3.1),  # and here there is none
        ([moved(size=9.0)], 0.0),  # a room
        ([moved(size=3.0)], 2.1),
        ([((-20.0, -20.0, 0.0), (20.0, 20.0, 0.0))], 0.0),  # a floor
    ],
)
def test_a_box_goes_as_far_as_it_must(others: list[placing.Box], expected: float) -> None:
    assert placing.free_shift(moved(), others) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (1, [(0, 0)]),
        (3, [(0, 0), (2, 0), (4, 0)]),
        (6, [(0, 0), (2, 0), (4, 0), (0, -2), (2, -2), (4, -2)]),
        (10, [(0, 0), (2, 0), (4, 0), (6, 0), (0, -2), (2, -2), (4, -2), (6, -2), (0, -4), (2, -4)]),
    ],
)
def test_a_few_results_make_a_row_and_more_a_square(count: int, expected: list[tuple[float, float]]) -> None:
    assert [placing.spot(place, count, 2.0)[:2] for place in range(count)] == expected


def test_results_of_a_height_stand_as_close_as_they_are_small() -> None:
    assert placing.around((1.0, 2.0, 3.0), 2) == [(1.0, 2.0, 3.0), (3.5, 2.0, 3.0)]
    assert placing.apart_at(0.0) == placing.APART and placing.apart_at(0.1) == pytest.approx(0.125)


def test_results_stand_in_a_row_and_the_first_beside_what_was_there(tmp_path: Path) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.mesh.primitive_cube_add(size=1.0, location=(2.0, 0.0, 0.5))
    hidden = bpy.context.object.copy()
    bpy.context.scene.collection.objects.link(hidden)
    hidden.location.x = 2.8
    hidden.hide_set(True)
    bpy.context.scene.cursor.location = (2.0, 0.0, 0.0)
    job = make_result(tmp_path / "job")
    shifts, boxes = [], []
    for _ in range(2):
        made = importer.import_result(job)
        shifts.append(placing.place_beside(made))
        assert made.mesh is not None and made.points is not None
        assert made.mesh.location == made.points.location
        bpy.context.view_layer.update()
        boxes.append(placing.box_of(made.mesh))
    width = placing.size_of(boxes[0])[0]
    assert boxes[0][0][0] == pytest.approx(2.5 + placing.GAP * width)
    assert boxes[1][0][0] == pytest.approx(boxes[0][1][0] + placing.GAP * width)
    assert 0 < shifts[0] < shifts[1]


def add_cube(size: float, *, is_turned: bool = False, is_open: bool = False, **how: Any) -> Any:
    """Add a cube; `is_turned` lets its faces look inwards, as a room's do; `is_open` takes one away."""
    import bmesh

    scale = how.pop("scale", (1.0, 1.0, 1.0))
    bpy.ops.mesh.primitive_cube_add(size=size, **how)
    made = bpy.context.object
    made.scale = scale
    work = bmesh.new()
    work.from_mesh(made.data)
    if is_turned:
        bmesh.ops.reverse_faces(work, faces=work.faces[:])
    if is_open:
        bmesh.ops.delete(work, geom=[work.faces[:][0]], context="FACES_ONLY")
    work.to_mesh(made.data)
    work.free()
    return made


@pytest.mark.parametrize(
    ("how", "is_in"),
    [
        ({}, True),
        ({"rotation": (0.3, 0.4, 0.5)}, True),
        ({"scale": (2.0, -1.0, 1.0)}, True),  # mirrored
        ({"location": (4.0, 0.0, 0.0)}, False),
        ({"is_turned": True}, False),
        ({"is_open": True}, False),
    ],
)
def test_a_closed_mesh_encloses_what_is_in_it(how: dict[str, Any], is_in: bool) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    made = add_cube(2.0, **dict(how))
    bpy.context.view_layer.update()
    assert placing.encloses(made, (0.1, 0.2, 0.3)) == is_in


@pytest.mark.parametrize("place", ["outside", "inside"])
def test_a_small_result_stands_beside_a_large_block_unless_somebody_looks_into_it(tmp_path: Path, place: str) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    block = add_cube(20.0)
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.location = (0.0, -9.0 if place == "inside" else -30.0, 1.0)
    bpy.context.scene.collection.objects.link(camera)
    bpy.context.scene.camera = camera
    made = importer.import_result(make_result(tmp_path / "job"))
    assert made.mesh is not None
    assert placing.ROOM * max(placing.size_of(placing.box_of(made.mesh))[:2]) < 20.0
    shift = placing.place_beside(made)
    bpy.context.view_layer.update()
    if place == "inside":
        assert shift == 0.0
    else:
        assert placing.box_of(made.mesh)[0][0] > placing.box_of(block)[1][0]


def test_a_block_pushes_whatever_its_size() -> None:
    wide = moved(size=9.0)
    assert placing.free_shift(moved(), [wide], [wide]) == pytest.approx(5.1)


def test_what_belongs_together_goes_aside_together_and_only_from_what_counts(tmp_path: Path) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    job = make_result(tmp_path / "job")
    there = importer.import_result(job, location=(0.0, 0.0, 0.0))
    made = [importer.import_result(job, location=(x, 0.0, 0.0)) for x in (0.1, -0.5)]
    assert placing.place_beside(*made, among=[]) == 0.0
    shift = placing.place_beside(*made, among=there.objects)
    bpy.context.view_layer.update()
    boxes = [placing.box_of(each.mesh) for each in (there, *made)]
    assert [each.mesh.location.x for each in made] == pytest.approx([0.1 + shift, -0.5 + shift])
    assert all(each.points.location == each.mesh.location for each in made)
    both = placing.box_around(boxes[1:])
    assert both[0][0] == pytest.approx(boxes[0][1][0] + placing.GAP * placing.size_of(both)[0])
    assert both == ((boxes[2][0][0], *boxes[1][0][1:]), (boxes[1][1][0], *boxes[1][1][1:]))
