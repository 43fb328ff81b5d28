"""Instruments and electronics: front to -Y, up to +Z, in free units."""

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
    WOOD,
    Pieces,
    TellingDraw,
)  # fmt: skip


def _guitar(u: TellingDraw, p: Pieces) -> None:
    r, neck = u(0.36, 0.46), u(0.45, 0.6, "with a short neck|with a long neck")
    p.cone(0, 0, -0.4, r, r, 0.11, MAIN, (90, 0, 0))
    p.cone(0, 0, 0.02, r * 0.74, r * 0.74, 0.11, MAIN, (90, 0, 0), blend=0.12)
    p.cone(0, -0.1, -0.16, 0.14, 0.14, 0.03, DARK, (90, 0, 0))
    p.box(0, -0.12, 0.4 + neck * 0.5, (0.055, 0.035, neck + 0.1), WOOD)
    p.box(0, -0.1, 0.6 + neck * 1.5, (0.09, 0.04, 0.14), ACCENT)
    p.ball(0.13, -0.1, 0.6 + neck * 1.5, (0.06, 0.04, 0.04), METAL, copies=PAIR)
    p.box(0, -0.12, -0.52, (0.16, 0.03, 0.035), ACCENT)
    p.box(0, -0.165, 0.1 + neck * 0.5, (0.025, 0.008, 0.62 + neck * 0.9), PALE, rounding=0)


def _drum(u: TellingDraw, p: Pieces) -> None:
    r, h = u(0.45, 0.6), u(0.24, 0.42, "flat|deep")
    p.cone(0, 0, 0, r, r, h)
    p.cone(0, 0, h, r * 0.96, r * 0.96, 0.04, PALE)
    p.ring(0, 0, h, r, 0.05, ACCENT)
    p.ring(0, 0, -h, r, 0.05, ACCENT)
    p.limb((r, 0.05, -h), (r * 0.97, 0.22, h), 0.02, 0.02, GOLD, copies=8)
    if u.chance(0.5, "with drumsticks"):
        p.limb((0.1, -0.35, h + 0.1), (0.3, 0.4, h + 0.1), 0.04, 0.03, WOOD)
        p.limb((-0.1, -0.35, h + 0.1), (-0.3, 0.4, h + 0.1), 0.04, 0.03, WOOD)


def _piano(u: TellingDraw, p: Pieces) -> None:
    w, h = u(0.55, 0.72, "narrow|wide"), u(0.5, 0.62)
    p.box(0, 0.12, 0, (w, 0.2, h))
    p.box(0, -0.2, -0.05, (w, 0.22, 0.08))
    p.box(0, -0.25, 0.05, (w * 0.9, 0.14, 0.025), PALE, rounding=0.01)
    for i in range(7):
        p.box(w * (-0.72 + 0.24 * i), -0.18, 0.08, (w * 0.035, 0.08, 0.03), DARK, rounding=0.01)
    p.box(w * 0.9, -0.34, -h * 0.55, (0.055, 0.055, h * 0.45), ACCENT, copies=PAIR)
    p.box(0, 0.1, h, (w + 0.03, 0.25, 0.035), ACCENT)
    p.box(0, -0.1, 0.3, (w * 0.45, 0.02, 0.13), PALE, (-15, 0, 0))


def _trumpet(u: TellingDraw, p: Pieces) -> None:
    length = u(0.5, 0.7, "short|long")
    p.cone(0, -length - 0.15, 0, 0.32, 0.06, 0.22, MAIN, (-90, 0, 0), blend=0.05)
    p.cone(0, -length - 0.36, 0, 0.26, 0.18, 0.12, DARK, (-90, 0, 0), cut=True)
    p.limb((0, -length, 0), (0, length, 0), 0.05, 0.045)
    p.cone(0, length + 0.08, 0, 0.05, 0.09, 0.06, ACCENT, (-90, 0, 0))
    p.limb((0, -length * 0.45, -0.26), (0, length * 0.5, -0.26), 0.045, 0.045)
    p.arc(0, -length * 0.45, -0.13, 0.13, 0.045, 90, turn=(0, 90, 180))
    p.arc(0, length * 0.5, -0.13, 0.13, 0.045, 90, turn=(0, 90, 0))
    for y in (-0.2, 0.0, 0.2):
        p.cone(0, y, -0.12, 0.065, 0.065, 0.2, ACCENT)
        p.cone(0, y, 0.14, 0.035, 0.05, 0.07, PALE)


