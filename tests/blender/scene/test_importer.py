"""Imports into Blender as a Python module: geometry, materials, places, names, assets; nothing left of what fails."""

# Blender makes its module at run time, and a result may lack a part: neither is for pyright to judge here.
# pyright: reportOptionalMemberAccess=false, reportOptionalSubscript=false, reportMissingImports=false

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

bpy: Any = pytest.importorskip("bpy", reason="bpy is not in this environment; install requirements.lock")

from addon.scene import importer, result_files  # noqa: E402
from tests.blender import made_results  # noqa: E402
from tests.blender.made_results import HIGH, LOW, TEXTURE, glb, has_red_left_and_blue_right, make_result, two_colours  # noqa: E402


@pytest.fixture(autouse=True)
def empty_scene() -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)


@pytest.fixture
def job(tmp_path: Path) -> Path:
    return make_result(tmp_path / "20260101-120000-ab", seed=2**40)


def positions_of(item: Any) -> np.ndarray:
    values = np.empty(len(item.data.vertices) * 3, dtype=np.float32)
    item.data.vertices.foreach_get("co", values)
    return values.reshape(-1, 3)


def everything() -> set[tuple[str, str]]:
    """Name all that the open file holds."""
    kinds = [kind.identifier for kind in bpy.data.bl_rna.properties if kind.type == "COLLECTION"]
    return {(kind, item.name) for kind in kinds for item in getattr(bpy.data, kind)}


# ---- the mesh ----


def test_front_stays_front_and_up_stays_up_with_the_base_as_origin(job: Path) -> None:
    mesh = importer.import_result(job).mesh
    positions = positions_of(mesh)
    assert positions.min(axis=0) == pytest.approx([LOW[0], LOW[1], 0], abs=1e-5)
    assert positions.max(axis=0) == pytest.approx([HIGH[0], HIGH[1], HIGH[2] - LOW[2]], abs=1e-5)
    assert list(mesh.rotation_euler) == [0, 0, 0] and list(mesh.scale) == [1, 1, 1]


@pytest.mark.parametrize("scale", [2.0, -2.0])
def test_a_mesh_that_comes_turned_and_scaled_has_unit_scale_all_the_same(job: Path, scale: float) -> None:
    turned = {"mesh": 0, "scale": [scale, 2.0, 2.0], "rotation": [0, 0.7071068, 0, 0.7071068]}  # a quarter about Y
    (job / "result/model.glb").write_bytes(glb({"nodes": [turned]}))
    mesh = importer.import_result(job).mesh
    assert list(mesh.scale) == [1, 1, 1] and list(mesh.rotation_euler) == pytest.approx([0, 0, 0])
    assert np.ptp(positions_of(mesh), axis=0) == pytest.approx([2 * 1.25, 2 * 0.6, 2 * 0.8], abs=1e-4)
    assert np.abs(positions_of(mesh)).max() == pytest.approx(2 * 0.85, abs=1e-4)  # still off the centre
    assert volume(mesh) == pytest.approx(8 * 0.6 * 1.25 * 0.8, rel=1e-4)  # positive: the faces look outwards


def volume(mesh: Any) -> float:
    import bmesh

    whole = bmesh.new()
    whole.from_mesh(mesh.data)
    assert all(edge.is_manifold for edge in whole.edges)
    value = whole.calc_volume(signed=True)
    whole.free()
    return value


def test_mesh_is_closed_in_blender_too(job: Path) -> None:
    mesh = importer.import_result(job).mesh
    assert (len(mesh.data.vertices), len(mesh.data.polygons)) == (8, 12)  # the seams are merged
    assert volume(mesh) == pytest.approx(0.6 * 1.25 * 0.8, rel=1e-4)


def test_material_is_a_principled_one_with_a_packed_srgb_texture(job: Path) -> None:
    item = importer.import_result(job).mesh
    (material,) = item.data.materials
    principled = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    assert principled.inputs["Roughness"].default_value == pytest.approx(0.8)
    assert principled.inputs["Metallic"].default_value == 0
    image = principled.inputs["Base Color"].links[0].from_node.image
    assert image.packed_file is not None and image.colorspace_settings.name == "sRGB"
    assert tuple(image.size) == (TEXTURE, TEXTURE)
    assert (item.name, material.name, image.name) == ("red mug", "red mug", "red mug base colour")


