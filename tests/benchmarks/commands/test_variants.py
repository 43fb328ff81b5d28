"""The comparison of losses and settings: what varies, what it costs, and what is kept of earlier nights."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from addon.protocol import SYSTEMS
from addon.protocol.systems.dreambooth3d import DREAMBOOTH3D
from backend.diffusion.guidance import LOSSES as BACKEND_LOSSES
from backend.systems.overrides import chosen_settings
from benchmarks.commands import variants
from benchmarks.commands.quality import Row
from benchmarks.data.cases import choose
from benchmarks.report.quality_tables import contrasts
from benchmarks.report.quality_tables import variants as table


def test_every_variant_is_one_the_system_takes() -> None:
    for name, group in variants.groups().items():
        system: Any = SYSTEMS[variants.SYSTEMS.get(name, "tv3dg")]
        for chosen in group.values():
            chosen_settings(system, "bench", chosen)
    bench = DREAMBOOTH3D.presets["bench"]
    assert variants.SUBJECTS["DreamBooth and SDS"]["partial_steps"] == bench.full_steps > bench.partial_steps
    assert {case.kind for case in choose(variants.OTHER_CASES["subjects"])} == {"subject"}
    named = {chosen.get("loss", "vpcsm") for chosen in variants.LOSSES.values()}
    assert named == set(BACKEND_LOSSES)
    assert len(choose(variants.CASES)) == 6 and len(choose(variants.OTHER_CASES["style"])) == 12


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"loss": "sds"}, 2), ({"loss": "csm"}, 2 + 5), ({"loss": "csm", "delta_t": 50}, 2 + 10),
        ({"loss": "ism"}, 3 + 2), ({"perturbation": 1.0}, 2 + 5 + 1), ({}, 2 + 5),
    ],
)  # fmt: skip
def test_evaluations_of_a_mean_step(settings: dict, expected: int) -> None:
    assert variants.evaluations(settings) == expected


def test_equal_evaluations_are_equal() -> None:
    group = variants.groups()["evaluations"]
    spent = {name: int(chosen["steps"]) * variants.evaluations(chosen) for name, chosen in group.items()}
    assert spent["CSM"] == 40 * 7 and max(spent.values()) - min(spent.values()) <= 8


def test_a_grid_has_a_column_for_each_variant_and_a_row_for_each_case(tmp_path: Path) -> None:
    runs = []
    for name, case, colour in (("SDS", "mug", "red"), ("SDS", "chair", "lime"), ("CSM", "chair", "blue")):
        (tmp_path / f"{name}-{case}/result").mkdir(parents=True)
        Image.new("RGB", (8, 8), colour).save(tmp_path / f"{name}-{case}/result/preview.png")
        runs.append((name, SimpleNamespace(case=SimpleNamespace(name=case), folder=tmp_path / f"{name}-{case}")))
    grid = variants.draw_grid(runs, size=10)
    assert grid.size == (20, variants.HEAD + 20)
    places = {(x, y): grid.getpixel((10 * x + 5, variants.HEAD + 10 * y + 5)) for x in (0, 1) for y in (0, 1)}
    white, red, lime, blue = (255, 255, 255), (255, 0, 0), (0, 255, 0), (0, 0, 255)
    assert places == {(0, 0): red, (0, 1): lime, (1, 0): white, (1, 1): blue}


def test_rows_take_the_place_of_their_own_and_of_no_others(tmp_path: Path) -> None:
    path, options = tmp_path / "results.json", argparse.Namespace(preset="bench", threads=2)
    mug, chair = choose("prompt-mug,prompt-chair")
    scores = {f"{metric}_{tower}": 0.5 for metric in ("r_precision", "clip") for tower in ("conv_s", "conv_m", "vit")}

    def row(who: str, case, value: float) -> Row:
        return Row(who, case, 0, {**scores, "read_category": value, "seconds": 10 * value})

    variants.put(path, "losses", [row("SDS", mug, 1.0), row("SDS", chair, 1.0), row("CSM", mug, 1.0)], options)
    variants.put(path, "losses", [row("SDS", chair, 3.0)], options)
    variants.put(path, "ablations", [row("SDS", chair, 7.0)], options)
    rows = json.loads(path.read_text())["rows"]
    found = {(r["group"], r["who"], r["case"]): r["read_category"] for r in rows}
    assert found == {
        ("losses", "SDS", "prompt-mug"): 1.0, ("losses", "SDS", "prompt-chair"): 3.0,
        ("losses", "CSM", "prompt-mug"): 1.0, ("ablations", "SDS", "prompt-chair"): 7.0,
    }  # fmt: skip
    lines = table(json.loads(path.read_text()), "losses")
    assert [line[:2] for line in lines[1:]] == [["SDS", "2"], ["CSM", "1"]]
    pairs = [
        ("losses", "SDS", "losses", "CSM"),
        ("ablations", "SDS", "losses", "SDS"),
        ("losses", "VSD", "losses", "SDS"),
    ]
    less = contrasts(json.loads(path.read_text()), pairs)
    assert [line[:2] for line in less[1:]] == [["SDS less CSM", "1"], ["SDS less SDS", "1"]]  # nobody measured VSD
    variants.put(path, "losses", [row("CSM", chair, 2.0)], options)  # SDS has 1 and 3, CSM 1 and 2
    read = less[0].index("category read ↑")
    assert contrasts(json.loads(path.read_text()), pairs)[1][read] == "+0.50 (+0.00 to +1.00)"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--names", "DDS"], "losses has no variant 'DDS'"),
        (["--group", "unseen", "--names", "tau 1, palette 10", "tau 2"], "unseen has no variant 'tau 2'"),
        (["--cases", "prompt-nothing"], "there is no case"),
    ],
)
def test_bad_names_get_a_sentence(arguments: list[str], sentence: str) -> None:
    command = [sys.executable, "-m", "benchmarks.commands.variants", "--group", "losses", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and sentence in done.stderr