def _bell(u: TellingDraw, p: Pieces) -> None:
    r, h = u(0.42, 0.54), u(0.34, 0.46)
    p.cone(0, 0, 0, r * 0.86, r * 0.5, h)
    p.ball(0, 0, h, (r * 0.5, r * 0.5, 0.22))
    p.cone(0, 0, -h, r * 1.12, r * 0.85, 0.1, blend=0.1)
    p.cone(0, 0, -h - 0.1, r * 0.9, r * 0.6, 0.2, DARK, cut=True)
    p.ball(0, 0, -h - 0.06, 0.13, ACCENT)
    p.ring(0, 0, h + 0.32, 0.13, 0.045, ACCENT, (90, 0, 0))


def _television(u: TellingDraw, p: Pieces) -> None:
    w, h = u(0.55, 0.75, "narrow|wide"), u(0.4, 0.5)
    p.box(0, 0, 0, (w, 0.28, h), rounding=0.08)
    p.box(-w * 0.16, -0.27, 0.02, (w * 0.72, 0.04, h * 0.78), GLASS, rounding=0.04)
    for z in (0.45, 0.05):
        p.cone(w * 0.8, -0.3, h * z, 0.075, 0.075, 0.05, ACCENT, (90, 0, 0))
    p.box(w * 0.8, -0.28, -h * 0.5, (0.08, 0.02, 0.12), DARK)
    p.limb((0.04, 0, h), (0.32, 0.05, h + 0.42), 0.02, 0.025, METAL, copies=PAIR)
    p.limb((w * 0.75, 0.12, -h), (w * 0.85, 0.16, -h - 0.18), 0.05, 0.03, WOOD, copies=FOUR)


def _laptop(u: TellingDraw, p: Pieces) -> None:
    w, lean = u(0.6, 0.78), u(8, 35, "wide open|half open") - 20
    p.box(0, -0.1, 0, (w, 0.5, 0.04), rounding=0.03)
    for i in range(4):
        p.box(0, 0.16 - 0.12 * i, 0.04, (w * 0.84, 0.045, 0.015), DARK, rounding=0.01)
    p.box(0, -0.42, 0.04, (w * 0.26, 0.1, 0.01), METAL, rounding=0.005)
    p.box(0, 0.42 + 0.004 * (20 - lean), 0.46, (w, 0.035, 0.46), MAIN, (-lean - 8, 0, 0))
    p.box(0, 0.385 + 0.004 * (20 - lean), 0.47, (w * 0.92, 0.03, 0.39), GLASS, (-lean - 8, 0, 0), rounding=0.01)


def _phone(u: TellingDraw, p: Pieces) -> None:
    w, h = u(0.32, 0.42, "narrow|wide"), u(0.62, 0.78)
    p.box(0, 0, 0, (w, 0.06, h), rounding=0.06)
    p.box(0, -0.05, 0.03, (w * 0.88, 0.02, h * 0.84), GLASS, rounding=0.02)
    p.cone(0, -0.06, -h * 0.9, 0.045, 0.045, 0.015, DARK, (90, 0, 0))
    p.box(w * 0.5, 0.06, h * 0.75, (w * 0.3, 0.03, w * 0.3), ACCENT)
    p.cone(w * 0.5, 0.09, h * 0.75, 0.07, 0.07, 0.03, DARK, (90, 0, 0))
    p.box(w, 0, h * 0.4, (0.025, 0.03, 0.12), ACCENT)


