"""Tables and plots of quality."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.commands import quality
from benchmarks.data.cases import choose
from benchmarks.judges.towers import TOWERS
from benchmarks.report import quality_tables


def made_up_results(tmp_path: Path) -> dict:
    rows = [
        quality.Row(who, case, 0, {"chamfer": 0.1 * place + 0.01 * i, "psnr": 20.0 - place, "seconds": 1.0})
        for i, case in enumerate(choose("image")[:4])
        for place, who in enumerate(("tv3dg", "oracle", "ball"))
    ]
    path = tmp_path / "quality.json"
    quality.write_results(path, rows[::-1], {"system": "tv3dg", "preset": "bench", "frechet": {}})
    return json.loads(path.read_text())


def test_results_are_sorted_json_and_become_tables(tmp_path: Path) -> None:
    results = made_up_results(tmp_path)
    assert [row["who"] for row in results["rows"][:3]] == ["ball", "oracle", "tv3dg"]
    table = quality_tables.quality(results, "image")
    assert [row[0] for row in table] == [
        "",
        "**tv3dg, bench**",
        "oracle: fitted to 24 true views in the same time",
        "ball",
    ]
    assert table[0][2:] == ["Chamfer ↓", "PSNR, dB ↑"]  # what no row has is left out
    assert table[1][1] == "4" and table[1][2].startswith("0.015 (") and table[3][3].startswith("18.0 (")
    assert len({len(row) for row in table}) == 1
    less = quality_tables.differences(results, "image")
    assert [row[0] for row in less][1:] == ["oracle: fitted to 24 true views in the same time", "ball"]
    assert less[2][1] == "**-0.200 (-0.200 to -0.200)**" and less[2][2].startswith("**+2.0 (")


def test_a_plot_has_a_mark_for_everyone(tmp_path: Path) -> None:
    svg = quality_tables.plot(made_up_results(tmp_path), "image", quality_tables.COLUMNS["image"][0])
    assert svg.count("<circle") == 3 and "n = 4" in svg and ">ball<" in svg


def test_chance_is_printed_where_it_is_known() -> None:
    row = {"who": "tv3dg", "case": "prompt-mug", "kind": "prompt", "seed": 0}
    row |= {f"r_precision_{name}": 0.5 for name in TOWERS} | {"read_colour": 1.0}
    table = quality_tables.quality({"system": "tv3dg", "preset": "bench", "rows": [row]}, "prompt")
    assert table[-1][0] == "chance" and "0.004" in table[-1] and "0.083" in table[-1]
    assert table[1][2] == "0.50"
