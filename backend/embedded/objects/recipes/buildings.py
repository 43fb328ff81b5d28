"""Buildings: front to -Y, up to +Z, in free units."""

from __future__ import annotations

from math import cos, radians, sin, sqrt

from backend.embedded.objects.pieces import (
    ACCENT,
    DARK,
    FOUR,
    GLASS,
    GOLD,
    MAIN,
    METAL,
    PAIR,
    PALE,
    WOOD,
    Pieces,
    TellingDraw,
)  # fmt: skip


def _tower(u: TellingDraw, p: Pieces) -> None:
    r, h = u(0.26, 0.36, "slender|thick"), u(0.55, 0.8)
    p.cone(0, 0, 0, r * 1.15, r, h)
    p.cone(0, 0, h + 0.08, r * 1.1, r * 1.3, 0.12)
    if u.chance(0.5, "with a pointed roof"):
        p.cone(0, 0, h + 0.45, r * 1.5, 0.02, 0.3, ACCENT)
    else:
        p.box(r * 1.15, 0, h + 0.25, (0.09, 0.1, 0.1), ACCENT, copies=7)
    p.box(0, -r, -h + 0.18, (0.12, 0.2, 0.2), WOOD)
    p.cone(0, -r, -h + 0.38, 0.12, 0.12, 0.2, WOOD, (90, 0, 0))
    for z in (-0.05, 0.45):
        p.box(0, 0, h * z + 0.05, (0.06, r * 1.13, 0.11), DARK)


def _lighthouse(u: TellingDraw, p: Pieces) -> None:
    h = u(0.55, 0.8)
    p.cone(0, 0, 0, 0.32, 0.2, h)
    for z in (-0.5, 0.3):
        p.cone(0, 0, h * z, 0.275 - 0.06 * z, 0.255 - 0.06 * z, h * 0.18, ACCENT)
    p.cone(0, 0, h + 0.03, 0.3, 0.3, 0.04, DARK)
    p.cone(0, 0, h + 0.18, 0.14, 0.14, 0.14, GOLD)
    p.cone(0, 0, h + 0.42, 0.22, 0.02, 0.12, ACCENT)
    p.box(0, -0.3, -h + 0.16, (0.09, 0.06, 0.17), WOOD)
    p.cone(0, 0, -h - 0.04, 0.5, 0.42, 0.07, METAL)


def _windmill(u: TellingDraw, p: Pieces) -> None:
    h, blade = u(0.5, 0.66), u(0.5, 0.68, "with short sails|with long sails")
    p.cone(0, 0, 0, 0.36, 0.23, h)
    p.cone(0, 0, h + 0.14, 0.29, 0.05, 0.16, ACCENT)
    p.cone(0, -0.34, h, 0.06, 0.06, 0.12, DARK, (90, 0, 0))
    for i in range(4):
        a = 45 + 90 * i
        x, z = cos(radians(a)), sin(radians(a))
        p.limb((0, -0.42, h), (x * blade, -0.42, h + z * blade), 0.025, 0.02, WOOD)
        p.box(
            x * blade * 0.62 + z * 0.07,
            -0.42,
            h + z * blade * 0.62 - x * 0.07,
            (blade * 0.36, 0.012, 0.08),
            PALE,
            (0, -a, 0),
        )
    p.box(0, -0.33, -h + 0.18, (0.1, 0.06, 0.19), WOOD)
    p.box(0, -0.28, 0.0, (0.07, 0.06, 0.08), GLASS)


def _church(u: TellingDraw, p: Pieces) -> None:
    length, h = u(0.45, 0.65), u(0.5, 0.72, "with a low tower|with a high tower")
    p.box(0, 0.15, -0.1, (0.32, length, 0.28))
    p.wedge(0, 0.15, 0.36, (0.37, length + 0.04, 0.2), ACCENT)
    p.box(0, -length, h - 0.38, (0.2, 0.2, h))
    p.pyramid(0, -length, 2 * h - 0.38 + 0.28, (0.23, 0.23, 0.28), ACCENT)
    p.box(0, -length, 2 * h + 0.28, (0.025, 0.025, 0.14), GOLD)
    p.box(0, -length, 2 * h + 0.3, (0.09, 0.025, 0.025), GOLD)
    p.box(0, -length - 0.19, -0.2, (0.1, 0.04, 0.18), WOOD)
    p.cone(0, -length - 0.19, h * 0.9, 0.09, 0.09, 0.04, PALE, (90, 0, 0))
    for y in (0.0, 0.5, 1.0):
        p.box(0.32, 0.15 + length * (y * 0.8 - 0.15), -0.08, (0.03, 0.07, 0.15), GLASS, copies=PAIR)


def _barn(u: TellingDraw, p: Pieces) -> None:
    w, d = u(0.42, 0.55), u(0.5, 0.7, "short|long")
    p.box(0, 0, -0.12, (w, d, 0.3), rounding=0.01)
    p.wedge(0, 0, 0.38, (w + 0.05, d + 0.05, u(0.2, 0.28)), ACCENT)
    p.box(0, -d, -0.16, (w * 0.5, 0.04, 0.25), PALE, rounding=0.01)
    for turn in (42, -42):
        p.box(0, -d - 0.03, -0.16, (0.3, 0.02, 0.025), MAIN, (0, turn, 0))
    p.box(0, -d, 0.32, (0.1, 0.04, 0.09), PALE, rounding=0.01)
    p.box(w, 0, -0.08, (0.03, 0.12, 0.1), GLASS, copies=PAIR)