def _camera(u: TellingDraw, p: Pieces) -> None:
    w, lens = u(0.5, 0.66), u(0.14, 0.3, "with a short lens|with a long lens")
    p.box(0, 0, 0, (w, 0.2, 0.36), rounding=0.06)
    p.box(0, 0, 0.38, (0.2, 0.17, 0.1))
    p.cone(0, -0.2 - lens, 0, 0.26, 0.27, lens, DARK, (90, 0, 0))
    p.cone(0, -0.2 - 2 * lens, 0, 0.2, 0.2, 0.04, GLASS, (90, 0, 0))
    p.ring(0, -0.2 - lens, 0, 0.27, 0.03, METAL, (90, 0, 0))
    p.cone(w * 0.65, 0, 0.4, 0.09, 0.09, 0.06, ACCENT)
    p.box(-w * 0.65, -0.2, 0.24, (0.1, 0.03, 0.06), PALE)
    p.box(0, 0, -0.2, (w + 0.01, 0.21, 0.1), ACCENT, rounding=0.05)


def _radio(u: TellingDraw, p: Pieces) -> None:
    w, h = u(0.55, 0.75, "narrow|wide"), u(0.32, 0.42)
    p.box(0, 0, 0, (w, 0.2, h), rounding=0.07)
    p.cone(-w * 0.48, -0.2, -0.02, h * 0.62, h * 0.62, 0.03, DARK, (90, 0, 0))
    p.box(w * 0.45, -0.2, h * 0.4, (w * 0.38, 0.03, h * 0.22), PALE)
    p.cone(w * 0.25, -0.22, -h * 0.4, 0.1, 0.1, 0.05, ACCENT, (90, 0, 0))
    p.cone(w * 0.68, -0.22, -h * 0.4, 0.1, 0.1, 0.05, ACCENT, (90, 0, 0))
    p.arc(0, 0, h - 0.05, w * 0.55, 0.04, 75, ACCENT, (90, 0, 0))
    p.limb((w * 0.8, 0.12, h), (w * 1.05, 0.12, h + 0.6), 0.02, 0.02, METAL)


def _headphones(u: TellingDraw, p: Pieces) -> None:
    r, pad = u(0.48, 0.6), u(0.2, 0.3, "with small pads|with big pads")
    p.arc(0, 0, 0, r, 0.055, 92, turn=(90, 0, 0))
    p.arc(0, 0, 0.02, r * 0.98, 0.085, 40, ACCENT, (90, 0, 0))
    p.cone(r, 0, -0.12, pad, pad * 0.9, 0.1, MAIN, (0, 90, 0), copies=PAIR)
    p.cone(r - 0.12, 0, -0.12, pad * 0.85, pad * 0.95, 0.07, DARK, (0, 90, 0), copies=PAIR)
    p.cone(r + 0.1, 0, -0.12, pad * 0.6, pad * 0.5, 0.03, ACCENT, (0, 90, 0), copies=PAIR)


def _microphone(u: TellingDraw, p: Pieces) -> None:
    h, r = u(0.4, 0.6, "short|long"), u(0.2, 0.27)
    p.ball(0, 0, h + r * 0.6, r, METAL)
    p.ring(0, 0, h + r * 0.5, r * 0.98, 0.04, ACCENT)
    p.cone(0, 0, 0, r * 0.45, r * 0.8, h)
    p.box(0, -r * 0.62, h * 0.3, (0.035, 0.05, 0.08), ACCENT)
    p.cone(0, 0, -h - 0.03, r * 0.4, r * 0.45, 0.05, DARK)


RECIPES = {
    "guitar": _guitar, "drum": _drum, "piano": _piano, "trumpet": _trumpet, "bell": _bell, "television": _television,
    "laptop": _laptop, "phone": _phone, "camera": _camera, "radio": _radio,
    "headphones": _headphones, "microphone": _microphone,
}  # fmt: skip
FRONTED = ("guitar", "piano", "trumpet", "television", "laptop", "phone", "camera", "radio")