def test_solid_view_shows_the_mean_of_what_lies_on_the_mesh(job: Path) -> None:
    item = importer.import_result(job).mesh
    uv = np.empty(len(item.data.loops) * 2, dtype=np.float32)
    item.data.uv_layers.active.data.foreach_get("uv", uv)
    red = float((uv.reshape(-1, 2)[:, 0] < 0.5).mean())  # the left half of the texture is red
    linear = {230: 0.7913, 20: 0.0070, 10: 0.0030}  # of sRGB bytes, looked up
    expected = [red * linear[230] + (1 - red) * linear[10], linear[20], red * linear[10] + (1 - red) * linear[230]]
    assert 0 < red < 1
    np.testing.assert_allclose(item.data.materials[0].diffuse_color, [*expected, 1], atol=2e-4)


def test_a_texture_says_that_it_is_one_of_a_result(job: Path) -> None:
    importer.import_result(job)
    assert [image[result_files.TEXTURE_PROPERTY] for image in bpy.data.images if image.packed_file] == ["base colour"]


def test_textures_that_hold_numbers_are_not_taken_for_colours(job: Path) -> None:
    surface = {
        "pbrMetallicRoughness": {"baseColorTexture": {"index": 0}, "metallicRoughnessTexture": {"index": 1}},
        "normalTexture": {"index": 2},
        "emissiveTexture": {"index": 3},
        "emissiveFactor": [1, 1, 1],
    }
    picture = {"bufferView": 3, "mimeType": "image/png"}
    document = {"materials": [surface], "images": [picture | {"name": str(k)} for k in range(4)]}
    document |= {"textures": [{"source": k} for k in range(4)]}
    (job / "result/model.glb").write_bytes(glb(document))
    importer.import_result(job)
    spaces = {image.name: image.colorspace_settings.name for image in bpy.data.images if image.packed_file}
    expected = {"base colour": "sRGB", "normal": "Non-Color", "emission color": "sRGB"}
    assert {f"red mug {use}": space for use, space in expected.items()}.items() <= spaces.items()
    assert len(spaces) == 4 and sorted(spaces.values()) == ["Non-Color", "Non-Color", "sRGB", "sRGB"]


def test_texture_lies_on_its_side(job: Path) -> None:
    item = importer.import_result(job).mesh
    image = next(node.image for node in item.data.materials[0].node_tree.nodes if node.type == "TEX_IMAGE")
    pixels = np.array(image.pixels[:]).reshape(TEXTURE, TEXTURE, 4)  # the first row is the lowest, as v goes
    uv = np.array([loop.uv for loop in item.data.uv_layers.active.data])
    rows, columns = (np.clip((uv[:, axis] * TEXTURE).astype(int), 0, TEXTURE - 1) for axis in (1, 0))
    normals = np.array([face.normal[0] for face in item.data.polygons]).repeat(3)
    rgb = pixels[rows, columns]
    for side, more, less in ((normals > 0.9, 0, 2), (normals < -0.9, 2, 0)):
        assert side.sum() == 6 and (rgb[side, more] > rgb[side, less]).all()


def test_nothing_else_that_a_file_brings_stays(job: Path) -> None:
    nodes = [{"mesh": 0}, {"camera": 0}, {"name": "nothing"}]
    camera = {"type": "perspective", "perspective": {"yfov": 0.8, "znear": 0.1}}
    (job / "result/model.glb").write_bytes(glb({"nodes": nodes, "cameras": [camera], "scenes": [{"nodes": [0, 1, 2]}]}))
    before = everything()
    imported = importer.import_result(job, outputs=("mesh",))
    kinds = sorted(kind for kind, _ in everything() - before if kind != "all_ids")  # which Blender 5.2 has
    assert kinds == ["collections", "images", "materials", "meshes", "objects"]
    assert "from" not in imported.mesh.keys()  # an extra of the file


# ---- where, under which name, and from what ----


def test_result_stands_at_the_cursor_in_its_own_collection(job: Path) -> None:
    bpy.context.scene.cursor.location = (1, 2, 3)
    imported = importer.import_result(job)
    assert tuple(imported.mesh.location) == (1, 2, 3)
    assert imported.collection.name == "red mug" and imported.collection.name in bpy.context.scene.collection.children
    assert {item.name for item in imported.collection.objects} == {"red mug", "red mug points"}
    assert set(bpy.data.objects) == {imported.mesh, imported.points}  # nothing else is left of the import
    assert list(bpy.context.scene.collection.objects) == []
    elsewhere = importer.import_result(job, location=(0, 0, 5), parent=imported.collection, name="other")
    assert tuple(elsewhere.mesh.location) == (0, 0, 5)
    assert elsewhere.collection.name in imported.collection.children
    assert elsewhere.mesh.name == "other" and len(bpy.data.materials) == 3  # the look of points is shared


