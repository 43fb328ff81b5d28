"""Artists' models as a benchmark: twelve of Debian's package `sweethome3d-furniture`, drawn by Cycles.

They are CC0 and not part of this repository. `apt-get download sweethome3d-furniture` brings the package;
`python -m benchmarks.data.artists --furniture PACKAGE.deb` unpacks the twelve into `.cache/artists`. PATH may also be
the file BlendSwap-CC-0.sh3f itself, which an installed package leaves in /usr/share/sweethome3d/furniture.
"""

# Blender makes its module at run time; pyright sees an almost empty one.
# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
# pyright: reportMissingImports=false
from __future__ import annotations

import argparse
import hashlib
import io
import math
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from backend.cameras import Cameras, orbit
from backend.images import load_image
from backend.meshes.mesh import Mesh
from backend.meshes.rasteriser import rasterise
from benchmarks.data.draw import Draw, Views
from benchmarks.outside.make import RADIUS, light, render

CACHE = Path(".cache/artists")
INSTALLED = Path("/usr/share/sweethome3d/furniture/BlendSwap-CC-0.sh3f")
SET = "BlendSwap-CC-0.sh3f"
SAMPLES = 48  # for each pixel, then denoised
SUN, SKY = 1.2, 0.9  # weaker than on our own objects: many of these are white
HOW = (
    "The artists' models are not here. `apt-get download sweethome3d-furniture` brings Debian's package; name it once: "
    "python -m benchmarks.data.artists --furniture PACKAGE.deb"
)

# name -> what is said of it in the prior's words, and from where, in degrees, a catalogue shows it: our azimuth 0
MODELS: dict[str, tuple[str, float]] = {
    "desklamp": ("a yellow and white lamp", 0),
    "oakChair": ("a brown chair", 0),
    "oakTable": ("a brown table", 0),
    "plasticChair": ("a blue chair", 0),
    "caffe_final": ("a white mug", 0),
    "plasticCup": ("a blue mug", 0),
    "mofx_mailbox": ("a black and brown mailbox", 90),
    "tetrapak": ("a white bottle", 0),
    "deer": ("a white deer", 90),
    "kitchenaid": ("a yellow and gray mixer", 90),
    "L_shaped_sofa": ("a white sofa", 0),
    "tableWithTablecloth": ("a red and white table", 0),
}


# ---- unpacking -------------------------------------------------------------------------------------------------------


def unpack(furniture: Path) -> None:
    """Unpack the twelve from the package, or from the set inside it. Raises ValueError where they are not in it."""
    if not furniture.is_file():
        raise ValueError(f"There is no file {furniture}. {HOW}")
    with furniture.open("rb") as file:
        packed = io.BytesIO(_set_of_package(file)) if furniture.suffix == ".deb" else file
        with zipfile.ZipFile(packed) as opened:
            for name in MODELS:
                inside = [part for part in opened.namelist() if f"/{name}/" in f"/{part}" and not part.endswith("/")]
                if not inside:
                    raise ValueError(f"{furniture.name} has no model {name!r}: it is another set than {SET}.")
                target = CACHE / "models" / name
                target.mkdir(parents=True, exist_ok=True)
                for part in inside:
                    (target / Path(part).name).write_bytes(opened.read(part))


def _set_of_package(file: BinaryIO) -> bytes:
    """Return the set's bytes out of a Debian package, which is an `ar` archive of tar files."""
    for name, data in _members(file):
        if name.startswith("data.tar"):
            with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                for member in tar:
                    if member.name.endswith(SET) and (found := tar.extractfile(member)):
                        return found.read()
    raise ValueError(f"There is no {SET} in this package.")


def _members(file: BinaryIO) -> Iterator[tuple[str, bytes]]:
    """Yield names and contents of an `ar` archive: heads of 60 bytes, contents padded to even lengths."""
    if file.read(8) != b"!<arch>\n":
        raise ValueError("This is no Debian package.")
    while len(head := file.read(60)) == 60:
        size = int(head[48:58])
        yield head[:16].decode().rstrip(" /"), file.read(size)
        file.seek(size % 2, 1)


def model_file(name: str) -> Path:
    """Return the OBJ of a model; an installed package is unpacked. Raises FileNotFoundError with what to do."""
    path = CACHE / "models" / name / f"{name}.obj"
    if not path.is_file() and INSTALLED.is_file():
        unpack(INSTALLED)
    if not path.is_file():
        raise FileNotFoundError(HOW)
    return path


# ---- what a model is and looks like ----------------------------------------------------------------------------------


