"""Furniture, kitchenware and things about the house: front to -Y, up to +Z, in free units."""

from __future__ import annotations

from backend.embedded.objects.pieces import (
    ACCENT,
    BEAK,
    DARK,
    FOUR,
    GLASS,
    GOLD,
    LEAF,
    METAL,
    PAIR,
    PALE,
    ROSE,
    WOOD,
    Pieces,
    TellingDraw,
)  # fmt: skip


def _bed(u: TellingDraw, p: Pieces) -> None:
    w, d = u(0.45, 0.7, "narrow|wide"), u(0.8, 1.0)
    p.box(0, 0, 0, (w, d, 0.12), ACCENT)
    p.box(0, 0, 0.18, (w * 0.94, d * 0.97, 0.12), PALE, rounding=0.07)
    p.box(0, -0.22 * d, 0.24, (w * 0.98, d * 0.74, 0.11), rounding=0.07)
    p.box(w * 0.45, d * 0.72, 0.36, (w * 0.36, 0.16, 0.08), PALE, rounding=0.07, copies=PAIR)
    head = u(0.3, 0.5, "with a low headboard|with a high headboard")
    p.box(0, d, head - 0.1, (w, 0.06, head), ACCENT, rounding=0.05)
    p.box(w * 0.9, d * 0.9, -0.2, (0.06, 0.06, 0.14), ACCENT, copies=FOUR)


def _stool(u: TellingDraw, p: Pieces) -> None:
    h, r = u(0.35, 0.75, "with short legs|with long legs"), u(0.3, 0.42)
    p.cone(0, 0, h, r, r, 0.08)
    legs = u.rng.choice((3, 4))
    p.limb((r * 0.6, 0, h), (r * 1.05, 0, -h), 0.06, 0.05, ACCENT, copies=legs)
    p.ring(0, 0, -h * 0.25, r * 0.88, 0.03, ACCENT)


def _bookshelf(u: TellingDraw, p: Pieces) -> None:
    w, h = u(0.4, 0.6, "narrow|wide"), u(0.7, 0.95)
    p.box(0, 0.2, 0, (w, 0.04, h))
    p.box(w, 0, 0, (0.04, 0.22, h), copies=PAIR)
    for i in range(4):
        p.box(0, 0, h * (2 * i / 3 - 1), (w, 0.22, 0.035))
    for i in range(3):
        z, slots = h * (2 * i / 3 - 1) + 0.03, [ACCENT, ROSE, LEAF, GOLD, PALE, DARK]
        u.rng.shuffle(slots)
        for j in range(4):
            tall = h * u.rng.uniform(0.18, 0.26)
            p.box(w * (-0.72 + 0.34 * j), 0.0, z + tall, (w * u.rng.uniform(0.1, 0.16), 0.14, tall), slots[j])


def _wardrobe(u: TellingDraw, p: Pieces) -> None:
    w, h = u(0.42, 0.58), u(0.7, 0.95)
    p.box(0, 0, 0, (w, 0.28, h))
    p.box(0, 0, h, (w + 0.06, 0.34, 0.06), ACCENT)
    p.box(w * 0.5, -0.28, 0, (w * 0.44, 0.03, h * 0.88), rounding=0.01, copies=PAIR)
    p.box(0, -0.3, 0, (0.012, 0.03, h * 0.9), DARK, rounding=0)
    p.ball(0.07, -0.34, 0, 0.045, GOLD, copies=PAIR)
    p.box(w * 0.85, -0.2, -h, (0.06, 0.06, 0.1), ACCENT, copies=PAIR)


def _dresser(u: TellingDraw, p: Pieces) -> None:
    w, h, n = u(0.5, 0.75, "narrow|wide"), u(0.42, 0.6), u.rng.choice((2, 3))
    p.box(0, 0, 0, (w, 0.3, h))
    p.box(0, -0.02, h, (w + 0.05, 0.34, 0.05), ACCENT)
    for i in range(n):
        z = h * (-0.9 + 1.8 * (i + 0.5) / n)
        p.box(0, -0.3, z, (w * 0.9, 0.03, h * 0.78 / n), rounding=0.02)
        p.ball(w * 0.45, -0.35, z, 0.05, GOLD, copies=PAIR)
    p.box(w * 0.85, 0, -h - 0.08, (0.06, 0.2, 0.1), ACCENT, copies=PAIR)


