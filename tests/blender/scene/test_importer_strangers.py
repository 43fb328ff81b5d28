"""Results from strangers and damaged ones: each is refused with a sentence, and nothing of it stays in the file."""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from addon.scene import importer, points, result_files
from tests.blender.made_results import gaussians, glb, make_result, ply
from tests.blender.scene.test_importer import everything

bpy: Any = pytest.importorskip("bpy", reason="bpy is not in this environment; install requirements.lock")


@pytest.fixture(autouse=True)
def empty_scene() -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)


@pytest.fixture
def job(tmp_path: Path) -> Path:
    return make_result(tmp_path / "20260101-120000-ab")


def png_header(width: int, height: int) -> bytes:
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))


def mesh(content: bytes) -> Callable[[Path], Any]:
    return lambda job: (job / "result/model.glb").write_bytes(content)


def cloud(content: bytes) -> Callable[[Path], Any]:
    return lambda job: (job / "result/points.ply").write_bytes(content)


def changed(**columns: Any) -> Callable[[Path], Any]:
    """Replace columns of the points; None removes one."""
    kept = {key: value for key, value in (gaussians() | columns).items() if value is not None}
    return cloud(ply({key: np.broadcast_to(np.asarray(value, dtype=float), 200) for key, value in kept.items()}))


def linked(name: str, target: str) -> Callable[[Path], Any]:
    """Put a link in the place of a file or folder of the job."""

    def link(job: Path) -> None:
        (job / name).rename(job.parent / "elsewhere")
        (job / name).symlink_to(target)

    return link


def emptied(job: Path) -> None:
    (job / "result/model.glb").unlink()
    (job / "result/points.ply").unlink()


def truncated(job: Path) -> None:
    with open(job / "result/model.glb", "r+b") as file:
        file.truncate(result_files.MESH_BYTES + 1)  # a hole: it takes no disk


picture = {"bufferView": 3, "mimeType": "image/png"}


