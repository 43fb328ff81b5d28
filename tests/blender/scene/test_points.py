"""Points in Blender: attributes under Blender's own names for splats, and what the eye gets of them."""

# Blender makes its module at run time; pyright sees an almost empty one.
# pyright: reportOptionalMemberAccess=false, reportMissingImports=false

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

bpy: Any = pytest.importorskip("bpy", reason="bpy is not in this environment; install requirements.lock")

from addon.scene import importer, points  # noqa: E402
from addon.scene.result_files import ImportFailed  # noqa: E402
from tests.blender.made_results import HIGH, LOW, SH_DC, gaussians, make_result, ply  # noqa: E402

FIELDS = {"FLOAT_COLOR": ("color", 4), "FLOAT4": ("vector", 4), "FLOAT_VECTOR": ("vector", 3), "FLOAT": ("value", 1)}


@pytest.fixture(autouse=True)
def empty_scene() -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)


@pytest.fixture
def job(tmp_path: Path) -> Path:
    return make_result(tmp_path / "20260101-120000-ab")


def attribute(item: Any, name: str) -> np.ndarray:
    found = item.data.attributes[name]
    field, width = FIELDS.get(found.data_type, ("value", 4))
    values = np.empty(len(found.data) * width, dtype=np.float32)
    found.data.foreach_get(field, values)
    return values.reshape(-1, width)


def shown(item: Any) -> tuple[list[float], list[str], list[str]]:
    """What the look makes of an object: the radii of its points, its materials and its attributes."""
    item.hide_set(False)
    geometry = item.evaluated_get(bpy.context.evaluated_depsgraph_get()).evaluated_geometry()
    cloud = geometry.pointcloud  # lives as long as `geometry`
    radii = [point.radius for point in cloud.points]
    return radii, [material.name for material in cloud.materials], list(cloud.attributes.keys())


def test_points_are_a_point_cloud_where_blender_can_size_one(job: Path) -> None:
    item = importer.import_result(job).points
    assert item.type == ("POINTCLOUD" if bpy.app.version >= (5, 1) else "MESH")
    assert len(attribute(item, "position")) == 200


def test_points_carry_their_splats_under_blenders_names(job: Path) -> None:
    item, columns = importer.import_result(job).points, gaussians()
    base = attribute(item, "radiance:base")
    assert np.allclose(base[:, :3], np.stack([columns[f"f_dc_{k}"] for k in range(3)], axis=1), atol=1e-5)
    assert np.allclose(base[:, 3], 0.9, atol=1e-5)  # activated, as Blender keeps it
    assert np.allclose(attribute(item, "scale"), 0.05, atol=1e-6)
    assert np.allclose(attribute(item, "rotation"), [1, 0, 0, 0], atol=1e-6)  # of unit length
    # sRGB 0.9 is linear 0.7874: ((0.9 + 0.055) / 1.055) ** 2.4.
    assert attribute(item, "Color")[columns["x"] > 0, 0] == pytest.approx(0.7874, abs=1e-3)
    kinds = {name: item.data.attributes[name].data_type for name in ("radiance:base", "scale", "rotation")}
    wide = "FLOAT4" if bpy.app.version >= (5, 2) else "FLOAT_COLOR"
    assert kinds == {"radiance:base": wide, "scale": "FLOAT_VECTOR", "rotation": "QUATERNION"}


def test_points_lie_in_the_mesh_with_the_same_origin(job: Path) -> None:
    imported = importer.import_result(job)
    positions = attribute(imported.points, "position")
    assert tuple(imported.points.location) == tuple(imported.mesh.location)
    assert (positions > LOW - [0, 0, LOW[2]] - 1e-5).all() and (positions < HIGH - [0, 0, LOW[2]] + 1e-5).all()
    assert imported.points.hide_get() and imported.points.hide_render  # they would cover the mesh
    assert not imported.mesh.hide_get()


def test_points_are_seen_in_their_size_and_colour(job: Path) -> None:
    item = importer.import_result(job, outputs=("points",)).points
    assert not item.hide_get()
    radii, materials, attributes = shown(item)
    assert radii == pytest.approx([0.075] * 200, abs=1e-4)
    assert materials == ["Maquette points"] and "Color" in attributes


def test_faint_points_are_kept_but_not_seen(job: Path) -> None:
    bright, faint = gaussians(), gaussians(5, opacity=0.05)
    both = {name: np.concatenate([bright[name], faint[name]]) for name in bright}
    (job / "result/points.ply").write_bytes(ply(both))
    item = importer.import_result(job, outputs=("points",)).points
    assert len(attribute(item, "position")) == 205
    radii, materials, attributes = shown(item)
    assert (len(radii), materials) == (200, ["Maquette points"]) and "Color" in attributes


