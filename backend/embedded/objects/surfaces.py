"""Textures, finishes and lights of the second world: what a traced point looks like, compiled for the CPU."""

# pyright: reportIndexIssue=false
from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from backend.embedded.objects.forms import Material
from backend.rendering.compiled import compiled

TEXTURES = (
    "plain", "stripes", "dots", "checks", "wood", "marble", "speckles", "gradient", "zigzags", "bricks", "patches",
    "stars", "hearts", "crosses", "rings",
)  # fmt: skip
FINISHES = ("matte", "glossy", "cartoon", "pastel", "neon", "metallic")


@dataclass(frozen=True)
class Light:
    """A sun far away and a sky about the object; with `flat` the picture shows the base colours alone."""

    direction: tuple[float, float, float]  # to the sun, unit
    sun: tuple[float, float, float] = (0.42, 0.42, 0.42)
    sky: tuple[float, float, float] = (0.62, 0.62, 0.62)
    shadows: bool = False
    flat: bool = False


def shade(
    found: np.ndarray, directions: np.ndarray, materials: tuple[Material, ...], light: Light, finish: str
) -> np.ndarray:
    """Return the sRGB colours [N, 3] in [0, 1] of traced rays [N, FOUND] that look along `directions` [N, 3]."""
    colours = np.array([[*m.colour, *m.second] for m in materials], dtype=np.float64)  # [S, 6]
    textures = np.array([[TEXTURES.index(m.texture), m.frequency, m.variant] for m in materials], dtype=np.float64)
    lamp = np.array([*light.direction, *light.sun, *light.sky, float(light.flat)], dtype=np.float64)
    out = np.zeros((len(found), 3), dtype=np.float32)
    _shade(found, directions.astype(np.float64), colours, textures, lamp, FINISHES.index(finish), out)
    return out


@compiled()
def _random(i, j, k):  # type: ignore[no-untyped-def]
    h = (int(i) * 374761393 + int(j) * 668265263 + int(k) * 1440662683) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * 1274126177) & 0xFFFFFFFF
    return ((h ^ (h >> 16)) & 0xFFFF) / 65535.0


@compiled()
def _noise(x, y, z):  # type: ignore[no-untyped-def]
    """Return value noise in [0, 1]: random numbers on a grid, joined smoothly."""
    i, j, k = math.floor(x), math.floor(y), math.floor(z)
    u, v, w = x - i, y - j, z - k
    u, v, w = u * u * (3 - 2 * u), v * v * (3 - 2 * v), w * w * (3 - 2 * w)
    total = 0.0
    for a in range(2):
        for b in range(2):
            for c in range(2):
                weight = (u if a else 1 - u) * (v if b else 1 - v) * (w if c else 1 - w)
                total += weight * _random(i + a, j + b, k + c)
    return total


@compiled()
def _cloud(x, y, z):  # type: ignore[no-untyped-def]
    return (_noise(x, y, z) + 0.5 * _noise(2 * x, 2 * y, 2 * z) + 0.25 * _noise(4 * x, 4 * y, 4 * z)) / 1.75


@compiled()
def _motif(kind, x, y):  # type: ignore[no-untyped-def]
    """Say whether a point of [-1, 1]^2 lies on a star, heart, cross or ring."""
    q = math.sqrt(x * x + y * y)
    if kind == 11:
        sector = math.pi / 5
        angle = math.atan2(x, y)
        angle = abs(angle - 2 * sector * math.floor(angle / (2 * sector) + 0.5))
        return q * (math.cos(angle) + 1.05 * math.sin(angle)) < 0.78
    if kind == 12:
        u, v = abs(x), y + 0.55
        return v - u * 0.9 > 0 and (v < 0.75 or (u - 0.38) ** 2 + (v - 0.75) ** 2 < 0.16) and u < 0.8
    if kind == 13:
        return (abs(x) < 0.22 or abs(y) < 0.22) and max(abs(x), abs(y)) < 0.72
    return 0.42 < q < 0.75


