"""A GLB file is laid out as the specification of glTF 2.0 says, whatever is put into it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backend.gltf.glb import ARRAY_BUFFER, INDEX_BUFFER, Binary, one_mesh, write_document
from tests.backend.gltf.test_splats import document_and_bytes


def test_views_lie_behind_each_other_each_at_a_multiple_of_four(tmp_path: Path) -> None:
    binary = Binary()
    assert binary.view(b"abcde") == 0
    corners = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert binary.accessor(corners, "VEC3", ARRAY_BUFFER, {"min": [0, 1, 2], "max": [3, 4, 5]}) == 0
    assert binary.accessor(np.array([0, 1], np.uint32), "SCALAR", INDEX_BUFFER) == 1
    write_document(tmp_path / "x.glb", one_mesh({"attributes": {"POSITION": 0}}, "thing", {"seed": 2}), binary)
    document, data = document_and_bytes(tmp_path / "x.glb")
    assert data[:8] == b"abcde\0\0\0" and document["buffers"] == [{"byteLength": len(data)}]
    assert [view["byteOffset"] for view in document["bufferViews"]] == [0, 8, 32]
    first, second = document["accessors"]
    assert (first["componentType"], first["count"], first["min"]) == (5126, 2, [0, 1, 2])
    assert (second["componentType"], second["count"]) == (5125, 2) and "min" not in second
    assert np.frombuffer(data, "<f4", 6, 8).tolist() == [0, 1, 2, 3, 4, 5]
    assert document["nodes"] == [{"mesh": 0, "name": "thing", "extras": {"seed": 2}}]


def test_numbers_that_json_cannot_hold_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        write_document(tmp_path / "x.glb", {"extras": float("nan")}, Binary())
