"""How guesses are measured cell by cell, and what the mean of two networks is."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from backend.embedded.volumes.training import new_volume
from backend.vision.volume import COARSE, DEPTHS, SIZE, Volume
from benchmarks.training import occupancies
from benchmarks.training.occupancies import loaded, measured


def shard(path: Path) -> Path:
    """Write two images of a grey slab that is 8 cells deep."""
    rgba = np.zeros((2, SIZE, SIZE, 4), dtype=np.uint8)
    rgba[:, 8:56, 8:56] = 128, 128, 128, 255
    occupancy = np.zeros((2, DEPTHS, SIZE, SIZE), dtype=np.uint8)
    occupancy[:, 8:16, 8:56, 8:56] = 255
    colours = np.full((2, 3, DEPTHS // COARSE, SIZE // COARSE, SIZE // COARSE), 128, dtype=np.uint8)
    np.savez(path, rgba=rgba, place=np.full((2, 2), 30, dtype=np.float32), occupancy=occupancy, colours=colours)
    return path


def says(depths: slice, grey: float) -> Any:
    """Return a network that says the same of every image: a slab, and its colour."""

    def network(images: torch.Tensor, masks: torch.Tensor, cameras: Any) -> Volume:
        occupancy = torch.zeros(len(images), DEPTHS, SIZE, SIZE)
        occupancy[:, depths, 8:56, 8:56] = 0.9
        return Volume(occupancy, torch.full((len(images), 3, DEPTHS // 2, SIZE // 2, SIZE // 2), grey))

    return network


def test_a_right_guess_has_all_cells_and_half_a_guess_half_of_them(tmp_path: Path) -> None:
    path = shard(tmp_path / "00000000.npz")
    right = measured(says(slice(8, 16), 128 / 255), path)
    assert right["iou"] == [1, 1] and right["colours"] == pytest.approx([0, 0], abs=1e-6)
    wrong = measured(says(slice(8, 12), 128 / 255 + 0.1), path)
    assert wrong["iou"] == [0.5, 0.5] and wrong["colours"] == pytest.approx([0.1, 0.1], abs=1e-5)


def test_networks_joined_have_the_mean_of_their_weights(tmp_path: Path) -> None:
    networks, paths = [new_volume() for _ in range(2)], []
    for k, network in enumerate(networks):
        paths.append(str(tmp_path / f"{k}.safetensors"))
        save_file({f"average.{name}": value for name, value in network.state_dict().items()}, paths[-1])
    both = loaded(paths).network.state_dict()
    for name, first in networks[0].state_dict().items():
        assert torch.allclose(both[name], (first + networks[1].state_dict()[name]) / 2, atol=1e-6)


def test_the_command_measures_all_shards_and_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["occupancies", "--folder", str(tmp_path), "--networks", "a", "b"])
    assert occupancies.main() == 2 and "no shards" in capsys.readouterr().err
    for k in range(2):
        shard(tmp_path / f"0000000{k}.npz")
    networks = {"a": says(slice(8, 12), 0.5), "b": says(slice(8, 16), 0.5)}
    monkeypatch.setattr(occupancies, "loaded", lambda names: networks[names[0]])
    assert occupancies.main() == 0
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert first["models"] == 2 and first["iou"][0] == 0.5 and "iou less" not in first
    assert second["iou less"][0] == 0.5
