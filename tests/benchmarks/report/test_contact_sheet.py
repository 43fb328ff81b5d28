"""Blind sheets, and sheets in columns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from addon import protocol
from backend.images import load_image, save_image
from benchmarks.data.cases import choose
from benchmarks.data.jobs import Run
from benchmarks.data.references import ball
from benchmarks.report import contact_sheet


def test_a_blind_sheet_names_nobody_and_its_key_everybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.commands import demo

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


def test_a_cut_out_stands_over_white_on_a_sheet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.commands import demo

    picture = torch.zeros(64, 64, 4)
    picture[16:48, 16:48] = torch.tensor([0.8, 0.8, 0.8, 1.0])  # black where alpha is 0
    (tmp_path / "inputs").mkdir()
    save_image(tmp_path / "inputs/00.png", picture)
    request = protocol.Request(system="tv3dg", prompt="a cube", images=(protocol.InputImage(path="inputs/00.png"),))
    monkeypatch.setattr(demo, "read_glb", lambda path: ball(torch.ones(3)).mesh)
    contact_sheet.write_sheet(tmp_path / "sheet.png", [Run(choose("image-robot")[0], request, tmp_path)])
    assert float(load_image(tmp_path / "sheet.png")[0][:, : contact_sheet.CELL].min()) == pytest.approx(0.8, abs=0.01)