def _desk(u: TellingDraw, p: Pieces) -> None:
    w, h = u(0.65, 0.9, "narrow|wide"), u(0.35, 0.48)
    p.box(0, 0, h, (w, 0.42, 0.05))
    p.box(w * 0.68, 0, 0, (w * 0.27, 0.38, h))
    for i in range(3):
        p.box(w * 0.68, -0.38, h * (0.58 - 0.6 * i), (w * 0.22, 0.03, h * 0.24), ACCENT, rounding=0.01)
        p.ball(w * 0.68, -0.42, h * (0.58 - 0.6 * i), 0.035, GOLD)
    p.box(-w * 0.92, 0.3, 0, (0.05, 0.05, h), ACCENT)
    p.box(-w * 0.92, -0.3, 0, (0.05, 0.05, h), ACCENT)
    p.box(0, 0.36, h * 0.5, (w * 0.9, 0.03, h * 0.4))


def _bench(u: TellingDraw, p: Pieces) -> None:
    w, back = u(0.7, 1.0, "narrow|wide"), u(0.25, 0.4, "with a low back|with a high back")
    for i in range(3):
        p.box(0, -0.24 + 0.2 * i, 0, (w, 0.08, 0.035))
        p.box(0, 0.36 + 0.03 * i, 0.16 + back * 0.75 * i, (w, 0.03, back * 0.28), turn=(-8, 0, 0))
    p.box(w * 0.8, 0.05, -0.22, (0.05, 0.3, 0.05), ACCENT, copies=PAIR)
    p.box(w * 0.8, -0.22, -0.2, (0.05, 0.05, 0.2), ACCENT, copies=PAIR)
    p.box(w * 0.8, 0.38, 0.1, (0.05, 0.04, 0.5), ACCENT, copies=PAIR)
    p.box(w * 0.8, 0.0, 0.24, (0.05, 0.34, 0.035), ACCENT, copies=PAIR)
    p.box(w * 0.8, -0.28, 0.1, (0.04, 0.04, 0.14), ACCENT, copies=PAIR)


def _vase(u: TellingDraw, p: Pieces) -> None:
    r, h, neck = u(0.34, 0.55, "slender|bulging"), u(0.4, 0.6), u(0.14, 0.24)
    p.ball(0, 0, 0, (r, r, h))
    p.cone(0, 0, h + 0.02, neck, neck, 0.25, blend=0.15)
    p.cone(0, 0, h + 0.25, neck, neck * 1.7, 0.09, ACCENT, blend=0.05)
    p.cone(0, 0, -h + 0.02, r * 0.6, r * 0.5, 0.08, ACCENT)
    p.cone(0, 0, h + 0.2, neck * 0.8, neck * 0.8, 0.3, cut=True)
    if u.chance(0.4, "with flowers"):
        for x, y, z in ((0.0, 0.0, 0.75), (0.24, 0.1, 0.6), (-0.22, -0.08, 0.62)):
            p.limb((0, 0, h), (x, y, h + z), 0.025, 0.025, LEAF)
            p.ball(x, y, h + z, (0.14, 0.14, 0.1), ROSE)


def _jug(u: TellingDraw, p: Pieces) -> None:
    r, h = u(0.36, 0.5, "slender|bulging"), u(0.42, 0.6)
    p.ball(0, 0, -0.1, (r, r, h))
    p.cone(0, 0, h * 0.8, r * 0.55, r * 0.68, 0.3, blend=0.15)
    p.ball(0, -r * 0.62, h * 0.8 + 0.24, (0.13, 0.2, 0.1), blend=0.1)
    p.cone(0, 0, h * 0.8 + 0.12, r * 0.48, r * 0.6, 0.3, ACCENT, cut=True)
    p.arc(0, r * 0.78, h * 0.45, u(0.28, 0.4, "with a small handle|with a big handle"), 0.06, 110, ACCENT, (0, 90, 0))
    p.cone(0, 0, -h * 1.05, r * 0.6, r * 0.55, 0.07, ACCENT)


def _bowl(u: TellingDraw, p: Pieces) -> None:
    r, h = u(0.55, 0.75), u(0.4, 0.6, "shallow|deep")
    p.ball(0, 0, 0, (r, r, h))
    p.ball(0, 0, 0.04, (r - 0.07, r - 0.07, h - 0.05), ACCENT, cut=True)
    p.box(0, 0, 0.5, (1, 1, 0.5), cut=True, rounding=0)
    p.ring(0, 0, 0, r - 0.035, 0.05, ACCENT)
    p.cone(0, 0, -h, r * 0.5, r * 0.4, 0.09, ACCENT)
    if u.chance(0.3, "with fruit"):
        for i, slot in enumerate((ROSE, BEAK, LEAF)):
            p.ball(r * 0.42 * (1, -0.6, -0.5)[i], r * 0.42 * (0.1, 0.8, -0.85)[i], 0.0, r * 0.36, slot)


