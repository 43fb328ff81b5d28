"""What a job leaves: model.glb, points.ply, result.json. Same input, same bytes; Y points up in the GLB only."""

from __future__ import annotations

import hashlib
import io
import json
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from backend.cameras import blender_to_gltf
from backend.errors import BadInput
from backend.gltf.glb import ARRAY_BUFFER, INDEX_BUFFER, Binary, one_mesh, write_document
from backend.meshes.mesh import Mesh, vertex_normals

if TYPE_CHECKING:
    from backend.representations.gaussians import Gaussians

ROUGHNESS = 0.8
LIBRARIES = (
    "torch",
    "numpy",
    "numba",
    "scipy",
    "diffusers",
    "transformers",
    "peft",
    "gsplat",
    "nerfacc",
    "scikit-image",
    "fast-simplification",
    "xatlas",
    "pillow",
)
MAX_DIGITS = 12  # of the number of points in a header
DEGREES = (1, 4, 9, 16)  # harmonics of a colour, up to the third degree
ALL_BANDS = DEGREES[-1]
PointKind = Literal["gaussians", "coloured", "none"]


def write_glb(
    path: Path, mesh: Mesh, *, name: str = "Maquette", extras: Mapping[str, str | int | float] | None = None
) -> None:
    """Write a mesh as binary glTF 2.0 with its base colour as an embedded sRGB PNG; rough, not metallic.

    `extras` go to the node, where Blender and other programs keep them as custom properties. Raises ValueError for a
    mesh without faces or with coordinates that are not finite.
    """
    if len(mesh.faces) == 0:
        raise ValueError("a mesh of 0 faces cannot be exported")
    if not bool(torch.isfinite(mesh.vertices).all()):
        raise ValueError(f"{int((~torch.isfinite(mesh.vertices)).sum())} coordinates of the mesh are not finite")
    binary = Binary()
    positions = blender_to_gltf(mesh.vertices).float().numpy()
    bounds = {"min": positions.min(axis=0).tolist(), "max": positions.max(axis=0).tolist()}
    attributes = {
        "POSITION": binary.accessor(positions, "VEC3", ARRAY_BUFFER, bounds),
        "NORMAL": binary.accessor(blender_to_gltf(vertex_normals(mesh)).float().numpy(), "VEC3", ARRAY_BUFFER),
    }
    surface: dict[str, object] = {"metallicFactor": 0.0, "roughnessFactor": ROUGHNESS}
    document: dict[str, object] = {}
    if mesh.uv is not None and mesh.texture is not None:
        attributes["TEXCOORD_0"] = binary.accessor(mesh.uv.float().numpy(), "VEC2", ARRAY_BUFFER)
        surface["baseColorTexture"] = {"index": 0}
        image = {"bufferView": binary.view(_png(mesh.texture)), "mimeType": "image/png", "name": f"{name} base colour"}
        # Linear with mipmaps, clamped: the charts do not tile.
        document["samplers"] = [{"magFilter": 9729, "minFilter": 9987, "wrapS": 33071, "wrapT": 33071}]
        document["images"] = [image]
        document["textures"] = [{"sampler": 0, "source": 0}]
    else:
        surface["baseColorFactor"] = [0.5, 0.5, 0.5, 1.0]
    indices = binary.accessor(mesh.faces.reshape(-1).numpy().astype(np.uint32), "SCALAR", INDEX_BUFFER)
    primitive = {"attributes": attributes, "indices": indices, "material": 0}
    document["materials"] = [{"name": name, "pbrMetallicRoughness": surface}]
    write_document(path, document | one_mesh(primitive, name, extras), binary)


