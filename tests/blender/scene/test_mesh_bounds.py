"""What a GLB promises stands in its bytes, and is not used so often that a small file becomes a large mesh."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from addon.scene.mesh_bounds import ITEMS, OutOfBounds, check_bounds

SIZE = 36 + 12  # bytes: three corners, and their numbers

PLAIN: dict[str, Any] = {
    "scenes": [{"nodes": [0]}],
    "nodes": [{"mesh": 0}],
    "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
    "accessors": [
        {"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"},
        {"bufferView": 1, "componentType": 5125, "count": 3, "type": "SCALAR"},
    ],
    "bufferViews": [
        {"buffer": 0, "byteOffset": 0, "byteLength": 36},
        {"buffer": 0, "byteOffset": 36, "byteLength": 12},
    ],
    "buffers": [{"byteLength": SIZE}],
}


def changed(change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    document = copy.deepcopy(PLAIN)
    change(document)
    return document


def test_a_mesh_that_holds_what_it_says_is_fine():
    check_bounds(PLAIN, SIZE)
    check_bounds({}, 0)
    check_bounds(changed(lambda d: d["bufferViews"][0].update(byteStride=12)), SIZE)
    two_parts = changed(lambda d: d["meshes"][0]["primitives"].append({"attributes": {"POSITION": 0}, "indices": 1}))
    check_bounds(two_parts, SIZE)  # that share their vertices


def many_parts(document: dict[str, Any]) -> None:
    document["meshes"][0]["primitives"] *= 600


def heavy(document: dict[str, Any]) -> None:
    """19 kB that become 1.2 GB: a thousand floats used three hundred times, in a thousand places."""
    document["accessors"][0]["count"] = 1_000
    document["bufferViews"][0] = {"byteLength": 12_000}
    document["meshes"][0]["primitives"] = [{"attributes": {"POSITION": 0}}] * 300


def bushy(document: dict[str, Any]) -> None:
    """30 nodes that are 2^30 when each is looked at below each of its parents."""
    document["nodes"] = [{"children": [n + 1, n + 1]} for n in range(30)] + [{"mesh": 0}]


OUT: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "count": (lambda d: d["accessors"][0].update(count=4), "array of 4 elements, and holds 36 bytes"),
    "huge count": (lambda d: d["accessors"][0].update(count=10**310), "promises arrays of 1000"),
    "negative count": (lambda d: d["accessors"][0].update(count=-1), "promises arrays of -1, 3 elements"),
    "count that is none": (lambda d: d["accessors"][0].update(count=True), "promises arrays of True"),
    "zeros": (lambda d: d["accessors"][0].pop("bufferView"), "no bytes stand behind"),
    "sparse": (lambda d: d["accessors"][0].update(sparse={"count": 1}), "no bytes stand behind"),
    "no type": (lambda d: d["accessors"][0].update(type="VEC9"), "no bytes stand behind"),
    "a list for a type": (lambda d: d["accessors"][0].update(componentType=[]), "no bytes stand behind"),
    "offset": (lambda d: d["accessors"][0].update(byteOffset=1), "holds 36 bytes"),
    "negative offset": (lambda d: d["accessors"][0].update(byteOffset=-36), "no bytes stand behind"),
    "stride": (lambda d: d["bufferViews"][0].update(byteStride=1), "no bytes stand behind"),
    "wide stride": (lambda d: d["bufferViews"][0].update(byteStride=16), "holds 36 bytes"),
    "view": (lambda d: d["bufferViews"][1].update(byteLength=10**9), "no bytes stand behind"),
    "another buffer": (lambda d: d["bufferViews"][1].update(buffer=1), "no bytes stand behind"),
    "no such view": (lambda d: d["accessors"][1].update(bufferView=2), "no bytes stand behind"),
    "no such array": (lambda d: d["meshes"][0]["primitives"][0].update(indices=7), "arrays that are not there"),
    "many parts": (many_parts, "uses its arrays 1200 times"),
    "many places": (lambda d: d.update(nodes=[{"mesh": 0}] * 600), "uses its arrays 1200 times"),
    "many targets": (
        lambda d: d["meshes"][0]["primitives"][0].update(targets=[{"POSITION": 0}] * 2_000),
        "uses its arrays 2002 times",
    ),
    "a bush": (bushy, "has nodes that share their children"),
    "scenes that share": (lambda d: d.update(scenes=[{"nodes": [0, 0]}]), "share their nodes"),
    "many nodes": (lambda d: d.update(nodes=[{}] * (ITEMS + 1)), "has 1001 nodes; at most 1000"),
    "no list": (lambda d: d.update(meshes={"a": 1}), "meshes that are no list"),
    "numbers for nodes": (lambda d: d.update(nodes=[1]), "nodes that are no list of objects"),
    "animations": (lambda d: d.update(animations=[{}]), "needs animations that no result has"),
    "compressed": (
        lambda d: d["meshes"][0]["primitives"][0].update(extensions={"KHR_draco_mesh_compression": {}}),
        "extensions of glTF in its meshes",
    ),
    "instances": (lambda d: d["nodes"][0].update(extensions={"EXT_mesh_gpu_instancing": {}}), "in its nodes"),
}


@pytest.mark.parametrize("case", OUT)
def test_what_promises_more_is_refused(case):
    change, sentence = OUT[case]
    with pytest.raises(OutOfBounds, match=sentence):
        check_bounds(changed(change), SIZE)


def test_a_small_file_does_not_become_a_large_mesh():
    with pytest.raises(OutOfBounds, match="uses its arrays 300 times, 3600000 bytes in all, and holds 12000"):
        check_bounds(changed(heavy) | {"accessors": changed(heavy)["accessors"][:1]}, 12_000)