def test_points_are_rendered_in_their_colours_where_faint_ones_are_left_out(job: Path, tmp_path: Path) -> None:
    bright, faint = gaussians(800), gaussians(50, opacity=0.05)
    (job / "result/points.ply").write_bytes(ply({name: np.concatenate([bright[name], faint[name]]) for name in bright}))
    importer.import_result(job, outputs=("points",), location=(0, 0, 0))
    scene = bpy.context.scene
    scene.camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    scene.collection.objects.link(scene.camera)
    scene.camera.location, scene.camera.rotation_euler = (0, -3, 0.4), (np.pi / 2, 0, 0)
    scene.render.engine, scene.view_settings.view_transform = "CYCLES", "Standard"
    scene.cycles.samples, scene.cycles.use_denoising = 2, False
    scene.render.resolution_x = scene.render.resolution_y = 32
    scene.render.filepath = str(tmp_path / "seen.png")
    bpy.ops.render.render(write_still=True)
    pixels = np.array(bpy.data.images.load(scene.render.filepath).pixels[:]).reshape(32, 32, 4)
    left, right = pixels[12:20, 13:15, :3].mean(axis=(0, 1)), pixels[12:20, 17:19, :3].mean(axis=(0, 1))
    assert left[2] > 0.6 > 0.3 > left[0] and right[0] > 0.6 > 0.3 > right[2]  # blue on the left, red on the right


def test_higher_harmonics_become_one_attribute_each(tmp_path: Path) -> None:
    columns = gaussians(3, rest=9)
    (tmp_path / "points.ply").write_bytes(ply(columns))
    attributes = points.point_attributes(points.read_ply(tmp_path / "points.ply"))
    for k in range(3):  # channel by channel in the file
        expected = np.stack([columns[f"f_rest_{channel * 3 + k}"] for channel in range(3)], axis=1)
        assert np.allclose(attributes[f"radiance:sh_{k}"][1], expected)
    assert "radiance:sh_3" not in attributes


def test_harmonics_that_are_zero_become_none() -> None:
    columns = gaussians(3, rest=45)
    assert "radiance:sh_14" in points.point_attributes(columns)
    zero = columns | {f"f_rest_{k}": np.zeros(3, dtype=np.float32) for k in range(45)}
    assert not any(name.startswith("radiance:sh") for name in points.point_attributes(zero))


def test_points_follow_a_mesh_that_was_given_a_height() -> None:
    columns = gaussians(3)
    assert (
        points.placed_as_mesh(columns, {}) is columns and points.placed_as_mesh(columns, {"mesh": {"x": 1}}) is columns
    )
    there = points.placed_as_mesh(columns, {"mesh": {"scale": 0.1, "lift": 0.05}})
    assert np.allclose(there["x"], 0.1 * columns["x"]) and np.allclose(there["z"], 0.1 * columns["z"] + 0.05)
    assert np.allclose(np.exp(there["scale_1"]), 0.1 * np.exp(columns["scale_1"]))
    assert there["opacity"] is columns["opacity"]
    for wrong in ({"scale": 0.0}, {"scale": -1.0}, {"scale": "large"}, {"lift": float("nan")}, {"scale": 1e9}):
        with pytest.raises(ImportFailed, match="no result has such"):
            points.placed_as_mesh(columns, {"mesh": wrong})


def test_plain_coloured_points_come_in_too(tmp_path: Path) -> None:
    header = "ply\nformat binary_little_endian 1.0\nelement vertex 2\n"
    header += "".join(f"property float {axis}\n" for axis in "xyz")
    header += "".join(f"property uchar {channel}\n" for channel in ("red", "green", "blue")) + "end_header\n"
    fields = [("xyz", "<f4", 3), ("rgb", "u1", 3)]
    table = np.array([((0, 0, 0), (255, 0, 0)), ((1, 2, 3), (0, 0, 255))], dtype=fields)
    (tmp_path / "points.ply").write_bytes(header.encode() + table.tobytes())
    item = points.make_points(points.read_ply(tmp_path / "points.ply"), bpy.context.scene.collection, "two")
    assert attribute(item, "position").tolist() == [[0, 0, 0], [1, 2, 3]]
    assert attribute(item, "Color").tolist() == [[1, 0, 0, 1], [0, 0, 1, 1]]
    assert len(shown(item)[0]) == 2


def test_the_colour_is_half_a_grey_and_the_first_harmonic() -> None:
    columns = gaussians(1) | {f"f_dc_{k}": np.array([value]) for k, value in enumerate((0.0, 0.5 / SH_DC, -1 / SH_DC))}
    kind, colour = points.point_attributes(columns)["Color"]
    assert kind == "FLOAT_COLOR"
    assert colour[0, :3] == pytest.approx([0.2140, 1.0, 0.0], abs=1e-4)  # sRGB 0.5, 1 and 0 in linear light
