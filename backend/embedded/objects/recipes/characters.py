"""Characters and creatures of fantasy: front to -Y, up to +Z, in free units."""

from __future__ import annotations

from backend.embedded.objects.pieces import (
    ACCENT,
    DARK,
    GOLD,
    PAIR,
    PALE,
    ROSE,
    SKIN,
    WOOD,
    Pieces,
    TellingDraw,
)  # fmt: skip
from backend.embedded.objects.recipes.creatures import add_eyes, add_quadruped


def _person(u: TellingDraw, p: Pieces) -> None:
    h, leg = u(0.3, 0.42), u(0.28, 0.45, "with short legs|with long legs")
    p.box(0, 0, 0, (0.24, 0.15, h), rounding=0.12)
    head = u(0.2, 0.27, "with a small head|with a big head")
    z = h + head * 0.95
    p.ball(0, 0, z, head, SKIN)
    p.ball(0, 0.05, z + 0.06, (head * 1.06, head, head * 0.98), u.rng.choice((DARK, WOOD, GOLD)))
    p.ball(0, -head * 0.5, z - 0.02, (head * 0.9, head * 0.62, head * 0.84), SKIN)
    add_eyes(p, 0.085, -head * 1.02, z + 0.04, 0.032)
    p.limb((0.27, 0, h * 0.65), (0.42, -0.06, -h * 0.4), 0.085, 0.07, copies=PAIR)
    p.ball(0.43, -0.07, -h * 0.5, 0.085, SKIN, copies=PAIR)
    p.limb((0.12, 0, -h * 0.9), (0.14, 0, -h - leg), 0.11, 0.09, ACCENT, copies=PAIR)
    p.ball(0.14, -0.06, -h - leg - 0.06, (0.1, 0.17, 0.07), DARK, copies=PAIR)
    p.hat_at = (0, 0.03, z + head * 0.85, head * 0.75)


def _ghost(u: TellingDraw, p: Pieces) -> None:
    r, h = u(0.36, 0.46), u(0.35, 0.5)
    p.ball(0, 0, h, r)
    p.cone(0, 0, 0, r * 1.1, r, h)
    p.ball(r * 0.86, 0, -h, 0.17, copies=8)
    p.ball(0.14, -r * 0.88, h + 0.06, (0.07, 0.07, 0.11), DARK, copies=PAIR)
    p.ball(0, -r * 0.98, h - 0.16, (0.07, 0.05, 0.08), DARK)
    p.limb((r * 0.9, 0, h * 0.4), (r + 0.22, -0.2, h * 0.7), 0.13, 0.09, copies=PAIR, blend=0.08)
    p.hat_at = (0, 0, h + r * 0.85, r * 0.6)


def _alien(u: TellingDraw, p: Pieces) -> None:
    head = u(0.34, 0.46, "with a small head|with a big head")
    p.limb((0, 0, -0.1), (0, 0, -0.55), 0.16, 0.22, ACCENT)
    p.ball(0, 0, head * 0.7, (head, head * 0.86, head * 0.92))
    p.ball(0, -0.02, head * 0.2, (head * 0.55, head * 0.55, head * 0.5), blend=0.15)
    p.ball(head * 0.45, -head * 0.72, head * 0.7, (0.14, 0.08, 0.19), DARK, (0, 25, 0), copies=PAIR)
    p.limb((0.16, 0, head * 1.4), (0.3, 0, head * 1.4 + 0.32), 0.025, 0.025, copies=PAIR)
    p.ball(0.3, 0, head * 1.4 + 0.34, 0.075, ACCENT, copies=PAIR)
    p.limb((0.17, 0, -0.2), (0.46, -0.12, -0.42), 0.065, 0.05, copies=PAIR)
    p.limb((0.12, 0, -0.6), (0.15, -0.03, -0.92), 0.09, 0.08, copies=PAIR)
    p.ball(0.15, -0.1, -0.95, (0.1, 0.17, 0.06), copies=PAIR)


