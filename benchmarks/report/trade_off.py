"""Draws two metrics of the same variants against each other, as TV-3DG does of style and text (its figures 12, 13)."""

from __future__ import annotations

from html import escape
from typing import Any

from benchmarks.metrics.intervals import Interval, bootstrap
from benchmarks.report.quality_tables import Column, scores

LEFT, TOP, WIDTH, HEIGHT = 70, 40, 420, 300  # pixels of the frame


def trade_off(results: dict[str, Any], group: str, kind: str, across: Column, up: Column) -> str:
    """Return an SVG with a named cross of two 95 % intervals for each variant of a group."""
    rows = [row for row in results["rows"] if row["group"] == group]
    found = [
        (who, *(_interval(scores(rows, kind, who, column)) for column in (across, up)))
        for who in dict.fromkeys(row["who"] for row in rows)
    ]
    (left, right), (low, high) = (_range([both[axis] for _, *both in found]) for axis in (0, 1))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 90}" height="{TOP + HEIGHT + 60}" '
        'font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{LEFT}" y="20">{escape(up.head)} (up) against {escape(across.head)} (across), means and 95 %</text>',
        f'<rect x="{LEFT}" y="{TOP}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#999999"/>',
    ]
    for value, x in ((left, LEFT), (right, LEFT + WIDTH)):
        parts.append(f'<text x="{x}" y="{TOP + HEIGHT + 20}" text-anchor="middle">{value:.2f}</text>')
    for value, y in ((low, TOP + HEIGHT), (high, TOP)):
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{value:.2f}</text>')
    for i, (who, first, second) in enumerate(found):  # of which two often coincide, and are near to the next two
        x, x0, x1 = (LEFT + WIDTH * (v - left) / (right - left) for v in (first.mean, first.low, first.high))
        y, y0, y1 = (TOP + HEIGHT * (high - v) / (high - low) for v in (second.mean, second.low, second.high))
        parts += [
            f'<line x1="{x0:.1f}" x2="{x1:.1f}" y1="{y:.1f}" y2="{y:.1f}" stroke="#bbbbbb"/>',
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y0:.1f}" y2="{y1:.1f}" stroke="#bbbbbb"/>',
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="#c0392b"/>',
            f'<text x="{x + 8:.1f}" y="{y - 6 + 22 * (i % 2) - 70 * (i // 2 % 2):.1f}">{escape(who)}</text>',
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _interval(values: dict[tuple[str, int], float]) -> Interval:
    return bootstrap(list(values.values()), [case for case, _ in values])


def _range(intervals: list[Interval]) -> tuple[float, float]:
    """Return the limits of an axis, in tenths."""
    low, high = min(each.low for each in intervals), max(each.high for each in intervals)
    return int(low * 10 - 1) / 10, int(high * 10 + 1) / 10