@pytest.mark.parametrize("mode", ["OBJECT", "EDIT", "SCULPT"])
def test_what_is_selected_stays_selected_and_edits_are_kept(job: Path, mode: str) -> None:
    bpy.ops.mesh.primitive_cube_add()
    cube = bpy.context.object
    bpy.ops.object.mode_set(mode=mode)
    if mode == "EDIT":
        bpy.ops.mesh.subdivide()
    importer.import_result(job)
    assert bpy.context.mode == "OBJECT" and bpy.context.object == cube
    assert bpy.context.selected_objects == [cube]
    assert len(cube.data.vertices) == (26 if mode == "EDIT" else 8)


def test_objects_know_where_they_come_from(job: Path) -> None:
    imported = importer.import_result(job)
    for item in (imported.mesh, imported.points, imported.collection):
        assert item["maquette_prompt"] == "a red mug, studio light"
        assert item["maquette_seed"] == str(2**40)  # a custom property's whole number has 32 bits
        assert (item["maquette_job"], item["maquette_system"]) == (job.name, "tv3dg")
        assert (item["maquette_points"], item["maquette_folder"]) == ("gaussians", str(job))
        assert item["maquette_created"].endswith("Z")
        digest = hashlib.sha256((job / "result/model.glb").read_bytes()).hexdigest()
        assert json.loads(item["maquette_files"])["model.glb"]["sha256"] == digest
        assert json.loads(item["maquette_inputs"]) == {"inputs/00.png": "00ff"}
        assert json.loads(item["maquette_made_with"])["settings"] == {"steps": 300}
    assert list(imported.mesh["maquette_base"]) == pytest.approx([0, 0, LOW[2]], abs=1e-5)


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("a red mug, studio light", "red mug"),
        ("The House. At night", "House"),
        ("mushroom", "mushroom"),
        ("a", "a"),
        ("ü" * 100, "ü" * 29),
        ("", ""),
    ],
)
def test_names_come_from_the_subject(prompt: str, name: str) -> None:
    assert result_files.shortened(result_files.subject_name({"maquette_prompt": prompt})) == name
    assert result_files.subject_name({"maquette_prompt": prompt, "maquette_subject": "teapot"}) == "teapot"


def test_saved_file_opens_with_everything_inside(job: Path, tmp_path: Path) -> None:
    importer.import_result(job, as_asset=True, tags=("mug", "clay"))
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    for file in (job / "result").iterdir():
        file.unlink()
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    image = next(image for image in bpy.data.images if image.name == "red mug base colour")
    assert image.packed_file is not None and len(image.pixels) == TEXTURE * TEXTURE * 4
    item = bpy.data.objects["red mug"]
    assert item["maquette_job"] == job.name
    assert sorted(tag.name for tag in item.asset_data.tags) == ["clay", "mug"]
    assert item.asset_data.description == "a red mug, studio light"
    assert has_red_left_and_blue_right(item)


def test_importing_the_modules_does_not_import_bpy() -> None:
    code = "import sys, addon.scene.importer, addon.api; sys.exit('bpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ---- nothing is left of what fails ----


@pytest.mark.parametrize("failing", ["make_points", "read_metadata", "mark_asset"])
def test_an_import_that_fails_late_leaves_nothing(job: Path, failing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make_points, reached = importer.make_points, []

    def fail(*arguments: Any, **options: Any) -> None:
        reached.append(len(bpy.data.meshes) + len(bpy.data.materials) + len(bpy.data.images))
        if failing == "make_points":
            make_points(*arguments, **options)
        raise MemoryError

    if failing == "read_metadata":  # no property can hold this, which is noticed when all is made
        monkeypatch.setattr(importer, "read_metadata", lambda folder: {"maquette_x": object()})
    else:
        monkeypatch.setattr(importer, failing, fail)
    before = everything()
    with pytest.raises((MemoryError, TypeError)):
        importer.import_result(job, as_asset=True)
    assert everything() == before
    assert failing == "read_metadata" or reached[0] >= 3


def test_points_that_cannot_be_hidden_leave_nothing(job: Path) -> None:
    loose = bpy.data.collections.new("in no scene")  # where objects are in no view layer
    before = everything()
    with pytest.raises(RuntimeError, match="View Layer"):
        importer.import_result(job, parent=loose)
    assert everything() == before and list(loose.children) == []


def test_a_picture_that_is_none_leaves_nothing(job: Path) -> None:
    (job / "result/preview.png").write_bytes(two_colours()[:60])
    before = everything()
    with pytest.raises(result_files.ImportFailed, match="preview.png"):
        importer.import_result(job, as_asset=True)
    assert everything() == before


def test_the_made_block_is_what_the_tests_say() -> None:
    positions, faces, _ = made_results.block()
    corners = positions[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    outwards = corners.mean(axis=1) - positions.mean(axis=0)
    assert ((normals * outwards).sum(axis=1) > 0).all()
