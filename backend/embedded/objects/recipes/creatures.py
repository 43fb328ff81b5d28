"""Animals and characters: front to -Y, up to +Z, in free units."""

from __future__ import annotations

from backend.embedded.objects.pieces import (
    ACCENT,
    BEAK,
    DARK,
    FOUR,
    MAIN,
    PAIR,
    PALE,
    ROSE,
    SKIN,
    Pieces,
    TellingDraw,
)  # fmt: skip


def add_eyes(p: Pieces, x: float, y: float, z: float, r: float = 0.05, white: bool = False) -> None:
    """Add a pair of eyes that look to the front."""
    if white:
        p.ball(x, y, z, r * 1.7, PALE, copies=PAIR)
        y -= r * 1.1
    p.ball(x, y, z, r, DARK, copies=PAIR)


def add_quadruped(p: Pieces, length: float, r: float, leg: float, thick: float, slot: int = MAIN) -> None:
    """Add a body along y, its middle at z = 0, on four legs."""
    p.limb((0, -length, 0), (0, length, 0), r, r * 0.95)
    p.limb(
        (r * 0.55, length * 0.95, -r * 0.4),
        (r * 0.6, length * 0.95, -r - leg),
        thick,
        thick * 0.85,
        slot,
        copies=FOUR,
        blend=0.05,
    )


def _cat(u: TellingDraw, p: Pieces) -> None:
    length, r = u(0.26, 0.4), u(0.2, 0.27, "slim|fat")
    add_quadruped(p, length, r, u(0.12, 0.26, "with short legs|with long legs"), 0.07)
    y, z = -length - 0.12, r + 0.2
    p.ball(0, y, z, (0.27, 0.24, 0.23), blend=0.05)
    p.pyramid(0.16, y + 0.02, z + 0.24, (0.11, 0.06, 0.14), ACCENT, (0, 14, 0), copies=PAIR)
    add_eyes(p, 0.11, y - 0.2, z + 0.05)
    p.ball(0, y - 0.22, z - 0.07, (0.11, 0.07, 0.07), PALE)
    p.ball(0, y - 0.28, z - 0.03, 0.035, ROSE)
    p.limb((0, length + 0.1, 0.08), (0, length + 0.35, 0.3), 0.06, 0.055, ACCENT)
    p.limb(
        (0, length + 0.35, 0.3),
        (0, length + 0.3, u(0.5, 0.75, "with a short tail|with a long tail")),
        0.055,
        0.05,
        ACCENT,
    )
    p.hat_at = (0, y, z + 0.18, 0.17)


def _elephant(u: TellingDraw, p: Pieces) -> None:
    r = u(0.36, 0.46)
    add_quadruped(p, 0.26, r, u(0.12, 0.25), 0.14)
    y, z = -0.62, r * 0.5
    p.ball(0, y, z, 0.3)
    ear = u(0.24, 0.34, "with small ears|with big ears")
    p.ball(0.3 + ear * 0.6, y + 0.12, z + 0.05, (ear, 0.06, ear * 1.15), ACCENT, (0, 0, 20), copies=PAIR)
    p.limb((0, y - 0.24, z - 0.02), (0, y - 0.42, z - 0.4), 0.11, 0.08, blend=0.05)
    p.limb((0, y - 0.42, z - 0.4), (0, y - 0.56, z - 0.55), 0.08, 0.06, blend=0.02)
    p.limb((0.16, y - 0.2, z - 0.14), (0.19, y - 0.46, z - 0.2), 0.05, 0.025, PALE, copies=PAIR)
    add_eyes(p, 0.17, y - 0.24, z + 0.1)
    p.limb((0, 0.6, 0.1), (0, 0.75, -0.2), 0.04, 0.03, ACCENT)
    p.hat_at = (0, y, z + 0.24, 0.2)


