"""Files: what was written is read back by another program's reader, and comes out in the same bytes."""

from __future__ import annotations

import hashlib
import io
import json
import struct
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from backend.errors import BadInput
from backend.export import read_points_ply, write_glb, write_points_ply, write_result_json
from backend.meshes.baking import bake_texture, unwrap
from backend.meshes.extraction import mesh_from_field, mesh_from_gaussians
from backend.meshes.mesh import Mesh, vertex_normals
from backend.meshes.rasteriser import sample_texture
from backend.representations.fields import colour_field
from backend.representations.gaussians import Gaussians
from tests.backend.gaussian_shapes import coloured, two_coloured_shell


@cache
def textured_ball() -> Mesh:
    shell = two_coloured_shell()
    mesh = unwrap(mesh_from_gaussians(shell, resolution=40, max_faces=2000), size=128)
    return bake_texture(mesh, colour_field(shell), 128)


def gaussians(bands: int = 4, count: int = 7) -> Gaussians:
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    return Gaussians(random(count, 3), random(count, 3), random(count, 4), random(count), random(count, bands, 3))


def glb_document(path: Path) -> dict:
    data = path.read_bytes()
    magic, version, length, json_length, kind = struct.unpack("<4sIIII", data[:20])
    assert (magic, version, length, kind) == (b"glTF", 2, len(data), 0x4E4F534A)
    return json.loads(data[20 : 20 + json_length])


def glb_array(path: Path, attribute: str) -> np.ndarray:
    document, data = glb_document(path), path.read_bytes()
    accessor = document["accessors"][document["meshes"][0]["primitives"][0]["attributes"][attribute]]
    view = document["bufferViews"][accessor["bufferView"]]
    start = 20 + struct.unpack("<I", data[12:16])[0] + 8 + view["byteOffset"]
    return np.frombuffer(data[start : start + view["byteLength"]], dtype="<f4").reshape(accessor["count"], -1)


def read_glb(path: Path) -> Any:
    return trimesh.load(path, force="mesh")


# ---- GLB ----


def test_trimesh_reads_a_closed_textured_mesh(tmp_path: Path) -> None:
    mesh = textured_ball()
    assert mesh.uv is not None and mesh.texture is not None
    write_glb(tmp_path / "model.glb", mesh)
    read = read_glb(tmp_path / "model.glb")
    positions = np.asarray(read.vertices)
    # (x, y, z) with Z up is (x, z, -y) with Y up.
    assert np.allclose(positions, mesh.vertices.numpy()[:, [0, 2, 1]] * [1, 1, -1], atol=1e-6)
    assert np.allclose(read.visual.uv, mesh.uv.numpy() * [1, -1] + [0, 1], atol=1e-6)  # trimesh has v up
    normals = glb_array(tmp_path / "model.glb", "NORMAL")
    assert np.allclose(normals, vertex_normals(mesh).numpy()[:, [0, 2, 1]] * [1, 1, -1], atol=1e-6)
    assert not read.is_watertight  # the seams are open
    read.merge_vertices(merge_tex=True, merge_norm=True)
    assert read.is_watertight and read.volume > 0
    material = read.visual.material
    assert (material.metallicFactor, material.roughnessFactor) == (0.0, 0.8)
    picture = np.asarray(material.baseColorTexture) / 255
    assert np.abs(picture - mesh.texture.numpy()).max() <= 0.5 / 255 + 1e-6  # sRGB as it is, rounded


