"""Vehicles: front to -Y, up to +Z, in free units."""

from __future__ import annotations

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
    ROSE,
    WOOD,
    Pieces,
    TellingDraw,
)  # fmt: skip


def _wheel(p: Pieces, x: float, y: float, z: float, r: float, w: float = 0.08, copies: int = PAIR) -> None:
    p.cone(x, y, z, r, r, w, DARK, (0, 90, 0), copies=copies)
    p.cone(x + w * 0.4, y, z, r * 0.5, r * 0.5, w * 0.7, METAL, (0, 90, 0), copies=copies)


def _truck(u: TellingDraw, p: Pieces) -> None:
    bed, h = u(0.45, 0.7, "short|long"), u(0.26, 0.38)
    p.box(0, bed * 0.55, h * 0.6, (0.34, bed, h))
    p.box(0, -bed * 0.5 - 0.3, 0.1, (0.33, 0.26, 0.36), rounding=0.07)
    p.box(0, -bed * 0.5 - 0.54, 0.22, (0.28, 0.05, 0.14), GLASS)
    p.box(0.33, -bed * 0.5 - 0.34, 0.22, (0.03, 0.13, 0.13), GLASS, copies=PAIR)
    p.box(0, 0, -0.26, (0.28, bed + 0.34, 0.06), ACCENT)
    p.box(0, bed * 0.55, h * 0.6, (0.35, bed * 0.92, 0.06), ACCENT)
    p.ball(0.22, -bed * 0.5 - 0.56, -0.12, 0.06, PALE, copies=PAIR)
    p.box(0, -bed * 0.5 - 0.56, -0.22, (0.32, 0.05, 0.05), METAL)
    for y in (-bed * 0.5 - 0.28, bed * 0.5, bed * 1.15):
        _wheel(p, 0.3, y, -0.32, 0.17)


def _bus(u: TellingDraw, p: Pieces) -> None:
    length, h = u(0.7, 0.95, "short|long"), u(0.32, 0.42)
    p.box(0, 0, 0, (0.32, length, h), rounding=0.08)
    p.box(0, 0, -h * 0.35, (0.335, length + 0.01, h * 0.12), ACCENT, rounding=0.02)
    for y in (-0.45, 0.0, 0.45):
        p.box(0.31, length * y * 1.35, h * 0.4, (0.03, length * 0.23, h * 0.3), GLASS, copies=PAIR)
    p.box(0, -length, h * 0.35, (0.27, 0.03, h * 0.36), GLASS)
    p.ball(0.22, -length, -h * 0.6, 0.06, PALE, copies=PAIR)
    p.box(0, -length - 0.01, -h * 0.85, (0.31, 0.04, 0.05), METAL)
    p.box(0, length + 0.0, h * 0.4, (0.24, 0.03, h * 0.25), GLASS)
    for y in (-0.6, 0.6):
        _wheel(p, 0.29, length * y, -h, 0.16)


def _train(u: TellingDraw, p: Pieces) -> None:
    length = u(0.5, 0.7, "short|long")
    p.cone(0, -length * 0.35, 0.1, 0.27, 0.27, length * 0.75, MAIN, (90, 0, 0))
    p.cone(0, -length * 1.12, 0.1, 0.22, 0.2, 0.04, DARK, (90, 0, 0))
    p.box(0, length * 0.7, 0.28, (0.33, 0.3, 0.42))
    p.box(0, length * 0.7, 0.72, (0.38, 0.38, 0.05), ACCENT)
    p.box(0.33, length * 0.7, 0.42, (0.03, 0.16, 0.13), GLASS, copies=PAIR)
    p.cone(0, -length * 0.8, 0.52, 0.08, 0.13, u(0.14, 0.24), DARK)
    p.ball(0, -length * 0.2, 0.38, 0.12, GOLD)
    p.box(0, -length * 0.1, -0.2, (0.26, length * 1.1, 0.07), DARK)
    p.wedge(0, -length * 1.22, -0.3, (0.3, 0.16, 0.14), ACCENT)
    for y in (-0.8, -0.1, 0.7):
        _wheel(p, 0.28, length * y, -0.28, 0.18 if y < 0.5 else 0.22, 0.05)