def _horse(u: TellingDraw, p: Pieces) -> None:
    length, neck = u(0.32, 0.44), u(0.35, 0.5, "with a short neck|with a long neck")
    add_quadruped(p, length, 0.22, u(0.36, 0.48, "with short legs|with long legs"), 0.075)
    y, z = -length - 0.2, 0.1 + neck
    p.limb((0, -length, 0.08), (0, y, z), 0.17, 0.12, blend=0.05)
    p.limb((0, y - 0.02, z + 0.06), (0, y - 0.32, z - 0.16), 0.13, 0.09, blend=0.03)
    p.limb((0, y + 0.14, z + 0.16), (0, -length + 0.12, 0.3), 0.06, 0.06, ACCENT)
    p.pyramid(0.07, y + 0.02, z + 0.24, (0.045, 0.03, 0.09), copies=PAIR)
    add_eyes(p, 0.11, y - 0.1, z + 0.08, 0.035)
    p.limb((0, length + 0.2, 0.1), (0, length + 0.4, -0.4), 0.08, 0.04, ACCENT)
    p.box(0.13, length * 0.95, -0.66, (0.07, 0.08, 0.04), DARK, copies=FOUR)


def _cow(u: TellingDraw, p: Pieces) -> None:
    length, r = u(0.34, 0.46), u(0.27, 0.34, "slim|fat")
    add_quadruped(p, length, r, u(0.16, 0.26), 0.085)
    y, z = -length - 0.3, r * 0.75
    p.ball(0, y, z, (0.2, 0.24, 0.22), blend=0.04)
    p.ball(0, y - 0.22, z - 0.1, (0.16, 0.12, 0.12), SKIN)
    p.ball(0.06, y - 0.33, z - 0.08, 0.025, DARK, copies=PAIR)
    p.limb((0.12, y, z + 0.18), (0.22, y, z + 0.36), 0.05, 0.015, PALE, copies=PAIR)
    p.ball(0.27, y + 0.04, z + 0.08, (0.12, 0.05, 0.07), ACCENT, copies=PAIR)
    add_eyes(p, 0.12, y - 0.16, z + 0.08, 0.04)
    p.ball(0, length * 0.5, -r, 0.14, SKIN)
    p.limb((0, length + r, 0.1), (0, length + r + 0.08, -0.36), 0.03, 0.06, ACCENT)


def _pig(u: TellingDraw, p: Pieces) -> None:
    r = u(0.34, 0.44)
    add_quadruped(p, 0.24, r, u(0.06, 0.14, "with short legs|with long legs"), 0.09)
    y, z = -0.24 - r * 0.75, r * 0.3
    p.ball(0, y, z, 0.28, blend=0.04)
    p.cone(0, y - 0.3, z - 0.03, 0.13, 0.12, 0.06, ACCENT, (90, 0, 0))
    p.ball(0.05, y - 0.365, z - 0.03, 0.025, DARK, copies=PAIR)
    p.pyramid(0.17, y - 0.02, z + 0.27, (0.1, 0.05, 0.12), ACCENT, (0, 25, 0), copies=PAIR)
    add_eyes(p, 0.12, y - 0.23, z + 0.1, 0.04)
    p.arc(0, 0.24 + r, 0.12, 0.09, 0.03, 140, ACCENT, (0, 90, 0))
    p.hat_at = (0, y, z + 0.22, 0.18)


def _sheep(u: TellingDraw, p: Pieces) -> None:
    r = u(0.32, 0.42)
    for x, y, z in ((0.14, 0.26, 0.05), (0.16, -0.1, 0.12), (0.15, 0.1, -0.1)):
        p.ball(x, y, z, r * 0.78, copies=PAIR)
    p.ball(0, 0.05, 0.2, r * 0.8)
    p.ball(0, -0.28, 0.05, r * 0.72)
    p.limb(
        (0.18, 0.2, -0.2),
        (0.18, 0.2, -r - u(0.14, 0.26, "with short legs|with long legs")),
        0.07,
        0.06,
        DARK,
        copies=FOUR,
    )
    y, z = -r - 0.25, 0.24
    p.ball(0, y, z, (0.15, 0.21, 0.18), ACCENT, (25, 0, 0))
    p.ball(0, y + 0.12, z + 0.16, 0.16)
    p.ball(0.2, y + 0.06, z + 0.04, (0.12, 0.05, 0.06), ACCENT, copies=PAIR)
    add_eyes(p, 0.08, y - 0.15, z + 0.08, 0.035, white=True)


