"""How recipes of the second world are written: shape parameters that say what they are, and pieces put together."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

from backend.embedded.objects.categories import Draw
from backend.embedded.objects.forms import Piece
from backend.embedded.objects.solids import Primitive

# Slots: the first eight are the first world's; all but MAIN and ACCENT have a colour of their own.
MAIN, ACCENT, DARK, BEAK, WOOD, PALE, METAL, GLASS, SKIN, LEAF, GOLD, ROSE, SAND = range(13)
PAIR, FOUR = -2, -4  # copies mirrored left and right, and also front and back
Triple = tuple[float, float, float]
NONE: Triple = (0.0, 0.0, 0.0)
TELLING = 0.28  # of a range at either end: there a shape parameter is worth a word


class TellingDraw(Draw):
    """Draws shape parameters like `Draw`, and keeps what the marked ones let one say."""

    def __init__(self, rng: random.Random, seen_share: float, unseen: bool) -> None:
        super().__init__(rng, seen_share, unseen)
        self.said: list[str] = []

    def __call__(self, low: float, high: float, says: str = "") -> float:
        """Return one parameter in [low, high]; `says` are two phrases, for small and large, parted by a bar."""
        value = super().__call__(low, high)
        if says:
            share = (value - low) / (high - low) / self.seen_share
            small, large = says.split("|")
            self.said += [small] if share < TELLING else [large] if share > 1 - TELLING else []
        return value

    def chance(self, probability: float, says: str = "") -> bool:
        """Return whether an optional part is there; `says` names it."""
        there = self.rng.random() < probability
        if there and says:
            self.said.append(says)
        return there


@dataclass
class Pieces:
    """The pieces of one object and the place where a hat can sit (x, y, z, radius)."""

    pieces: list[Piece] = field(default_factory=list)
    hat_at: tuple[float, float, float, float] | None = None

    def add(
        self, kind: str, at: Triple, size: Triple, slot: int, turn: Triple = NONE, rounding: float = 0.0,
        copies: int = 1, blend: float = 0.0, cut: bool = False,
    ) -> None:  # fmt: skip
        """Add any primitive; sizes by kind as in `forms` and `solids`."""
        self.pieces.append(Piece(Primitive(kind, at, size, slot, turn, rounding, cut), blend, copies))

    def ball(
        self, x: float, y: float, z: float, r: float | Triple, slot: int = MAIN, turn: Triple = NONE, **more
    ) -> None:
        """Add a ball of radius r, or an ellipsoid."""
        self.add("ellipsoid", (x, y, z), r if isinstance(r, tuple) else (r, r, r), slot, turn, **more)

    def box(
        self, x: float, y: float, z: float, half: Triple, slot: int = MAIN, turn: Triple = NONE,
        rounding: float = 0.03, **more,
    ) -> None:  # fmt: skip
        """Add a box of half extents, with round edges."""
        self.add("box", (x, y, z), half, slot, turn, min(rounding, *half), **more)

    def cone(
        self, x: float, y: float, z: float, bottom: float, top: float, half: float, slot: int = MAIN,
        turn: Triple = NONE, **more,
    ) -> None:  # fmt: skip
        """Add a cylinder or a cone (radii, half height)."""
        rounding = min(0.025, bottom * 0.5, top * 0.5, half * 0.5)
        self.add("cone", (x, y, z), (bottom, top, half), slot, turn, rounding, **more)

    def ring(
        self, x: float, y: float, z: float, ring: float, tube: float, slot: int = MAIN, turn: Triple = NONE, **more
    ) -> None:
        """Add a ring around its own z."""
        self.add("torus", (x, y, z), (ring, tube, 0.0), slot, turn, **more)

    def arc(
        self, x: float, y: float, z: float, ring: float, tube: float, half_angle: float, slot: int = MAIN,
        turn: Triple = NONE, **more,
    ) -> None:  # fmt: skip
        """Add part of a ring around its own z, the middle of it towards its own +y, with round ends."""
        self.add("arc", (x, y, z), (ring, tube, half_angle), slot, turn, **more)

    def limb(self, a: Triple, b: Triple, start: float, end: float, slot: int = MAIN, **more) -> None:
        """Add a tube with round ends from point a (radius `start`) to b (radius `end`)."""
        way = [q - p for p, q in zip(a, b, strict=True)]
        length = math.sqrt(sum(v * v for v in way))
        turn = (0.0, math.degrees(math.acos(way[2] / length)), math.degrees(math.atan2(way[1], way[0])))
        middle = ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2, (a[2] + b[2]) / 2)
        self.add("limb", middle, (start, end, length / 2), slot, turn, **more)

    def prism(
        self, x: float, y: float, z: float, inner: float, half: float, corners: int, slot: int = MAIN,
        turn: Triple = NONE, rounding: float = 0.02, **more,
    ) -> None:  # fmt: skip
        """Add a regular prism along its own z, a flat side towards its own +x."""
        self.add("prism", (x, y, z), (inner, half, corners), slot, turn, min(rounding, half / 2), **more)

    def star(
        self, x: float, y: float, z: float, outer: float, half: float, points: int, slot: int = MAIN,
        turn: Triple = NONE, **more,
    ) -> None:  # fmt: skip
        """Add a star in its own x and y, a point towards its own +y."""
        self.add("star", (x, y, z), (outer, half, points), slot, turn, min(0.02, half / 2), **more)

    def heart(self, x: float, y: float, z: float, height: float, half: float, slot: int = MAIN, turn: Triple = NONE):
        """Add a heart in its own x and y, its tip at the given place, towards its own +y."""
        self.add("heart", (x, y, z), (height, half, 0.0), slot, turn)

    def wedge(self, x: float, y: float, z: float, half: Triple, slot: int = MAIN, turn: Triple = NONE, **more) -> None:
        """Add a gable: a ridge along its own y at the top of a box of half extents."""
        self.add("wedge", (x, y, z), half, slot, turn, **more)

    def pyramid(
        self, x: float, y: float, z: float, half: Triple, slot: int = MAIN, turn: Triple = NONE, **more
    ) -> None:
        """Add a pyramid in a box of half extents."""
        self.add("pyramid", (x, y, z), half, slot, turn, **more)