def _helicopter(u: TellingDraw, p: Pieces) -> None:
    r, blade = u(0.32, 0.4), u(0.7, 0.95)
    p.ball(0, 0, 0, (r, r * 1.35, r))
    p.ball(0, -r * 0.55, 0.06, (r * 0.86, r * 0.9, r * 0.8), GLASS)
    p.limb((0, r * 0.8, 0.08), (0, r + 0.75, 0.16), 0.14, 0.05, blend=0.1)
    p.box(0, r + 0.78, 0.28, (0.03, 0.1, 0.18), ACCENT, (-20, 0, 0))
    p.box(0.06, r + 0.78, 0.24, (0.015, 0.04, 0.24), DARK, (40, 0, 0))
    p.limb((0, 0.05, r), (0, 0.05, r + 0.16), 0.05, 0.05, DARK)
    p.box(blade * 0.5, 0.05, r + 0.17, (blade * 0.5, 0.05, 0.015), DARK, copies=u.rng.choice((2, 3, 4)))
    p.limb((0.28, -0.45, -r - 0.18), (0.28, 0.4, -r - 0.18), 0.035, 0.035, ACCENT, copies=PAIR)
    p.limb((0.2, 0.12, -r * 0.7), (0.28, 0.15, -r - 0.18), 0.03, 0.03, ACCENT, copies=FOUR)


def _tractor(u: TellingDraw, p: Pieces) -> None:
    r = u(0.32, 0.44, "with small wheels|with big wheels")
    p.box(0, -0.35, 0.05, (0.2, 0.4, 0.2), rounding=0.06)
    p.box(0, 0.25, 0.0, (0.26, 0.3, 0.2), rounding=0.05)
    p.box(0, 0.25, 0.42, (0.24, 0.24, 0.24), GLASS)
    p.box(0, 0.25, 0.68, (0.29, 0.3, 0.045))
    p.cone(0.1, -0.45, 0.42, 0.035, 0.045, 0.2, DARK)
    p.box(0, -0.75, 0.05, (0.14, 0.02, 0.13), DARK)
    p.ball(0.17, -0.74, 0.15, 0.05, PALE, copies=PAIR)
    for x, y, size in ((0.4, 0.35, r), (0.3, -0.5, 0.2)):
        z = -0.4 + size - 0.1
        p.cone(x, y, z, size, size, 0.1, DARK, (0, 90, 0), copies=PAIR)
        p.cone(x + 0.03, y, z, size * 0.55, size * 0.55, 0.1, ACCENT, (0, 90, 0), copies=PAIR)


def _submarine(u: TellingDraw, p: Pieces) -> None:
    length = u(0.5, 0.75, "short|long")
    p.limb((0, -length * 0.8, 0), (0, length * 0.8, 0), 0.32, 0.24)
    p.box(0, -0.05, 0.42, (0.14, 0.24, 0.18), ACCENT, rounding=0.09)
    p.limb((0, 0, 0.5), (0, 0, 0.85), 0.04, 0.04, METAL)
    p.limb((0, 0, 0.85), (0, -0.15, 0.85), 0.045, 0.05, METAL)
    for y in (-0.5, 0.0, 0.5):
        p.cone(0.28, length * y, 0.06, 0.11, 0.11, 0.05, GLASS, (0, 90, 0), copies=PAIR)
    p.box(0.0, length * 0.8 + 0.2, 0, (0.34, 0.1, 0.03), ACCENT)
    p.box(0.0, length * 0.8 + 0.2, 0, (0.03, 0.1, 0.34), ACCENT)
    p.cone(0, length * 0.8 + 0.3, 0, 0.16, 0.16, 0.03, GOLD, (90, 0, 0))


def _ufo(u: TellingDraw, p: Pieces) -> None:
    r = u(0.65, 0.85)
    p.ball(0, 0, 0, (r, r, u(0.16, 0.26, "flat|thick")))
    p.ball(0, 0, 0.12, (r * 0.42, r * 0.42, 0.34), GLASS)
    p.ball(r * 0.78, 0, 0.04, 0.07, GOLD, copies=8)
    p.ring(0, 0, 0, r * 0.98, 0.04, ACCENT)
    p.limb((r * 0.4, 0, -0.1), (r * 0.55, 0, -0.42), 0.04, 0.06, ACCENT, copies=3)