def write_points_ply(path: Path, gaussians: Gaussians) -> None:
    """Write Gaussians in the layout of 3D Gaussian splatting, binary little endian, Z up.

    Fields: x y z, nx ny nz (zero), f_dc_0..2, f_rest_0..44 (channel by channel), opacity (logit), scale_0..2
    (logarithm), rot_0..3 (w x y z, unit length). Harmonics that the Gaussians lack are zero, since many programs read
    files of the third degree only. Raises ValueError when a number is not finite.
    Source: Kerbl et al. 2023, the reference implementation's point_cloud.ply.
    """
    count, lacking = len(gaussians.means), ALL_BANDS - gaussians.sh.shape[1]
    harmonics = torch.nn.functional.pad(gaussians.sh, (0, 0, 0, lacking))
    quaternions = torch.nn.functional.normalize(gaussians.quaternions.detach().double(), dim=-1)
    columns = [
        gaussians.means,
        torch.zeros(count, 3),
        harmonics[:, 0],
        harmonics[:, 1:].transpose(1, 2).reshape(count, 3 * (ALL_BANDS - 1)),
        gaussians.opacity_logits.reshape(count, 1),
        gaussians.log_scales,
        quaternions,
    ]
    table = torch.cat([column.detach().cpu().float() for column in columns], dim=1).numpy().astype("<f4")
    broken = ~np.isfinite(table).all(axis=1)
    if broken.any():
        raise ValueError(f"{int(broken.sum())} of {count} Gaussians hold numbers that are not finite")
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {count}"]
    header += [f"property float {name}" for name in _ply_fields(ALL_BANDS)] + ["end_header"]
    with open(path, "wb") as file:
        file.write(("\n".join(header) + "\n").encode("ascii"))
        file.write(table.tobytes())


def write_coloured_ply(path: Path, points: torch.Tensor, colours: torch.Tensor) -> None:
    """Write points [N, 3] with sRGB colours [N, 3] in [0, 1] as a plain PLY: x y z, and red green blue in 8 bits.

    Raises ValueError when a coordinate is not finite.
    """
    if not bool(torch.isfinite(points).all()):
        raise ValueError(f"{int((~torch.isfinite(points)).any(1).sum())} of {len(points)} points are not finite")
    table = np.empty(len(points), dtype=[("place", "<f4", 3), ("colour", "u1", 3)])
    table["place"] = points.detach().cpu().float().numpy()
    table["colour"] = (colours.detach().cpu().clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(points)}"]
    header += [f"property float {axis}" for axis in "xyz"]
    header += [f"property uchar {channel}" for channel in ("red", "green", "blue")] + ["end_header"]
    with open(path, "wb") as file:
        file.write(("\n".join(header) + "\n").encode("ascii"))
        file.write(table.tobytes())


def read_points_ply(path: Path) -> Gaussians:
    """Read Gaussians that write_points_ply, or another program with that layout, wrote.

    Harmonics that are zero everywhere are left away, so that the colours are as they were before they were written.
    Raises BadInput when the file is something else or is shorter than its header says.
    """
    from backend.representations.gaussians import Gaussians

    columns = _read_ply_columns(path)
    rest = sum(name.startswith("f_rest_") for name in columns)
    bands = rest // 3 + 1
    missing = [name for name in _ply_fields(bands) if name not in columns and name not in ("nx", "ny", "nz")]
    if missing or rest % 3 or bands not in DEGREES:
        wrong = f"the fields {', '.join(missing[:8])} are missing" if missing else f"{rest} f_rest fields fit no degree"
        raise BadInput(f"{path.name} does not hold Gaussians: {wrong}.", "Use a PLY of 3D Gaussian splatting.")

    def stack(*names: str) -> torch.Tensor:
        return torch.from_numpy(np.stack([columns[name] for name in names], axis=1).astype(np.float32))

    higher = [f"f_rest_{k}" for k in range(rest)]
    sh = stack("f_dc_0", "f_dc_1", "f_dc_2")[:, None]  # [N, 1, 3]
    if higher:
        sh = torch.cat([sh, stack(*higher).reshape(-1, 3, bands - 1).transpose(1, 2)], dim=1)
        sh = sh[:, : next(few for few in DEGREES if not sh[:, few:].any())]
    return Gaussians(
        means=stack("x", "y", "z"),
        log_scales=stack("scale_0", "scale_1", "scale_2"),
        quaternions=stack("rot_0", "rot_1", "rot_2", "rot_3"),
        opacity_logits=stack("opacity")[:, 0],
        sh=sh.contiguous(),
    )


