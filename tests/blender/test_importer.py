"""Imports into Blender as a Python module: geometry, materials, points, places, names, and what is refused."""

# Blender makes its module at run time, and a result may lack a part: neither is for pyright to judge here.
# pyright: reportOptionalMemberAccess=false, reportOptionalSubscript=false, reportMissingImports=false

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image
from trimesh.visual.material import PBRMaterial
from trimesh.visual.texture import TextureVisuals

bpy: Any = pytest.importorskip("bpy", reason="bpy is not in this environment; install requirements.lock")

from addon import importer  # noqa: E402
from backend.baking import bake_texture, unwrap  # noqa: E402
from backend.export import write_glb, write_points_ply, write_result_json  # noqa: E402
from backend.meshing import mesh_from_gaussians  # noqa: E402
from backend.representations.fields import colour_field  # noqa: E402
from backend.representations.gaussians import Gaussians  # noqa: E402
from backend.representations.mesh import Mesh  # noqa: E402
from tests.backend.gaussian_shapes import RED, coloured, joined, two_coloured_shell  # noqa: E402


@cache
def subject() -> tuple[Gaussians, Mesh]:
    """A red and blue ball with a nose on its front (-Y)."""
    nose = coloured(torch.tensor([[0.0, -0.85, 0]]), torch.tensor([RED]), scale=0.08)
    shell = joined(two_coloured_shell(), nose)
    mesh = unwrap(mesh_from_gaussians(shell, resolution=40, max_faces=2000), size=128)
    return shell, bake_texture(mesh, colour_field(shell), 128)


@pytest.fixture
def job(tmp_path: Path) -> Path:
    folder = tmp_path / "20260101-120000-ab"
    (folder / "result").mkdir(parents=True)
    request = {
        "system": "tv3dg",
        "prompt": "a red mug, studio light",
        "seed": 2**40,
        "preset": "draft",
        "prior": "embedded",
    }
    (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
    gaussians, mesh = subject()
    write_glb(folder / "result/model.glb", mesh)
    write_points_ply(folder / "result/points.ply", gaussians)
    write_result_json(folder / "result", points="gaussians", seed=2**40, seconds={"distil": 1.5})
    return folder


@pytest.fixture(autouse=True)
def empty_scene() -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)


def positions_of(item: Any) -> np.ndarray:
    values = np.empty(len(item.data.vertices) * 3, dtype=np.float32)
    item.data.vertices.foreach_get("co", values)
    return values.reshape(-1, 3)


def attribute(item: Any, name: str, field: str, width: int) -> np.ndarray:
    data = item.data.attributes[name].data
    values = np.empty(len(data) * width, dtype=np.float32)
    data.foreach_get(field, values)
    return values.reshape(-1, width)


def shown(item: Any) -> tuple[np.ndarray, list[str], list[str]]:
    """What the look makes of an object: the radii of its points, its materials and its attributes."""
    item.hide_set(False)
    geometry = item.evaluated_get(bpy.context.evaluated_depsgraph_get()).evaluated_geometry()
    cloud = geometry.pointcloud  # lives as long as `geometry`
    radii = np.array([point.radius for point in cloud.points])
    return radii, [material.name for material in cloud.materials], list(cloud.attributes.keys())


# ---- the mesh ----


def test_front_stays_front_and_up_stays_up(job: Path) -> None:
    imported = importer.import_result(job)
    positions, original = positions_of(imported.mesh), subject()[1].vertices.numpy()
    assert positions[:, 1].min() == pytest.approx(original[:, 1].min(), abs=1e-5) and original[:, 1].min() < -0.85
    assert positions[:, 1].max() == pytest.approx(original[:, 1].max(), abs=1e-5)
    assert positions[:, 0].max() == pytest.approx(original[:, 0].max(), abs=1e-5)
    assert positions[:, 2].min() == pytest.approx(0, abs=1e-5)  # the base is the origin
    assert np.ptp(positions[:, 2]) == pytest.approx(np.ptp(original[:, 2]), abs=1e-5)
    assert list(imported.mesh.rotation_euler) == [0, 0, 0] and list(imported.mesh.scale) == [1, 1, 1]


def test_mesh_is_closed_in_blender_too(job: Path) -> None:
    import bmesh

    mesh = bmesh.new()
    mesh.from_mesh(importer.import_result(job).mesh.data)
    assert len(mesh.faces) == len(subject()[1].faces)
    assert all(edge.is_manifold for edge in mesh.edges)
    assert mesh.calc_volume(signed=True) > 1
    mesh.free()


def test_material_is_a_principled_one_with_a_packed_srgb_texture(job: Path) -> None:
    item = importer.import_result(job).mesh
    (material,) = item.data.materials
    principled = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    assert principled.inputs["Roughness"].default_value == pytest.approx(0.8)
    assert principled.inputs["Metallic"].default_value == 0
    image = principled.inputs["Base Color"].links[0].from_node.image
    assert image.packed_file is not None and image.colorspace_settings.name == "sRGB"
    assert tuple(image.size) == (128, 128)
    assert (item.name, material.name, image.name) == ("red mug", "red mug", "red mug base colour")


