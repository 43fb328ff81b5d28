"""Food, plants and small things: front to -Y, up to +Z, in free units."""

from __future__ import annotations

from math import cos, pi, sin, sqrt

from backend.embedded.objects.pieces import (
    ACCENT,
    DARK,
    GOLD,
    LEAF,
    MAIN,
    PAIR,
    PALE,
    ROSE,
    SAND,
    WOOD,
    Pieces,
    TellingDraw,
)  # fmt: skip


def _burger(u: TellingDraw, p: Pieces) -> None:
    r, h = u(0.55, 0.7), u(0.08, 0.16, "flat|thick")
    p.cone(0, 0, -0.3, r * 0.92, r, 0.13)
    p.cone(0, 0, -0.1, r * 1.02, r * 1.02, h, WOOD)
    p.box(0, 0, h - 0.06, (r * 0.82, r * 0.82, 0.03), GOLD, (0, 0, 20))
    p.cone(0, 0, h + 0.02, r * 1.12, r * 1.08, 0.05, LEAF)
    p.cone(0, 0, h + 0.1, r * 0.95, r * 0.95, 0.05, ROSE)
    p.ball(0, 0, h + 0.14, (r, r, 0.4))
    p.ball(r * 0.45, 0, h + 0.48, (0.05, 0.03, 0.03), PALE, copies=6)


def _pizza(u: TellingDraw, p: Pieces) -> None:
    r = u(0.65, 0.85)
    p.cone(0, 0, 0, r, r, 0.05, SAND)
    p.cone(0, 0, 0.04, r * 0.88, r * 0.88, 0.04, GOLD)
    p.ring(0, 0, 0.03, r * 0.95, 0.08, SAND)
    p.cone(r * 0.55, 0.1, 0.08, 0.13, 0.13, 0.03, MAIN, copies=u.rng.choice((5, 6, 7)))
    p.cone(0, 0, 0.08, 0.13, 0.13, 0.03)
    p.cone(r * 0.3, 0.16, 0.08, 0.06, 0.06, 0.03, ACCENT, copies=5)


def _donut(u: TellingDraw, p: Pieces) -> None:
    r, tube = u(0.42, 0.52), u(0.18, 0.28, "thin|thick")
    p.ring(0, 0, 0, r, tube, SAND)
    p.ring(0, 0, tube * 0.32, r, tube * 0.86)
    p.limb((r - 0.03, 0, tube * 1.17), (r + 0.03, 0.06, tube * 1.17), 0.025, 0.025, ACCENT, copies=9)
    p.limb((r + tube * 0.55, 0.15, tube * 0.95), (r + tube * 0.55, 0.24, tube * 0.92), 0.025, 0.025, PALE, copies=8)


def _apple(u: TellingDraw, p: Pieces) -> None:
    r = u(0.5, 0.62)
    p.ball(0, 0, 0, (r, r, r * u(0.82, 1.0, "flat|tall")))
    p.ball(0, 0, r * 1.05, (0.16, 0.16, 0.24), cut=True, blend=0.2)
    p.limb((0, 0, r * 0.7), (0.06, 0, r + 0.2), 0.04, 0.05, WOOD)
    p.ball(0.22, 0, r + 0.1, (0.22, 0.1, 0.03), LEAF, (0, -20, 0))


def _pear(u: TellingDraw, p: Pieces) -> None:
    r = u(0.42, 0.52)
    p.ball(0, 0, 0, r)
    p.ball(0, 0, r + u(0.1, 0.25, "short|long"), r * 0.55, blend=0.35)
    p.limb((0, 0, r * 1.5), (0.05, 0, r * 1.5 + 0.35), 0.035, 0.045, WOOD)
    p.ball(0.2, 0, r * 1.5 + 0.22, (0.2, 0.09, 0.03), LEAF, (0, -20, 0))


def _banana(u: TellingDraw, p: Pieces) -> None:
    r = u(0.6, 0.75)
    p.arc(0, 0, 0.35, r, u(0.13, 0.19, "thin|thick"), 58, MAIN, (-90, 0, 0))
    from_side = 0.86 * r
    p.limb((from_side * 0.98, 0, 0.35 - r * 0.5), (from_side * 1.15, 0, 0.35 - r * 0.12), 0.12, 0.05, MAIN, blend=0.1)
    p.ball(from_side * 1.16, 0, 0.35 - r * 0.1, 0.065, WOOD)
    p.ball(-from_side * 1.06, 0, 0.35 - r * 0.36, 0.09, WOOD)


