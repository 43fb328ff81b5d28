"""Turns the results of the quality benchmark into tables and plots of docs/quality.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from benchmarks.metrics.intervals import Interval, bootstrap, paired_bootstrap

REFERENCES = ("true", "oracle", "retrieval", "prior", "billboard", "ball")
NAMES = {
    "true": "the true object", "oracle": "oracle: fitted to 24 true views in the same time",
    "retrieval": "nearest training object", "prior": "the prior's own samples", "billboard": "flat picture",
    "ball": "ball", "chance": "chance",
}  # fmt: skip
CHANCE = {"r_precision": 1 / 240, "read_category": 1 / 24, "read_colour": 1 / 12, "read_pattern": 1 / 4}


@dataclass(frozen=True)
class Column:
    """A metric: its head in the table, the figures that it is the mean of, and how it is written."""

    head: str
    figures: tuple[str, ...]
    form: str = ".2f"


_WORDS = (
    Column("R-precision ↑", ("r_precision_conv_s", "r_precision_conv_m", "r_precision_vit")),
    Column("CLIP score ↑", ("clip_conv_s", "clip_conv_m", "clip_vit")),
)
_A_LPIPS = Column("A-LPIPS (as true)", ("a_lpips_conv_s", "a_lpips_conv_m"), ".3f")
_JANUS = Column("Janus ↓", ("janus",))
_SATURATION = Column("saturation (as true)", ("saturation",))
_TRUTH = (
    Column("Chamfer ↓", ("chamfer",), ".3f"),
    Column("F-score ↑", ("f_score",)),
    Column("volume IoU ↑", ("volume_iou",)),
    Column("silhouette IoU ↑", ("silhouette_iou",)),
    Column("PSNR, dB ↑", ("psnr",), ".1f"),
    Column("back PSNR, dB ↑", ("back_psnr",), ".1f"),
    Column("framed: PSNR, dB ↑", ("framed_psnr",), ".1f"),
    Column("framed: back PSNR, dB ↑", ("framed_back_psnr",), ".1f"),
    Column("framed: silhouette IoU ↑", ("framed_iou",)),
    Column("back colours, ΔE ↓", ("back_colour",), ".1f"),
    Column("back to front, ΔE (as true)", ("back_to_front",), ".1f"),
    Column("SSIM ↑", ("ssim",)),
    Column("LPIPS-like ↓", ("lpips_conv_s", "lpips_conv_m"), ".3f"),
    Column("normals, degrees ↓", ("normal_error",), ".0f"),
)
COLUMNS: dict[str, tuple[Column, ...]] = {
    "image": (*_TRUTH, _A_LPIPS, _JANUS, _SATURATION),
    "subject": (
        *_TRUTH, Column("identity ↑", ("identity",)), Column("over an impostor ↑", ("identity_margin",)), _JANUS,
    ),
    "prompt": (
        *_WORDS, Column("category read ↑", ("read_category",)), Column("colour read ↑", ("read_colour",)),
        Column("family Chamfer ↓", ("family_chamfer",), ".3f"), _A_LPIPS, _JANUS, _SATURATION,
    ),
    "style": (
        Column("style similarity ↑", ("style_similarity",)), Column("category read ↑", ("read_category",)), *_WORDS,
        _A_LPIPS, _SATURATION,
    ),
}  # fmt: skip


def scores(rows: Sequence[dict[str, Any]], kind: str, who: str, column: Column) -> dict[tuple[str, int], float]:
    """Return the column's score for each (case, seed); a row without all of its figures has none."""
    return {
        (row["case"], row["seed"]): sum(row[figure] for figure in column.figures) / len(column.figures)
        for row in rows
        if row["kind"] == kind and row["who"] == who and all(figure in row for figure in column.figures)
    }


def measured(rows: Sequence[dict[str, Any]], kind: str) -> tuple[Column, ...]:
    """Return the columns of a kind of case that any row has figures for: what older results lack stands in no table."""
    makers = {row["who"] for row in rows}
    return tuple(column for column in COLUMNS[kind] if any(scores(rows, kind, who, column) for who in makers))


def quality(results: dict[str, Any], kind: str) -> list[list[str]]:
    """Return the table of one kind of case: who made it, n, and a mean with its 95 % interval for each metric."""
    rows, columns = results["rows"], measured(results["rows"], kind)
    table = [["", "n", *(column.head for column in columns)]]
    for who in (results["system"], *REFERENCES):
        found = [scores(rows, kind, who, column) for column in columns]
        cases = {case for per_column in found for case, _ in per_column}
        if cases:
            name = f"**{results['system']}, {results['preset']}**" if who == results["system"] else NAMES[who]
            cells = [_cell(per_column, column) for per_column, column in zip(found, columns, strict=True)]
            table.append([name, str(len(cases)), *cells])
    chance = [CHANCE.get(_family_of(column)) for column in columns]
    if len(table) > 1 and any(chance):
        table.append([NAMES["chance"], "", *(f"{value:.3f}" if value else "" for value in chance)])
    return table