def _penguin(u: TellingDraw, p: Pieces) -> None:
    r, h = u(0.32, 0.4, "slim|fat"), u(0.5, 0.62)
    p.ball(0, 0, 0, (r, r * 0.92, h))
    p.ball(0, 0, h * 0.85, r * 0.72, blend=0.1)
    p.ball(0, -r * 0.25, -0.05, (r * 0.8, r * 0.76, h * 0.85), PALE)
    p.ball(0.1, -r * 0.5, h * 0.9, 0.13, PALE, copies=PAIR)
    add_eyes(p, 0.1, -r * 0.5 - 0.115, h * 0.92, 0.04)
    p.limb((0, -r * 0.6, h * 0.8), (0, -r * 0.6 - 0.2, h * 0.76), 0.07, 0.02, BEAK)
    p.ball(r * 0.98, 0, -0.02, (0.07, 0.15, h * 0.62), MAIN, (0, -14, 0), copies=PAIR)
    p.ball(r * 0.5, -r * 0.45, -h, (0.15, 0.24, 0.06), BEAK, copies=PAIR)
    p.hat_at = (0, 0, h * 0.85 + r * 0.6, r * 0.5)


def _frog(u: TellingDraw, p: Pieces) -> None:
    r = u(0.4, 0.5)
    p.ball(0, 0.05, 0, (r, r * 1.05, r * 0.72))
    p.ball(0, -r * 0.62, 0.16, (r * 0.82, r * 0.6, r * 0.5), blend=0.12)
    p.ball(r * 0.48, -r * 0.55, r * 0.5 + 0.2, u(0.13, 0.19, "with small eyes|with big eyes"), copies=PAIR)
    p.ball(r * 0.48, -r * 0.55 - 0.1, r * 0.5 + 0.22, 0.1, PALE, copies=PAIR)
    p.ball(r * 0.48, -r * 0.55 - 0.18, r * 0.5 + 0.22, 0.05, DARK, copies=PAIR)
    p.arc(0, -r * 0.7, 0.28, r * 0.56, 0.025, 55, DARK, (20, 0, 180))
    p.ball(r * 0.95, 0.25, -0.12, (0.2, 0.34, 0.22), copies=PAIR)
    p.ball(r * 1.05, -0.1, -0.3, (0.2, 0.26, 0.05), ACCENT, copies=PAIR)
    p.limb((r * 0.6, -r * 0.6, 0), (r * 0.75, -r * 0.9, -0.3), 0.1, 0.07, copies=PAIR)
    p.ball(0, -r * 0.35, -0.1, (r * 0.75, r * 0.85, r * 0.5), ACCENT)


def _snail(u: TellingDraw, p: Pieces) -> None:
    r = u(0.36, 0.5, "with a small shell|with a big shell")
    p.limb((0, 0.6, -r), (0, -0.5, -r), 0.1, 0.15, ACCENT)
    p.limb((0, -0.5, -r), (0, -0.68, -r + 0.35), 0.15, 0.14, ACCENT, blend=0.08)
    p.ball(0, 0.08, 0, (r * 0.6, r, r))
    p.arc(r * 0.35, 0.08, 0, r * 0.66, 0.11, 165, turn=(90, 40, 90), copies=PAIR)
    p.ball(r * 0.52, 0.08, 0, (0.13, 0.2, 0.2), copies=PAIR)
    p.limb((0.06, -0.7, -r + 0.45), (0.16, -0.78, -r + 0.72), 0.035, 0.03, ACCENT, copies=PAIR)
    p.ball(0.16, -0.78, -r + 0.74, 0.065, DARK, copies=PAIR)


def _octopus(u: TellingDraw, p: Pieces) -> None:
    r, n = u(0.34, 0.46), 8
    p.ball(0, 0, 0.25, (r, r, r * 1.2))
    reach = u(0.3, 0.5, "with short arms|with long arms")
    p.limb((r * 0.5, 0, 0), (r * 0.7 + reach * 0.5, 0, -0.28), 0.12, 0.09, copies=n, blend=0.06)
    p.limb((r * 0.7 + reach * 0.5, 0, -0.28), (r * 0.7 + reach, 0, -0.16), 0.09, 0.045, copies=n, blend=0.03)
    add_eyes(p, 0.15, -r * 0.86, 0.3, 0.06, white=True)
    p.ball(0, -r, 0.12, (0.06, 0.05, 0.05), ACCENT)
    p.hat_at = (0, 0, 0.25 + r * 1.05, r * 0.6)