def test_texture_lies_on_its_side(job: Path) -> None:
    item = importer.import_result(job).mesh
    image = next(node.image for node in item.data.materials[0].node_tree.nodes if node.type == "TEX_IMAGE")
    pixels = np.array(image.pixels[:]).reshape(128, 128, 4)  # the first row is the lowest, as v goes
    uv = np.array([loop.uv for loop in item.data.uv_layers.active.data])
    corners = np.array([loop.vertex_index for loop in item.data.loops])
    x = positions_of(item)[corners, 0]
    rows, columns = (np.clip((uv[:, axis] * 128).astype(int), 0, 127) for axis in (1, 0))
    rgb = pixels[rows, columns]
    for side, more, less in ((x > 0.15, 0, 2), (x < -0.15, 2, 0)):
        assert side.sum() > 100 and (rgb[side, more] > rgb[side, less]).all()


# ---- the points ----


def test_points_carry_their_splats_under_blenders_names(job: Path) -> None:
    item, gaussians = importer.import_result(job).points, subject()[0]
    base = attribute(item, "radiance:base", "color", 4)
    assert np.allclose(base[:, :3], gaussians.sh[:, 0], atol=1e-5)
    assert np.allclose(base[:, 3], gaussians.opacities, atol=1e-5)
    assert np.allclose(attribute(item, "scale", "vector", 3), gaussians.scales, atol=1e-6)
    assert np.allclose(attribute(item, "rotation", "value", 4), [1, 0, 0, 0], atol=1e-6)
    # sRGB 0.9 is linear 0.7874: ((0.9 + 0.055) / 1.055) ** 2.4.
    assert attribute(item, "Color", "color", 4)[-1, 0] == pytest.approx(0.7874, abs=1e-3)


def test_points_lie_in_the_mesh(job: Path) -> None:
    imported = importer.import_result(job)
    mesh, points = positions_of(imported.mesh), positions_of(imported.points)
    assert tuple(imported.points.location) == tuple(imported.mesh.location)
    assert (points.min(axis=0) > mesh.min(axis=0) - 0.01).all() and (points.max(axis=0) < mesh.max(axis=0) + 0.01).all()
    assert imported.points.hide_get() and imported.points.hide_render  # they would cover the mesh
    assert not imported.mesh.hide_get()


def test_points_are_seen(job: Path) -> None:
    item = importer.import_result(job, outputs=("points",)).points
    assert not item.hide_get()
    radii, materials, attributes = shown(item)
    assert len(radii) == len(subject()[0])
    assert np.allclose(radii[:-1], 0.075, atol=1e-4) and radii[-1] == pytest.approx(0.12, abs=1e-4)
    assert materials == ["Maquette points"]
    assert "Color" in attributes


def test_faint_points_are_kept_but_not_seen(job: Path) -> None:
    faint = coloured(torch.rand(5, 3), torch.rand(5, 3), scale=0.05, opacity=0.05)
    write_points_ply(job / "result/points.ply", joined(subject()[0], faint))
    item = importer.import_result(job, outputs=("points",)).points
    assert len(item.data.vertices) == len(subject()[0]) + 5
    assert len(shown(item)[0]) == len(subject()[0])


def test_higher_harmonics_become_one_attribute_each(tmp_path: Path) -> None:
    gaussians = Gaussians(torch.rand(3, 3), torch.zeros(3, 3), torch.rand(3, 4), torch.zeros(3), torch.rand(3, 4, 3))
    write_points_ply(tmp_path / "points.ply", gaussians)
    attributes = importer.point_attributes(importer.read_ply(tmp_path / "points.ply"))
    for k in range(3):
        assert np.allclose(attributes[f"radiance:sh_{k}"][1], gaussians.sh[:, k + 1])
    assert "radiance:sh_3" not in attributes


def test_plain_coloured_points_come_in_too(tmp_path: Path) -> None:
    header = "ply\nformat binary_little_endian 1.0\nelement vertex 2\n"
    header += "".join(f"property float {axis}\n" for axis in "xyz")
    header += "".join(f"property uchar {channel}\n" for channel in ("red", "green", "blue")) + "end_header\n"
    fields = [("xyz", "<f4", 3), ("rgb", "u1", 3)]
    table = np.array([((0, 0, 0), (255, 0, 0)), ((1, 2, 3), (0, 0, 255))], dtype=fields)
    (tmp_path / "points.ply").write_bytes(header.encode() + table.tobytes())
    item = importer.make_points(importer.read_ply(tmp_path / "points.ply"), bpy.context.scene.collection, "two")
    assert positions_of(item).tolist() == [[0, 0, 0], [1, 2, 3]]
    assert attribute(item, "Color", "color", 4).tolist() == [[1, 0, 0, 1], [0, 0, 1, 1]]
    assert len(shown(item)[0]) == 2


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


