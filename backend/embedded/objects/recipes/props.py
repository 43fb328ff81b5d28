"""Tools, weapons and treasures: front to -Y, up to +Z, in free units."""

from __future__ import annotations

from backend.embedded.objects.pieces import (
    ACCENT,
    DARK,
    GLASS,
    GOLD,
    MAIN,
    METAL,
    PAIR,
    PALE,
    ROSE,
    WOOD,
    Pieces,
    TellingDraw,
)  # fmt: skip


def _hammer(u: TellingDraw, p: Pieces) -> None:
    h, w = u(0.55, 0.8, "with a short handle|with a long handle"), u(0.24, 0.34)
    p.limb((0, 0, -h), (0, 0, h), 0.07, 0.05, WOOD)
    p.box(0, 0, h, (w * 0.7, 0.1, 0.11))
    p.cone(w, 0, h, 0.14, 0.14, 0.12, MAIN, (0, 90, 0))
    p.wedge(-w - 0.1, 0, h, (0.1, 0.1, 0.22), turn=(0, -90, 0))
    p.limb((0, 0, -h), (0, 0, -h * 0.4), 0.085, 0.08, ACCENT)


def _axe(u: TellingDraw, p: Pieces) -> None:
    h, w = u(0.6, 0.85, "with a short handle|with a long handle"), u(0.3, 0.42)
    p.limb((0, 0, -h), (0, 0, h), 0.06, 0.055, WOOD)
    p.cone(w * 0.55, 0, h - 0.2, w, w, 0.05, METAL, (90, 0, 0))
    for z in (-1, 1):
        p.ball(w * 0.3, 0, h - 0.2 + z * w * 1.12, w * 0.82, cut=True)
    p.box(-0.5, 0, h - 0.2, (0.42, 0.3, 0.6), cut=True, rounding=0)
    p.box(0, 0, h - 0.2, (0.14, 0.09, 0.13))
    p.limb((0, 0, -h), (0, 0, -h * 0.5), 0.075, 0.07, ACCENT)
    p.limb((0, 0, -h * 0.5), (0, 0, h), 0.06, 0.055, WOOD)


def _saw(u: TellingDraw, p: Pieces) -> None:
    length = u(0.5, 0.75, "short|long")
    p.box(-0.1, 0, 0, (length, 0.02, 0.2), METAL, rounding=0.01)
    p.box(-0.1, 0, 0.3, (length * 1.5, 0.1, 0.14), turn=(0, -9, 0), cut=True, rounding=0)
    for i in range(9):
        p.pyramid(-0.1 + length * (-0.88 + 0.2 * i), 0, -0.24, (length * 0.1, 0.02, 0.05), METAL, (180, 0, 0))
    p.ring(length + 0.08, 0, -0.02, 0.17, 0.07, turn=(90, 0, 0))
    p.box(length - 0.1, 0, 0, (0.09, 0.07, 0.2), rounding=0.06)


def _screwdriver(u: TellingDraw, p: Pieces) -> None:
    h, r = u(0.4, 0.6, "with a short blade|with a long blade"), u(0.11, 0.16)
    p.cone(0, 0, h * 0.5, 0.045, 0.045, h, METAL)
    p.box(0, 0, h * 1.5, (0.08, 0.025, 0.09), METAL, rounding=0.01)
    p.limb((0, 0, -h * 0.5), (0, 0, -h - 0.3), r * 0.9, r, MAIN)
    p.limb((r * 0.92, 0, -h * 0.6), (r, 0, -h - 0.25), 0.035, 0.035, ACCENT, copies=6)
    p.cone(0, 0, -h * 0.5 + 0.1, r * 0.8, r * 0.5, 0.05, DARK)


