"""Results as a backend would leave them, made with numpy alone, so that tests run where no backend is installed.

The mesh is a block that lies differently along every axis: x from -0.3 to 0.3 (red on the right, blue on the left),
y from -0.85 (its front) to 0.4, z from -0.2 to 0.6.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

LOW, HIGH = np.array([-0.3, -0.85, -0.2]), np.array([0.3, 0.4, 0.6])  # Blender's axes
TEXTURE = 64  # pixels along a side; the left half is red, the right half blue
RED, BLUE = (230, 20, 10), (10, 20, 230)
SH_DC = 0.28209479177387814


def png(pixels: np.ndarray) -> bytes:
    """Encode [H, W, 3] bytes."""
    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels.astype(np.uint8))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def two_colours(size: int = TEXTURE) -> bytes:
    """Return a PNG whose left half is red and whose right half is blue."""
    pixels = np.empty((size, size, 3), dtype=np.uint8)
    pixels[:, : size // 2], pixels[:, size // 2 :] = RED, BLUE
    return png(pixels)


def block() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return positions [24, 3], faces [12, 3] and uv [24, 2] of the block, each side with corners of its own."""
    positions, uv, faces = [], [], []
    for axis in range(3):
        for side in (0, 1):
            first, second = [a for a in range(3) if a != axis]
            start = len(positions)
            for a, b in ((0, 0), (1, 0), (1, 1), (0, 1)):
                corner = np.empty(3)
                corner[[axis, first, second]] = side, a, b
                positions.append(LOW + corner * (HIGH - LOW))
                is_red = corner[0] > 0.5 if axis != 0 else side == 1
                uv.append((0.25 + 0.2 * (a - 0.5) if is_red else 0.75 + 0.2 * (a - 0.5), 0.5 + 0.4 * (b - 0.5)))
            # Outwards, counter-clockwise; (first, second, axis) is a left-handed order for the middle axis.
            order = ((0, 1, 2), (0, 2, 3)) if (side == 1) == (axis != 1) else ((0, 2, 1), (0, 3, 2))
            faces += [[start + k for k in triangle] for triangle in order]
    return np.array(positions), np.array(faces), np.array(uv)


def glb(document: Mapping[str, Any] | None = None, *, texture: bytes | None = None, meshes: int = 1) -> bytes:
    """Return the block as binary glTF; the keys of `document` replace those of the glTF."""
    positions, faces, uv = block()
    turned = np.stack([positions[:, 0], positions[:, 2], -positions[:, 1]], axis=1)  # Y is up in glTF
    picture = two_colours() if texture is None else texture
    parts = [turned.astype("<f4").tobytes(), uv.astype("<f4").tobytes(), faces.astype("<u4").tobytes(), picture]
    binary, views = b"", []
    for part in parts:
        views.append({"buffer": 0, "byteOffset": len(binary), "byteLength": len(part)})
        binary += part + b"\0" * (-len(part) % 4)
    bounds = {"min": turned.min(axis=0).tolist(), "max": turned.max(axis=0).tolist()}
    accessors = [
        {"bufferView": 0, "componentType": 5126, "count": len(turned), "type": "VEC3", **bounds},
        {"bufferView": 1, "componentType": 5126, "count": len(uv), "type": "VEC2"},
        {"bufferView": 2, "componentType": 5125, "count": faces.size, "type": "SCALAR"},
    ]
    primitive = {"attributes": {"POSITION": 0, "TEXCOORD_0": 1}, "indices": 2, "material": 0}
    surface = {"baseColorTexture": {"index": 0}, "metallicFactor": 0.0, "roughnessFactor": 0.8}
    whole: dict[str, Any] = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": list(range(meshes))}],
        "nodes": [{"mesh": number, "extras": {"from": "a stranger"}} for number in range(meshes)],
        "meshes": [{"primitives": [primitive]}] * meshes,
        "materials": [{"pbrMetallicRoughness": surface}],
        "textures": [{"source": 0}],
        "images": [{"bufferView": 3, "mimeType": "image/png"}],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": len(binary)}],
    }
    text = json.dumps(whole | dict(document or {})).encode()
    text += b" " * (-len(text) % 4)
    head = struct.pack("<III", 0x46546C67, 2, 28 + len(text) + len(binary))
    return head + struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(binary), 0x4E4942) + binary