def variants(results: dict[str, Any], group: str, kind: str = "prompt") -> list[list[str]]:
    """Return the table of one group of variants, in the order in which they were measured."""
    rows = [row for row in results["rows"] if row["group"] == group]
    columns = measured(rows, kind)
    table = [["", "n", *(column.head for column in columns)]]
    for who in dict.fromkeys(row["who"] for row in rows):
        found = [scores(rows, kind, who, column) for column in columns]
        cells = [_cell(per_column, column) for per_column, column in zip(found, columns, strict=True)]
        table.append([who, str(sum(row["who"] == who for row in rows)), *cells])
    return table


def contrasts(
    results: dict[str, Any], pairs: Sequence[tuple[str, str, str, str]], kind: str = "prompt"
) -> list[list[str]]:
    """Return variants less others on the same cases, with paired 95 % intervals; bold where they leave out 0.

    A pair is (group, variant, group of the other, other); one that was not measured is left out.
    """
    columns = measured(results["rows"], kind)
    table = [["", "n", *(column.head for column in columns)]]
    for group, who, other_group, other in pairs:
        ours, theirs = (
            [row for row in results["rows"] if (row["group"], row["who"]) == key]
            for key in ((group, who), (other_group, other))
        )
        cells, both = [], {row["case"] for row in ours} & {row["case"] for row in theirs}
        for column in columns:
            one, less = scores(ours, kind, who, column), scores(theirs, kind, other, column)
            cells.append(_difference([(key[0], value, less[key]) for key, value in one.items() if key in less], column))
        if both:
            paid = ", equal evaluations" if group == "evaluations" else ""
            table.append([f"{who} less {other}{paid}", str(len(both)), *cells])
    return table


def differences(results: dict[str, Any], kind: str) -> list[list[str]]:
    """Return the system less each reference on the same cases, with paired 95 % intervals; bold where it leaves out 0.

    A reference has one seed: it is compared with every run of its case.
    """
    rows, columns = results["rows"], measured(results["rows"], kind)
    table = [["less", *(column.head for column in columns)]]
    for who in REFERENCES:
        cells = []
        for column in columns:
            ours = scores(rows, kind, results["system"], column)
            theirs = {case: value for (case, _), value in scores(rows, kind, who, column).items()}
            pairs = [(case, value, theirs[case]) for (case, _), value in ours.items() if case in theirs]
            cells.append(_difference(pairs, column))
        if any(cells):
            table.append([NAMES[who], *cells])
    return table


def frechet(results: dict[str, Any]) -> list[list[str]]:
    """Return the table of Frechet distances."""
    found = results.get("frechet") or {}
    names = {
        "results_to_samples": "results to the prior's samples", "true_to_samples": "true objects to the same samples",
        "floor_of_half_the_samples": "one half of the samples to the other",
    }  # fmt: skip
    rows = [[text, f"{found[name]:.3f}"] for name, text in names.items() if name in found]
    return [["", f"Frechet distance, {found.get('views', 0)} views"], *rows]


def plot(results: dict[str, Any], kind: str, column: Column) -> str:
    """Return an SVG of one metric: a dot with its 95 % interval for the system and for each reference."""
    found: list[tuple[str, Interval]] = []
    for who in (results["system"], *REFERENCES):
        values = scores(results["rows"], kind, who, column)
        if values:
            name = results["system"] if who == results["system"] else NAMES[who].split(":")[0]
            found.append((name, bootstrap(list(values.values()), [case for case, _ in values])))
    left, width, line = 190, 420, 26
    high = max((interval.high for _, interval in found), default=1.0) * 1.05 or 1.0
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 140}" height="{line * (len(found) + 2)}" '
        'font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{left}" y="18">{escape(column.head)}, {kind}, mean and 95 % interval</text>',
    ]
    for i, (name, interval) in enumerate(found):
        y = line * (i + 1) + 20
        x, low, top = (left + width * value / high for value in (interval.mean, interval.low, interval.high))
        colour = "#c0392b" if i == 0 else "#444444"
        parts += [
            f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{escape(name)}</text>',
            f'<line x1="{low:.1f}" x2="{top:.1f}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="2"/>',
            f'<circle cx="{x:.1f}" cy="{y}" r="4" fill="{colour}"/>',
            f'<text x="{top + 8:.1f}" y="{y + 4}">{format(interval.mean, column.form)}, n = {interval.n}</text>',
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _cell(values: dict[tuple[str, int], float], column: Column) -> str:
    if not values:
        return ""
    interval = bootstrap(list(values.values()), [case for case, _ in values])
    if interval.n == 1:
        return format(interval.mean, column.form)
    return f"{interval.mean:{column.form}} ({interval.low:{column.form}} to {interval.high:{column.form}})"


def _difference(pairs: Sequence[tuple[str, float, float]], column: Column) -> str:
    if len({case for case, _, _ in pairs}) < 2:
        return ""
    interval = paired_bootstrap([a for _, a, _ in pairs], [b for _, _, b in pairs], [case for case, _, _ in pairs])
    text = f"{interval.mean:+{column.form}} ({interval.low:+{column.form}} to {interval.high:+{column.form}})"
    return f"**{text}**" if interval.low > 0 or interval.high < 0 else text


def _family_of(column: Column) -> str:
    first = column.figures[0]
    return "r_precision" if first.startswith("r_precision") else first