def write_result_json(
    folder: Path,
    *,
    points: PointKind,
    seed: int,
    seconds: Mapping[str, float],
    details: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """Write result.json about the files that lie in the result folder, and return what was written.

    `points` is the kind of points.ply, `seconds` the time of each stage; `details` (prompt, preset, faces, ...) are
    added at the top level. Every file gets its size and SHA-256. Raises ValueError when `points` and points.ply differ.
    """
    if (folder / "points.ply").exists() != (points != "none"):
        state = "is there" if (folder / "points.ply").exists() else "is missing"
        raise ValueError(f"the points are said to be {points!r}, but points.ply {state}")
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != "result.json")
    result: dict[str, object] = dict(details or {}) | {
        "points": points,
        "seed": seed,
        "seconds": {stage: round(value, 3) for stage, value in seconds.items()},
        "versions": _versions(),
        "files": {path.name: {"bytes": path.stat().st_size, "sha256": _sha256(path)} for path in files},
    }
    text = json.dumps(result, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
    (folder / "result.json").write_text(text, encoding="utf-8")
    return result


def _png(texture: torch.Tensor) -> bytes:
    from PIL import Image

    pixels = (texture.detach().cpu().clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    stream = io.BytesIO()
    Image.fromarray(pixels, "RGB").save(stream, format="PNG", compress_level=6)
    return stream.getvalue()


def _ply_fields(bands: int) -> list[str]:
    return [
        *("x", "y", "z", "nx", "ny", "nz"),
        *(f"f_dc_{k}" for k in range(3)),
        *(f"f_rest_{k}" for k in range(3 * (bands - 1))),
        "opacity",
        *(f"scale_{k}" for k in range(3)),
        *(f"rot_{k}" for k in range(4)),
    ]


def _read_ply_columns(path: Path) -> dict[str, np.ndarray]:
    """Read the vertex element of a binary little endian PLY whose properties are all floats."""
    with open(path, "rb") as file:
        header = file.read(65_536)
    end = header.find(b"end_header\n")
    lines = header[: max(end, 0)].decode("ascii", errors="replace").split("\n")
    if end < 0 or lines[0] != "ply" or "format binary_little_endian 1.0" not in lines:
        raise BadInput(f"{path.name} is not a binary little endian PLY.", "Use a PLY of 3D Gaussian splatting.")
    elements = [line.split() for line in lines if line.startswith("element ")]
    fields = [line.split() for line in lines if line.startswith("property ")]
    is_points = len(elements) == 1 and len(elements[0]) == 3 and elements[0][1] == "vertex"
    if not is_points or not elements[0][2].isdecimal() or len(elements[0][2]) > MAX_DIGITS:
        raise BadInput(f"{path.name} holds more than points.", "Use a PLY of 3D Gaussian splatting.")
    if any(len(parts) != 3 or parts[1] not in ("float", "float32") for parts in fields):
        raise BadInput(f"{path.name} has properties that are not floats.", "Use a PLY of 3D Gaussian splatting.")
    count, names = int(elements[0][2]), [parts[2] for parts in fields]
    start, wanted = end + len(b"end_header\n"), count * len(names) * 4
    if path.stat().st_size != start + wanted:
        raise BadInput(
            f"{path.name} has {path.stat().st_size - start} bytes of points; its header promises {wanted}.",
            "The file is damaged: make or copy it again.",
        )
    table = np.fromfile(path, dtype="<f4", offset=start).reshape(count, len(names))
    return {name: table[:, column] for column, name in enumerate(names)}


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version(), "platform": platform.platform()}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