def _carrot(u: TellingDraw, p: Pieces) -> None:
    h = u(0.55, 0.8, "short|long")
    p.limb((0, 0, h * 0.5), (0, 0, -h), 0.27, 0.03)
    p.limb((0, 0, h * 0.5), (0, 0, h + 0.4), 0.05, 0.07, LEAF)
    p.limb((0.03, 0, h * 0.5), (0.22, 0, h + 0.32), 0.04, 0.07, LEAF, copies=5)
    for z, r in ((0.25, 0.225), (-0.15, 0.16)):
        p.arc(0, 0, h * z, r, 0.02, 50, WOOD, (0, 0, 180 * (z > 0)))


def _cheese(u: TellingDraw, p: Pieces) -> None:
    w, h = u(0.55, 0.7), u(0.26, 0.4, "flat|thick")
    p.wedge(0, 0, 0, (w, h, 0.75), turn=(90, 0, 0))
    for x, z, y in ((0.2, 0.1, -0.3), (-0.2, 0.15, 0.1), (0.02, -0.05, 0.4), (0.3, 0.2, 0.35), (-0.3, -0.1, -0.55)):
        p.ball(x, y, h, 0.12, cut=True)
        p.ball(x * 1.4, -0.75, z, 0.13, cut=True)
    p.box(0, 0, -h, (0.75, 0.85, 0.035), ACCENT)


def _cupcake(u: TellingDraw, p: Pieces) -> None:
    r, h = u(0.38, 0.48), u(0.24, 0.34)
    p.cone(0, 0, -0.2, r * 0.72, r, h, ACCENT)
    p.cone(r * 0.86, 0, -0.2, 0.05, 0.05, h * 0.96, ACCENT, (0, 17, 0), copies=14)
    for i in range(3):
        p.cone(0, 0, h - 0.1 + 0.2 * i, r * (1.08 - 0.3 * i), r * (0.85 - 0.3 * i), 0.1, blend=0.06)
    p.ball(0, 0, h + 0.48, 0.11, ROSE)


def _hotdog(u: TellingDraw, p: Pieces) -> None:
    w = u(0.55, 0.75, "short|long")
    p.limb((-w, -0.14, -0.06), (w, -0.14, -0.06), 0.19, 0.19, SAND)
    p.limb((-w, 0.14, -0.06), (w, 0.14, -0.06), 0.19, 0.19, SAND)
    p.limb((-w - 0.14, 0, 0.1), (w + 0.14, 0, 0.1), 0.15, 0.15)
    for i in range(6):
        side = 0.07 if i % 2 else -0.07
        p.limb((w * (-0.9 + 0.3 * i), side, 0.25), (w * (-0.6 + 0.3 * i), -side, 0.25), 0.03, 0.03, GOLD)


def _bread(u: TellingDraw, p: Pieces) -> None:
    w = u(0.55, 0.8, "short|long")
    p.box(0, 0, -0.08, (w, 0.32, 0.22), SAND, rounding=0.1)
    p.limb((-w + 0.25, 0, 0.15), (w - 0.25, 0, 0.15), 0.33, 0.33, blend=0.1)
    for i in range(3):
        p.box(w * (-0.5 + 0.5 * i), 0, 0.5, (0.05, 0.26, 0.08), turn=(0, 0, 25), cut=True)
    p.box(0, 0, -0.5, (1.4, 1, 0.2), cut=True, rounding=0)


def _watermelon(u: TellingDraw, p: Pieces) -> None:
    r, d = u(0.6, 0.75), u(0.12, 0.24, "thin|thick")
    p.cone(0, 0, 0, r, r, d, LEAF, (90, 0, 0))
    p.cone(0, 0, 0, r * 0.93, r * 0.93, d + 0.008, PALE, (90, 0, 0))
    p.cone(0, 0, 0, r * 0.86, r * 0.86, d + 0.016, MAIN, (90, 0, 0))
    for x, z in ((0.15, 0.2), (0.36, 0.4), (0.1, 0.55), (0.55, 0.22)):
        p.ball(r * x, 0, -r * z - 0.05, (0.03, d + 0.035, 0.055), DARK, copies=PAIR)
    p.box(0, 0, 1.0, (2, 1, 1.0), cut=True, rounding=0)