def _wrench(u: TellingDraw, p: Pieces) -> None:
    h = u(0.45, 0.7, "short|long")
    p.box(0, 0, 0, (0.1, 0.05, h), rounding=0.05)
    p.cone(0, 0, h + 0.1, 0.25, 0.25, 0.075, MAIN, (90, 0, 0))
    p.box(0.08, 0, h + 0.3, (0.1, 0.3, 0.24), turn=(0, 20, 0), cut=True, rounding=0.01)
    p.cone(0, 0, -h - 0.08, 0.21, 0.21, 0.075, MAIN, (90, 0, 0))
    p.prism(0, 0, -h - 0.08, 0.11, 0.3, 6, turn=(90, 0, 0), cut=True)
    p.box(0, -0.04, 0, (0.05, 0.025, h * 0.7), ACCENT)


def _shovel(u: TellingDraw, p: Pieces) -> None:
    h = u(0.55, 0.8, "with a short handle|with a long handle")
    p.limb((0, 0, -h * 0.3), (0, 0, h), 0.05, 0.05, WOOD)
    p.ball(0, 0, -h * 0.3 - 0.32, (0.27, 0.06, 0.4))
    p.ball(0, -0.09, -h * 0.3 - 0.28, (0.25, 0.08, 0.36), cut=True)
    p.limb((0, 0.02, -h * 0.3 - 0.2), (0, 0, -h * 0.3 + 0.1), 0.06, 0.07, METAL)
    p.arc(0, 0, h + 0.05, 0.14, 0.035, 100, ACCENT, (90, 0, 0))
    p.limb((-0.14, 0, h + 0.05), (0.14, 0, h + 0.05), 0.04, 0.04, ACCENT)


def _ladder(u: TellingDraw, p: Pieces) -> None:
    w, h = u(0.24, 0.36, "narrow|wide"), u(0.8, 1.0)
    p.box(w, 0, 0, (0.045, 0.06, h), copies=PAIR)
    for i in range(6):
        p.cone(0, 0, h * (-0.82 + 0.33 * i), 0.04, 0.04, w, ACCENT, (0, 90, 0))


def _sword(u: TellingDraw, p: Pieces) -> None:
    blade, w = u(0.6, 0.9, "with a short blade|with a long blade"), u(0.09, 0.14, "slender|wide")
    p.box(0, 0, blade, (w, 0.03, blade), METAL, rounding=0.02)
    p.pyramid(0, 0, 2 * blade + 0.12, (w, 0.03, 0.14), METAL)
    p.box(0, 0, blade * 0.9, (0.025, 0.045, blade * 0.8), ACCENT)
    p.box(0, 0, -0.02, (u(0.26, 0.38), 0.06, 0.05))
    p.limb((0, 0, -0.06), (0, 0, -0.36), 0.065, 0.065)
    p.ball(0, 0, -0.43, 0.09)


def _shield(u: TellingDraw, p: Pieces) -> None:
    if u.chance(0.4, "round"):
        p.ball(0, 0, 0, (0.65, u(0.1, 0.2), 0.65))
        p.ring(0, 0, 0, 0.62, 0.06, METAL, (90, 0, 0))
        p.ball(0, -0.12, 0, 0.15, METAL)
    else:
        w = u(0.45, 0.6, "narrow|wide")
        p.ball(0, 0, 0.1, (w, 0.14, 0.8))
        p.box(0, 0, 1.0, (1, 1, 0.5), cut=True, rounding=0)
        p.box(0, -0.08, 0.05, (0.07, 0.09, 0.62), ACCENT)
        p.box(0, -0.08, 0.18, (w * 0.85, 0.07, 0.07), ACCENT)
        p.ball(0, -0.16, 0.18, 0.1, GOLD)
    p.box(0, 0.62, 0, (1, 0.5, 1.2), cut=True, rounding=0)
    p.arc(0, 0.05, 0, 0.2, 0.04, 80, WOOD, (0, 90, 0))


