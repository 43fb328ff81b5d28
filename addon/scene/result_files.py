"""Read what a job has left, without Blender: which files there are, what they say of themselves, what is refused.

A job folder may come from a stranger, so that everything is looked at before Blender's importers open it.
"""

from __future__ import annotations

import json
import os
import re
import struct
import time
from pathlib import Path, PurePath
from typing import Any

from .. import protocol
from .mesh_bounds import OutOfBounds, check_bounds, view_range

PROPERTY_PREFIX = "maquette_"
TEXTURE_PROPERTY = f"{PROPERTY_PREFIX}texture"  # of an image that belongs to a result; says what it is for
NAME_BYTES = 59  # Blender before 5.0 keeps 63, and a copy's .001 must fit
JSON_BYTES = 1 << 20  # a result.json is a few kilobytes
MESH_BYTES = 1 << 30
MESH_JSON_BYTES = 1 << 24
MAX_DISTANCE = 1e5  # units from the origin; results lie within two
PLACE = {"scale": 1.0, "lift": 0.0}  # in result.json, where the mesh was given another
PICTURE_PIXELS = 8192 * 8192  # of all pictures of a mesh: 268 MB when they are decoded; a result has 2048 x 2048
PNG_START = b"\x89PNG\r\n\x1a\n"
KEPT_SUBJECT = re.compile("[0-9a-f]{64}")
JPEG_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # the segments that say how large the picture is

Property = str | int | float | bool


class ImportFailed(ValueError):
    """Say in one sentence why a result cannot be imported."""


def file_in(job_folder: Path, name: str) -> Path | None:
    """Return a file of the job folder, None when it is missing. Raises ImportFailed where a link stands in its way."""
    path = job_folder / name
    try:
        return None if protocol.file_size(job_folder, name) is None else path
    except protocol.LinkInside as error:
        told = "{path} is a link that leads out of its folder, or no file: not imported."
        raise ImportFailed(protocol.Phrase(told, path=path)) from error


