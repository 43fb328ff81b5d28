"""A symmetric mesh: what lies on one side of the world's plane x = 0, and its mirror image on the other.

The cut is made when the mesh has its texture, and the image takes the same texels: the whole of it is then symmetric,
to the bit and in its colours, whatever was painted, corrected or laid on top before. It costs the texels of the half
that is gone. Cut before it is simplified, it would not be symmetric any more; before it is painted, the half would be
painted with what hides it from some sides away.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from backend.meshes.mesh import Mesh

NEAREST = 1e-4  # of vertices to the plane, moved if need be: nearer ones would leave triangles without area
SIDES = {"left": -1.0, "right": 1.0}  # as who looks at the front, along +Y, sees them


def mirrored(mesh: Mesh, kept: str) -> Mesh:
    """Return the half of a mesh that is `kept`, left or right, joined at x = 0 with its mirror image.

    A closed mesh stays closed, wound outwards; both halves have the same texture coordinates. It has no faces where
    nothing lies on that side, and is in two pieces where nothing reaches the plane.
    """
    x = _distances(mesh, kept)
    positions = mesh.vertices.double().numpy().copy()
    positions[:, 0] = SIDES[kept] * x
    faces, pairs = _clipped(mesh.faces.numpy(), x > 0)
    # From the inner end to the outer one in every face: those of two charts must meet to the bit.
    start, end = pairs.T
    along = (x[start] / (x[start] - x[end]))[:, None]
    cuts = positions[start] + along * (positions[end] - positions[start])
    cuts[:, 0] = 0.0

    used, faces = np.unique(faces, return_inverse=True)
    faces = faces.reshape(-1, 3)
    own = int((used < len(positions)).sum())  # the rest lies on the plane, and belongs to both halves
    half = np.concatenate([positions, cuts])[used]
    other = np.arange(len(used))
    other[:own] += len(used)
    made = Mesh(
        torch.from_numpy(np.concatenate([half, half[:own] * [-1.0, 1.0, 1.0]]).astype(np.float32)),
        torch.from_numpy(np.concatenate([faces, other[faces][:, ::-1]]).astype(np.int64)),
    )
    if mesh.uv is None:
        return made
    uv = mesh.uv.double().numpy()
    uv = np.concatenate([uv, uv[start] + along * (uv[end] - uv[start])])[used].astype(np.float32)
    return replace(made, uv=torch.from_numpy(np.concatenate([uv, uv[:own]])), texture=mesh.texture)


def mirrored_faces(mesh: Mesh, kept: str) -> int:
    """Return how many faces `mirrored` would give."""
    inside = (_distances(mesh, kept) > 0)[mesh.faces.numpy()].sum(axis=1)
    return 2 * int(np.array([0, 1, 2, 1])[inside].sum())


def _distances(mesh: Mesh, kept: str) -> np.ndarray:
    """Return how far into the kept half vertices lie, [V], none nearer to the plane than NEAREST.

    What lies on the plane counts as beyond it: so each vertex is on one side, and a closed mesh is cut along loops.
    """
    x = SIDES[kept] * mesh.vertices[:, 0].double().numpy()
    return np.where(np.abs(x) < NEAREST, np.where(x > 0, NEAREST, -NEAREST), x)


def _clipped(faces: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what of faces [F, 3] lies inside, given which vertices [V] do, and the edges [E, 2] that were cut.

    Edges go from inside to outside; where the edge E is cut, the new faces name a vertex V + E.
    """
    within = inside[faces]
    count = within.sum(axis=1)
    tips, stumps = faces[count == 1], faces[count == 2]
    # Turned until the vertex that is alone on its side comes first.
    a, b, c = _turned(tips, within[count == 1].argmax(axis=1)).T
    p, q, r = _turned(stumps, within[count == 2].argmin(axis=1)).T
    crossing = np.concatenate([np.stack(edge, axis=1) for edge in ((a, b), (a, c), (q, p), (r, p))])
    pairs, index = np.unique(crossing, axis=0, return_inverse=True)
    ab, ac, qp, rp = np.split(index.reshape(-1) + len(inside), np.cumsum([len(tips), len(tips), len(stumps)]))
    made = [faces[count == 3], *(np.stack(face, axis=1) for face in ((a, ab, ac), (qp, q, r), (qp, r, rp)))]
    return np.concatenate(made), pairs


def _turned(faces: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Return faces [F, 3] that begin at another of their corners [F]."""
    return np.take_along_axis(faces, (first[:, None] + np.arange(3)) % 3, axis=1)