def _crown(u: TellingDraw, p: Pieces) -> None:
    r, n = u(0.42, 0.55), u.rng.choice((5, 6, 8))
    p.cone(0, 0, 0, r, r * 1.08, 0.2)
    tall = u(0.14, 0.26, "with short points|with long points")
    p.wedge(r * 0.98, 0, 0.36, (0.19, 0.05, tall), turn=(0, 0, 90), copies=n)
    p.cone(0, 0, 0.1, r - 0.07, r, 0.5, cut=True)
    p.ball(r * 0.98, 0, 0.4 + tall, 0.075, ACCENT, copies=n)
    p.ball(r * 1.03, 0, 0.0, (0.04, 0.08, 0.09), ROSE, copies=n)
    p.ring(0, 0, -0.18, r, 0.05, ACCENT)


def _chest(u: TellingDraw, p: Pieces) -> None:
    w, h = u(0.55, 0.7, "narrow|wide"), u(0.24, 0.34)
    p.box(0, 0, 0, (w, 0.38, h))
    p.cone(0, 0, h, 0.38, 0.38, w, MAIN, (0, 90, 0))
    p.box(w * 0.9, 0, 0, (0.05, 0.4, h + 0.01), ACCENT, copies=PAIR)
    p.cone(w * 0.9, 0, h, 0.4, 0.4, 0.05, ACCENT, (0, 90, 0), copies=PAIR)
    p.box(0, 0, h, (w + 0.02, 0.4, 0.035), ACCENT)
    p.box(0, -0.39, h - 0.06, (0.1, 0.05, 0.14), GOLD)
    p.ball(0, -0.44, h - 0.08, 0.035, DARK)


def _helmet(u: TellingDraw, p: Pieces) -> None:
    r = u(0.42, 0.52)
    p.ball(0, 0, 0.1, (r, r * 1.08, r * 1.05))
    p.cone(0, 0, -0.2, r * 0.95, r, 0.26)
    p.cone(0, 0, -0.3, r - 0.1, r - 0.08, 0.3, DARK, cut=True)
    p.box(0, -r, 0.0, (r * 0.72, 0.2, 0.06), DARK, cut=True, rounding=0.01)
    p.ball(0, -0.02, 0.02, (r * 0.9, r * 0.95, 0.14), DARK)
    p.box(0, -r - 0.02, -0.12, (0.05, 0.06, 0.32), METAL)
    if u.chance(0.5, "with horns"):
        p.limb((r * 0.85, 0, 0.25), (r + 0.3, 0, 0.4), 0.1, 0.07, PALE, copies=PAIR)
        p.limb((r + 0.3, 0, 0.4), (r + 0.36, 0, 0.75), 0.07, 0.015, PALE, copies=PAIR)
    else:
        p.box(0, 0.05, r * 1.15 + 0.1, (0.06, r * 0.8, 0.16), ACCENT, rounding=0.06)


def _potion(u: TellingDraw, p: Pieces) -> None:
    r, neck = u(0.4, 0.52), u(0.16, 0.28, "with a short neck|with a long neck")
    p.ball(0, 0, 0, r)
    p.cone(0, 0, r + neck * 0.6, 0.14, 0.14, neck, GLASS)
    p.ring(0, 0, r + neck * 1.5, 0.14, 0.04, GLASS)
    p.cone(0, 0, r + neck * 1.6 + 0.08, 0.11, 0.14, 0.13, WOOD)
    p.ring(0, 0, r * 0.95, 0.17, 0.04, ACCENT)
    p.cone(0, 0, -r, r * 0.6, r * 0.55, 0.05, ACCENT)


def _barrel(u: TellingDraw, p: Pieces) -> None:
    r, h = u(0.42, 0.56, "slender|thick"), u(0.5, 0.64)
    p.ball(0, 0, 0, (r, r, h * 1.7))
    p.box(0, 0, h + 0.6, (1, 1, 0.6), cut=True, rounding=0)
    p.box(0, 0, -h - 0.6, (1, 1, 0.6), cut=True, rounding=0)
    for z in (0.82, 0.35):
        p.cone(0, 0, h * z, r * (1.05 - 0.16 * z), r * (1.04 - 0.2 * z), 0.05, ACCENT)
        p.cone(0, 0, -h * z, r * (1.04 - 0.2 * z), r * (1.05 - 0.16 * z), 0.05, ACCENT)
    p.cone(0, 0, h + 0.02, r * 0.7, r * 0.7, 0.05, DARK, cut=True)
    if u.chance(0.4, "with a tap"):
        p.limb((0, -r * 0.9, -h * 0.6), (0, -r - 0.18, -h * 0.6), 0.05, 0.06, METAL)


