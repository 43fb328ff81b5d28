"""Forms: what the second world is made of. Primitives of more kinds, smoothly joined, copied, bent; a material each.

A form becomes a table of numbers (`Table`), which the compiled tracer reads: one row a primitive and copy, and the
placement of the whole. Kinds beyond those of `solids.Primitive` and their sizes, each in a frame of its own:
limb (radius below and above, half length along z; round ends) · arc (ring radius, tube radius, half of the angle in
degrees; around z, its middle towards +y; round ends) · prism (inner radius, half height, corners) · star (outer
radius, half height, points) · heart (height, half thickness, unused; in x and y, its tip at the centre) · wedge and
pyramid (half extents; a ridge along y, or an apex, at the top).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from backend.embedded.objects.solids import FIT_RADIUS, Primitive
from backend.embedded.objects.tracing import FACTOR, KINDS, PLACEMENT, ROW, distances_at

MOST_PIECES = 24
SHARP = 0.0


@dataclass(frozen=True)
class Material:
    """The colours (sRGB) and the texture of one slot; a texture has a frequency and a number that varies it."""

    colour: tuple[float, float, float]
    second: tuple[float, float, float] = (1.0, 1.0, 1.0)
    texture: str = "plain"
    frequency: float = 4.0
    variant: int = 0


@dataclass(frozen=True)
class Piece:
    """One primitive, how softly it joins (or cuts) what came before it, and how often it is there.

    `copies`: 1 as it is; -2 mirrored at x = 0; -4 at x = 0 and y = 0; n > 1 in a ring of n around z.
    """

    primitive: Primitive
    blend: float = SHARP
    copies: int = 1


@dataclass(frozen=True)
class Form:
    """An object: at most MOST_PIECES pieces and a material for each slot, deformed as a whole and then placed.

    `bend` is the curvature that the z axis takes towards +x, `twist` the turn about z in radians for each unit of
    height, `taper` by how much the width grows for each unit of height, `stretch` how many times as long it becomes
    along x and y (all before placement).
    """

    pieces: tuple[Piece, ...]
    materials: tuple[Material, ...]
    bend: float = 0.0
    twist: float = 0.0
    taper: float = 0.0
    stretch: tuple[float, float] = (1.0, 1.0)
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    scale: float = 1.0

    def __post_init__(self) -> None:
        if len(self.pieces) > MOST_PIECES:
            raise ValueError(f"{len(self.pieces)} pieces: a form has at most {MOST_PIECES}")


@dataclass(frozen=True)
class Table:
    """A form as the tracer reads it: rows [P, ROW] and its placement and deformation [PLACEMENT], float64."""

    rows: np.ndarray
    placement: np.ndarray


def table(form: Form) -> Table:
    """Write a form out: every copy becomes a row with its own frame and bounding sphere."""
    rows = [row for piece in form.pieces for row in _rows(piece)]
    placement = np.array([*form.offset, form.scale, form.bend, form.twist, form.taper, 1.0, *form.stretch])
    assert len(placement) == PLACEMENT
    packed = np.array(rows)
    if form.bend or form.twist or form.taper or form.stretch != (1.0, 1.0):
        placement[FACTOR] = 1.0 / _stretch(placement, _reach(packed) * max(1.0, *form.stretch))
    return Table(packed, placement)


def signed_distance(form: Form, points: np.ndarray) -> np.ndarray:
    """Return the signed distance [N] of world points [N, 3]: negative inside, never more than the distance outside."""
    written = table(form)
    return distances_at(np.ascontiguousarray(points, dtype=np.float64), written.rows, written.placement)


def fit(form: Form, resolution: int = 30) -> tuple[Form, np.ndarray]:
    """Centre the form and scale it into the sphere of FIT_RADIUS; return it and its extent [3] after that."""
    free = replace(form, offset=(0.0, 0.0, 0.0), scale=1.0)
    written = table(free)
    loss = written.placement[FACTOR]  # what deformation takes off distances
    reach = _reach(written.rows) * max(1.0, *form.stretch) * (1.25 if form.bend or form.taper else 1.02)
    low, high = np.full(3, -reach), np.full(3, reach)
    inside = np.zeros((0, 3))
    for _ in range(2):  # on a grid, and once more on a grid inside the bounds that this finds
        axes = [np.linspace(a, b, resolution) for a, b in zip(low, high, strict=True)]
        grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
        cell = (high - low) / (resolution - 1)
        inside = grid[signed_distance(free, grid) / loss < 0.4 * float(np.linalg.norm(cell)) / math.sqrt(3)]
        if not len(inside):
            raise ValueError("a form without an inside cannot be fitted: its cuts take everything away")
        low, high = inside.min(0) - cell, inside.max(0) + cell
    middle = (inside.min(0) + inside.max(0)) / 2
    radius = float(np.linalg.norm(inside - middle, axis=-1).max())
    scale = FIT_RADIUS / radius
    placed = replace(form, offset=tuple(float(v) for v in middle), scale=scale)
    return placed, (inside.max(0) - inside.min(0)) * scale


def _rows(piece: Piece) -> list[list[float]]:
    primitive = piece.primitive
    frame = _rotation(primitive.rotation)
    rows = []
    for motion in _motions(piece.copies):
        centre, turned = motion @ np.array(primitive.centre), motion @ frame  # own frame -> object
        rows.append(
            [
                *centre, *turned.T.reshape(-1), *primitive.size, primitive.rounding, piece.blend,
                float(primitive.cut), _bounding_radius(primitive), float(KINDS.index(primitive.kind)),
                float(primitive.slot),
            ]
        )  # fmt: skip
        assert len(rows[-1]) == ROW
    return rows


def _motions(copies: int) -> list[np.ndarray]:
    if copies == -2:
        return [np.diag([x, 1.0, 1.0]) for x in (1.0, -1.0)]
    if copies == -4:
        return [np.diag([x, y, 1.0]) for x in (1.0, -1.0) for y in (1.0, -1.0)]
    return [_rotation((0.0, 0.0, 360.0 * i / copies)) for i in range(copies)]


def _rotation(degrees: tuple[float, float, float]) -> np.ndarray:
    """Return the matrix [3, 3] that turns about x, then y, then z."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def _bounding_radius(primitive: Primitive) -> float:
    a, b, c = primitive.size
    match primitive.kind:
        case "ellipsoid":
            return max(a, b, c)
        case "box" | "wedge" | "pyramid":
            return math.sqrt(a * a + b * b + c * c)
        case "cone":
            return math.hypot(max(a, b), c)
        case "torus" | "arc":
            return a + b
        case "limb":
            return c + max(a, b)
        case "prism":
            return math.hypot(a / math.cos(math.pi / c), b)
        case "star":
            return math.hypot(a, b)
        case "heart":
            return 1.25 * a + b
        case kind:
            raise ValueError(f"unknown primitive {kind!r}: one of {', '.join(KINDS)}")


def _reach(rows: np.ndarray) -> float:
    """Return the radius about the origin of all that adds to the form, before deformation."""
    adds = rows[rows[:, 17] == 0]
    return float((np.linalg.norm(adds[:, :3], axis=-1) + adds[:, 18] + adds[:, 16] / 4).max())


def _stretch(placement: np.ndarray, reach: float) -> float:
    """Return how much the way back from the deformed form to the straight one stretches lengths at most.

    The largest singular value of its Jacobian, over a grid on the sphere of the form and a margin for the gaps.
    """
    from backend.embedded.objects.tracing import straightened

    line = np.linspace(-1.1 * reach, 1.1 * reach, 9)
    grid = np.stack(np.meshgrid(line, line, line, indexing="ij"), axis=-1).reshape(-1, 3)
    step = 1e-4 * reach
    columns = [
        (straightened(grid + step * axis, placement) - straightened(grid - step * axis, placement)) / (2 * step)
        for axis in np.eye(3)
    ]
    return 1.05 * float(np.linalg.svd(np.stack(columns, axis=-1), compute_uv=False).max())
