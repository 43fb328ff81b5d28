"""The categories of objects, each a short recipe of primitives: front to -Y, up to +Z, in free units."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from backend.embedded.objects.solids import Primitive

# Slots 0 and 1 take the object's main and accent colours; the rest belong to things that have a colour of their own.
MAIN, ACCENT, DARK, BEAK, WOOD, PALE, METAL, GLASS = range(8)


class Draw:
    """Draws shape parameters; training never sees the top tenth of a range, `unseen` draws always use it once."""

    def __init__(self, rng: random.Random, seen_share: float, unseen: bool) -> None:
        self.rng, self.seen_share, self.unseen = rng, seen_share, unseen
        self.drawn = 0

    def __call__(self, low: float, high: float) -> float:
        """Return one parameter in [low, high]."""
        share = self.rng.random() * self.seen_share
        if self.unseen and self.drawn == 0:
            share = self.seen_share + self.rng.random() * (1 - self.seen_share)
        self.drawn += 1
        return low + (high - low) * share


@dataclass
class Parts:
    """The primitives of one object, the place where a hat can sit (x, y, z, radius), and whether it wears one."""

    primitives: list[Primitive] = field(default_factory=list)
    hat_at: tuple[float, float, float, float] | None = None

    def ball(self, x: float, y: float, z: float, r: float | tuple[float, float, float], slot: int = MAIN) -> None:
        size = r if isinstance(r, tuple) else (r, r, r)
        self.primitives.append(Primitive("ellipsoid", (x, y, z), size, slot))

    def box(
        self, x: float, y: float, z: float, half: tuple[float, float, float], slot: int = MAIN,
        turn: tuple[float, float, float] = (0, 0, 0), rounding: float = 0.03, cut: bool = False,
    ) -> None:  # fmt: skip
        self.primitives.append(Primitive("box", (x, y, z), half, slot, turn, min(rounding, *half), cut))

    def cone(
        self, x: float, y: float, z: float, bottom: float, top: float, half: float, slot: int = MAIN,
        turn: tuple[float, float, float] = (0, 0, 0), cut: bool = False,
    ) -> None:  # fmt: skip
        rounding = min(0.025, bottom * 0.5, top * 0.5, half * 0.5)
        self.primitives.append(Primitive("cone", (x, y, z), (bottom, top, half), slot, turn, rounding, cut))

    def ring(
        self, x: float, y: float, z: float, ring: float, tube: float, slot: int = MAIN,
        turn: tuple[float, float, float] = (0, 0, 0),
    ) -> None:  # fmt: skip
        self.primitives.append(Primitive("torus", (x, y, z), (ring, tube, 0.0), slot, turn))


def _mug(u: Draw, p: Parts) -> None:
    h, r = u(0.40, 0.75), u(0.38, 0.52)
    p.cone(0, 0, 0, r * u(0.8, 1.0), r, h)
    p.cone(0, 0, 0.12, r - 0.09, r - 0.09, h, ACCENT, cut=True)
    p.ring(r + 0.08, 0, 0, u(0.20, 0.30), 0.07, ACCENT, (90, 0, 0))
    # The ring pierces the wall: hollow the inside once more, so that the handle stays outside.
    p.cone(0, 0, 0.12, r - 0.10, r - 0.10, h, MAIN, cut=True)


def _teapot(u: Draw, p: Parts) -> None:
    r, h = u(0.50, 0.62), u(0.36, 0.52)
    p.ball(0, 0, 0, (r, r, h))
    p.cone(r + 0.12, 0, 0.10, 0.13, 0.07, 0.30, MAIN, (0, 50, 0))
    p.ring(-r - 0.06, 0, 0.02, 0.24, 0.06, ACCENT, (90, 0, 0))
    p.cone(0, 0, h - 0.02, 0.30, 0.22, 0.06, ACCENT)
    p.ball(0, 0, h + 0.10, 0.09, ACCENT)
    p.cone(0, 0, -h + 0.02, 0.32, 0.28, 0.06)


def _chair(u: Draw, p: Parts) -> None:
    back, w, leg = u(0.40, 0.70), u(0.34, 0.46), u(0.30, 0.48)
    p.box(0, 0, 0, (w, w, 0.06))
    p.box(0, w - 0.05, back, (w, 0.05, back))
    for x, y in ((-1, -1), (1, -1), (-1, 1), (1, 1)):
        p.box(x * (w - 0.06), y * (w - 0.06), -leg, (0.055, 0.055, leg), ACCENT)


def _table(u: Draw, p: Parts) -> None:
    leg, w, d = u(0.30, 0.55), u(0.55, 0.85), u(0.42, 0.6)
    if u.rng.random() < 0.5:
        p.box(0, 0, leg, (w, d, 0.06))
    else:
        p.cone(0, 0, leg, d, d, 0.06)
        w = d = d * 0.75
    for x, y in ((-1, -1), (1, -1), (-1, 1), (1, 1)):
        p.box(x * (w - 0.09), y * (d - 0.09), 0, (0.06, 0.06, leg), ACCENT)


def _lamp(u: Draw, p: Parts) -> None:
    h, r = u(0.45, 0.75), u(0.34, 0.50)
    p.cone(0, 0, h, r, r * u(0.35, 0.7), 0.26)
    p.cone(0, 0, 0, 0.05, 0.05, h, ACCENT)
    p.cone(0, 0, -h, 0.30, 0.22, 0.05, ACCENT)


def _mushroom(u: Draw, p: Parts) -> None:
    r, h = u(0.45, 0.70), u(0.30, 0.48)
    p.ball(0, 0, h, (r, r, u(0.32, 0.5)))
    p.box(0, 0, h - 0.5, (1, 1, 0.44), cut=True, rounding=0)
    p.cone(0, 0, 0, u(0.17, 0.26), 0.15, h, PALE)
    p.hat_at = None


def _snowman(u: Draw, p: Parts) -> None:
    a, b, c = u(0.42, 0.52), u(0.30, 0.37), u(0.22, 0.28)
    p.ball(0, 0, 0, a)
    p.ball(0, 0, a + b * 0.6, b)
    top = a + 1.2 * b + 0.65 * c + 0.05
    p.ball(0, 0, top, c)
    p.cone(0, -c - 0.10, top, 0.07, 0.015, 0.14, BEAK, (90, 0, 0))
    for x in (-0.09, 0.09):
        p.ball(x, -c * 0.88, top + 0.09, 0.04, DARK)
    for z in (a + b * 0.75, a + b * 0.3):
        p.ball(0, -b * 0.97, z, 0.045, DARK)
    p.ring(0, 0, top - c * 0.8, c * 0.75, 0.07, ACCENT)
    p.hat_at = (0, 0, top + c * 0.75, c * 0.75)


def _rocket(u: Draw, p: Parts) -> None:
    h, r = u(0.42, 0.62), u(0.19, 0.28)
    p.cone(0, 0, 0, r, r, h)
    p.cone(0, 0, h + 0.24, r, 0.02, 0.25, ACCENT)
    for i in range(4):
        x, y = ((1, 0), (-1, 0), (0, 1), (0, -1))[i]
        p.box(x * (r + 0.10), y * (r + 0.10), -h + 0.10, (0.16 if x else 0.03, 0.16 if y else 0.03, 0.2), ACCENT)
    p.cone(0, 0, -h - 0.06, 0.17, 0.12, 0.07, METAL)
    p.ball(0, -r * 0.85, h * 0.35, 0.12, GLASS)


def _house(u: Draw, p: Parts) -> None:
    w, d, h = u(0.42, 0.58), u(0.40, 0.55), u(0.26, 0.40)
    p.box(0, 0, 0, (w, d, h))
    s = w * 0.80
    p.box(0, 0, h, (s, d - 0.02, s), ACCENT, (0, 45, 0))
    p.box(0, -d, -h + 0.20, (0.11, 0.04, 0.2), WOOD, rounding=0.01)
    for x in (-1, 1):
        p.box(x * (w * 0.6), -d, 0.03, (0.09, 0.03, 0.09), GLASS, rounding=0.01)
    p.box(w * 0.5, d * 0.3, h + s, (0.08, 0.08, 0.25), METAL)


def _tree(u: Draw, p: Parts) -> None:
    h = u(0.18, 0.34)
    p.cone(0, 0, 0, 0.11, 0.09, h + 0.1, WOOD)
    if u.rng.random() < 0.5:
        for i, r in enumerate((u(0.44, 0.56), 0.38, 0.26)):
            p.cone(0, 0, h + 0.25 + 0.3 * i, r, 0.05, 0.24)
    else:
        r = u(0.34, 0.42)
        p.ball(0, 0, h + 0.55, r + 0.05)
        for x, y, z in ((0.25, 0.1, 0.35), (-0.25, 0.1, 0.4), (0.02, -0.25, 0.38)):
            p.ball(x, y, h + z, r * 0.75)


def _cactus(u: Draw, p: Parts) -> None:
    h, r, a, b = u(0.55, 0.75), u(0.16, 0.22), u(-0.1, 0.2), u(0.1, 0.4)
    p.cone(0, 0, 0, r, r, h - 0.05)
    p.ball(0, 0, h - 0.05, r)
    for side, z in ((1, a), (-1, b)):
        p.cone(side * 0.24, 0, z - 0.12, 0.1, 0.1, 0.2, MAIN, (0, 90, 0))
        p.cone(side * 0.42, 0, z + 0.06, 0.1, 0.1, 0.24)
        p.ball(side * 0.42, 0, z + 0.29, 0.1)
    p.cone(0, 0, -h, 0.28, 0.34, 0.14, ACCENT)


def _car(u: Draw, p: Parts) -> None:
    length, w, h = u(0.62, 0.82), u(0.32, 0.40), u(0.13, 0.2)
    p.box(0, 0, 0, (w, length, h), rounding=0.08)
    p.box(0, 0.12, h + 0.13, (w * 0.85, length * 0.5, 0.16), GLASS, rounding=0.08)
    p.box(0, 0.12, h + 0.27, (w * 0.78, length * 0.45, 0.05), MAIN, rounding=0.04)
    for x in (-1, 1):
        for y in (-1, 1):
            p.cone(x * w, y * length * 0.6, -h, 0.17, 0.17, 0.07, DARK, (0, 90, 0))
        p.ball(x * w * 0.65, -length, 0.02, 0.085, PALE)
    p.box(0, -length, -h + 0.06, (w * 0.8, 0.04, 0.05), METAL)


def _bird(u: Draw, p: Parts) -> None:
    r, head = u(0.34, 0.42), u(0.22, 0.28)
    p.ball(0, 0, 0, (r, r * 1.35, r))
    y, z = -r * 1.05, r + head * 0.5
    p.ball(0, y, z, head)
    p.cone(0, y - head - 0.08, z, 0.085, 0.01, 0.13, BEAK, (90, 0, 0))
    for x in (-1, 1):
        p.ball(x * head * 0.55, y - head * 0.72, z + 0.08, 0.05, DARK)
        p.ball(x * r * 0.95, 0.08, 0.05, (0.09, r * 0.95, r * 0.6), ACCENT)
        p.cone(x * 0.13, 0, -r - 0.12, 0.035, 0.035, 0.16, BEAK)
    p.box(0, r * 1.45, 0.12, (0.14, 0.26, 0.04), ACCENT, (25, 0, 0))
    p.hat_at = (0, y, z + head * 0.8, head * 0.7)


def _dog(u: Draw, p: Parts) -> None:
    length, r, leg = u(0.40, 0.55), u(0.21, 0.27), u(0.16, 0.28)
    p.ball(0, 0, 0, (r, length, r))
    for x in (-1, 1):
        for y in (-1, 1):
            p.cone(x * r * 0.6, y * length * 0.6, -r * 0.6 - leg, 0.07, 0.08, leg)
    y, z = -length - 0.02, r + 0.14
    p.ball(0, y, z, u(0.21, 0.26))
    p.ball(0, y - 0.24, z - 0.07, (0.11, 0.16, 0.09), ACCENT)
    p.ball(0, y - 0.39, z - 0.04, 0.045, DARK)
    for x in (-1, 1):
        p.ball(x * 0.22, y + 0.03, z + 0.02, (0.06, 0.11, 0.19), ACCENT)
    p.cone(0, length + 0.1, 0.16, 0.06, 0.03, 0.2, MAIN, (-40, 0, 0))
    p.hat_at = (0, y, z + 0.2, 0.18)


def _fish(u: Draw, p: Parts) -> None:
    length, h, w = u(0.50, 0.65), u(0.32, 0.42), u(0.18, 0.26)
    p.ball(0, 0, 0, (w, length, h))
    for s in (-1, 1):
        p.ball(0, length + 0.12, s * 0.17, (0.05, 0.13, 0.24), ACCENT)
        p.ball(s * w * 0.78, -length * 0.62, 0.10, 0.07, DARK)
        p.ball(s * (w + 0.06), -0.05, -0.1, (0.14, 0.13, 0.05), ACCENT)
    p.ball(0, 0.05, h, (0.05, 0.30, 0.17), ACCENT)
    p.ball(0, -length, -0.03, (0.08, 0.06, 0.06), ACCENT)


def _robot(u: Draw, p: Parts) -> None:
    w, h, head = u(0.28, 0.38), u(0.28, 0.38), u(0.20, 0.27)
    p.box(0, 0, 0, (w, 0.22, h))
    z = h + head + 0.04
    p.box(0, 0, z, (head, 0.2, head * 0.85))
    for x in (-1, 1):
        p.ball(x * head * 0.45, -0.2, z + 0.04, 0.065, GLASS)
        p.box(x * (w + 0.10), 0, 0.02, (0.07, 0.09, h * 0.9), ACCENT)
        p.box(x * w * 0.5, 0, -h - 0.18, (0.10, 0.13, 0.2), ACCENT)
    p.box(0, -0.22, 0.05, (w * 0.55, 0.03, h * 0.4), METAL, rounding=0.01)
    p.hat_at = (0, 0, z + head * 0.8, head * 0.7)
    if u.rng.random() < 0.6:
        p.cone(0, 0, z + head + 0.05, 0.025, 0.025, 0.15, METAL)
        p.ball(0, 0, z + head + 0.2, 0.06, ACCENT)
        p.hat_at = None


def _bottle(u: Draw, p: Parts) -> None:
    h, r = u(0.40, 0.60), u(0.22, 0.34)
    p.cone(0, 0, 0, r, r, h)
    p.cone(0, 0, h + 0.1, r, 0.09, 0.12)
    p.cone(0, 0, h + 0.32, 0.09, 0.09, 0.14)
    p.cone(0, 0, h + 0.48, 0.11, 0.11, 0.06, ACCENT)
    p.cone(0, 0, -0.05, r + 0.012, r + 0.012, h * 0.4, PALE)


def _rabbit(u: Draw, p: Parts) -> None:
    ear, r, head = u(0.26, 0.40), u(0.34, 0.42), u(0.25, 0.30)
    p.ball(0, 0.05, 0, (r, r * 1.1, r))
    y, z = -0.18, r + head * 0.6
    p.ball(0, y, z, head)
    for x in (-1, 1):
        p.ball(x * 0.12, y + 0.04, z + head * 0.8 + ear * 0.6, (0.075, 0.05, ear), MAIN)
        p.ball(x * 0.11, y - head * 0.88, z + 0.05, 0.045, DARK)
        p.ball(x * r * 0.6, -r * 0.85, -r * 0.75, (0.12, 0.2, 0.1), ACCENT)
    p.ball(0, y - head, z - 0.06, (0.06, 0.05, 0.045), BEAK)
    p.ball(0, r * 1.1 + 0.08, -0.08, 0.13, ACCENT)


def _bear(u: Draw, p: Parts) -> None:
    r, head = u(0.32, 0.42), u(0.27, 0.33)
    p.ball(0, 0, 0, (r, r * 0.85, r * 1.1))
    z = r * 1.1 + head * 0.7
    p.ball(0, -0.03, z, head)
    p.ball(0, -0.03 - head * 0.85, z - 0.07, (0.13, 0.12, 0.10), ACCENT)
    p.ball(0, -0.12 - head * 0.95, z - 0.03, 0.045, DARK)
    for x in (-1, 1):
        p.ball(x * head * 0.75, 0, z + head * 0.75, 0.12, MAIN)
        p.ball(x * 0.12, -head * 0.95, z + 0.09, 0.04, DARK)
        p.ball(x * (r + 0.06), -0.12, 0.12, (0.11, 0.22, 0.11), MAIN)
    for x in (-1, 1):
        p.ball(x * r * 0.6, -0.28, -r * 0.95, (0.14, 0.26, 0.14), ACCENT)
    p.hat_at = None


def _boat(u: Draw, p: Parts) -> None:
    length, w, mast = u(0.60, 0.80), u(0.24, 0.34), u(0.40, 0.58)
    p.ball(0, 0, 0, (w, length, 0.34))
    p.box(0, 0, 0.42, (1.2, 1.2, 0.36), cut=True, rounding=0)
    p.cone(0, -0.05, mast, 0.035, 0.03, mast + 0.1, WOOD)
    p.box(0, 0.22, mast + 0.02, (0.02, 0.24, mast * 0.7), PALE, (8, 0, 0), rounding=0.01)
    p.box(0, length * 0.55, 0.14, (w * 0.6, 0.16, 0.13), ACCENT)
    p.box(0, -0.13, 2 * mast + 0.05, (0.015, 0.11, 0.07), ACCENT, rounding=0.01)


def _plane(u: Draw, p: Parts) -> None:
    length, r, span = u(0.62, 0.80), u(0.14, 0.19), u(0.65, 0.85)
    p.ball(0, 0, 0, (r, length, r))
    p.box(0, -0.05, 0, (span, 0.16, 0.03), ACCENT)
    p.box(0, length * 0.85, 0.02, (span * 0.4, 0.09, 0.025), ACCENT)
    p.box(0, length * 0.85, 0.18, (0.025, 0.11, 0.18), ACCENT)
    p.ball(0, -length * 0.45, r * 0.8, (0.09, 0.17, 0.08), GLASS)
    for x in (-1, 1):
        p.cone(x * span * 0.5, -0.12, -0.07, 0.07, 0.07, 0.15, METAL, (90, 0, 0))


def _sofa(u: Draw, p: Parts) -> None:
    w, h = u(0.60, 0.85), u(0.25, 0.36)
    p.box(0, 0, 0, (w, 0.36, 0.16), rounding=0.06)
    p.box(0, 0.34, h, (w, 0.10, h + 0.08), rounding=0.08)
    for x in (-1, 1):
        p.box(x * w, 0, 0.12, (0.10, 0.38, 0.26), rounding=0.08)
        p.box(x * w * 0.47, -0.06, 0.2, (w * 0.42, 0.28, 0.07), ACCENT, rounding=0.06)
        p.box(x * w * 0.85, -0.25, -0.22, (0.05, 0.05, 0.08), WOOD)


def _castle(u: Draw, p: Parts) -> None:
    h, w, r = u(0.36, 0.52), u(0.36, 0.46), u(0.13, 0.17)
    p.box(0, 0, -0.08, (w, w, h - 0.1), rounding=0.01)
    for x in (-1, 1):
        for y in (-1, 1):
            p.cone(x * w, y * w, 0, r, r, h)
            p.cone(x * w, y * w, h + 0.13, r + 0.06, 0.01, 0.14, ACCENT)
    p.box(0, -w, -h + 0.17, (0.13, 0.04, 0.19), WOOD, rounding=0.01)


def _icecream(u: Draw, p: Parts) -> None:
    h, r = u(0.40, 0.55), u(0.28, 0.36)
    p.cone(0, 0, 0, 0.03, r, h, WOOD)
    p.ball(0, 0, h + r * 0.35, r * 1.08)
    if u.rng.random() < 0.6:
        p.ball(0, 0, h + r * 1.5, r * 0.85, ACCENT)
        p.ball(0, 0, h + r * 2.4, 0.10, DARK)


def _turtle(u: Draw, p: Parts) -> None:
    r, h = u(0.45, 0.58), u(0.26, 0.38)
    p.ball(0, 0, 0, (r, r * 1.15, h))
    p.box(0, 0, -0.36, (1, 1, 0.3), cut=True, rounding=0)
    p.ball(0, -r * 1.15 - 0.16, 0.04, (0.14, 0.2, 0.14), ACCENT)
    for x in (-1, 1):
        for y in (-1, 1):
            p.ball(x * r * 0.75, y * r * 0.8, -0.1, (0.14, 0.18, 0.11), ACCENT)
        p.ball(x * 0.09, -r * 1.15 - 0.29, 0.1, 0.04, DARK)
    p.cone(0, r * 1.15 + 0.08, -0.04, 0.06, 0.01, 0.12, ACCENT, (-90, 0, 0))


def _cake(u: Draw, p: Parts) -> None:
    h, r = u(0.20, 0.32), u(0.50, 0.65)
    p.cone(0, 0, 0, r, r, h)
    p.cone(0, 0, h + 0.2, r * 0.62, r * 0.62, 0.2, ACCENT)
    for x, y in ((0.2, 0), (-0.1, 0.17), (-0.1, -0.17)):
        p.cone(x, y, h + 0.5, 0.03, 0.03, 0.13, PALE)
        p.ball(x, y, h + 0.67, (0.035, 0.035, 0.06), BEAK)


def _clock(u: Draw, p: Parts) -> None:
    r, d = u(0.42, 0.55), u(0.12, 0.2)
    p.cone(0, 0, 0, r, r, d, MAIN, (90, 0, 0))
    p.cone(0, -d, 0, r * 0.82, r * 0.82, 0.03, PALE, (90, 0, 0))
    p.box(0, -d - 0.04, r * 0.28, (0.03, 0.02, r * 0.3), DARK, rounding=0.01)
    p.box(r * 0.2, -d - 0.04, 0, (r * 0.22, 0.02, 0.03), DARK, rounding=0.01)
    for x in (-1, 1):
        p.ball(x * r * 0.6, 0, r * 0.9, 0.17, ACCENT)
        p.cone(x * r * 0.6, 0, -r * 0.95, 0.06, 0.05, 0.14, METAL, (0, x * -25, 0))


CATEGORIES: dict[str, Callable[[Draw, Parts], None]] = {
    "mug": _mug, "teapot": _teapot, "chair": _chair, "table": _table, "lamp": _lamp, "mushroom": _mushroom,
    "snowman": _snowman, "rocket": _rocket, "house": _house, "tree": _tree, "cactus": _cactus, "car": _car,
    "bird": _bird, "dog": _dog, "fish": _fish, "robot": _robot, "bottle": _bottle, "rabbit": _rabbit,
    "bear": _bear, "boat": _boat, "plane": _plane, "sofa": _sofa, "castle": _castle, "icecream": _icecream,
    "turtle": _turtle, "cake": _cake, "clock": _clock,
}  # fmt: skip
