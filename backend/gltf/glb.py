"""Binary glTF 2.0 as a file: one JSON document, and the bytes that it describes. Same input, same bytes."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np

GENERATOR = "Maquette"
ARRAY_BUFFER, INDEX_BUFFER = 34962, 34963  # glTF's numbers for what bytes are
_FLOAT, _UNSIGNED = 5126, 5125  # and for types


def one_mesh(
    primitive: Mapping[str, object], name: str, extras: Mapping[str, str | int | float] | None = None
) -> dict[str, object]:
    """Return the part of a document that puts one mesh of one primitive into one scene; `extras` go to its node."""
    node: dict[str, object] = {"mesh": 0, "name": name}
    return {
        "scene": 0,
        "scenes": [{"nodes": [0], "name": name}],
        "nodes": [node | {"extras": dict(extras)} if extras else node],
        "meshes": [{"name": name, "primitives": [dict(primitive)]}],
    }


def write_document(path: Path, document: Mapping[str, object], binary: Binary) -> None:
    """Write a document with the accessors, views and bytes that it speaks of. Raises ValueError for nan and inf."""
    whole = dict(document) | {
        "asset": {"version": "2.0", "generator": GENERATOR},
        "accessors": binary.accessors,
        "bufferViews": binary.views,
        "buffers": [{"byteLength": len(binary.data)}],
    }
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    with open(path, "wb") as file:
        file.write(struct.pack("<III", 0x46546C67, 2, 12 + 8 + len(text) + 8 + len(binary.data)))
        file.write(struct.pack("<II", len(text), 0x4E4F534A) + text)
        file.write(struct.pack("<II", len(binary.data), 0x004E4942) + binary.data)


class Binary:
    """The binary chunk of a GLB while it grows, with the views and accessors into it."""

    def __init__(self) -> None:
        self.data = b""
        self.views: list[dict[str, object]] = []
        self.accessors: list[dict[str, object]] = []

    def view(self, content: bytes, target: int | None = None) -> int:
        """Append bytes, and return the number of their view."""
        view: dict[str, object] = {"buffer": 0, "byteOffset": len(self.data), "byteLength": len(content)}
        self.views.append(view if target is None else view | {"target": target})
        self.data += content + b"\0" * (-len(content) % 4)
        return len(self.views) - 1

    def accessor(self, values: np.ndarray, shape: str, target: int, bounds: Mapping[str, object] | None = None) -> int:
        """Append an array of 32 bits, and return the number of its accessor; `bounds` are its `min` and `max`."""
        kind = _UNSIGNED if values.dtype == np.uint32 else _FLOAT
        content = np.ascontiguousarray(values, dtype="<u4" if kind == _UNSIGNED else "<f4").tobytes()
        accessor = {
            "bufferView": self.view(content, target),
            "componentType": kind,
            "count": len(values),
            "type": shape,
        }
        self.accessors.append(accessor | dict(bounds or {}))
        return len(self.accessors) - 1