def _duck(u: TellingDraw, p: Pieces) -> None:
    r, head = u(0.36, 0.46), u(0.22, 0.29, "with a small head|with a big head")
    p.ball(0, 0.05, 0, (r, r * 1.3, r * 0.8))
    p.ball(0, r * 1.25, 0.2, (0.14, 0.2, 0.1), turn=(35, 0, 0), blend=0.15)
    y, z = -r * 0.8, r * 0.8 + head * 0.6
    p.ball(0, y, z, head, blend=0.12)
    p.ball(0, y - head - 0.06, z - 0.04, (0.13, 0.16, 0.045), BEAK)
    add_eyes(p, head * 0.5, y - head * 0.72, z + 0.09, 0.045)
    p.ball(r * 0.92, 0.12, 0.05, (0.09, r * 0.8, r * 0.45), ACCENT, copies=PAIR)
    p.hat_at = (0, y, z + head * 0.8, head * 0.7)


def _owl(u: TellingDraw, p: Pieces) -> None:
    r, h = u(0.36, 0.44, "slim|fat"), u(0.48, 0.6)
    p.ball(0, 0, 0, (r, r * 0.9, h))
    p.ball(0, -r * 0.3, -0.1, (r * 0.72, r * 0.68, h * 0.75), ACCENT)
    p.cone(r * 0.42, -r * 0.72, h * 0.42, 0.19, 0.17, 0.08, PALE, (80, 0, 12), copies=PAIR)
    p.ball(r * 0.4, -r * 0.95, h * 0.42, 0.085, DARK, copies=PAIR)
    p.limb((0, -r * 0.85, h * 0.3), (0, -r * 1.02, h * 0.12), 0.06, 0.02, BEAK)
    p.pyramid(r * 0.55, -0.1, h * 0.9, (0.1, 0.07, 0.16), copies=PAIR, turn=(0, 18, 0))
    p.ball(r * 0.95, 0.05, -0.05, (0.09, r * 0.6, h * 0.66), copies=PAIR)
    p.ball(r * 0.4, -r * 0.4, -h, (0.12, 0.18, 0.06), BEAK, copies=PAIR)


def _giraffe(u: TellingDraw, p: Pieces) -> None:
    neck = u(0.6, 0.9, "with a short neck|with a long neck")
    add_quadruped(p, 0.26, 0.22, u(0.42, 0.55), 0.065)
    y, z = -0.5, neck + 0.1
    p.limb((0, -0.28, 0.1), (0, y, z), 0.14, 0.09, blend=0.06)
    p.limb((0, y, z + 0.04), (0, y - 0.26, z - 0.05), 0.11, 0.08, blend=0.03)
    p.limb((0.06, y + 0.02, z + 0.1), (0.07, y + 0.02, z + 0.25), 0.025, 0.04, ACCENT, copies=PAIR)
    p.ball(0.16, y + 0.05, z + 0.08, (0.1, 0.04, 0.05), ACCENT, copies=PAIR)
    add_eyes(p, 0.09, y - 0.1, z + 0.08, 0.03)
    p.limb((0, 0.45, 0.08), (0, 0.55, -0.3), 0.03, 0.045, ACCENT)


def _dinosaur(u: TellingDraw, p: Pieces) -> None:
    r = u(0.27, 0.35)
    p.ball(0, 0, 0, (r, r * 1.3, r * 1.2), turn=(-25, 0, 0))
    p.limb(
        (0, r * 0.7, -0.12),
        (0, r + u(0.5, 0.75, "with a short tail|with a long tail"), -r - 0.1),
        0.22,
        0.04,
        blend=0.15,
    )
    y, z = -r * 1.1, r * 1.4 + 0.18
    p.limb((0, -r * 0.6, r * 0.6), (0, y, z), 0.2, 0.17, blend=0.12)
    p.box(0, y - 0.16, z + 0.04, (0.17, 0.27, 0.14), rounding=0.1, blend=0.05)
    p.box(0, y - 0.3, z - 0.03, (0.2, 0.16, 0.015), DARK, rounding=0)
    add_eyes(p, 0.155, y - 0.12, z + 0.12, 0.045)
    p.limb((r * 0.7, 0.1, -0.1), (r * 0.75, 0.0, -r - 0.45), 0.16, 0.09, copies=PAIR, blend=0.06)
    p.ball(r * 0.75, -0.1, -r - 0.5, (0.11, 0.18, 0.07), ACCENT, copies=PAIR)
    p.limb((r * 0.8, -r * 0.9, 0.2), (r * 0.8, -r * 0.9 - 0.2, 0.08), 0.06, 0.04, ACCENT, copies=PAIR)
    for i in range(3):
        p.pyramid(0, r * (0.35 + 0.8 * i), r * (0.95 - 0.65 * i), (0.035, 0.12, 0.13), ACCENT, (-35, 0, 0))


