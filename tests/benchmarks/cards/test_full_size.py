"""Steps at full size, in small on the processor by the same code: every system and lever, and what its row says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from backend.runtime import devices
from benchmarks.cards import full_size
from benchmarks.cards.full_size import LEVERS, WORK, Size, levers_of, measure

TINY: dict[str, Any] = {
    "views": 1, "count": 64, "delta_t": 400, "nodes": 8, "view_size": 12, "tuning_batch": 1, "tuning_rank": 2,
}  # fmt: skip
SMALL = Size(divide=16, side=8, steps=1, rounds=1, settings=TINY)


@pytest.mark.slow
@pytest.mark.parametrize("work", WORK, ids="-".join)
def test_each_system_takes_a_step_and_its_floor(work: tuple[str, str]) -> None:
    row = measure(*work, "as a job does it", "cpu", SMALL)
    assert (row["system"], row["stage"]) == work and row["precision"] == "bfloat16"
    assert row["step_ms"] > 0 and row["peak_gib"] > 0
    assert row["step_over_floor"] == pytest.approx(row["step_ms"] / row["floor_ms"])
    assert row["unet_images"] >= 2 and (row["encoder_images"] >= 1) == (work[1] != "teaching")


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in LEVERS if name != "as a job does it"])
def test_each_lever_is_pulled(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    prior_for = full_size.prior_for
    monkeypatch.setattr(full_size, "prior_for", lambda *given: made.append(prior_for(*given)) or made[-1])
    compiled: list[dict[str, Any]] = []  # that takes minutes on a processor; `test_compiling.py` does it
    monkeypatch.setattr(torch, "compile", lambda function, **options: compiled.append(options) or function)
    assert "failed" not in measure("tv3dg", "gaussians", name, "cpu", SMALL)
    (prior,) = made
    lever = LEVERS[name]
    assert prior.dtype == (torch.bfloat16 if lever.half else torch.float32)
    assert (type(prior.autoencoder).__name__ == "AutoencoderTiny") == lever.small_encoder
    assert prior.most_together == lever.most_together
    assert (prior.tell_uncompiled is not None) == lever.compiled == bool(compiled)
    weight = prior.unet.conv_in.weight
    assert weight.is_contiguous(memory_format=torch.channels_last) == lever.channels_last


def test_teaching_has_a_way_back_and_is_replayed_with_it() -> None:
    prior = full_size.prior_for(LEVERS["full precision"], "cpu", SMALL)
    full_size._calls.clear()
    with full_size.recorded(prior):
        full_size.take("dreambooth3d", "teaching", prior, TINY, 1)
    assert [(call.network, call.way_back, call.shape[0]) for call in full_size._calls] == [("unet", True, 1)] * 2
    full_size.replay(prior, list(full_size._calls))
    full_size._calls.clear()


def test_a_lever_without_memory_is_a_row_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setitem(WORK, ("tv3dg", "gaussians"), full)
    row = measure("tv3dg", "gaussians", "as a job does it", "cpu", SMALL)
    assert "step_ms" not in row and row["failed"]
    full_size.show([row])


def test_levers_are_those_that_change_something() -> None:
    assert levers_of("tv3dg", "gaussians") == list(LEVERS)
    assert levers_of("dreambooth3d", "teaching") == ["as a job does it", "full precision", "channels last"]


def test_without_a_card_one_sentence_and_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(devices, "seen", devices.Seen)
    assert full_size.main([]) == 0 and "build.py bench --gpu" in capsys.readouterr().out
    assert full_size.main(["--gpu", "--out", str(tmp_path / "out.json")]) == 3
    assert capsys.readouterr().err.startswith("This needs a graphics card") and not list(tmp_path.iterdir())
    row = {"system": "tv3dg", "stage": "gaussians", "lever": "as a job does it", "failed": "too little"}
    monkeypatch.setattr(full_size, "measure", lambda *given: row)
    assert full_size.main(["--device", "cpu", "--out", str(tmp_path / "out.json")]) == 0
    assert json.loads((tmp_path / "out.json").read_text())["rows"][0] == row
