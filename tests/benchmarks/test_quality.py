"""The quality benchmark: job folders that resume, figures that are kept, results, tables, plots and blind sheets."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from addon import protocol
from backend.embedded.captions import vocabulary
from backend.images import load_image
from benchmarks import contact_sheet, evaluation, jobs, measure, quality, quality_tables
from benchmarks.cases import Case, choose
from benchmarks.judges import attributes, reader
from benchmarks.judges.bench import Judges
from benchmarks.judges.towers import TOWERS, Tower
from benchmarks.measure import GALLERY, finite, spoken
from benchmarks.metrics.features import lpips_like
from benchmarks.references import Thing, ball

ASKED: dict[str, Any] = {"system": "tv3dg", "preset": "bench", "prior": "embedded", "threads": 1, "settings": {}}


def prepare(case: Case, out: Path, seed: int = 0, **changed: Any) -> jobs.Run:
    return jobs.prepare(case, out, seed=seed, **{**ASKED, **changed})


@pytest.fixture(scope="module")
def judges() -> Judges:
    """Judges that have learned nothing: what they say is no matter here."""
    torch.manual_seed(0)
    towers = {name: Tower(name, vocabulary()).eval().requires_grad_(False) for name in TOWERS}
    return Judges(
        towers=towers,
        distances={"conv_s": lambda a, b: lpips_like(towers["conv_s"].maps(a), towers["conv_s"].maps(b))},
        identity={"conv_s": towers["conv_s"].images},
        reader=reader.load_reader(),
        attributes=attributes.AttributeReader().eval(),
        fingerprint="untrained",
    )


# ---- job folders -----------------------------------------------------------------------------------------------------


def test_a_job_folder_is_named_by_all_that_is_asked_for(tmp_path: Path) -> None:
    star = choose("image-star")[0]
    first = prepare(star, tmp_path, 0)
    assert prepare(star, tmp_path, 0).folder == first.folder
    others = [
        prepare(star, tmp_path, 1),
        prepare(star, tmp_path, 0, settings={"steps": 3}),
        prepare(star, tmp_path, 0, threads=2),
    ]
    assert len({run.folder for run in [first, *others]}) == 4
    request = protocol.read_request(first.folder)
    assert request.prompt == "a yellow star" and request.images[0].elevation_degrees == 15.0
    assert load_image(first.folder / request.images[0].path)[0].shape == (256, 256, 3)


def test_only_a_whole_result_counts_as_finished(tmp_path: Path) -> None:
    run = prepare(choose("prompt-mug")[0], tmp_path, 0)
    assert not jobs.finished(run.folder)
    (run.folder / "result").mkdir()
    (run.folder / "result" / "model.glb").touch()
    events = run.folder / protocol.EVENTS_FILE
    events.write_text(protocol.encode(protocol.Cancelled(seconds=1.0)))
    assert not jobs.finished(run.folder)
    events.write_text(protocol.encode(protocol.Finished(results=(), seconds=1.0)))
    assert jobs.finished(run.folder)


def test_what_failed_is_told_with_its_reason(tmp_path: Path) -> None:
    run = prepare(choose("prompt-mug")[0], tmp_path, 0, settings={"no_such_setting": 1})
    failed = jobs.run_jobs([run])
    assert list(failed) == [run.folder.name] and "no_such_setting" in failed[run.folder.name]
    assert jobs.run_jobs([]) == {}


def test_bad_arguments_get_a_sentence() -> None:
    command = [sys.executable, "-m", "benchmarks.quality", "--system", "tv3dg"]
    answer = subprocess.run([*command, "--cases", "imag"], capture_output=True, text=True)
    assert answer.returncode == 2 and "there is no case 'imag'" in answer.stderr
    with pytest.raises(ValueError, match="'steps' has no value"):
        quality.protocol_settings(["steps"])
    assert quality.protocol_settings(["steps=3", "loss=csm"]) == {"steps": 3, "loss": "csm"}


# ---- measuring -------------------------------------------------------------------------------------------------------


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


def test_the_gallery_has_240_captions_and_the_cases_own_words(judges: Judges) -> None:
    assert len(GALLERY) == len(set(GALLERY)) == 240
    figures = spoken(torch.rand(2, 64, 64, 3), choose("prompt-bird")[0], judges)
    assert {f"r_precision_{name}" for name in TOWERS} <= figures.keys()
    assert {"read_category", "read_colour", "read_pattern", "read_hat"} <= figures.keys()
    assert spoken(torch.rand(2, 64, 64, 3), choose("image-monkey")[0], judges) == {}  # no word of theirs


def test_figures_that_are_no_numbers_are_left_out() -> None:
    assert finite({"a": 1.234567, "b": float("nan"), "c": float("inf")}) == {"a": 1.23457}


# ---- results, tables, plots ------------------------------------------------------------------------------------------


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
    assert table[1][1] == "4" and table[1][2].startswith("0.015 (") and table[3][6].startswith("18.0 (")
    assert len({len(row) for row in table}) == 1
    less = quality_tables.differences(results, "image")
    assert [row[0] for row in less][1:] == ["oracle: fitted to 24 true views in the same time", "ball"]
    assert less[2][1] == "**-0.200 (-0.200 to -0.200)**" and less[2][2] == ""


def test_a_plot_has_a_mark_for_everyone(tmp_path: Path) -> None:
    svg = quality_tables.plot(made_up_results(tmp_path), "image", quality_tables.COLUMNS["image"][0])
    assert svg.count("<circle") == 3 and "n = 4" in svg and ">ball<" in svg


def test_chance_is_printed_where_it_is_known() -> None:
    row = {"who": "tv3dg", "case": "prompt-mug", "kind": "prompt", "seed": 0}
    row |= {f"r_precision_{name}": 0.5 for name in TOWERS} | {"read_colour": 1.0}
    table = quality_tables.quality({"system": "tv3dg", "preset": "bench", "rows": [row]}, "prompt")
    assert table[-1][0] == "chance" and "0.004" in table[-1] and "0.083" in table[-1]
    assert table[1][2] == "0.50"


# ---- blind sheets ----------------------------------------------------------------------------------------------------


def test_a_blind_sheet_names_nobody_and_its_key_everybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks import demo

    for folder in ("draft", "bench"):
        for seed in range(4):
            job = tmp_path / folder / f"prompt-mug-{seed}-{folder}"
            job.mkdir(parents=True)
            protocol.write_request(job, protocol.Request(system="tv3dg", prompt="a <red> mug"))
    monkeypatch.setattr(contact_sheet, "finished", lambda job: True)
    monkeypatch.setattr(demo, "read_glb", lambda path: ball(torch.ones(3)).mesh)
    monkeypatch.setattr(contact_sheet, "orbit", lambda *args, **kwargs: orbit_of_two())
    count = contact_sheet.write_blind_sheet(tmp_path / "ab", tmp_path / "draft", tmp_path / "bench", seed=1)
    page, key = (tmp_path / "ab/sheet.html").read_text(), json.loads((tmp_path / "ab/key.json").read_text())
    assert count == 4 and "draft" not in page and "bench" not in page and "a &lt;red&gt; mug" in page
    assert {row["left"] for row in key} == {"draft", "bench"}  # shuffled
    assert all({row["left"], row["right"]} == {"draft", "bench"} for row in key)
    assert len(list((tmp_path / "ab").glob("*.webp"))) == 8
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no finished case and seed in common"):
        contact_sheet.write_blind_sheet(tmp_path / "x", tmp_path / "draft", tmp_path / "empty", seed=1)


def orbit_of_two():
    from backend.cameras import orbit

    return orbit([0.0, 90.0], 15.0, size=32)


def test_a_long_sheet_stands_in_columns_of_equal_height() -> None:
    rows = [torch.full((4, 6, 3), float(i)) for i in range(5)]
    assert torch.equal(contact_sheet.beside_each_other(rows, most=5), torch.cat(rows, 0))
    sheet = contact_sheet.beside_each_other(rows, most=2)  # three columns of two, the last place empty
    assert sheet.shape == (4, 9, 3)
    assert [[int(sheet[y, x, 0]) for x in (1, 4, 7)] for y in (0, 3)] == [[0, 2, 4], [1, 3, 1]]