def test_objects_know_where_they_come_from(job: Path) -> None:
    imported = importer.import_result(job)
    for item in (imported.mesh, imported.points, imported.collection):
        assert item["maquette_prompt"] == "a red mug, studio light"
        assert item["maquette_seed"] == str(2**40)  # a custom property's whole number has 32 bits
        assert (item["maquette_job"], item["maquette_system"]) == (job.name, "tv3dg")
        assert item["maquette_points"] == "gaussians"
        digest = hashlib.sha256((job / "result/model.glb").read_bytes()).hexdigest()
        assert json.loads(item["maquette_files"])["model.glb"]["sha256"] == digest
    original = subject()[1].vertices[:, 2].min()
    assert list(imported.mesh["maquette_base"]) == pytest.approx([0, 0, float(original)], abs=1e-5)


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
    assert importer.shortened(importer.subject_name({"maquette_prompt": prompt})) == name
    assert importer.subject_name({"maquette_prompt": prompt, "maquette_subject": "teapot"}) == "teapot"


def test_saved_file_opens_with_everything_inside(job: Path, tmp_path: Path) -> None:
    importer.import_result(job)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    for file in (job / "result").iterdir():
        file.unlink()
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    image = next(image for image in bpy.data.images if image.name == "red mug base colour")
    assert image.packed_file is not None and len(image.pixels) == 128 * 128 * 4
    assert len(shown(bpy.data.objects["red mug points"])[0]) == len(subject()[0])


def test_importing_the_module_does_not_import_bpy() -> None:
    code = "import sys, addon.importer; sys.exit('bpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ---- what is refused ----


def break_job(job: Path, change: str) -> None:
    result = job / "result"
    match change:
        case "no files":
            (result / "model.glb").unlink()
            (result / "points.ply").unlink()
        case "no glb":
            (result / "model.glb").write_bytes(b"glTF nonsense")
        case "two meshes":
            boxes = [trimesh.creation.box(), trimesh.creation.icosphere()]
            for box in boxes:
                material = PBRMaterial(baseColorTexture=Image.new("RGB", (2, 2), "red"))
                box.visual = TextureVisuals(uv=box.vertices[:, :2], material=material)
            trimesh.Scene(boxes).export(result / "model.glb")
        case "cut points":
            (result / "points.ply").write_bytes((result / "points.ply").read_bytes()[:-1])
        case "text points":
            (result / "points.ply").write_bytes(b"hello")
        case "fields":
            data = (result / "points.ply").read_bytes()
            (result / "points.ply").write_bytes(data.replace(b"property float rot_3", b"property float row_3"))
        case "link":
            (result / "model.glb").rename(job / "elsewhere.glb")
            (result / "model.glb").symlink_to(job / "elsewhere.glb")
        case "json":
            (result / "result.json").write_text("{")
        case "list":
            (job / "request.json").write_text("[]")
        case "large json":
            (job / "request.json").write_text(" " * (importer.JSON_BYTES + 1))


def everything() -> set[tuple[str, str]]:
    """Name all that the open file holds."""
    kinds = [kind.identifier for kind in bpy.data.bl_rna.properties if kind.type == "COLLECTION"]
    return {(kind, item.name) for kind in kinds for item in getattr(bpy.data, kind)}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("no files", "holds neither model.glb nor points.ply"),
        ("no glb", "Blender cannot read .*model.glb"),
        ("two meshes", "model.glb holds 2 meshes; a result holds one"),
        ("cut points", "bytes of points; its header promises"),
        ("text points", "is not a binary little endian PLY"),
        ("fields", "without the fields rot_3"),
        ("link", "leads out of its folder"),
        ("json", "result.json is not JSON"),
        ("list", "request.json holds a list, not an object"),
        ("large json", "at most 1048576 are read"),
    ],
)
def test_a_broken_result_is_a_sentence_and_leaves_nothing(job: Path, change: str, sentence: str) -> None:
    break_job(job, change)
    before = everything()
    with pytest.raises(importer.ImportFailed, match=sentence):
        importer.import_result(job)
    assert everything() == before


@pytest.mark.parametrize("failing", ["make_points", "read_metadata"])
def test_an_import_that_fails_late_leaves_nothing(job: Path, failing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make_points, reached = importer.make_points, []

    def fail(*arguments: Any, **options: Any) -> None:
        reached.append(len(bpy.data.meshes) + len(bpy.data.materials) + len(bpy.data.images))
        make_points(*arguments, **options)
        raise MemoryError

    if failing == "make_points":
        monkeypatch.setattr(importer, "make_points", fail)
    else:  # no property can hold this, which is noticed when all is made
        monkeypatch.setattr(importer, "read_metadata", lambda folder: {"maquette_x": object()})
    before = everything()
    with pytest.raises((MemoryError, TypeError)):
        importer.import_result(job)
    assert everything() == before
    assert failing != "make_points" or reached == [3]


def test_points_that_cannot_be_hidden_leave_nothing(job: Path) -> None:
    loose = bpy.data.collections.new("in no scene")  # where objects are in no view layer
    before = everything()
    with pytest.raises(RuntimeError, match="View Layer"):
        importer.import_result(job, parent=loose)
    assert everything() == before and list(loose.children) == []
