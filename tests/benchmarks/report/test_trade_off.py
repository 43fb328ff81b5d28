"""The plot of two metrics against each other: one cross for each variant, where its means are."""

from __future__ import annotations

import re

from benchmarks.report.quality_tables import COLUMNS
from benchmarks.report.trade_off import HEIGHT, LEFT, TOP, WIDTH, trade_off


def test_a_better_variant_stands_farther_up_and_to_the_right() -> None:
    across, up = COLUMNS["image"][:2]
    rows = [
        {"group": "loss", "who": who, "case": case, "kind": "image", "seed": 0}
        | dict.fromkeys(across.figures, 0.2 + 0.3 * place + 0.01 * i)
        | dict.fromkeys(up.figures, 0.1 + 0.4 * place + 0.01 * i)
        for place, who in enumerate(("worse", "b<tter"))
        for i, case in enumerate(("image-mug", "image-car", "image-dog"))
    ]
    svg = trade_off({"rows": [*rows, rows[0] | {"group": "other", "who": "nobody"}]}, "loss", "image", across, up)
    (x0, y0), (x1, y1) = [(float(x), float(y)) for x, y in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', svg)]
    assert LEFT < x0 < x1 < LEFT + WIDTH and TOP < y1 < y0 < TOP + HEIGHT
    assert ">worse<" in svg and ">b&lt;tter<" in svg and "nobody" not in svg
