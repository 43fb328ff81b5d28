"""What the backend's own code writes, Blender reads: the two sides of the job folder meet here."""

# Blender makes its module at run time; pyright sees an almost empty one.
# pyright: reportOptionalMemberAccess=false, reportOptionalSubscript=false, reportMissingImports=false

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch: Any = pytest.importorskip("torch", reason="torch is not in this environment; install requirements.lock")
bpy: Any = pytest.importorskip("bpy", reason="bpy is not in this environment; install requirements.lock")

from addon.scene import importer, points  # noqa: E402
from backend.export import write_glb, write_points_ply, write_result_json  # noqa: E402
from backend.meshes.baking import bake_texture, unwrap  # noqa: E402
from backend.meshes.extraction import mesh_from_gaussians  # noqa: E402
from backend.meshes.mesh import Mesh  # noqa: E402
from backend.representations.fields import colour_field  # noqa: E402
from backend.representations.gaussians import Gaussians  # noqa: E402
from tests.backend.gaussian_shapes import RED, coloured, joined, two_coloured_shell  # noqa: E402
from tests.blender.scene.test_importer import positions_of, volume  # noqa: E402


@cache
def subject() -> tuple[Gaussians, Mesh]:
    """A red and blue ball with a nose on its front (-Y)."""
    nose = coloured(torch.tensor([[0.0, -0.85, 0]]), torch.tensor([RED]), scale=0.08)
    shell = joined(two_coloured_shell(), nose)
    mesh = unwrap(mesh_from_gaussians(shell, resolution=40, max_faces=2000), size=128)
    return shell, bake_texture(mesh, colour_field(shell), 128)


@pytest.fixture
def job(tmp_path: Path) -> Path:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    folder = tmp_path / "20260101-120000-ab"
    (folder / "result").mkdir(parents=True)
    (folder / "request.json").write_text(json.dumps({"prompt": "a red mug"}), encoding="utf-8")
    gaussians, mesh = subject()
    write_glb(folder / "result/model.glb", mesh)
    write_points_ply(folder / "result/points.ply", gaussians)
    write_result_json(folder / "result", points="gaussians", seed=3, seconds={"distil": 1.5})
    return folder


def test_the_backends_mesh_is_whole_and_faces_the_front(job: Path) -> None:
    mesh, original = importer.import_result(job).mesh, subject()[1].vertices.numpy()
    positions = positions_of(mesh)
    assert positions[:, 1].min() == pytest.approx(original[:, 1].min(), abs=1e-5) and original[:, 1].min() < -0.85
    assert positions[:, 0].max() == pytest.approx(original[:, 0].max(), abs=1e-5)
    assert (positions[:, 2].min(), np.ptp(positions[:, 2])) == pytest.approx((0, np.ptp(original[:, 2])), abs=1e-5)
    assert len(mesh.data.polygons) == len(subject()[1].faces) and volume(mesh) > 1
    image = next(node.image for node in mesh.data.materials[0].node_tree.nodes if node.type == "TEX_IMAGE")
    assert tuple(image.size) == (128, 128) and image.packed_file is not None


def test_the_backends_red_side_is_red_in_blender(job: Path) -> None:
    item = importer.import_result(job).mesh
    image = next(node.image for node in item.data.materials[0].node_tree.nodes if node.type == "TEX_IMAGE")
    pixels = np.array(image.pixels[:]).reshape(128, 128, 4)
    uv = np.array([loop.uv for loop in item.data.uv_layers.active.data])
    x = positions_of(item)[[loop.vertex_index for loop in item.data.loops], 0]
    rows, columns = (np.clip((uv[:, axis] * 128).astype(int), 0, 127) for axis in (1, 0))
    for side, more, less in ((x > 0.15, 0, 2), (x < -0.15, 2, 0)):
        assert side.sum() > 100 and (pixels[rows, columns][side, more] > pixels[rows, columns][side, less]).all()


def test_the_backends_gaussians_are_read_back(job: Path) -> None:
    gaussians, columns = subject()[0], points.read_ply(job / "result/points.ply")
    attributes = points.point_attributes(columns)
    assert np.allclose(attributes["radiance:base"][1][:, :3], gaussians.sh[:, 0], atol=1e-5)
    assert np.allclose(attributes["radiance:base"][1][:, 3], gaussians.opacities, atol=1e-5)
    assert np.allclose(attributes["scale"][1], gaussians.scales, atol=1e-6)
    imported = importer.import_result(job)
    assert imported.points["maquette_points"] == "gaussians" and imported.points["maquette_seed"] == 3


def test_the_backends_harmonics_keep_their_order(tmp_path: Path) -> None:
    gaussians = Gaussians(torch.rand(3, 3), torch.zeros(3, 3), torch.rand(3, 4), torch.zeros(3), torch.rand(3, 4, 3))
    write_points_ply(tmp_path / "points.ply", gaussians)
    attributes = points.point_attributes(points.read_ply(tmp_path / "points.ply"))
    for k in range(3):
        assert np.allclose(attributes[f"radiance:sh_{k}"][1], gaussians.sh[:, k + 1])