@pytest.mark.parametrize("shape", ["ball", "box", "torus"])
def test_simple_shapes_are_watertight_once_welded(tmp_path: Path, shape: str) -> None:
    def field(points: torch.Tensor) -> torch.Tensor:
        if shape == "ball":
            return 0.6 - points.norm(dim=-1)
        if shape == "box":
            return (torch.tensor([0.7, 0.4, 0.5]) - points.abs()).amin(dim=-1)
        ring = torch.stack([points[:, :2].norm(dim=-1) - 0.6, points[:, 2]], dim=-1)
        return 0.25 - ring.norm(dim=-1)

    mesh = unwrap(mesh_from_field(field, resolution=40, threshold=0.0, max_faces=2000), size=64)
    write_glb(tmp_path / "model.glb", bake_texture(mesh, lambda points, normals: points * 0 + 0.5, 64))
    read = read_glb(tmp_path / "model.glb")
    read.merge_vertices(merge_tex=True, merge_norm=True)
    assert read.is_watertight
    assert read.euler_number == (0 if shape == "torus" else 2)


def test_the_front_looks_along_plus_z_in_gltf(tmp_path: Path) -> None:
    # glTF: "the front of a glTF asset faces +Z". Ours faces -Y.
    nose = Mesh(
        torch.tensor([[-0.5, 0, 0], [0.5, 0, 0], [0, -1, 0], [0, 0, 0.5]]),
        torch.tensor([[0, 1, 2], [0, 2, 3], [2, 1, 3], [0, 3, 1]]),
    )
    write_glb(tmp_path / "nose.glb", nose)
    read = read_glb(tmp_path / "nose.glb")
    assert read.bounds.tolist() == [[-0.5, 0, 0], [0.5, 0.5, 1.0]]
    assert read.volume > 0  # a rotation, not a mirror


def test_glb_document_is_what_the_format_asks(tmp_path: Path) -> None:
    mesh = textured_ball()
    write_glb(tmp_path / "model.glb", mesh, name="a red mug", extras={"seed": 3})
    document = glb_document(tmp_path / "model.glb")
    assert document["asset"]["version"] == "2.0"
    assert document["nodes"] == [{"mesh": 0, "name": "a red mug", "extras": {"seed": 3}}]
    position = document["accessors"][document["meshes"][0]["primitives"][0]["attributes"]["POSITION"]]
    assert position["count"] == len(mesh.vertices)
    assert position["max"] == pytest.approx(
        [float(mesh.vertices[:, 0].max()), float(mesh.vertices[:, 2].max()), -float(mesh.vertices[:, 1].min())]
    )
    assert all(view["byteOffset"] % 4 == 0 for view in document["bufferViews"])
    last = document["bufferViews"][-1]
    assert last["byteOffset"] + last["byteLength"] <= document["buffers"][0]["byteLength"]
    picture = document["bufferViews"][document["images"][0]["bufferView"]]
    data = (tmp_path / "model.glb").read_bytes()
    start = 20 + struct.unpack("<I", data[12:16])[0] + 8 + picture["byteOffset"]
    assert Image.open(io.BytesIO(data[start : start + picture["byteLength"]])).size == (128, 128)


def test_texture_lands_on_its_side_after_the_round_trip(tmp_path: Path) -> None:
    write_glb(tmp_path / "model.glb", textured_ball())
    read = read_glb(tmp_path / "model.glb")
    uv = torch.from_numpy(np.asarray(read.visual.uv) * [1, -1] + [0, 1])
    picture = torch.from_numpy(np.asarray(read.visual.material.baseColorTexture) / 255)
    rgb = sample_texture(picture, uv)
    x = torch.from_numpy(np.asarray(read.vertices)[:, 0])
    assert bool((rgb[x > 0.12, 0] > rgb[x > 0.12, 2]).all()) and bool((rgb[x < -0.12, 0] < rgb[x < -0.12, 2]).all())


def test_a_mesh_without_texture_is_grey(tmp_path: Path) -> None:
    ball = mesh_from_field(lambda points: 0.5 - points.norm(dim=-1), resolution=16, threshold=0.0)
    write_glb(tmp_path / "grey.glb", ball)
    document = glb_document(tmp_path / "grey.glb")
    assert "images" not in document
    assert document["materials"][0]["pbrMetallicRoughness"]["baseColorFactor"] == [0.5, 0.5, 0.5, 1.0]
    assert read_glb(tmp_path / "grey.glb").is_watertight