def _pumpkin(u: TellingDraw, p: Pieces) -> None:
    r = u(0.42, 0.5)
    p.ball(r * 0.5, 0, 0, (r * 0.6, r * 0.5, r * u(0.8, 1.1, "flat|tall")), copies=8)
    p.limb((0, 0, r * 0.6), (0.05, 0, r + 0.3), 0.09, 0.06, LEAF)
    if u.chance(0.5, "with a face"):
        p.pyramid(0.19, -r * 1.02, 0.14, (0.1, 0.09, 0.09), DARK, copies=PAIR)
        p.arc(0, -r * 1.05, 0.1, 0.26, 0.06, 55, DARK, (-90, 0, 0))


def _strawberry(u: TellingDraw, p: Pieces) -> None:
    h = u(0.35, 0.55, "short|long")
    p.limb((0, 0, 0.25), (0, 0, -h), 0.48, 0.14)
    p.ball(0.3, 0, 0.68, (0.26, 0.1, 0.04), LEAF, (0, 18, 0), copies=6)
    p.limb((0, 0, 0.6), (0, 0, 0.88), 0.04, 0.045, LEAF)
    lean = sqrt(1 - (0.34 / (h + 0.25)) ** 2)
    for share, n in ((0.05, 8), (0.4, 7), (0.75, 6)):
        z = 0.25 - share * (h + 0.25)
        p.ball((0.475 - 0.34 * share) / lean, 0, z, (0.03, 0.03, 0.045), GOLD, copies=n)


def _flower(u: TellingDraw, p: Pieces) -> None:
    h, n = u(0.35, 0.55, "with a short stem|with a long stem"), u.rng.choice((5, 6, 8))
    p.limb((0, 0, -h), (0, 0, h), 0.045, 0.04, LEAF)
    p.ball(0.22, 0, -h * 0.3, (0.22, 0.1, 0.035), LEAF, (0, -30, 0))
    p.ball(-0.2, 0, -h * 0.05, (0.2, 0.09, 0.035), LEAF, (0, 30, 0))
    for i in range(n):
        a = 2 * pi * i / n
        p.ball(0.3 * cos(a), -0.08, h + 0.3 * sin(a), (0.24, 0.05, 0.15), MAIN, (0, -360 * i / n, 0))
    p.ball(0, -0.12, h, (0.17, 0.09, 0.17), ACCENT)


def _plant(u: TellingDraw, p: Pieces) -> None:
    r, n = u(0.26, 0.34), u.rng.choice((5, 6, 7))
    p.cone(0, 0, -0.35, r * 0.75, r, 0.25, MAIN)
    p.cone(0, 0, -0.12, r * 1.12, r * 1.12, 0.06, ACCENT)
    p.cone(0, 0, -0.06, r * 0.9, r * 0.9, 0.04, WOOD)
    tall = u(0.3, 0.5, "with short leaves|with long leaves")
    p.ball(0.2, 0, 0.1 + tall * 0.6, (0.1, 0.035, tall), LEAF, (0, 28, 0), copies=n)
    p.ball(0.05, 0.05, 0.2 + tall * 0.8, (0.09, 0.04, tall), LEAF, copies=2)


def _palm(u: TellingDraw, p: Pieces) -> None:
    h = u(0.55, 0.8)
    p.limb((0, 0, -h), (0.08, 0, -h * 0.1), 0.13, 0.1, WOOD)
    p.limb((0.08, 0, -h * 0.1), (0.0, 0, h * 0.75), 0.1, 0.08, WOOD, blend=0.05)
    n = u.rng.choice((6, 7, 8))
    p.ball(0.32, 0, h * 0.75 + 0.12, (0.34, 0.12, 0.04), MAIN, (0, -12, 0), copies=n)
    p.ball(0.66, 0, h * 0.75 + 0.03, (0.22, 0.1, 0.035), MAIN, (0, 40, 0), copies=n)
    p.ball(0.11, 0, h * 0.72 - 0.06, 0.09, ACCENT, copies=3)


