"""How guessed volumes are measured: the world of a crop, and what is compared with what."""

from __future__ import annotations

import pytest
import torch

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