@compiled()
def _amount(kind, x, y, z, ny, f, variant):  # type: ignore[no-untyped-def]
    """Return how much of the second colour lies at a point, in [0, 1]."""
    shift = 7.3 * variant
    if kind == 1:
        along = x if variant % 3 == 2 else z
        return 1.0 if along * f - math.floor(along * f) < 0.4 else 0.0
    if kind == 2:
        u, v, w = x * f, y * f, z * f
        u, v, w = u - math.floor(u) - 0.5, v - math.floor(v) - 0.5, w - math.floor(w) - 0.5
        return 1.0 if u * u + v * v + w * w < 0.12 else 0.0
    if kind == 3:
        whole = math.floor(x * f * 1.2) + math.floor(y * f * 1.2) + math.floor(z * f * 1.2)
        return 1.0 if whole % 2 == 0 else 0.0
    if kind == 4:
        across = math.hypot(x + 0.23, y + 0.11)
        rings = across * f * 1.8 + 1.1 * _noise(1.7 * x + shift, 1.7 * y, 1.1 * z) * 2
        grain = _noise(26 * x + shift, 26 * y, 3.0 * z)
        saw = rings - math.floor(rings)
        return min(max(0.75 * saw * saw + 0.4 * (grain - 0.4), 0.0), 1.0)
    if kind == 5:
        turn = math.sin(2.2 * x + 1.4 * y + 1.7 * z + 7.0 * _cloud(0.5 * f * x + shift, 0.5 * f * y, 0.5 * f * z))
        return max(1.0 - 2.2 * abs(turn), 0.0) ** 1.2
    if kind == 6:
        return 1.0 if _noise(3.2 * f * x + shift, 3.2 * f * y, 3.2 * f * z) > 0.7 else 0.0
    if kind == 7:
        share = min(max(0.5 + (z if variant % 3 != 2 else x) / 1.3, 0.0), 1.0)
        return share * share * (3 - 2 * share)
    if kind == 8:
        u = (x + y) * f * 0.7
        wave = abs(u - math.floor(u) - 0.5) * 2
        v = z * f + 0.9 * wave
        return 1.0 if v - math.floor(v) < 0.42 else 0.0
    if kind == 9:
        row = math.floor(z * f * 1.5)
        u, v = (x + y) * f * 0.75 + 0.5 * (row % 2), z * f * 1.5
        return 1.0 if u - math.floor(u) < 0.12 or v - math.floor(v) < 0.2 else 0.0
    if kind == 10:
        return 1.0 if _cloud(0.55 * f * x + shift, 0.55 * f * y, 0.55 * f * z) > 0.53 else 0.0
    if kind >= 11:
        # Printed along y where the surface looks that way, else along x.
        u, v = (x if abs(ny) > 0.6 else y) * f * 0.8, z * f * 0.8
        u += 0.5 * (math.floor(v) % 2)
        return 1.0 if _motif(kind, 2 * (u - math.floor(u)) - 1, 2 * (v - math.floor(v)) - 1) else 0.0
    return 0.0


@compiled()
def _mirrored(x, y, z, channel):  # type: ignore[no-untyped-def]
    """Return what a metal sees in a direction: a light sky, a dark ground, a bright window on the upper left."""
    rise = min(max(0.5 + 3.0 * z, 0.0), 1.0)
    seen = 0.22 + 0.7 * rise * (0.75 + 0.25 * z)
    if x * -0.5 + y * -0.6 + z * 0.62 > 0.88:
        seen += 0.7
    return seen


@compiled()
def _shade(found, directions, colours, textures, lamp, finish, out):  # type: ignore[no-untyped-def]
    base, glow = np.zeros(3), np.zeros(3)
    for n in range(len(found)):
        nx, ny, nz = found[n, 3], found[n, 4], found[n, 5]
        slot = int(found[n, 9])
        kind = int(textures[slot, 0])
        m = 0.0
        if kind:
            m = _amount(
                kind, found[n, 6], found[n, 7], found[n, 8], ny, textures[slot, 1], int(textures[slot, 2])
            )  # fmt: skip
        for c in range(3):
            base[c] = (1 - m) * colours[slot, c] + m * colours[slot, 3 + c]
            if finish == 3:
                base[c] = 0.45 * base[c] + 0.55
        lambert = max(nx * lamp[0] + ny * lamp[1] + nz * lamp[2], 0.0) * found[n, 11]
        sky = (0.74 + 0.26 * (0.5 + 0.5 * nz)) * (0.5 + 0.5 * found[n, 10])
        facing = -(nx * directions[n, 0] + ny * directions[n, 1] + nz * directions[n, 2])
        facing = min(max(facing, 0.0), 1.0)
        for c in range(3):
            glow[c] = lamp[6 + c] * sky + lamp[3 + c] * lambert
            if finish == 2:
                glow[c] = (1.0 if glow[c] > 0.72 else 0.68) * (1.0 if facing > 0.28 else 0.12)
            elif finish == 4:
                glow[c] = 0.35 + 0.9 * (1 - facing) ** 1.5
            if lamp[9] > 0:
                glow[c] = 1.0
        gloss = 0.0
        if (finish == 1 or finish == 5) and lamp[9] == 0:
            hx, hy, hz = lamp[0] - directions[n, 0], lamp[1] - directions[n, 1], lamp[2] - directions[n, 2]
            length = max(math.sqrt(hx * hx + hy * hy + hz * hz), 1e-9)
            gloss = 0.75 * max((nx * hx + ny * hy + nz * hz) / length, 0.0) ** 30 * found[n, 11]
        rx = directions[n, 0] + 2 * facing * nx
        ry = directions[n, 1] + 2 * facing * ny
        rz = directions[n, 2] + 2 * facing * nz
        for c in range(3):
            value = base[c] * glow[c]
            bright = (lamp[3 + c] + lamp[6 + c]) / 1.04
            if finish == 5 and lamp[9] == 0:
                mirrored = _mirrored(rx, ry, rz, c) * (0.5 + 0.5 * found[n, 10]) * bright
                value = 0.22 * value + 0.8 * base[c] * mirrored + 0.08 * mirrored
            elif finish == 1 and lamp[9] == 0:
                value += 0.10 * (0.2 + 0.8 * (1 - facing) ** 3) * _mirrored(rx, ry, rz, c) * bright
            out[n, c] = min(max(value + gloss * bright * (0.4 + 0.6 * base[c] if finish == 5 else 1.0), 0.0), 1.0)