def _hat(u: TellingDraw, p: Pieces) -> None:
    brim, h = u(0.55, 0.8, "with a narrow brim|with a wide brim"), u(0.28, 0.5)
    kind = u.rng.random()
    p.cone(0, 0, -0.3, brim, brim, 0.04)
    p.cone(0, 0, -0.3 + h, 0.4, 0.4 if kind < 0.5 else 0.33, h)
    p.cone(0, 0, -0.16, 0.425, 0.42, 0.09, ACCENT)
    if kind >= 0.5:
        p.ball(0, 0, -0.3 + 2 * h, (0.36, 0.36, 0.14), blend=0.08)


def _shoe(u: TellingDraw, p: Pieces) -> None:
    length, h = u(0.45, 0.6, "short|long"), u(0.26, 0.42, "low|high")
    p.box(0, 0, -0.25, (0.24, length + 0.1, 0.06), PALE, rounding=0.06)
    p.ball(0, -length * 0.5, -0.12, (0.23, length * 0.62, 0.2), ACCENT)
    p.limb((0, length * 0.55, -0.1), (0, length * 0.5, h - 0.1), 0.23, 0.2, blend=0.05)
    p.limb((0, -length * 0.35, -0.1), (0, length * 0.3, 0.06), 0.19, 0.2, blend=0.12)
    p.limb((0, length * 0.5, h * 0.5), (0, length * 0.5, h + 0.4), 0.15, 0.15, DARK, cut=True)
    for i in range(3):
        p.limb(
            (-0.12, -0.16 + 0.14 * i, 0.12 + 0.05 * i), (0.12, -0.14 + 0.14 * i, 0.12 + 0.05 * i), 0.025, 0.025, PALE
        )


def _backpack(u: TellingDraw, p: Pieces) -> None:
    w, h = u(0.36, 0.48, "narrow|wide"), u(0.48, 0.6)
    p.box(0, 0, 0, (w, 0.22, h), rounding=0.2)
    p.box(0, -0.26, -h * 0.35, (w * 0.78, 0.12, h * 0.45), ACCENT, rounding=0.1)
    p.box(0, -0.24, h * 0.5, (w * 0.86, 0.03, 0.025), DARK)
    p.box(0, -0.39, -h * 0.12, (w * 0.5, 0.02, 0.025), DARK)
    p.arc(0, 0, h, 0.13, 0.04, 90, ACCENT, (90, 0, 0))
    p.arc(w * 0.5, 0.22, 0, h * 0.62, 0.05, 85, ACCENT, (0, 90, 0), copies=PAIR)


def _suitcase(u: TellingDraw, p: Pieces) -> None:
    w, h = u(0.5, 0.7, "narrow|wide"), u(0.4, 0.5)
    p.box(0, 0, 0, (w, 0.2, h), rounding=0.09)
    p.box(w * 0.6, 0, 0, (0.06, 0.212, h + 0.01), ACCENT, rounding=0.05, copies=PAIR)
    p.arc(0, 0, h, 0.18, 0.045, 88, DARK, (90, 0, 0))
    p.box(w * 0.25, -0.2, h * 0.7, (0.06, 0.03, 0.06), GOLD, copies=PAIR)
    p.ball(w * 0.8, 0, -h - 0.03, 0.07, DARK, copies=PAIR)


def _book(u: TellingDraw, p: Pieces) -> None:
    w, d = u(0.45, 0.58), u(0.1, 0.2, "thin|thick")
    p.box(0.02, 0, 0, (w * 0.96, d * 0.85, 0.64), PALE, rounding=0.01)
    p.box(0, -d, 0, (w, 0.03, 0.7))
    p.box(0, d, 0, (w, 0.03, 0.7))
    p.box(-w, 0, 0, (0.035, d, 0.7))
    p.box(0, -d - 0.02, 0.25, (w * 0.6, 0.02, 0.1), ACCENT)
    p.box(0, -d - 0.02, -0.3, (w * 0.35, 0.02, 0.05), ACCENT)


