"""Free forms: random compositions of 2 to 12 primitives with smooth unions, cuts, symmetry and deformation.

Shapes of no category: networks that learn from such data reconstruct real objects.
Source: Xie et al., LRM-Zero, 2024; Zeroverse is its data.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from backend.embedded.objects.forms import Form, Material, Piece
from backend.embedded.objects.pieces import FOUR, PAIR, Triple
from backend.embedded.objects.solids import Primitive

SLOTS = 4
MOST_PRIMITIVES = 12
NOUNS = {
    "ellipsoid": "balls", "box": "boxes", "cone": "cones", "torus": "rings", "limb": "tubes", "arc": "arcs",
    "prism": "prisms", "star": "stars", "heart": "hearts", "wedge": "wedges", "pyramid": "pyramids",
}  # fmt: skip
OFTEN = {"ellipsoid": 4, "box": 4, "cone": 4, "torus": 2, "limb": 3, "arc": 2, "prism": 2}
BENT, TWISTED, TAPERED = "bent", "twisted", "tapered"


@dataclass(frozen=True)
class FreeForm:
    """A form without materials of its own, and what can be said of it."""

    form: Form
    details: tuple[str, ...]


def draw_form(rng: random.Random) -> FreeForm:
    """Draw a composition; each primitive but the first grows out of one before it."""
    kinds = list(dict.fromkeys(rng.choices(list(NOUNS), [OFTEN.get(kind, 1) for kind in NOUNS], k=rng.randint(1, 3))))
    count = rng.randint(2, MOST_PRIMITIVES)
    soft = rng.choice((0.0, 0.0, rng.uniform(0.03, 0.1), rng.uniform(0.1, 0.3)))
    copies = rng.choices((1, PAIR, FOUR, rng.randint(3, 7)), (45, 35, 8, 12))[0]
    pieces: list[Piece] = []
    for i in range(count):
        primitive = _primitive(rng, rng.choice(kinds), i, pieces)
        off_axis = math.hypot(*primitive.centre[:2]) > 0.15
        pieces.append(Piece(primitive, soft if i else 0.0, copies if off_axis and i else 1))
    for _ in range(rng.choices((0, 1, 2), (70, 20, 10))[0] if count < MOST_PRIMITIVES - 1 else 0):
        pieces.append(_cut(rng, pieces, copies))
    bend, twist, taper = 0.0, 0.0, 0.0
    details = []
    kind = rng.random()
    if kind < 0.15:
        bend = rng.choice((-1, 1)) * rng.uniform(0.3, 0.55)
        details.append(BENT)
    elif kind < 0.27:
        twist = rng.choice((-1, 1)) * rng.uniform(0.6, 1.6)
        details.append(TWISTED)
    elif kind < 0.37:
        taper = rng.choice((-1, 1)) * rng.uniform(0.25, 0.5)
        details.append(TAPERED)
    nouns = " and ".join(NOUNS[k] for k in kinds[:2])
    if len(kinds) <= 2:
        details.append(f"made of {nouns}")
    form = Form(tuple(pieces), tuple(Material((0.5, 0.5, 0.5)) for _ in range(SLOTS)), bend, twist, taper)
    return FreeForm(form, tuple(details))


def _primitive(rng: random.Random, kind: str, index: int, before: list[Piece]) -> Primitive:
    def between(low: float, high: float) -> float:
        return rng.uniform(low, high) * (1.1 if index == 0 else 1.0)

    size: Triple
    match kind:
        case "torus":
            size = (between(0.2, 0.45), between(0.06, 0.13), 0.0)
        case "arc":
            size = (between(0.25, 0.5), between(0.06, 0.13), rng.uniform(50, 140))
        case "cone":
            size = (between(0.1, 0.4), between(0.03, 0.35), between(0.1, 0.45))
        case "limb":
            size = (between(0.06, 0.2), between(0.05, 0.15), between(0.15, 0.5))
        case "prism":
            size = (between(0.15, 0.35), between(0.08, 0.4), float(rng.choice((3, 5, 6, 8))))
        case "star":
            size = (between(0.25, 0.5), between(0.06, 0.2), float(rng.choice((4, 5, 6, 8))))
        case "heart":
            size = (between(0.4, 0.7), between(0.08, 0.2), 0.0)
        case _:
            size = (between(0.1, 0.4), between(0.1, 0.4), between(0.1, 0.4))
    slot = 0 if index == 0 else rng.choice((0, 0, 0, 1, 1, 2, 3))
    x, y, z = (float(rng.choice((0, 0, 0, 90, rng.uniform(-60, 60)))) for _ in range(3))
    rounding = rng.choice((0.01, 0.04)) * (kind in ("box", "prism", "star"))
    if kind == "cone":
        rounding = min(0.025, 0.5 * min(size))
    centre = _beside(rng, before) if before else (0.0, 0.0, 0.0)
    return Primitive(kind, centre, size, slot, (x, y, z), rounding)


def _beside(rng: random.Random, before: list[Piece]) -> Triple:
    """Return a place near the surface of one of the primitives before, so that what grows there is joined to it."""
    origin = rng.choice(before).primitive
    away = [rng.gauss(0, 1) for _ in range(3)]
    length = math.sqrt(sum(v * v for v in away))
    ring = origin.kind in ("torus", "arc")
    reach = origin.size[0] if ring else rng.uniform(0.9, 1.4) * max(min(s for s in origin.size if s), 0.12)
    x, y, z = (c + reach * v / length for c, v in zip(origin.centre, away, strict=True))
    return (abs(x), y, z)


def _cut(rng: random.Random, pieces: list[Piece], copies: int) -> Piece:
    x, y, z = _beside(rng, pieces)
    a, b, c = (rng.uniform(0.1, 0.3) for _ in range(3))
    kind = rng.choice(("ellipsoid", "box"))
    primitive = Primitive(kind, (x, y, z), (a, b, c), cut=True, rounding=0.02 * (kind == "box"))
    return Piece(primitive, rng.choice((0.0, 0.05)), copies if abs(x) > 0.15 else 1)