def _tank(u: TellingDraw, p: Pieces) -> None:
    length, gun = u(0.5, 0.65), u(0.5, 0.75, "with a short barrel|with a long barrel")
    p.box(0, 0, 0, (0.3, length, 0.14), rounding=0.05)
    p.box(0.36, 0, -0.08, (0.12, length * 1.05, 0.17), DARK, rounding=0.15, copies=PAIR)
    for y in (-0.66, -0.22, 0.22, 0.66):
        p.cone(0.46, length * y, -0.08, 0.1, 0.1, 0.04, METAL, (0, 90, 0), copies=PAIR)
    p.cone(0, 0.05, 0.24, 0.3, 0.22, 0.13)
    p.limb((0, -0.2, 0.25), (0, -0.25 - gun, 0.3), 0.05, 0.05, ACCENT)
    p.cone(0, -0.25 - gun, 0.3, 0.08, 0.08, 0.07, ACCENT, (90, 0, 0))
    p.cone(0.06, 0.1, 0.38, 0.1, 0.1, 0.04, ACCENT)


def _balloon(u: TellingDraw, p: Pieces) -> None:
    r = u(0.5, 0.64)
    p.ball(0, 0, 0.4, r)
    p.cone(0, 0, -0.1, 0.14, r * 0.72, 0.2, blend=0.1)
    p.ring(0, 0, 0.4, r, 0.03, ACCENT)
    p.ring(0, 0, 0.4, r, 0.03, ACCENT, (90, 0, 0))
    p.ring(0, 0, 0.4, r, 0.03, ACCENT, (0, 90, 0))
    p.limb((0.12, 0.12, -0.2), (0.15, 0.15, -u(0.6, 0.75)), 0.018, 0.018, DARK, copies=FOUR)
    p.box(0, 0, -0.78, (0.18, 0.18, 0.15), WOOD)
    p.box(0, 0, -0.7, (0.14, 0.14, 0.15), WOOD, cut=True)


def _skateboard(u: TellingDraw, p: Pieces) -> None:
    length = u(0.7, 0.95, "short|long")
    p.box(0, 0, 0, (0.25, length, 0.035), rounding=0.035)
    p.box(0, -length - 0.1, 0.07, (0.24, 0.18, 0.035), turn=(-25, 0, 0), rounding=0.035, blend=0.05)
    p.box(0, length + 0.1, 0.07, (0.24, 0.18, 0.035), turn=(25, 0, 0), rounding=0.035, blend=0.05)
    p.box(0.1, length * 0.62, -0.1, (0.12, 0.05, 0.06), METAL, copies=FOUR)
    p.cone(0.22, length * 0.62, -0.16, 0.11, 0.11, 0.07, ACCENT, (0, 90, 0), copies=FOUR)


def _sailboat(u: TellingDraw, p: Pieces) -> None:
    h = u(0.6, 0.85, "with a low sail|with a high sail")
    p.ball(0, 0, -0.3, (0.3, 0.72, 0.36))
    p.box(0, 0, 0.2, (0.6, 1.0, 0.4), cut=True, rounding=0)
    p.ball(0, 0, -0.25, (0.24, 0.62, 0.2), WOOD, cut=True)
    p.limb((0, -0.05, -0.4), (0, -0.05, 2 * h), 0.035, 0.03, WOOD)
    p.wedge(0, 0.27, h + 0.02, (0.62, 0.02, h * 0.9), ACCENT, (0, 0, 90))
    p.pyramid(0, -0.08, 2 * h + 0.06, (0.03, 0.14, 0.08), ROSE)


RECIPES = {
    "truck": _truck, "bus": _bus, "train": _train, "helicopter": _helicopter, "tractor": _tractor,
    "submarine": _submarine, "ufo": _ufo, "tank": _tank, "balloon": _balloon, "skateboard": _skateboard,
    "sailboat": _sailboat,
}  # fmt: skip
FRONTED = ("truck", "bus", "train", "helicopter", "tractor", "submarine", "tank", "sailboat")