def read_metadata(job_folder: Path) -> dict[str, Property]:
    """Collect what is worth keeping on the objects: custom property -> value. Missing files leave properties out.

    Raises ImportFailed when a file is there and is not a JSON object.
    """
    request = read_json(job_folder, protocol.REQUEST_FILE)
    result = read_json(job_folder, protocol.RESULT_FILE)
    found: dict[str, Any] = {"job": job_folder.name, "folder": str(job_folder.resolve())}
    if request:
        moment = os.path.getmtime(job_folder / protocol.REQUEST_FILE)
        found["created"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
    if image := _first_image(request):
        found["image"] = image
    for source in (request, result):
        for key in ("system", "prompt", "negative_prompt", "seed", "preset", "prior", "points", "subject"):
            if key in source:
                found[key] = source[key]
    made_with = result.get("made_with")
    if isinstance(made_with, dict) and not any(found.get(name) for name in ("prompt", "subject", "image")):
        found["subject"] = made_with.get("class")  # what an image without words and name was taken for
    for key in ("versions", "seconds", "files", "settings", "inputs", "made_with"):
        value = result.get(key) or request.get(key)
        if isinstance(value, dict) and value:
            found[key] = json.dumps(value, sort_keys=True)
    return {PROPERTY_PREFIX + key: _property(value) for key, value in found.items() if value not in ("", None)}


def _first_image(request: dict[str, Any]) -> str:
    """Return what the artist's first picture is called, empty where none has a name."""
    images = request.get("images")
    names = [image.get("name") for image in images if isinstance(image, dict)] if isinstance(images, list) else []
    return next((name for name in names if isinstance(name, str) and name), "")


def subject_name(metadata: dict[str, Property]) -> str:
    """Name the subject in a few words: the job's own word for it, its prompt without article and afterthoughts, or else
    what its picture is called.
    """
    own = str(metadata.get(f"{PROPERTY_PREFIX}subject", ""))
    kept = KEPT_SUBJECT.fullmatch(own)  # which a request names by its hash, and the prompt in words
    words = "" if kept else own
    words = words or str(metadata.get(f"{PROPERTY_PREFIX}prompt", ""))
    words = words.split(",")[0].split(".")[0].strip() or PurePath(str(metadata.get(f"{PROPERTY_PREFIX}image", ""))).stem
    first, _, others = words.partition(" ")
    return others.strip() if first.lower() in ("a", "an", "the") and others else words


def shortened(name: str) -> str:
    """Cut a name to what Blender keeps of it, not through the middle of a letter."""
    return name.encode("utf-8", "backslashreplace")[:NAME_BYTES].decode(errors="ignore").strip()


def place_of_mesh(result: dict[str, Any]) -> tuple[float, float]:
    """Return the scale of a result's mesh and how far it was lifted then, as result.json says. Raises ImportFailed."""
    facts = result.get("mesh")
    said = [facts.get(name, default) if isinstance(facts, dict) else default for name, default in PLACE.items()]
    if not all(isinstance(number, int | float) and abs(number) <= MAX_DISTANCE for number in said):
        raise ImportFailed(f"The mesh has the scale and lift {str(said)[:80]}; no result has such ones.")
    scale, lift = said
    if not scale >= 1 / MAX_DISTANCE:
        raise ImportFailed(f"The mesh has the scale {scale}; no result has such a small one.")
    return scale, lift


def picture_of(result: dict[str, Any]) -> protocol.Pictured | None:
    """Return where in its picture the object was, None where result.json does not say so. Raises ImportFailed."""
    try:
        return protocol.read_pictured(result)
    except protocol.ProtocolError as error:
        raise ImportFailed(str(error)) from error


def check_result(result: dict[str, Any]) -> None:
    """Raise ImportFailed where what result.json says of its object's size and place cannot be."""
    place_of_mesh(result)
    picture_of(result)


def read_json(job_folder: Path, name: str) -> dict[str, Any]:
    """Return a JSON object of the job folder, an empty one when the file is missing. Raises ImportFailed."""
    path = file_in(job_folder, name)
    if path is None:
        return {}
    with protocol.open_file(job_folder, name, "rb") as file:
        content = file.read(JSON_BYTES + 1)
    if len(content) > JSON_BYTES:
        raise ImportFailed(f"{path} has {path.stat().st_size} bytes; at most {JSON_BYTES} are read.")
    return _json_object(content, path)


def check_mesh_file(path: Path) -> None:
    """Raise ImportFailed unless a GLB holds everything itself, in sizes that Blender can take.

    Blender's importer would open whatever files it names, and make arrays as long as it says.
    """
    size = path.stat().st_size
    if size > MESH_BYTES:
        told = "{path} has {size:.1f} GiB; at most {most:.0f} GiB are imported."
        raise ImportFailed(protocol.Phrase(told, path=path, size=size / 2**30, most=MESH_BYTES / 2**30))
    content = path.read_bytes()
    if len(content) < 20 or content[:4] != b"glTF":
        raise ImportFailed(protocol.Phrase("{path} is not a binary glTF file.", path=path))
    length = struct.unpack_from("<I", content, 12)[0]
    if length > MESH_JSON_BYTES:
        raise ImportFailed(f"{path} describes itself in {length} bytes; at most {MESH_JSON_BYTES} are read.")
    document = _json_object(content[20 : 20 + length].rstrip(b" \0"), path)
    binary = content[28 + length :]
    for kind in ("buffers", "images"):
        for item in _items(document, kind):
            if "uri" in item:
                raise ImportFailed(f"{path} names another file, {str(item['uri'])[:80]!r}: it was not imported.")
    pixels = 0
    for image in _items(document, "images"):
        found = view_range(document, image.get("bufferView"), len(binary))
        if found is None:
            raise ImportFailed(protocol.Phrase("{path} names a texture that it does not hold.", path=path))
        width, height = check_picture(binary[found[0] : sum(found)], f"A texture of {path}")
        pixels += width * height
        if pixels > PICTURE_PIXELS:
            raise ImportFailed(f"{path} has textures of {pixels} pixels; at most {PICTURE_PIXELS} are imported.")
    try:
        check_bounds(document, len(binary))
    except OutOfBounds as error:
        raise ImportFailed(f"{path} {error}.") from error


def check_picture(content: bytes, what: str) -> tuple[int, int]:
    """Return width and height of a PNG or JPEG. Raises ImportFailed for other contents and for too many pixels."""
    size = _png_size(content) or _jpeg_size(content)
    if size is None:
        raise ImportFailed(f"{what} is neither PNG nor JPEG.")
    if not 0 < size[0] * size[1] <= PICTURE_PIXELS:
        raise ImportFailed(f"{what} has {size[0]} x {size[1]} pixels; at most {PICTURE_PIXELS} are imported.")
    return size


def _png_size(content: bytes) -> tuple[int, int] | None:
    if len(content) < 24 or not content.startswith(PNG_START):
        return None
    width, height = struct.unpack_from(">II", content, 16)
    return width, height


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    place = 2 if content.startswith(b"\xff\xd8") else len(content)
    while place + 9 <= len(content) and content[place] == 0xFF:
        marker, length = content[place + 1], struct.unpack_from(">H", content, place + 2)[0]
        if marker in JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", content, place + 5)
            return width, height
        place += 2 + length
    return None


def _json_object(text: bytes, path: Path) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ImportFailed(f"{path} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ImportFailed(f"{path} holds a {type(value).__name__}, not an object.")
    return value


def _items(document: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    value = document.get(kind, [])
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _property(value: Any) -> Property:
    """Turn a JSON value into one that a custom property can hold; whole numbers there have 32 bits, texts are UTF-8."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    fits = isinstance(value, bool | float | str) or (isinstance(value, int) and abs(value) < 2**31)
    return value if fits else str(value)