def _goblet(u: TellingDraw, p: Pieces) -> None:
    r, stem = u(0.28, 0.42), u(0.2, 0.4, "with a short stem|with a long stem")
    p.ball(0, 0, stem + 0.4, (r, r, 0.46))
    p.box(0, 0, stem + 1.0, (1, 1, 0.42), cut=True, rounding=0)
    p.ball(0, 0, stem + 0.46, (r - 0.06, r - 0.06, 0.44), cut=True)
    p.cone(0, 0, 0, 0.07, 0.06, stem, ACCENT)
    p.ball(0, 0, stem * 0.3, 0.11, ACCENT)
    p.cone(0, 0, -stem, 0.34, 0.12, 0.08, ACCENT)


def _pan(u: TellingDraw, p: Pieces) -> None:
    r, h = u(0.45, 0.6), u(0.1, 0.22, "shallow|deep")
    p.cone(0, 0, 0, r * 0.88, r, h)
    p.cone(0, 0, 0.07, r * 0.8, r * 0.93, h, cut=True)
    p.limb(
        (0, -r * 0.9, h * 0.4),
        (0, -r - u(0.5, 0.8, "with a short handle|with a long handle"), 0.16),
        0.06,
        0.08,
        ACCENT,
    )
    if u.chance(0.35, "with a fried egg"):
        p.ball(0.05, 0, -h * 0.45, (r * 0.55, r * 0.45, 0.06), PALE)
        p.ball(0.05, 0, -h * 0.4, (0.14, 0.14, 0.1), GOLD)


def _pot(u: TellingDraw, p: Pieces) -> None:
    r, h = u(0.42, 0.58), u(0.28, 0.5, "low|deep")
    p.cone(0, 0, 0, r * 0.95, r, h)
    p.cone(0, 0, h + 0.03, r + 0.04, r + 0.04, 0.04, ACCENT)
    p.ball(0, 0, h + 0.04, (r * 0.95, r * 0.95, 0.14), ACCENT)
    p.ball(0, 0, h + 0.24, 0.09, DARK)
    p.arc(r, 0, h * 0.5, 0.15, 0.045, 90, DARK, (0, 0, -90), copies=PAIR)


def _kettle(u: TellingDraw, p: Pieces) -> None:
    r, h = u(0.42, 0.55), u(0.35, 0.5)
    p.cone(0, 0, 0, r, r * 0.62, h)
    p.ball(0, 0, h, (r * 0.62, r * 0.62, 0.12), ACCENT)
    p.ball(0, 0, h + 0.15, 0.07, DARK)
    p.limb((0, -r * 0.7, -0.05), (0, -r - 0.28, h * 0.85), 0.12, 0.06, blend=0.06)
    p.arc(0, 0, h * 0.85, r * 0.85, 0.05, 82, DARK, (90, 0, 90))


def _toaster(u: TellingDraw, p: Pieces) -> None:
    w, h = u(0.5, 0.68, "narrow|wide"), u(0.32, 0.42)
    p.box(0, 0, 0, (w, 0.34, h), rounding=0.12)
    p.box(0, 0.13, h, (w * 0.72, 0.06, 0.2), DARK, cut=True, rounding=0.01)
    p.box(0, -0.13, h, (w * 0.72, 0.06, 0.2), DARK, cut=True, rounding=0.01)
    p.box(0, 0, -h, (w * 0.96, 0.32, 0.07), DARK)
    p.box(w, 0, h * 0.3, (0.1, 0.07, 0.05), ACCENT)
    p.cone(w * 0.5, -0.34, -h * 0.3, 0.08, 0.08, 0.05, ACCENT, (90, 0, 0))
    if u.chance(0.6, "with toast"):
        for y in (0.13, -0.13):
            p.box(0, y, h + 0.08, (w * 0.62, 0.05, 0.24), BEAK, rounding=0.05)


def _spoon(u: TellingDraw, p: Pieces) -> None:
    r, length = u(0.18, 0.26), u(0.5, 0.75, "short|long")
    p.ball(0, 0, length, (r, 0.1, r * 1.4))
    p.ball(0, -0.07, length, (r * 0.82, 0.1, r * 1.2), cut=True)
    p.limb((0, 0.02, length - r * 1.2), (0, 0, -length), 0.045, 0.075, blend=0.05)
    p.ball(0, 0, -length, (0.1, 0.07, 0.14), ACCENT)