def _gnome(u: TellingDraw, p: Pieces) -> None:
    hat, r = u(0.35, 0.55, "with a short hat|with a long hat"), u(0.3, 0.38)
    p.ball(0, 0, -0.1, (r, r * 0.9, 0.36), ACCENT)
    p.ball(0, 0, 0.36, 0.25, SKIN)
    p.ball(0, -0.16, 0.1, (0.24, 0.18, 0.3), PALE)
    p.ball(0, -0.28, 0.34, 0.08, ROSE)
    add_eyes(p, 0.1, -0.22, 0.43, 0.03)
    p.cone(0, 0.02, 0.48 + hat, 0.3, 0.02, hat)
    p.limb((r * 0.85, 0, 0.05), (r + 0.12, -0.16, -0.2), 0.1, 0.08, ACCENT, copies=PAIR)
    p.ball(r + 0.12, -0.2, -0.24, 0.085, SKIN, copies=PAIR)
    p.ball(0.15, -0.1, -0.5, (0.14, 0.22, 0.11), DARK, copies=PAIR)
    p.ring(0, 0, -0.15, r * 0.95, 0.05, DARK)


def _monster(u: TellingDraw, p: Pieces) -> None:
    r, h = u(0.4, 0.5, "slim|fat"), u(0.42, 0.58)
    p.ball(0, 0, 0, (r, r * 0.85, h))
    eyes = u.rng.choice((1, 2))
    u.said.append("with one eye" if eyes == 1 else "with two eyes")
    x = 0.0 if eyes == 1 else 0.17
    p.ball(x, -r * 0.7, h * 0.35, 0.2 if eyes == 1 else 0.15, PALE, copies=1 if eyes == 1 else PAIR)
    p.ball(x, -r * 0.7 - 0.14, h * 0.35, 0.085, DARK, copies=1 if eyes == 1 else PAIR)
    p.box(0, -r * 0.86, -0.12, (0.22, 0.12, 0.06), DARK, rounding=0.05)
    p.pyramid(0.1, -r * 0.86 - 0.06, -0.11, (0.045, 0.06, 0.06), PALE, (180, 0, 0), copies=PAIR)
    p.limb((r * 0.5, 0, h * 0.75), (r * 0.85, 0, h + 0.2), 0.09, 0.02, ACCENT, copies=PAIR)
    p.limb((r * 0.9, 0, 0), (r + 0.3, -0.1, -0.2), 0.09, 0.11, ACCENT, copies=PAIR)
    p.limb((0.2, 0, -h * 0.8), (0.22, -0.02, -h - 0.2), 0.12, 0.12, ACCENT, copies=PAIR)


def _dragon(u: TellingDraw, p: Pieces) -> None:
    w, r = u(0.4, 0.6, "with small wings|with big wings"), 0.27
    add_quadruped(p, 0.28, r, 0.2, 0.1)
    p.limb((0, -0.35, 0.1), (0, -0.62, 0.5), 0.17, 0.13, blend=0.1)
    p.limb((0, -0.62, 0.56), (0, -0.96, 0.48), 0.16, 0.1, blend=0.05)
    add_eyes(p, 0.12, -0.75, 0.64, 0.045)
    p.limb((0.08, -0.58, 0.66), (0.14, -0.4, 0.9), 0.05, 0.015, PALE, copies=PAIR)
    p.limb((0, 0.4, 0), (0, 0.95, -0.2), 0.2, 0.09, blend=0.1)
    p.limb((0, 0.95, -0.2), (0, 1.3, 0.1), 0.09, 0.02, blend=0.04)
    p.ball(0.2 + w * 0.6, 0.05, 0.45, (w, 0.32, 0.035), ACCENT, (12, -38, 12), copies=PAIR)
    p.limb((0.12, 0, 0.2), (0.25 + w * 1.05, -0.14, 0.2 + w * 1.1), 0.06, 0.03, copies=PAIR)
    for i in range(3):
        p.pyramid(0, -0.15 + 0.26 * i, r + 0.07, (0.03, 0.1, 0.12), ACCENT)


RECIPES = {
    "person": _person, "ghost": _ghost, "alien": _alien, "gnome": _gnome, "monster": _monster, "dragon": _dragon,
}  # fmt: skip
FRONTED = tuple(RECIPES)
