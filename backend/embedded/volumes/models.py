"""Artists' models among what the guess learns from: those of a set that nobody keeps rights to (CC0), but some.

The set is BlendSwap-CC-0.sh3f of Debian's package `sweethome3d-furniture`: OBJ files with textures, and a catalogue
that says who made each. Nothing of it is in this repository. What measures the guess is held out, with all that its
authors made (`Catalogue.taught`) and all that looks like it (`distance_between`).
"""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import trimesh
from PIL import Image
from scipy.spatial import KDTree

from backend.embedded.objects.solids import FIT_RADIUS
from backend.meshes.mesh import Mesh

# The benchmark's twelve. Neither they nor what their authors made besides is taught.
HELD_OUT = (
    "desklamp", "oakChair", "oakTable", "plasticChair", "caffe_final", "plasticCup", "mofx_mailbox", "tetrapak",
    "deer", "kitchenaid", "L_shaped_sofa", "tableWithTablecloth",
)  # fmt: skip
ALIKE = 0.06  # of a model's radius: mean distance between two surfaces, from which they are two things
SAMPLES = 10000  # points of a surface whose colours are known
LARGEST = 256  # pixels along a side of a texture
CLEAR = 0.5  # opacity from which a material is seen


@dataclass(frozen=True)
class Model:
    """Triangles in the ball of FIT_RADIUS, front to -Y: their corners' normals and texture coordinates, and materials.

    vertices, normals [V, 3], uv [V, 2] (v down, it repeats), faces [F, 3], material [F]; textures sRGB [T, T, 3].
    """

    vertices: np.ndarray
    normals: np.ndarray
    uv: np.ndarray
    faces: np.ndarray
    material: np.ndarray
    textures: tuple[torch.Tensor, ...]

    @cached_property
    def mesh(self) -> Mesh:
        """Return the triangles alone."""
        return Mesh(torch.from_numpy(self.vertices).float(), torch.from_numpy(self.faces))

    @cached_property
    def surface(self) -> tuple[np.ndarray, np.ndarray]:
        """Return points spread evenly over the surface [N, 3] and their colours, sRGB [N, 3]."""
        rng = np.random.default_rng(0)
        a, b, c = (self.vertices[self.faces[:, i]] for i in range(3))
        area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
        face = rng.choice(len(self.faces), SAMPLES, p=area / area.sum())
        weights = rng.dirichlet((1, 1, 1), SAMPLES)
        points = (weights[:, :, None] * self.vertices[self.faces[face]]).sum(1)
        return points, self.colours_at(face, weights)

    @cached_property
    def nearest(self) -> KDTree:
        """Return the surface's points, to be asked for the nearest."""
        return KDTree(self.surface[0])

    def colours_at(self, face: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return the unlit sRGB colours [N, 3] at barycentric `weights` [N, 3] of faces [N]."""
        uv = (weights[:, :, None] * self.uv[self.faces[face]]).sum(1)
        out = np.zeros((len(face), 3), dtype=np.float32)
        for k, texture in enumerate(self.textures):
            own = self.material[face] == k
            size = np.array(texture.shape[1::-1])
            column, row = np.floor((uv[own] % 1) * size).astype(np.int64).clip(0, size - 1).T
            out[own] = texture.numpy()[row, column]
        return out

    def stretched(self, wide: float, deep: float) -> Model:
        """Return the model wider and deeper by these factors, in the ball again."""
        factors = np.array([wide, deep, 1.0])
        vertices, normals = self.vertices * factors, self.normals / factors
        normals /= np.linalg.norm(normals, axis=1, keepdims=True).clip(1e-9)
        return Model(_fitted(vertices), normals, self.uv, self.faces, self.material, self.textures)


@dataclass(frozen=True)
class Catalogue:
    """An unpacked set: its folder, and of each model the file and its author."""

    folder: Path
    files: dict[str, Path]
    authors: dict[str, str]

    @property
    def taught(self) -> list[str]:
        """Return the names of models by other authors than those of HELD_OUT. Raises ValueError without those."""
        if missing := [name for name in HELD_OUT if name not in self.files]:
            raise ValueError(f"{self.folder} has no model {missing[0]!r}: it is another set than BlendSwap-CC-0.")
        theirs = {author for name in HELD_OUT for author in _people(self.authors[name])}
        return sorted(name for name in self.files if not theirs & _people(self.authors[name]))


def unpack(furniture: Path, folder: Path) -> Catalogue:
    """Unpack the set (.sh3f, which is a zip file) into a folder, and read its catalogue. Raises ValueError."""
    if not furniture.is_file():
        raise ValueError(f"There is no file {furniture}: install Debian's package sweethome3d-furniture.")
    with zipfile.ZipFile(furniture) as opened:
        opened.extractall(folder)
    text = (folder / "PluginFurnitureCatalog.properties").read_text("latin-1")
    found: dict[str, dict[str, str]] = {}
    for key, number, value in re.findall(r"^(model|creator)#(\d+)=(.*)$", text, re.MULTILINE):
        found.setdefault(number, {})[key] = value.strip()
    files = {Path(one["model"]).stem: folder / one["model"].lstrip("/") for one in found.values()}
    authors = {Path(one["model"]).stem: one.get("creator", "") for one in found.values()}
    return Catalogue(folder, files, authors)


def _people(names: str) -> set[str]:
    return {name.strip().lower() for name in re.split(r"[&,]", names) if name.strip()}


def distance_between(first: Model, second: Model) -> float:
    """Return the mean distance between two surfaces, both ways, in units of their radius: least of four turns."""
    few = [model.surface[0][:2000] / FIT_RADIUS for model in (first, second)]
    found = []
    for turn in range(4):
        angle = turn * np.pi / 2
        turned = few[1] @ np.array([[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
        there, back = KDTree(turned).query(few[0])[0], KDTree(few[0]).query(turned)[0]
        found.append((there.mean() + back.mean()) / 2)
    return float(min(found))


def load_model(path: Path) -> Model:
    """Read an OBJ with its materials: Y up becomes Z up and +Z, the front, -Y. Raises ValueError if nothing is seen."""
    scene = trimesh.load(path, process=False, maintain_order=True, split_object=False, group_material=True)
    parts: list[Any] = list(scene.geometry.values()) if isinstance(scene, trimesh.Scene) else [scene]
    vertices, normals, uv, faces, material, textures = [], [], [], [], [], []
    count = 0
    for part in parts:
        texture = _texture(part.visual)
        if texture is None or not len(part.faces):
            continue
        placed = getattr(part.visual, "uv", None)
        vertices.append(np.asarray(part.vertices, dtype=np.float64))
        normals.append(np.asarray(part.vertex_normals, dtype=np.float64))
        uv.append(np.zeros((len(part.vertices), 2)) if placed is None else np.nan_to_num(np.asarray(placed)[:, :2]))
        faces.append(np.asarray(part.faces, dtype=np.int64) + count)
        material.append(np.full(len(part.faces), len(textures)))
        textures.append(texture)
        count += len(part.vertices)
    if not count:
        raise ValueError(f"{path.name} has nothing that is seen.")
    turned = np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])  # (x, y, z) -> (x, -z, y)
    corners = np.concatenate(uv)
    corners[:, 1] = 1 - corners[:, 1]
    return Model(
        _fitted(np.concatenate(vertices) @ turned.T), np.concatenate(normals) @ turned.T, corners,
        np.concatenate(faces), np.concatenate(material), tuple(textures),
    )  # fmt: skip


def _texture(visual) -> torch.Tensor | None:
    """Return a material's colours, sRGB [T, T, 3]: its picture, or its colour, which OBJ has in linear light.

    None where it is clear, or where its picture is: what is seen through has no outline of its own.
    """
    stuff = getattr(visual, "material", None)
    if stuff is None:
        return torch.full((1, 1, 3), 0.8)
    colour = np.asarray(getattr(stuff, "diffuse", (204, 204, 204, 255)), dtype=np.float64)[:4] / 255
    opacity = float(np.ravel((getattr(stuff, "kwargs", None) or {}).get("d", 1.0))[0])
    if opacity < CLEAR:
        return None
    image = getattr(stuff, "image", None)
    if image is not None:
        small = image.convert("RGBA")
        small.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
        pixels = torch.from_numpy(np.array(small)).float() / 255
        return None if (pixels[..., 3] < CLEAR).float().mean() > 0.02 else pixels[..., :3].contiguous()
    linear = torch.tensor(colour[:3]).float()
    srgb = torch.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear.clamp_min(1e-6) ** (1 / 2.4) - 0.055)
    return srgb[None, None]


def _fitted(vertices: np.ndarray) -> np.ndarray:
    middle = (vertices.max(0) + vertices.min(0)) / 2
    return (vertices - middle) * (FIT_RADIUS / np.linalg.norm(vertices - middle, axis=1).max())