def _fork(u: TellingDraw, p: Pieces) -> None:
    length, w = u(0.5, 0.75, "short|long"), u(0.15, 0.22)
    p.box(0, 0, length, (w + 0.03, 0.035, 0.09), rounding=0.03)
    for x in (0.33, 1):
        p.box(w * x, 0, length + 0.28, (0.032, 0.032, 0.24), copies=PAIR)
    p.limb((0, 0, length), (0, 0, -length), 0.045, 0.075, blend=0.08)
    p.ball(0, 0, -length, (0.1, 0.06, 0.2), ACCENT)


def _knife(u: TellingDraw, p: Pieces) -> None:
    blade, handle = u(0.45, 0.75, "with a short blade|with a long blade"), u(0.25, 0.35)
    p.box(0, 0, blade, (0.14, 0.025, blade), METAL, rounding=0.01)
    p.box(0.16, 0, 2 * blade, (0.16, 0.2, 0.3), turn=(0, -30, 0), cut=True, rounding=0)
    p.box(-0.02, 0, -0.02, (0.15, 0.07, 0.05), ACCENT)
    p.box(-0.02, 0, -handle, (0.1, 0.06, handle), rounding=0.05)
    for z in (0.5, 1.4):
        p.cone(-0.02, 0, -handle * z, 0.035, 0.035, 0.075, PALE, (90, 0, 0))


def _candle(u: TellingDraw, p: Pieces) -> None:
    h, r = u(0.3, 0.6, "short|long"), u(0.14, 0.22)
    p.cone(0, 0, h, r, r, h)
    p.limb((0, 0, 2 * h), (0, 0, 2 * h + 0.1), 0.02, 0.02, DARK)
    p.limb((0, 0, 2 * h + 0.16), (0, 0, 2 * h + 0.38), 0.09, 0.015, BEAK)
    p.cone(0, 0, 0, 0.42, 0.5, 0.05, ACCENT)
    p.cone(0, 0, 0.08, r + 0.06, r + 0.05, 0.08, ACCENT)
    p.ring(0.58, 0, 0.02, 0.13, 0.04, ACCENT, (90, 0, 0))


def _lantern(u: TellingDraw, p: Pieces) -> None:
    h, r = u(0.3, 0.45), u(0.26, 0.34)
    p.cone(0, 0, 0, r * 0.82, r * 0.82, h, GLASS)
    p.limb((0, 0, -0.12), (0, 0, 0.12), 0.12, 0.04, BEAK)
    p.limb((r, 0, -h), (r, 0, h), 0.035, 0.035, copies=u.rng.choice((4, 6)))
    p.cone(0, 0, -h - 0.05, r + 0.12, r + 0.05, 0.08)
    p.cone(0, 0, h + 0.14, r + 0.1, 0.1, 0.14)
    p.ring(0, 0, h + 0.42, 0.15, 0.035, ACCENT, (90, 0, 0))


def _umbrella(u: TellingDraw, p: Pieces) -> None:
    r, h = u(0.7, 0.9), u(0.5, 0.7)
    p.ball(0, 0, h, (r, r, 0.5))
    p.ball(0, 0, h - 0.08, (r * 0.98, r * 0.98, 0.5), cut=True)
    p.box(0, 0, h - 0.6, (1.2, 1.2, 0.6), cut=True, rounding=0)
    p.limb((0, 0, h + 0.6), (0, 0, -h), 0.035, 0.035, ACCENT)
    p.arc(0.13, 0, -h, 0.13, 0.045, 90, WOOD, (-90, 0, 0))


def _bucket(u: TellingDraw, p: Pieces) -> None:
    r, h = u(0.4, 0.5), u(0.4, 0.58, "shallow|deep")
    p.cone(0, 0, 0, r * 0.74, r, h)
    p.cone(0, 0, 0.1, r * 0.68, r * 0.92, h, cut=True)
    p.ring(0, 0, h, r - 0.02, 0.045, ACCENT)
    p.arc(0, 0, h, r, 0.03, 92, METAL, (u.rng.choice((90, 35, 145)), 0, 0))
    p.cone(0, 0, -h + 0.06, r * 0.77, r * 0.79, 0.05, ACCENT)


RECIPES = {
    "bed": _bed, "stool": _stool, "bookshelf": _bookshelf, "wardrobe": _wardrobe, "dresser": _dresser, "desk": _desk,
    "bench": _bench, "vase": _vase, "jug": _jug, "bowl": _bowl, "goblet": _goblet, "pan": _pan, "pot": _pot,
    "kettle": _kettle, "toaster": _toaster, "spoon": _spoon, "fork": _fork, "knife": _knife, "candle": _candle,
    "lantern": _lantern, "umbrella": _umbrella, "bucket": _bucket,
}  # fmt: skip
FRONTED = ("bed", "bookshelf", "wardrobe", "dresser", "desk", "bench", "jug", "kettle", "toaster")