def test_same_mesh_same_bytes(tmp_path: Path) -> None:
    textured_ball.cache_clear()
    write_glb(tmp_path / "one.glb", textured_ball(), extras={"b": 1, "a": 2})
    textured_ball.cache_clear()
    write_glb(tmp_path / "two.glb", textured_ball(), extras={"a": 2, "b": 1})
    assert (tmp_path / "one.glb").read_bytes() == (tmp_path / "two.glb").read_bytes()


def test_meshes_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="0 faces"):
        write_glb(tmp_path / "none.glb", Mesh(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.long)))
    broken = Mesh(torch.full((3, 3), float("nan")), torch.tensor([[0, 1, 2]]))
    with pytest.raises(ValueError, match="9 coordinates of the mesh are not finite"):
        write_glb(tmp_path / "nan.glb", broken)
    assert list(tmp_path.iterdir()) == []


# ---- PLY ----


@pytest.mark.parametrize("bands", [1, 4, 16])
def test_points_come_back(tmp_path: Path, bands: int) -> None:
    written = gaussians(bands)
    write_points_ply(tmp_path / "points.ply", written)
    read = read_points_ply(tmp_path / "points.ply")
    for name in ("means", "log_scales", "opacity_logits", "sh"):
        assert torch.equal(getattr(read, name), getattr(written, name)), name
    unit = torch.nn.functional.normalize(written.quaternions, dim=-1)
    assert torch.allclose(read.quaternions, unit, atol=1e-6)


def test_points_of_files_without_harmonics_are_the_same(tmp_path: Path) -> None:
    """As programs write them whose colours do not depend on the view, and as ours were."""
    write_points_ply(tmp_path / "new.ply", gaussians(1))
    header, _, table = (tmp_path / "new.ply").read_bytes().partition(b"end_header\n")
    lines = [line for line in header.splitlines() if b"f_rest" not in line]
    rows = np.frombuffer(table, dtype="<f4").reshape(7, 62)
    assert not rows[:, 9:54].any()
    short = np.delete(rows, np.s_[9:54], axis=1)
    (tmp_path / "old.ply").write_bytes(b"\n".join([*lines, b"end_header", b""]) + short.tobytes())
    new, old = read_points_ply(tmp_path / "new.ply"), read_points_ply(tmp_path / "old.ply")
    assert new.sh.shape == old.sh.shape == (7, 1, 3) and torch.equal(new.sh, old.sh)
    assert torch.equal(new.means, old.means) and torch.equal(new.quaternions, old.quaternions)


def test_layout_is_that_of_3d_gaussian_splatting(tmp_path: Path) -> None:
    written = gaussians(4)
    write_points_ply(tmp_path / "points.ply", written)
    read = trimesh.load(tmp_path / "points.ply").metadata["_ply_raw"]["vertex"]
    names = list(read["properties"])
    rest = [f"f_rest_{k}" for k in range(45)]  # as many as viewers ask for
    assert names == [
        "x",
        "y",
        "z",
        "nx",
        "ny",
        "nz",
        "f_dc_0",
        "f_dc_1",
        "f_dc_2",
        *rest,
        "opacity",
        "scale_0",
        "scale_1",
        "scale_2",
        "rot_0",
        "rot_1",
        "rot_2",
        "rot_3",
    ]
    data = read["data"]
    # Channel by channel: the first three are red's.
    assert np.allclose([data[f"f_rest_{k}"].squeeze() for k in range(3)], written.sh[:, 1:, 0].T)
    assert np.allclose([data[f"f_rest_{15 + k}"].squeeze() for k in range(3)], written.sh[:, 1:, 1].T)
    assert not any(data[f"f_rest_{15 * channel + k}"].any() for channel in range(3) for k in range(3, 15))
    assert np.allclose(data["opacity"].squeeze(), written.opacity_logits)
    assert np.allclose(data["scale_1"].squeeze(), written.log_scales[:, 1])
    assert np.allclose(data["nx"].squeeze(), 0)