def ply(columns: Mapping[str, np.ndarray], *, count: int | str | None = None, kind: str = "float") -> bytes:
    """Return points as binary PLY; `count` says another number in its header."""
    size = len(next(iter(columns.values())))
    table = np.stack([np.asarray(column, dtype="<f4") for column in columns.values()], axis=1)
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {size if count is None else count}"]
    lines += [f"property {kind} {name}" for name in columns] + ["end_header", ""]
    return "\n".join(lines).encode() + table.astype("<f4").tobytes()


def gaussians(count: int = 200, *, opacity: float = 0.9, rest: int = 0, seed: int = 0) -> dict[str, np.ndarray]:
    """Return Gaussians inside the block as columns of 3DGS: red on the right, blue on the left, 0.05 large."""
    random = np.random.default_rng(seed)
    positions = LOW + random.random((count, 3)) * (HIGH - LOW)
    rgb = np.where(positions[:, :1] > 0, np.array([[0.9, 0.1, 0.05]]), np.array([[0.05, 0.1, 0.9]]))
    columns = {axis: positions[:, k] for k, axis in enumerate("xyz")}
    columns |= {f"f_dc_{k}": (rgb[:, k] - 0.5) / SH_DC for k in range(3)}
    columns |= {f"f_rest_{k}": random.normal(size=count) for k in range(rest)}
    columns |= {"opacity": np.full(count, np.log(opacity / (1 - opacity)))}
    columns |= {f"scale_{k}": np.full(count, np.log(0.05)) for k in range(3)}
    columns |= {f"rot_{k}": np.full(count, 2.0 * (k == 0)) for k in range(4)}
    return columns


def make_result(job: Path, *, prompt: str = "a red mug, studio light", seed: int = 7) -> Path:
    """Make a folder of a finished job, without running anything, and return it."""
    job.mkdir(parents=True)
    request = {"system": "tv3dg", "prompt": prompt, "seed": seed, "preset": "draft", "prior": "embedded", "version": 1}
    (job / "request.json").write_text(json.dumps(request), encoding="utf-8")
    write_files(job, seed=seed)
    hello = {"type": "Hello", "job": job.name, "backend": "0", "pid": 1, "version": 1}
    paths = sorted(f"result/{path.name}" for path in (job / "result").iterdir())
    finished = {"type": "Finished", "results": paths, "seconds": 1.5, "stopped_after": ""}
    (job / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in (hello, finished)))
    return job


def write_files(
    job: Path, *, seed: int, outputs: Collection[str] = ("mesh", "points"), picture: Mapping[str, float] | None = None
) -> None:
    """Write what a job leaves in its folder `result`; `picture` is where in its picture the object was."""
    result = job / "result"
    result.mkdir()
    if "mesh" in outputs:
        (result / "model.glb").write_bytes(glb())
    if "points" in outputs:
        (result / "points.ply").write_bytes(ply(gaussians()))
    (result / "preview.png").write_bytes(two_colours(512))
    files = {path.name: {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()} for path in sorted(result.iterdir())}
    said = {"points": "gaussians", "seed": seed, "seconds": {"distil": 1.5}, "files": files}
    said |= {"inputs": {"inputs/00.png": "00ff"}, "made_with": {"prior": "abc", "settings": {"steps": 300}}}
    said |= {} if picture is None else {"picture": dict(picture)}
    (result / "result.json").write_text(json.dumps(said), encoding="utf-8")


def has_red_left_and_blue_right(item: Any) -> bool:
    """Whether the preview of a data-block is the picture of the made result."""
    size = tuple(item.preview.image_size)
    pixels = np.empty(size[0] * size[1] * 4, dtype=np.float32)
    item.preview.image_pixels_float.foreach_get(pixels)
    rgb = pixels.reshape(size[1], size[0], 4)[..., :3]
    left, right = rgb[:, : size[0] // 4].mean(axis=(0, 1)), rgb[:, -size[0] // 4 :].mean(axis=(0, 1))
    return size == (256, 256) and bool(left[0] > 0.8 > 0.3 > left[2] and right[2] > 0.8 > 0.3 > right[0])