def _cannon(u: TellingDraw, p: Pieces) -> None:
    gun, r = u(0.55, 0.8, "with a short barrel|with a long barrel"), u(0.26, 0.36, "with small wheels|with big wheels")
    p.cone(0, -gun * 0.35, 0.12, 0.22, 0.16, gun, MAIN, (98, 0, 0))
    p.cone(0, -gun * 1.35, 0.26, 0.2, 0.2, 0.06, ACCENT, (98, 0, 0))
    p.cone(0, -gun * 1.4, 0.27, 0.1, 0.1, 0.1, DARK, (98, 0, 0))
    p.ball(0, gun * 0.62, 0.0, 0.22)
    p.ball(0, gun * 0.62 + 0.25, -0.02, 0.08, ACCENT)
    p.box(0, gun * 0.35, -0.14, (0.12, gun * 0.6, 0.06), WOOD, (14, 0, 0))
    p.ring(0.3, -0.1, -0.1, r, 0.055, WOOD, (0, 90, 0), copies=PAIR)
    p.box(0.3, -0.1, -0.1, (0.03, 0.035, r), WOOD, copies=PAIR)
    p.box(0.3, -0.1, -0.1, (0.03, r, 0.035), WOOD, copies=PAIR)
    p.cone(0.26, -0.1, -0.1, 0.08, 0.08, 0.12, DARK, (0, 90, 0), copies=PAIR)


def _anvil(u: TellingDraw, p: Pieces) -> None:
    w = u(0.4, 0.55)
    p.box(0, 0, 0.25, (w, 0.24, 0.14))
    p.cone(-w - 0.2, 0, 0.28, 0.02, 0.17, 0.25, MAIN, (0, 90, 0))
    p.box(0, 0, -0.02, (w * 0.42, 0.15, 0.2), blend=0.12)
    p.box(0, 0, -0.28, (w * 0.8, 0.28, 0.1))
    p.box(0, 0, -0.52, (w * 0.75, 0.32, 0.16), WOOD)


def _gem(u: TellingDraw, p: Pieces) -> None:
    r, n = u(0.5, 0.66), u.rng.choice((6, 8))
    p.prism(0, 0, 0.1, r, 0.06, n, rounding=0.0)
    p.add("cone", (0, 0, 0.3), (r * 1.02, r * 0.55, 0.16), ACCENT)
    p.add("cone", (0, 0, -0.38), (0.01, r * 1.02, u(0.4, 0.5, "flat|deep")), MAIN)


def _key(u: TellingDraw, p: Pieces) -> None:
    h, r = u(0.5, 0.75, "short|long"), u(0.2, 0.3)
    p.limb((0, 0, h * 0.6), (0, 0, -h), 0.06, 0.06)
    p.ring(0, 0, h * 0.6 + r, r, 0.07, ACCENT, (90, 0, 0))
    p.box(0.16, 0, -h + 0.04, (0.14, 0.04, 0.06))
    p.box(0.13, 0, -h + 0.24, (0.1, 0.04, 0.05))
    p.ring(0, 0, h * 0.55, 0.07, 0.045, ACCENT)


RECIPES = {
    "hammer": _hammer, "axe": _axe, "saw": _saw, "screwdriver": _screwdriver, "wrench": _wrench, "shovel": _shovel,
    "ladder": _ladder, "sword": _sword, "shield": _shield, "crown": _crown, "chest": _chest, "helmet": _helmet,
    "potion": _potion, "barrel": _barrel, "cannon": _cannon, "anvil": _anvil, "gem": _gem, "key": _key,
}  # fmt: skip
FRONTED = ("shield", "chest", "helmet", "cannon")
