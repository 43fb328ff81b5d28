"""How much a GLB may ask of Blender: as much as there are bytes in it. A small file that promises more is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

ELEMENTS = 50_000_000  # in all arrays as often as they are used; a result has tens of thousands
ITEMS = 1_000  # of each kind; a result has one node, one mesh, four arrays
REUSE = 4  # times the bytes of a file that may be made of it: parts of a mesh may share their vertices
SPARE_BYTES = 1 << 16
KINDS = (
    "accessors", "buffers", "bufferViews", "cameras", "images", "materials", "meshes", "nodes", "samplers", "scenes",
    "textures",
)  # fmt: skip
FOREIGN = ("animations", "skins", "extensionsRequired")
COMPONENT_BYTES = {5120: 1, 5121: 1, 5122: 2, 5123: 2, 5125: 4, 5126: 4}
COMPONENTS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}

Document = dict[str, Any]


class OutOfBounds(ValueError):
    """Say what a mesh promises, as the end of a sentence that begins with its path."""


def check_bounds(document: Document, size: int) -> None:
    """Raise OutOfBounds unless what a glTF describes stands in the `size` bytes of its binary chunk.

    Source: glTF 2.0, sections 3.6 (binary data), 3.7 (geometry) and 3.5 (scenes: strict trees).
    """
    for kind in FOREIGN:
        if document.get(kind):
            what = "extensions of glTF" if kind == "extensionsRequired" else kind
            raise OutOfBounds(f"needs {what} that no result has: {str(document[kind])[:80]}")
    for kind in KINDS:
        found = document.get(kind, [])
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            raise OutOfBounds(f"has {kind} that are no list of objects")
        if len(found) > ITEMS:
            raise OutOfBounds(f"has {len(found)} {kind}; at most {ITEMS} are imported")
    for kind in ("nodes", "bufferViews", "accessors"):
        if any("extensions" in item for item in document.get(kind, [])):
            raise OutOfBounds(f"has extensions of glTF in its {kind}, which no result has")
    counts = [accessor.get("count", 0) for accessor in document.get("accessors", [])]
    if any(type(count) is not int or count < 0 for count in counts) or sum(counts) > ELEMENTS:
        listed = ", ".join(str(count)[:20] for count in counts)[:80]
        raise OutOfBounds(f"promises arrays of {listed} elements; at most {ELEMENTS} in all are imported")
    lengths = [_length(document, accessor, size) for accessor in document.get("accessors", [])]
    _check_tree(document)
    _check_uses(document, counts, lengths, size)


def view_range(document: Document, number: Any, size: int) -> tuple[int, int] | None:
    """Return where a buffer view begins and how long it is, None if it is not there or not in the binary chunk."""
    views = document.get("bufferViews", [])
    if type(number) is not int or not 0 <= number < len(views):
        return None
    view = views[number]
    start, length = view.get("byteOffset", 0), view.get("byteLength", 0)
    if type(start) is not int or type(length) is not int or view.get("buffer", 0) != 0:
        return None
    return (start, length) if 0 <= start <= start + length <= size else None


def _length(document: Document, accessor: Document, size: int) -> int:
    """Return how many bytes an array takes. Raises OutOfBounds unless they are all there."""
    element = COMPONENT_BYTES.get(_plain(accessor.get("componentType")), 0) * COMPONENTS.get(
        str(accessor.get("type")), 0
    )
    found = view_range(document, accessor.get("bufferView"), size)
    if "sparse" in accessor or not element or found is None:
        raise OutOfBounds("has an array that no bytes stand behind")
    stride = document["bufferViews"][accessor["bufferView"]].get("byteStride", element)
    offset, count = accessor.get("byteOffset", 0), accessor.get("count", 0)
    if type(stride) is not int or type(offset) is not int or stride < element or offset < 0:
        raise OutOfBounds("has an array that no bytes stand behind")
    if count and offset + stride * (count - 1) + element > found[1]:
        raise OutOfBounds(f"promises an array of {count} elements, and holds {found[1]} bytes of it")
    return count * element


def _check_tree(document: Document) -> None:
    """Raise OutOfBounds where nodes are not a tree: they would be looked at again and again."""
    for kind, key in (("nodes", "children"), ("scenes", "nodes")):
        named = [item.get(key, []) for item in document.get(kind, [])]
        if not all(isinstance(numbers, list) for numbers in named):
            raise OutOfBounds(f"has {kind} whose {key} are no list")
        flat = [number for numbers in named for number in numbers]
        if not all(type(number) is int for number in flat) or len(set(flat)) < len(flat):
            raise OutOfBounds(f"has {kind} that share their {key}")


def _check_uses(document: Document, counts: list[int], lengths: list[int], size: int) -> None:
    """Raise OutOfBounds where arrays are used so often that a small file becomes a large mesh."""
    placed = [node.get("mesh") for node in document.get("nodes", [])]
    used = []
    for number, mesh in enumerate(document.get("meshes", [])):
        arrays = list(_arrays(mesh))
        if not all(type(array) is int and 0 <= array < len(counts) for array in arrays):
            raise OutOfBounds("has a mesh of arrays that are not there")
        used += arrays * max(placed.count(number), 1)
        if len(used) > ITEMS:
            break
    elements, many = sum(counts[array] for array in used), sum(lengths[array] for array in used)
    if len(used) > ITEMS or elements > ELEMENTS or many > REUSE * size + SPARE_BYTES:
        raise OutOfBounds(f"uses its arrays {len(used)} times, {many} bytes in all, and holds {size}")


def _arrays(mesh: Document) -> Iterator[Any]:
    """Yield the numbers of the arrays that a mesh is made of, as often as they are used."""
    primitives = mesh.get("primitives", [])
    if not isinstance(primitives, list) or not all(isinstance(primitive, dict) for primitive in primitives):
        raise OutOfBounds("has a mesh without a list of parts")
    for primitive in primitives[: ITEMS + 1]:
        targets = primitive.get("targets", [])
        if "extensions" in primitive or not isinstance(targets, list):
            raise OutOfBounds("has extensions of glTF in its meshes, which no result has")
        for attributes in (primitive.get("attributes", {}), *targets):
            if not isinstance(attributes, dict):
                raise OutOfBounds("has a mesh without arrays")
            yield from attributes.values()
        if "indices" in primitive:
            yield primitive["indices"]


def _plain(value: Any) -> int:
    return value if type(value) is int else 0
