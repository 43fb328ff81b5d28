"""A triangle mesh with a base-colour texture, and what can be measured on it. World frame: Z up, front faces -Y."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class Mesh:
    """Triangles wound anticlockwise seen from outside.

    `uv` has its origin at the texture's top left corner, u to the right and v down, as images and glTF have it. A
    vertex on a texture seam is stored once per chart, at exactly the same position.
    """

    vertices: torch.Tensor  # [V, 3] float32
    faces: torch.Tensor  # [F, 3] int64
    uv: torch.Tensor | None = None  # [V, 2] float32 in [0, 1]
    texture: torch.Tensor | None = None  # [T, T, 3] float32, sRGB in [0, 1]

    def __post_init__(self) -> None:
        if self.vertices.ndim != 2 or self.vertices.shape[1] != 3:
            raise ValueError(f"vertices must be [V, 3], not {list(self.vertices.shape)}")
        if self.faces.ndim != 2 or self.faces.shape[1] != 3:
            raise ValueError(f"faces must be [F, 3], not {list(self.faces.shape)}")
        if len(self.faces) and not 0 <= int(self.faces.min()) <= int(self.faces.max()) < len(self.vertices):
            raise ValueError(
                f"faces name vertices {int(self.faces.min())} to {int(self.faces.max())} of {len(self.vertices)}"
            )
        if self.uv is not None and self.uv.shape != (len(self.vertices), 2):
            raise ValueError(f"uv must be [{len(self.vertices)}, 2], not {list(self.uv.shape)}")


def mesh_from_arrays(vertices: np.ndarray, faces: np.ndarray) -> Mesh:
    """Make a mesh without texture of [V, 3] and [F, 3] arrays of any number type."""
    return Mesh(
        torch.from_numpy(np.ascontiguousarray(vertices, dtype=np.float32)),
        torch.from_numpy(np.ascontiguousarray(faces, dtype=np.int64)),
    )


def triangles(mesh: Mesh) -> torch.Tensor:
    """Return the corners of all faces, [F, 3, 3] (face, corner, coordinate)."""
    return mesh.vertices[mesh.faces]


def face_vectors(mesh: Mesh) -> torch.Tensor:
    """Return one vector per face, [F, 3]: along its outward normal, as long as its area."""
    first, second, third = triangles(mesh).unbind(1)
    return 0.5 * torch.linalg.cross(second - first, third - first)


def area(mesh: Mesh) -> float:
    """Return the surface area."""
    return float(face_vectors(mesh).double().norm(dim=-1).sum())


def volume(mesh: Mesh) -> float:
    """Return the enclosed volume; negative where the faces are wound inwards. Source: divergence theorem."""
    first, second, third = triangles(mesh).double().unbind(1)
    return float((first * torch.linalg.cross(second, third)).sum() / 6)


def weld(mesh: Mesh) -> tuple[torch.Tensor, torch.Tensor]:
    """Merge vertices at exactly the same position: the positions [W, 3] and each vertex's index among them [V]."""
    positions, index = np.unique(mesh.vertices.numpy() + 0.0, axis=0, return_inverse=True)
    return torch.from_numpy(positions), torch.from_numpy(index.reshape(-1))


def vertex_normals(mesh: Mesh) -> torch.Tensor:
    """Return unit normals [V, 3], the area-weighted mean of the faces around; the same on both sides of a seam."""
    positions, index = weld(mesh)
    sums = np.zeros((len(positions), 3))
    vectors = face_vectors(mesh).double().numpy()
    for corner in range(3):
        np.add.at(sums, index[mesh.faces[:, corner]].numpy(), vectors)  # in face order, so that the sum repeats
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    normals = np.where(lengths > 0, sums / np.maximum(lengths, 1e-30), [0.0, 0.0, 1.0])
    return torch.from_numpy(normals.astype(np.float32))[index]


def is_watertight(mesh: Mesh) -> bool:
    """Say whether, seams merged, each directed edge is there once and its reverse is there once."""
    if len(mesh.faces) == 0:
        return False
    _, index = weld(mesh)
    faces = index[mesh.faces].numpy()
    start, end = faces.reshape(-1), np.roll(faces, -1, axis=1).reshape(-1)
    forward, backward = start * len(index) + end, end * len(index) + start
    distinct = np.unique(forward)
    return len(distinct) == len(forward) and bool(np.array_equal(distinct, np.unique(backward)))


def sample_surface(mesh: Mesh, count: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw points that are uniform on the surface: positions [N, 3] and unit face normals [N, 3].

    Raises ValueError when the surface has no area.
    """
    vectors = face_vectors(mesh).double()
    areas = vectors.norm(dim=-1)
    if not float(areas.sum()) > 0:
        raise ValueError(f"a mesh of {len(mesh.faces)} faces has no area: nothing can be sampled from it")
    targets = torch.rand(count, generator=generator, dtype=torch.float64) * areas.sum()
    chosen = torch.searchsorted(areas.cumsum(0), targets).clamp(max=len(areas) - 1)
    # The square root makes the barycentric coordinates uniform: Osada et al. 2002, "Shape distributions", eq. 1.
    root, other = (
        torch.rand(count, generator=generator).sqrt()[:, None],
        torch.rand(count, generator=generator)[:, None],
    )
    first, second, third = triangles(mesh)[chosen].unbind(1)
    points = (1 - root) * first + root * (1 - other) * second + root * other * third
    return points, torch.nn.functional.normalize(vectors[chosen], dim=-1).float()