def _gift(u: TellingDraw, p: Pieces) -> None:
    w, h = u(0.45, 0.58), u(0.32, 0.52, "flat|tall")
    p.box(0, 0, 0, (w, w, h))
    p.box(0, 0, h, (w + 0.04, w + 0.04, 0.09))
    p.box(0, 0, 0.02, (0.1, w + 0.05, h + 0.1), ACCENT, rounding=0.02)
    p.box(0, 0, 0.02, (w + 0.05, 0.1, h + 0.1), ACCENT, rounding=0.02)
    p.ring(0.2, 0, h + 0.22, 0.15, 0.055, ACCENT, (90, 25, 0), copies=PAIR)
    p.ball(0, 0, h + 0.16, 0.09, ACCENT)


def _trophy(u: TellingDraw, p: Pieces) -> None:
    r, h = u(0.34, 0.44), u(0.14, 0.26)
    p.cone(0, 0, 0.45, r * 0.5, r, 0.34)
    p.ball(0, 0, 0.18, (r * 0.55, r * 0.55, 0.2), blend=0.1)
    p.cone(0, 0, 0.6, r * 0.4, r * 0.88, 0.34, DARK, cut=True)
    p.cone(0, 0, -0.05, 0.07, 0.07, h)
    p.cone(0, 0, -0.1 - h, 0.28, 0.2, 0.07)
    p.box(0, 0, -0.26 - h, (0.32, 0.32, 0.12), ACCENT)
    p.arc(r * 0.95, 0, 0.48, 0.2, 0.045, 110, turn=(90, 90, 0), copies=PAIR)
    p.star(0, -r * 0.8, 0.48, 0.15, 0.05, 5, ACCENT, (80, 0, 0))


def _mailbox(u: TellingDraw, p: Pieces) -> None:
    d, h = u(0.4, 0.52), u(0.35, 0.55, "on a short post|on a high post")
    p.box(0, 0, 0.3, (0.28, d, 0.16))
    p.cone(0, 0, 0.46, 0.28, 0.28, d, MAIN, (90, 0, 0))
    p.box(0, -d, 0.3, (0.2, 0.03, 0.12), ACCENT)
    p.ball(0, -d - 0.04, 0.5, 0.05, DARK)
    p.box(0, 0.05, 0.1 - h, (0.08, 0.08, h), WOOD)
    p.box(0.3, -0.1, 0.62, (0.02, 0.035, 0.2), ROSE)
    p.box(0.3, -0.2, 0.76, (0.02, 0.1, 0.06), ROSE)


def _hydrant(u: TellingDraw, p: Pieces) -> None:
    r, h = u(0.25, 0.33), u(0.36, 0.5)
    p.cone(0, 0, 0, r, r, h)
    p.ball(0, 0, h, (r * 1.05, r * 1.05, 0.24))
    p.cone(0, 0, h, r * 1.22, r * 1.22, 0.05, ACCENT)
    p.prism(0, 0, h + 0.27, 0.08, 0.08, 6, ACCENT)
    p.cone(r + 0.06, 0, h * 0.35, 0.12, 0.12, 0.1, ACCENT, (0, 90, 0), copies=PAIR)
    p.cone(0, -r - 0.06, h * 0.2, 0.16, 0.16, 0.1, ACCENT, (90, 0, 0))
    p.cone(0, 0, -h, r * 1.35, r * 1.3, 0.07, ACCENT)


RECIPES = {
    "burger": _burger, "pizza": _pizza, "donut": _donut, "apple": _apple, "pear": _pear, "banana": _banana,
    "carrot": _carrot, "cheese": _cheese, "cupcake": _cupcake, "hotdog": _hotdog, "bread": _bread,
    "watermelon": _watermelon, "pumpkin": _pumpkin, "strawberry": _strawberry, "flower": _flower, "plant": _plant,
    "palm": _palm, "hat": _hat, "shoe": _shoe, "backpack": _backpack, "suitcase": _suitcase, "book": _book,
    "gift": _gift, "trophy": _trophy, "mailbox": _mailbox, "hydrant": _hydrant,
}  # fmt: skip
FRONTED = ("flower", "shoe", "backpack", "book", "mailbox", "hydrant")
