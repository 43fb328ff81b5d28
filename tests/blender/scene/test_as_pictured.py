"""Things of one picture stand as in it: on one ground, or above each other, and never in each other."""

# pyright: reportMissingImports=false, reportOptionalMemberAccess=false

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

bpy: Any = pytest.importorskip("bpy", reason="bpy is not in this environment; install requirements.lock")

from addon import protocol  # noqa: E402
from addon.scene import as_pictured, importer, placing  # noqa: E402
from addon.scene.as_pictured import Thing, stands  # noqa: E402
from tests.blender.made_results import make_result, two_colours  # noqa: E402

FOV = 40.0
RIGHT = (1.0, 0.0, 0.0)


def camera_axes(azimuth: float, elevation: float) -> np.ndarray:
    """Return the camera's right, up and forward as rows, turned step by step from a camera that looks along +Y."""
    a, e = math.radians(azimuth), math.radians(elevation)
    lean = np.array([[1, 0, 0], [0, math.cos(e), math.sin(e)], [0, -math.sin(e), math.cos(e)]])  # looks down by e
    turn = np.array([[math.cos(a), -math.sin(a), 0], [math.sin(a), math.cos(a), 0], [0, 0, 1]])
    return np.array(
        [turn @ lean @ axis for axis in (np.array([1.0, 0, 0]), np.array([0, 0, 1.0]), np.array([0, 1.0, 0]))]
    )


def shown(middle: np.ndarray, radius: float, azimuth: float, elevation: float) -> protocol.Pictured:
    """Return where a picture shows a ball, given its middle in the axes of the camera: right, up, forward."""
    tangent = math.tan(math.radians(FOV) / 2)
    side = math.tan(math.asin(radius / middle[2])) / tangent
    across, up = middle[:2] / middle[2] / (2 * tangent)
    return protocol.Pictured(across, -up, side, azimuth, elevation, FOV)


def scene(
    azimuth: float, elevation: float, balls: list[tuple[tuple[float, float, float], float, float]]
) -> tuple[list[Thing], np.ndarray]:
    """Return what a camera six units away shows of balls (middle, radius, base in radii), and their bases."""
    axes = camera_axes(azimuth, elevation)
    things = [
        Thing(shown(axes @ np.array(middle) + [0, 0, 6.0], radius, azimuth, elevation), base)
        for middle, radius, base in balls
    ]
    return things, np.array([np.array(middle) + [0, 0, radius * base] for middle, radius, base in balls])


@pytest.mark.parametrize(
    ("azimuth", "elevation"), [(0.0, 20.0), (0.0, 6.0), (35.0, 30.0), (-120.0, 55.0), (200.0, 88.0)]
)
def test_things_on_one_ground_are_put_back_where_they_stood(azimuth: float, elevation: float) -> None:
    """The second is nearer to the camera than the first, the third is behind it; each has its base on z = -0.8."""
    axes = camera_axes(azimuth, elevation)
    near, far = -axes[2][:2] / np.linalg.norm(axes[2][:2]), axes[0][:2]
    balls = [
        ((0.1, 0.05, 0.0), 1.0, -0.8),
        ((*(0.9 * near + 1.1 * far), -0.5), 0.4, -0.75),
        ((*(-0.8 * near - 1.2 * far), -0.35), 0.5, -0.9),
    ]
    things, bases = scene(azimuth, elevation, balls)
    made = stands(things)
    assert made[0].offset == (0.0, 0.0, 0.0)
    np.testing.assert_allclose([each.offset for each in made], bases - bases[0], atol=1e-9)
    np.testing.assert_allclose([each.size for each in made], [1.0, 0.4, 0.5], atol=1e-9)
    assert {each.turn for each in made} == {0.0}


def test_the_largest_stays_wherever_it_comes_in_the_list() -> None:
    things, bases = scene(10.0, 25.0, [((-0.6, -0.8, -0.5), 0.5, -0.8), ((0.4, 0.3, 0.1), 1.0, -1.0)])
    made = stands(things)
    assert made[1].offset == (0.0, 0.0, 0.0) and made[1].size == pytest.approx(1.0)
    np.testing.assert_allclose(made[0].offset, bases[0] - bases[1], atol=1e-9)


def test_a_level_camera_shifts_what_is_higher_up() -> None:
    """As deep as the largest: a shift in the picture is one along the camera's right and up, and sizes are as seen."""
    big, small = protocol.Pictured(-0.2, 0.1, 0.4, 0.0, 0.0, FOV), protocol.Pictured(0.2, -0.1, 0.2, 0.0, 0.0, FOV)
    _, other = made = stands([Thing(big, -0.9), Thing(small, -0.5)])
    tangent = math.tan(math.radians(FOV) / 2)
    depth = 1 / math.sin(math.atan(0.4 * tangent))
    assert other.size == pytest.approx(depth * math.sin(math.atan(0.2 * tangent))) and 0.5 < other.size < 0.52
    step = 2 * tangent * depth
    assert other.offset == pytest.approx((0.4 * step, 0.0, 0.2 * step + 0.9 - 0.5 * other.size))
    assert made[0].offset == (0.0, 0.0, 0.0)