def test_same_points_same_bytes(tmp_path: Path) -> None:
    write_points_ply(tmp_path / "one.ply", gaussians())
    write_points_ply(tmp_path / "two.ply", gaussians())
    assert (tmp_path / "one.ply").read_bytes() == (tmp_path / "two.ply").read_bytes()


def test_broken_points_are_refused(tmp_path: Path) -> None:
    broken = gaussians()
    broken.log_scales[2:4, 0] = float("inf")
    with pytest.raises(ValueError, match="2 of 7 Gaussians hold numbers that are not finite"):
        write_points_ply(tmp_path / "points.ply", broken)


def damaged(path: Path, change: str) -> None:
    write_points_ply(path, gaussians(1))
    data = path.read_bytes()
    match change:
        case "cut":
            path.write_bytes(data[:-5])
        case "text":
            path.write_bytes(b"not a ply at all")
        case "other fields":
            path.write_bytes(data.replace(b"property float opacity", b"property float density"))
        case "doubles":
            path.write_bytes(data.replace(b"property float opacity", b"property double opacity"))
        case "faces":
            path.write_bytes(data.replace(b"end_header", b"element face 3\nend_header"))
        case "rest":
            path.write_bytes(data.replace(b"property float nx", b"property float f_rest_45"))
        case "degree 4":  # 25 bands: a square, but no set of harmonics that is read
            more = b"".join(b"property float f_rest_%d\n" % k for k in range(45, 72))
            path.write_bytes(
                data.replace(b"property float opacity", more + b"property float opacity") + bytes(7 * 27 * 4)
            )
        case "digits":
            path.write_bytes(data.replace(b"vertex 7\n", b"vertex " + b"9" * 5000 + b"\n"))
        case "no number":
            path.write_bytes(data.replace(b"element vertex 7\n", b"element \n"))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("cut", "has 1731 bytes of points; its header promises 1736"),
        ("text", "is not a binary little endian PLY"),
        ("other fields", "the fields opacity are missing"),
        ("doubles", "properties that are not floats"),
        ("faces", "holds more than points"),
        ("rest", "f_rest fields fit no degree"),
        ("degree 4", "72 f_rest fields fit no degree"),
        ("digits", "holds more than points"),
        ("no number", "holds more than points"),
    ],
)
def test_damaged_points_are_a_sentence(tmp_path: Path, change: str, sentence: str) -> None:
    damaged(tmp_path / "points.ply", change)
    with pytest.raises(BadInput, match=sentence) as caught:
        read_points_ply(tmp_path / "points.ply")
    assert caught.value.hint


# ---- result.json ----


def test_result_tells_what_was_made(tmp_path: Path) -> None:
    write_points_ply(tmp_path / "points.ply", coloured(torch.zeros(1, 3), torch.ones(1, 3), scale=0.1))
    write_result_json(
        tmp_path, points="gaussians", seed=7, seconds={"distil": 1.23456}, details={"prompt": "ein Krügle"}
    )
    write_result_json(
        tmp_path, points="gaussians", seed=7, seconds={"distil": 1.23456}, details={"prompt": "ein Krügle"}
    )
    result = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert (result["seed"], result["points"], result["prompt"]) == (7, "gaussians", "ein Krügle")
    assert result["seconds"] == {"distil": 1.235}
    assert (
        result["versions"]["torch"] == torch.__version__.split("+")[0]
        or result["versions"]["torch"] == torch.__version__
    )
    data = (tmp_path / "points.ply").read_bytes()
    assert result["files"] == {"points.ply": {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}}


def test_result_does_not_lie_about_points(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="said to be 'gaussians', but points.ply is missing"):
        write_result_json(tmp_path, points="gaussians", seed=0, seconds={})
    (tmp_path / "points.ply").write_bytes(b"")
    with pytest.raises(ValueError, match="said to be 'none', but points.ply is there"):
        write_result_json(tmp_path, points="none", seed=0, seconds={})