def _butterfly(u: TellingDraw, p: Pieces) -> None:
    w = u(0.4, 0.6, "with small wings|with big wings")
    p.limb((0, 0, 0.35), (0, 0, -0.4), 0.09, 0.05, DARK)
    p.ball(0, -0.02, 0.45, 0.12, DARK)
    p.ball(w * 0.9, 0, 0.3, (w, 0.04, 0.38), turn=(0, -28, 0), copies=PAIR)
    p.ball(w * 0.7, 0.01, -0.25, (w * 0.72, 0.04, 0.3), ACCENT, (0, 30, 0), copies=PAIR)
    p.cone(w * 1.0, 0, 0.36, 0.16, 0.16, 0.06, ACCENT, (90, 0, 0), copies=PAIR)
    p.limb((0.04, 0, 0.52), (0.22, -0.05, 0.85), 0.02, 0.03, DARK, copies=PAIR)


def _crab(u: TellingDraw, p: Pieces) -> None:
    w = u(0.5, 0.66, "narrow|wide")
    p.ball(0, 0, 0, (w, 0.36, 0.26))
    for y in (0.2, 0.02, -0.14):
        p.limb((w * 0.7, y, 0), (w + 0.22, y * 2, 0.1), 0.06, 0.05, ACCENT, copies=PAIR)
        p.limb((w + 0.22, y * 2, 0.1), (w + 0.34, y * 2.4, -0.32), 0.05, 0.03, ACCENT, copies=PAIR)
    p.limb((w * 0.7, -0.2, 0.05), (w * 0.95, -0.5, 0.2), 0.08, 0.08, copies=PAIR)
    p.ball(w * 0.9, -0.62, 0.28, (0.2, 0.14, 0.17), copies=PAIR)
    p.box(w * 0.86, -0.74, 0.36, (0.05, 0.2, 0.14), turn=(0, -30, 0), copies=PAIR, cut=True)
    p.limb((0.14, -0.26, 0.15), (0.16, -0.34, 0.4), 0.035, 0.035, copies=PAIR)
    p.ball(0.16, -0.35, 0.43, 0.075, DARK, copies=PAIR)


def _whale(u: TellingDraw, p: Pieces) -> None:
    length, r = u(0.55, 0.75), u(0.36, 0.46, "slim|fat")
    p.ball(0, 0, 0, (r, length, r * 0.95))
    p.limb((0, length * 0.6, 0.02), (0, length + 0.3, 0.3), 0.2, 0.08, blend=0.2)
    p.ball(0.2, length + 0.38, 0.34, (0.26, 0.15, 0.05), ACCENT, (0, 0, 25), copies=PAIR)
    p.ball(0, -length * 0.15, -r * 0.42, (r * 0.84, length * 0.84, r * 0.6), PALE)
    add_eyes(p, r * 0.8, -length * 0.55, 0.05, 0.05)
    p.ball(r + 0.08, -0.1, -0.18, (0.24, 0.13, 0.05), ACCENT, (0, 25, 25), copies=PAIR)
    if u.chance(0.5, "with a spout"):
        p.limb((0, -0.15, r * 0.9), (0, -0.15, r + 0.25), 0.04, 0.06, PALE)
        p.arc(0.14, -0.15, r + 0.22, 0.14, 0.045, 80, PALE, (90, 0, 0), copies=PAIR)


RECIPES = {
    "cat": _cat, "elephant": _elephant, "horse": _horse, "cow": _cow, "pig": _pig, "sheep": _sheep,
    "penguin": _penguin, "frog": _frog, "snail": _snail, "octopus": _octopus, "duck": _duck, "owl": _owl,
    "giraffe": _giraffe, "dinosaur": _dinosaur, "butterfly": _butterfly, "crab": _crab, "whale": _whale,

}  # fmt: skip
FRONTED = tuple(name for name in RECIPES if name not in ("butterfly", "octopus"))