def test_what_flies_is_as_deep_as_the_largest() -> None:
    """Under a camera above the ground: its base is above the horizon, or would be absurdly far."""
    for down in (-0.5, -0.3):
        big, bird = protocol.Pictured(0.0, 0.1, 0.4, 0.0, 10.0, FOV), protocol.Pictured(0.2, down, 0.1, 0.0, 10.0, FOV)
        made = stands([Thing(big, -0.9), Thing(bird, -0.9)])[1]
        axes = camera_axes(0.0, 10.0)
        step = 2 * math.tan(math.radians(FOV) / 2) / math.sin(math.atan(0.4 * math.tan(math.radians(FOV) / 2)))
        moved = step * (0.2 * axes[0] + (0.1 - down) * axes[1]) + [0, 0, 0.9 - 0.9 * made.size]
        assert made.offset == pytest.approx(tuple(moved)) and made.offset[2] > 0.5


def test_a_camera_that_was_looked_for_turns_the_others() -> None:
    big, small = protocol.Pictured(0.0, 0.0, 0.4, 30.0, 20.0, FOV), protocol.Pictured(0.3, 0.0, 0.2, -15.0, 20.0, FOV)
    made = stands([Thing(big, -0.9), Thing(small, -0.9)])
    assert made[0].turn == 0.0 and math.degrees(made[1].turn) == pytest.approx(45.0)


def cube(x: float, y: float = 0.0, z: float = 0.0, size: float = 1.0) -> placing.Box:
    return (x - size / 2, y - size / 2, z), (x + size / 2, y + size / 2, z + size)


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        ([cube(0), cube(0.4)], [0, 0.6]),
        ([cube(0), cube(-0.4)], [0, -0.6]),  # away from the first, wherever that is
        ([cube(0), cube(1.0)], [0, 0]),
        ([cube(0), cube(0.2, y=1.0)], [0, 0]),  # before it
        ([cube(0), cube(0.2, z=1.0)], [0, 0]),  # on it
        ([cube(0), cube(0.6), cube(0.3)], [0, 1.4, 0.7]),  # the nearer goes first, the next one past both
        ([cube(0), cube(0.4), cube(-0.2)], [0, 0.6, -0.8]),
        ([cube(0), cube(0.0)], [0, 1.0]),
    ],
)
def test_what_would_stand_in_each_other_slides_apart(boxes: list[placing.Box], expected: list[float]) -> None:
    assert as_pictured.slides(boxes, 0, RIGHT) == pytest.approx(expected)


def test_a_slanting_slide_ends_where_the_first_axis_is_free() -> None:
    right = (math.sqrt(0.5), math.sqrt(0.5), 0.0)
    assert as_pictured.slides([cube(0), cube(0.3, y=0.1)], 0, right) == pytest.approx([0, 0.7 * math.sqrt(2)])
    assert as_pictured.slides([cube(0), cube(0.3)], 0, (0.0, 1.0, 0.0)) == pytest.approx([0, 1.0])


# ---- results ----


def result_of(folder: Path, name: str, piece: int, picture: protocol.Pictured | None, *, image: bytes = b"") -> Path:
    """Make a finished job of one thing of a picture."""
    job = make_result(folder / name)
    (job / "inputs").mkdir()
    (job / "inputs/00.png").write_bytes(image or two_colours())
    request = protocol.Request(
        system="tv3dg", prompt="a mug", images=(protocol.InputImage(path="inputs/00.png"),),
        settings={"piece": piece} if piece else {},
    )  # fmt: skip
    protocol.write_request(job, request)
    if picture is not None:
        tell(job, picture=vars(picture))
    return job


def tell(job: Path, **said: Any) -> None:
    """Let a result say something else as well."""
    path = job / "result/result.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | said))


def test_jobs_are_together_that_are_of_different_things_of_one_picture(tmp_path: Path) -> None:
    jobs = [
        result_of(tmp_path, "a", 1, None),
        result_of(tmp_path, "b", 0, None),  # all of it
        result_of(tmp_path, "c", 2, None),
        result_of(tmp_path, "d", 1, None, image=two_colours(16)),
        result_of(tmp_path, "e", 2, None),  # another one of what c is of
        result_of(tmp_path, "f", 1, None),
        result_of(tmp_path, "g", 2, None, image=two_colours(16)),
        make_result(tmp_path / "h"),
        tmp_path / "nothing",
    ]
    names = [[job.name for job in group] for group in as_pictured.together(jobs)]
    assert names == [["a", "c"], ["b"], ["d", "g"], ["e", "f"], ["h"], ["nothing"]]