@lru_cache(maxsize=4)
def artist_mesh(name: str) -> Mesh:
    """Return the surface of a model in world units, as Blender reads it; it need not be closed."""
    path = CACHE / name / "mesh.safetensors"
    if not path.is_file():
        scene = _load(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(_surface(scene), path)
    tensors = load_file(path)
    return Mesh(tensors["vertices"], tensors["faces"])


def artist_views(name: str) -> Draw:
    """Return what photographs a model by Cycles, before white; every photo is kept below `.cache/artists`."""

    def draw(cameras: Cameras) -> Views:
        photos = torch.stack([artist_photo(name, camera) for camera in cameras])
        mesh = artist_mesh(name)
        alpha = photos[..., 3:]
        normal = torch.stack([_normals(mesh, camera) for camera in cameras])
        return Views(photos[..., :3] * alpha + 1 - alpha, alpha, normal * (alpha > 0.5))

    return draw


def artist_photo(name: str, camera: Cameras) -> torch.Tensor:
    """Return what one camera sees of a model, [S, S, 4]: straight sRGB and alpha."""
    seen = np.concatenate([camera.camera_to_world.numpy().ravel(), camera.intrinsics.numpy().ravel()])
    facts = f"{np.round(seen.astype(float), 4).tolist()} {camera.width} {SAMPLES} {SUN} {SKY}"
    path = CACHE / name / f"{hashlib.sha256(facts.encode()).hexdigest()[:16]}.png"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part.png")
        render(_load(name), camera, part, samples=SAMPLES, denoise=True)
        part.rename(path)
    rgb, alpha = load_image(path)
    return torch.cat([rgb, torch.ones_like(rgb[..., :1]) if alpha is None else alpha], -1)


def _normals(mesh: Mesh, camera: Cameras) -> torch.Tensor:
    """Return the flat normals [S, S, 3] that a camera sees, each towards it: artists wind some faces inwards."""
    a, b, c = (mesh.vertices[mesh.faces[:, i]] for i in range(3))
    flat = torch.nn.functional.normalize(torch.linalg.cross(b - a, c - a), dim=-1)
    flat = flat * torch.where((flat * (camera.position[0] - a)).sum(-1, keepdim=True) < 0, -1.0, 1.0)
    face = torch.from_numpy(rasterise(mesh, camera).face).long()
    return torch.where((face >= 0)[..., None], flat[face.clamp_min(0)], torch.zeros(3))


# ---- Blender ---------------------------------------------------------------------------------------------------------

_loaded: list[str] = []  # the model that is in Blender's scene


def _load(name: str) -> Any:
    """Return bpy with a model in its scene, in our frame: its front faces -Y, in a ball of RADIUS about the origin."""
    import bpy
    from mathutils import Matrix

    if _loaded == [name]:
        return bpy
    _loaded.clear()
    path = model_file(name)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.wm.obj_import(filepath=str(path.resolve()))  # Y up becomes Z up, +Z becomes -Y
    bpy.context.view_layer.update()
    angle = -math.radians(MODELS[name][1])
    turn = np.eye(4)
    turn[:2, :2] = [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    vertices = _surface(bpy)["vertices"].double().numpy() @ turn[:3, :3].T
    middle = (vertices.max(0) + vertices.min(0)) / 2
    scale = RADIUS / float(np.linalg.norm(vertices - middle, axis=1).max())
    fit = np.diag([scale, scale, scale, 1.0])
    fit[:3, 3] = -scale * middle
    for thing in [thing for thing in bpy.context.scene.objects if thing.type == "MESH"]:
        thing.matrix_world = Matrix((fit @ turn @ np.array(thing.matrix_world)).tolist())
    bpy.context.view_layer.update()
    light(bpy, sun=SUN, sky=SKY)
    bpy.context.scene.render.use_persistent_data = True
    _loaded.append(name)
    return bpy


def _surface(bpy: Any) -> dict[str, torch.Tensor]:
    """Return all triangles of the scene: vertices [V, 3] and faces [F, 3]."""
    vertices, faces, count = [], [], 0
    for thing in bpy.context.scene.objects:
        if thing.type != "MESH":
            continue
        data = thing.data
        data.calc_loop_triangles()
        own = np.empty(3 * len(data.vertices), np.float32)
        data.vertices.foreach_get("co", own)
        world = np.array(thing.matrix_world)
        vertices.append(own.reshape(-1, 3) @ world[:3, :3].T + world[:3, 3])
        corners = np.empty(3 * len(data.loop_triangles), np.int32)
        data.loop_triangles.foreach_get("vertices", corners)
        faces.append(corners.reshape(-1, 3) + count)
        count += len(data.vertices)
    return {
        "vertices": torch.from_numpy(np.concatenate(vertices)).float().contiguous(),
        "faces": torch.from_numpy(np.concatenate(faces)).long().contiguous(),
    }


def main() -> int:
    """Unpack the models and draw a picture of each from four sides."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--furniture", type=Path, default=INSTALLED, help="the package, or BlendSwap-CC-0.sh3f")
    parser.add_argument("--sheet", type=Path, help="write the twelve from four sides to this picture")
    options = parser.parse_args()
    try:
        unpack(options.furniture)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.sheet:
        from backend.images import save_image

        rows = [torch.cat(list(artist_views(name)(orbit([0, 90, 180, 270], 15.0)).rgb), 1) for name in MODELS]
        save_image(options.sheet, torch.cat([torch.cat(rows[:6]), torch.cat(rows[6:])], 1))
    print(f"{len(MODELS)} models: {CACHE / 'models'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