def _tent(u: TellingDraw, p: Pieces) -> None:
    w, d, h = u(0.5, 0.66), u(0.5, 0.8, "short|long"), u(0.4, 0.52)
    p.wedge(0, 0, 0, (w, d, h))
    p.wedge(0, -d, -h * 0.18, (w * 0.4, 0.12, h * 0.8), DARK, cut=False)
    p.box(w * 0.32, -d - 0.02, -h * 0.2, (0.1, 0.12, h * 0.82), ACCENT, (0, -38, 0), copies=PAIR)
    p.limb((0, -d - 0.08, h), (0, d + 0.08, h), 0.035, 0.035, WOOD)
    p.limb((w, d * 0.85, -h * 0.8), (w + 0.22, d * 1.05, -h), 0.02, 0.02, WOOD, copies=FOUR)


def _well(u: TellingDraw, p: Pieces) -> None:
    r, h = u(0.38, 0.48), u(0.4, 0.55)
    p.cone(0, 0, -0.3, r, r, 0.26)
    p.cone(0, 0, -0.1, r - 0.1, r - 0.1, 0.3, DARK, cut=True)
    p.cone(0, 0, -0.35, r - 0.08, r - 0.08, 0.1, GLASS)
    p.box(r - 0.05, 0, h * 0.5, (0.05, 0.05, h), WOOD, copies=PAIR)
    p.wedge(0, 0, h * 1.5 + 0.1, (0.42, r + 0.2, 0.18), ACCENT, (0, 0, 90))
    p.cone(0, 0, h * 0.8, 0.06, 0.06, r, WOOD, (0, 90, 0))
    p.limb((0, 0, h * 0.8), (0, 0, 0.2), 0.015, 0.015, PALE)
    p.cone(0, 0, 0.12, 0.1, 0.13, 0.11, WOOD)


def _igloo(u: TellingDraw, p: Pieces) -> None:
    r = u(0.6, 0.75)
    high = u(0.8, 1.0, "low|high")
    p.ball(0, 0, 0, (r, r, r * high))
    for share in (0.0, 0.25, 0.5, 0.75):
        p.ring(0, 0, r * high * share, r * sqrt(1 - share**2), 0.02, ACCENT)
    p.ball(0, 0, r * high, 0.06, ACCENT)
    p.cone(0, -r - 0.05, 0.05, 0.3, 0.3, 0.2, MAIN, (90, 0, 0))
    p.cone(0, -r - 0.15, 0.05, 0.2, 0.2, 0.3, DARK, (90, 0, 0), cut=True)
    p.box(0, 0, -0.6, (2, 2, 0.6), cut=True, rounding=0)
    p.ball(0, -r * 0.75, 0.05, (0.2, 0.1, 0.2), DARK)


def _skyscraper(u: TellingDraw, p: Pieces) -> None:
    w, h = u(0.26, 0.36), u(0.7, 0.9)
    p.box(0, 0, 0, (w, w, h), rounding=0.01)
    p.box(0, 0, h, (w * 0.66, w * 0.66, 0.2), rounding=0.01)
    p.limb((0, 0, h), (0, 0, h + 0.5), 0.03, 0.012, METAL)
    for i in range(6):
        z = h * (-0.78 + 0.31 * i)
        p.box(0, 0, z, (w + 0.008, w * 0.84, h * 0.075), GLASS, rounding=0.005)
        p.box(0, 0, z, (w * 0.84, w + 0.008, h * 0.075), GLASS, rounding=0.005)
    p.box(0, -w, -h + 0.08, (w * 0.4, 0.05, 0.09), DARK)
    p.box(0, 0, -h, (w * 1.3, w * 1.3, 0.04), ACCENT)


def _temple(u: TellingDraw, p: Pieces) -> None:
    w, h = u(0.6, 0.75), u(0.28, 0.42, "with short columns|with long columns")
    p.box(0, 0, -h - 0.05, (w + 0.14, 0.62, 0.06), ACCENT)
    p.box(0, 0, -h + 0.05, (w + 0.06, 0.54, 0.06), ACCENT)
    p.box(0, 0.05, 0, (w * 0.6, 0.3, h), PALE)
    for x in (0.33, 1.0):
        p.cone(w * x * 0.92, 0.42, 0, 0.075, 0.065, h, copies=FOUR)
    p.box(0, 0, h, (w, 0.5, 0.06), ACCENT)
    p.wedge(0, 0, h + 0.2, (w + 0.06, 0.54, 0.15))
    p.box(0, -0.27, -0.05, (0.12, 0.05, h * 0.8), DARK)


RECIPES = {
    "tower": _tower, "lighthouse": _lighthouse, "windmill": _windmill, "church": _church, "barn": _barn,
    "tent": _tent, "well": _well, "igloo": _igloo, "skyscraper": _skyscraper, "temple": _temple,
}  # fmt: skip
FRONTED = ("tower", "lighthouse", "windmill", "church", "barn", "tent", "igloo")