BIG, SMALL = protocol.Pictured(-0.2, 0.0, 0.4, 0.0, 20.0, FOV), protocol.Pictured(0.2, 0.1, 0.2, 0.0, 20.0, FOV)


def imported(*jobs: Path) -> list[tuple[Path, importer.Imported]]:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    return [(job, importer.import_result(job, location=(1.0, 2.0, 3.0))) for job in jobs]


def test_results_get_their_sizes_and_places_and_the_largest_stays(tmp_path: Path) -> None:
    made = imported(result_of(tmp_path, "one", 2, SMALL), result_of(tmp_path, "two", 1, BIG))
    (_, small), (_, big) = made
    before = small.mesh.dimensions.copy()
    radius = small.points.data.attributes["radius"].data[0].value
    cloud = placing.size_of(placing.box_of(small.points))
    assert as_pictured.arrange(made) == []
    stand = stands([Thing(SMALL, -0.2), Thing(BIG, -0.2)])[0]
    assert tuple(big.mesh.location) == (1.0, 2.0, 3.0) and tuple(big.mesh.dimensions) == pytest.approx(tuple(before))
    assert tuple(small.mesh.location) == pytest.approx([a + b for a, b in zip((1, 2, 3), stand.offset, strict=True)])
    assert tuple(small.mesh.dimensions) == pytest.approx([stand.size * side for side in before])
    assert tuple(small.mesh.scale) == (1.0, 1.0, 1.0) and small.points.location == small.mesh.location
    assert small.points.data.attributes["radius"].data[0].value == pytest.approx(stand.size * radius)
    bpy.context.view_layer.update()
    assert placing.size_of(placing.box_of(small.points)) == pytest.approx(
        [stand.size * side for side in cloud], rel=1e-4
    )
    assert small.base == pytest.approx(-0.2 * stand.size) and big.base == pytest.approx(-0.2)
    assert small.mesh.location.z == pytest.approx(3.0)  # on the same ground


def test_the_largest_has_the_height_and_the_others_theirs_beside_it(tmp_path: Path) -> None:
    """The block is 0.8 high and reaches down to -0.2; both files were written with a height of 0.08 m, one lifted."""
    plain = imported(result_of(tmp_path, "one", 1, BIG), result_of(tmp_path, "two", 2, SMALL))
    as_pictured.arrange(plain)
    offsets = [tuple(each.mesh.location - plain[0][1].mesh.location) for _, each in plain]
    sizes = [tuple(each.mesh.dimensions) for _, each in plain]
    jobs = [job for job, _ in plain]
    made = imported(*jobs)
    for (job, each), lift in zip(made, (0.0, 0.02), strict=True):  # as the backend writes it
        tell(job, mesh={"scale": 0.1, "lift": lift})
        importer.resize(each, 0.1)
        for item in each.objects:
            item["maquette_base"] = [0.0, 0.0, -0.02 + lift]
    assert as_pictured.arrange(made) == []
    for (_, each), offset, size in zip(made, offsets, sizes, strict=True):
        moved = each.mesh.location - made[0][1].mesh.location
        assert tuple(moved) == pytest.approx([0.1 * step for step in offset], abs=1e-6)
        assert tuple(each.mesh.dimensions) == pytest.approx([0.1 * side for side in size], rel=1e-4)


def test_what_the_picture_shows_in_each_other_stands_beside(tmp_path: Path) -> None:
    before = protocol.Pictured(-0.1, 0.0, 0.3, 0.0, 0.0, FOV)
    made = imported(result_of(tmp_path, "one", 1, protocol.Pictured(-0.2, 0.0, 0.4, 0.0, 0.0, FOV)),
                    result_of(tmp_path, "two", 2, before))  # fmt: skip
    as_pictured.arrange(made)
    bpy.context.view_layer.update()
    big, small = (placing.box_of(each.mesh) for _, each in made)
    assert placing.overlap(small, big, 0) == pytest.approx(0.0, abs=1e-4) and small[0][0] > big[0][0]


def test_a_result_that_does_not_say_where_it_was_stays(tmp_path: Path) -> None:
    made = imported(result_of(tmp_path, "one", 1, BIG), result_of(tmp_path, "two", 2, None))
    assert as_pictured.arrange(made) == [made[1][1]]
    assert tuple(made[1][1].mesh.location) == (1.0, 2.0, 3.0)
