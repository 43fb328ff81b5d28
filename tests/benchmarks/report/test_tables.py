"""The tables in the documents are those that the committed results give."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.report.tables import DOCUMENTS, ROOT, TABLES, draw, fill, stale_plots


def test_the_documents_hold_what_the_results_say() -> None:
    found = set()
    for name in DOCUMENTS:
        text = (ROOT / name).read_text(encoding="utf-8")
        assert fill(text) == text, f"{name} is stale: run `python -m benchmarks.report.tables`"
        found |= {table for table in TABLES if f"<!-- table {table} -->" in text}
    assert found == set(TABLES)
    assert stale_plots() == {}, "a plot is stale: run `python -m benchmarks.report.tables`"


def test_a_changed_result_makes_a_document_stale(tmp_path: Path) -> None:
    text = (ROOT / "docs/performance.md").read_text(encoding="utf-8")
    for file in {file for file, _ in TABLES.values() if (ROOT / "benchmarks/results" / file).is_file()}:
        (tmp_path / file).write_bytes((ROOT / "benchmarks/results" / file).read_bytes())
    assert fill(text, tmp_path) == text
    changed = json.loads((tmp_path / "distillation.json").read_text())
    changed["rows"][0]["step_ms"] += 100
    (tmp_path / "distillation.json").write_text(json.dumps(changed))
    assert fill(text, tmp_path) != text


def test_what_is_not_measured_yet_is_said(tmp_path: Path) -> None:
    text = "<!-- table tv3dg_image -->\nold\n<!-- end -->"
    assert "not measured yet: quality-tv3dg-bench.json is missing" in fill(text, tmp_path)
    assert draw("quality-image-psnr.svg", tmp_path) == ""
