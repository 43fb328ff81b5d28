"""Figures are kept until the judges change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks.data.cases import choose
from benchmarks.data.references import Thing, ball
from benchmarks.judges.bench import Judges
from benchmarks.metrics import evaluation, measure


def test_figures_are_kept_until_the_judges_change(
    judges: Judges, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, path, made = choose("style-sofa")[0], tmp_path / "a" / "measured.json", []

    def make() -> Thing:
        made.append(1)
        return ball(torch.tensor([0.5, 0.3, 0.1]))

    monkeypatch.setattr(measure, "FAMILY", 2)
    monkeypatch.setattr(measure, "FAMILY_POINTS", 120)
    measure._family.cache_clear()
    figures = evaluation.evaluated(make, case, judges, path)
    measure._family.cache_clear()
    assert evaluation.evaluated(make, case, judges, path) == figures and len(made) == 1
    assert {"family_chamfer", "style_similarity", "a_lpips_conv_s", "saturation", "clip_vit"} <= figures.keys()
    assert figures["family_chamfer"] > 0.02 and "read_colour" not in figures
    assert 0.5 < figures["saturation"] < 1
    monkeypatch.setattr(evaluation, "measure", lambda *_: {"chamfer": 0.25})
    assert evaluation.evaluated(make, case, replace(judges, fingerprint="others"), path) == {"chamfer": 0.25}
    assert len(made) == 2