BROKEN: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no files": (emptied, "holds neither model.glb nor points.ply"),
    "nonsense": (mesh(b"glTF nonsense"), "model.glb is not a binary glTF file"),
    "nonsense of the right length": (mesh(b"glTF" + b"\0" * 100), "model.glb is not JSON"),
    "no mesh": (mesh(glb({"nodes": [{}]})), "holds 0 meshes; a result holds one"),
    "two meshes": (mesh(glb(meshes=2)), "holds 2 meshes; a result holds one"),
    "what glTF is not": (mesh(glb({"asset": {"version": "1.0"}})), "Blender cannot read .*model.glb"),
    "two GiB": (truncated, "model.glb has 1.0 GiB; at most 1 GiB are imported"),
    "a texture elsewhere": (mesh(glb({"images": [{"uri": "../../secret.png"}]})), "names another file, '../../secret"),
    "a buffer elsewhere": (
        mesh(glb({"buffers": [{"uri": "/etc/passwd", "byteLength": 9}]})),
        "names another file, '/etc",
    ),
    "an endless array": (mesh(glb({"accessors": [{"count": 10**12}]})), "arrays of 1000000000000 elements; at most"),
    "an extension": (mesh(glb({"extensionsRequired": ["KHR_draco"]})), "needs extensions .*KHR_draco"),
    "a texture too large": (mesh(glb(texture=png_header(2**17, 2**17))), "131072 x 131072 pixels; at most"),
    "a texture of nothing": (mesh(glb(texture=b"RIFF0000WEBP")), "is neither PNG nor JPEG"),
    "a texture not there": (mesh(glb({"images": [picture | {"bufferView": 9}]})), "names a texture that it does not"),
    "a texture past the end": (
        mesh(glb({"bufferViews": [{"buffer": 0, "byteOffset": 10**9, "byteLength": 9}] * 4})),
        "names a texture that it does not hold",
    ),
    "a mesh out of sight": (mesh(glb({"nodes": [{"mesh": 0, "scale": [1e9, 1, 1]}]})), "reaches 3e\\+08 units"),
    "cut points": (cloud(ply(gaussians())[:-1]), "bytes of points; its header promises"),
    "text points": (cloud(b"hello"), "is not a binary little endian PLY"),
    "no points": (cloud(ply(gaussians(), count=0)), "header promises 0"),
    "a count of many digits": (cloud(ply(gaussians(), count="9" * 5000)), "does not begin with points"),
    "a lack of fields": (changed(rot_3=None), "without the fields rot_3"),
    "a lack of harmonics": (changed(f_rest_0=0, f_rest_1=0, f_rest_3=0), "without the fields f_rest_2"),
    "two harmonics": (changed(f_rest_0=0, f_rest_1=0), "has 2 fields f_rest"),
    "fields of lists": (cloud(ply(gaussians(), kind="list uchar")), "fields that are not numbers"),
    "fields twice": (
        cloud(ply(gaussians()).replace(b"float rot_3", b"float rot_2")),
        "has 14 fields, of which 13 have a name of their own",
    ),
    "not a number": (changed(x=float("nan")), "has 200 numbers beyond 100000"),
    "points out of sight": (changed(y=1e30), "has 200 numbers beyond 100000"),
    "huge Gaussians": (changed(scale_1=80), "has 200 Gaussians that are larger than 100000 units"),
    "a linked mesh": (
        linked("result/model.glb", "../../elsewhere"),
        "model.glb is a link that leads out",
    ),
    "a linked result": (linked("result", "../elsewhere"), "is a link that leads out of its folder"),
    "a linked request": (linked("request.json", "../elsewhere"), "request.json is a link that leads out"),
    "a torn result.json": (lambda job: (job / "result/result.json").write_text("{"), "result.json is not JSON"),
    "a list": (lambda job: (job / "request.json").write_text("[]"), "request.json holds a list, not an object"),
    "a large request": (
        lambda job: (job / "request.json").write_text(" " * (result_files.JSON_BYTES + 1)),
        "at most 1048576 are read",
    ),
    "a deep request": (lambda job: (job / "request.json").write_text("[" * 100_000), "request.json is not JSON"),
}


@pytest.mark.parametrize("change", BROKEN)
def test_a_bad_result_is_a_sentence_and_leaves_nothing(job: Path, change: str) -> None:
    break_it, sentence = BROKEN[change]
    break_it(job)
    before = everything()
    with pytest.raises(result_files.ImportFailed, match=sentence):
        importer.import_result(job, as_asset=True)
    assert everything() == before


def test_the_same_files_are_imported_when_nothing_is_wrong_with_them(job: Path) -> None:
    mesh(glb())(job)
    changed()(job)
    imported = importer.import_result(job, as_asset=True)
    assert imported.mesh is not None and imported.points is not None


def test_more_points_than_blender_takes_are_refused_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(points, "POINTS", 199)
    (tmp_path / "points.ply").write_bytes(ply(gaussians()))
    with pytest.raises(result_files.ImportFailed, match="has 200 points; at most 199 are imported"):
        points.read_ply(tmp_path / "points.ply")


def test_a_folder_that_is_itself_reached_by_a_link_is_fine(job: Path) -> None:
    os.symlink(job, job.parent / "shortcut")
    mesh = importer.import_result(job.parent / "shortcut").mesh
    assert mesh is not None and mesh["maquette_folder"] == str(job)


def test_metadata_of_a_stranger_cannot_break_a_property(job: Path) -> None:
    said = {"seed": 10**40, "prompt": ["a", "list"], "subject": {"an": "object"}, "prior": None, "versions": "text"}
    (job / "request.json").write_text(json.dumps(said))
    (job / "result/result.json").write_text("{}")
    mesh = importer.import_result(job).mesh
    assert mesh is not None and mesh["maquette_seed"] == str(10**40) and mesh["maquette_prompt"] == "['a', 'list']"
    assert "maquette_prior" not in mesh and "maquette_versions" not in mesh
