"""How guessed volumes are measured: the world of a crop, and what is compared with what."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.training import volumes
from benchmarks.training.volumes import compared, measures


def test_measures_are_of_each_view_and_an_exact_copy_has_forty_decibels() -> None:
    truth, solid = torch.zeros(2, 4, 4, 3), torch.zeros(2, 4, 4, 1)
    solid[:, :2] = 1
    other, half = truth.clone(), solid.clone()
    other[1] += 0.1
    half[1, :1] = 0
    psnr, iou = measures(other, half, truth, solid)
    assert psnr == pytest.approx([40.0, 20.0], abs=1e-3) and iou == pytest.approx([1.0, 0.5])


def test_differences_are_paired() -> None:
    ours = [[[float(v)] * 5, [0.5] * 5] for v in (10, 20, 30)]
    copies = [[[v - 2.0] * 5, [0.25] * 5] for v in (10, 20, 30)]
    found = compared(ours, copies)["psnr"]["90"]
    assert found[0] == 20 and found[1] < 15 and found[3:] == [2, 2, 2]
    assert compared(ours, copies)["iou"]["-90"][3:] == [0.25] * 3


def test_the_objects_of_cases_and_of_the_generator_are_measured_alike_and_other_sets_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "volumes.json"
    for chosen in (["--objects", "1"], ["--cases", "image-robot", "--around"]):
        monkeypatch.setattr(sys, "argv", ["volumes", *chosen, "--out", str(out)])
        volumes.main()
    kept = json.loads(out.read_text())
    assert set(kept) == {"generated", "image-robot"} and all(each["objects"] == 1 for each in kept.values())
    psnr, iou = (kept["image-robot"]["around"][name][0] for name in ("psnr", "iou"))
    assert 14 < psnr < kept["image-robot"]["sides"]["guessed"]["psnr"]["0"][0] and 0.7 < iou < 1
    sides = kept["image-robot"]["sides"]
    assert sides["a copy"]["psnr"]["0"][0] == 40 and sides["a copy"]["iou"]["0"][0] == 1
    assert sides["guessed"]["psnr"]["0"][0] > 20 > sides["its outline, blown up"]["psnr"]["90"][0]
    assert sides["guessed"]["iou"]["90"][0] > sides["a copy"]["iou"]["90"][0]
