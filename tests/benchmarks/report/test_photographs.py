"""The sheet of photographs: what is asked for, what a row shows, and a photograph without a result."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from backend.embedded.objects.solids import Primitive, Solid
from backend.images import load_image, save_image
from backend.meshes.baking import unwrap
from benchmarks.metrics.geometry import solid_mesh
from benchmarks.report import photographs


def test_a_name_may_say_the_elevation_and_a_colon_of_windows_is_none() -> None:
    assert photographs.asked("a/cup.png:20") == (Path("a/cup.png"), 20.0)
    assert photographs.asked("cup.png:-7.5") == (Path("cup.png"), -7.5)
    assert photographs.asked("cup.png") == (Path("cup.png"), 0.0)
    assert photographs.asked(r"C:\cup.png") == (Path(r"C:\cup.png"), 0.0)


def test_the_shipped_photographs_are_there() -> None:
    paths = [photographs.asked(name)[0] for name in photographs.shipped()]
    assert len(paths) == 4 and all(path.is_file() for path in paths)


def test_a_row_shows_the_photograph_its_cut_out_and_five_sides_and_what_failed_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = torch.zeros(40, 40, 3)
    photo[10:30, 10:30, 0] = 1
    save_image(tmp_path / "cup.png", photo)
    stage = tmp_path / "out/customize_it_3d-bench/cup/stages/1-modalities"
    stage.mkdir(parents=True)
    save_image(stage / "rgb.png", photo)
    save_image(stage / "mask.png", photo[..., :1].expand(-1, -1, 3))
    mesh = solid_mesh(Solid((Primitive("box", (0, 0, 0), (0.5, 0.2, 0.5)),), ((0.1, 0.2, 0.9),)), 32)
    painted = replace(unwrap(mesh, size=64), texture=torch.tensor([0.1, 0.2, 0.9]).expand(64, 64, 3))
    monkeypatch.setattr(photographs, "read_glb", lambda path: painted)
    monkeypatch.setattr(photographs, "finished", lambda folder: folder.name == "cup")
    monkeypatch.setattr(photographs.subprocess, "run", lambda *args, **options: None)
    sheet = tmp_path / "sheet.png"
    given = [str(tmp_path / "cup.png"), str(tmp_path / "lost.png")]
    asked = ["--preset", "bench", "--out", str(tmp_path / "out"), "--sheet", str(sheet)]
    monkeypatch.setattr(sys, "argv", ["photographs", *given, *asked])
    assert photographs.main() == 1 and "lost.png has no result" in capsys.readouterr().err
    drawn = load_image(sheet)[0]
    side = photographs.SIZE
    assert drawn.shape == (side, 7 * side, 3)
    cells = drawn.split(side, 1)
    middles = [cell[side // 2 - 4 : side // 2 + 4, side // 2 - 4 : side // 2 + 4].mean((0, 1)) for cell in cells]
    assert middles[0][0] > 0.9 and middles[1][0] > 0.9 and all(middle.argmax() == 2 for middle in middles[2:])
    assert cells[0][2, 2].max() < 0.1 and cells[1][2, 2].min() > 0.9  # the ground is gone in the cut-out
    widths = [int((cell.min(-1).values < 0.8).any(0).sum()) for cell in cells[2:]]
    assert widths[2] < 0.6 * widths[0] and abs(widths[3] - widths[0]) < 3  # the box is narrow from the right
