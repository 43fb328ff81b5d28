"""The judges' towers: what they take and return, how they are kept, and what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from backend.embedded.objects.captions import vocabulary
from benchmarks.judges import attributes
from benchmarks.judges.towers import TOWERS, Tower, load_tower, save_tower, split_words


@pytest.mark.parametrize("name", TOWERS)
def test_a_caption_means_the_same_in_any_company(name: str) -> None:
    torch.manual_seed(0)
    tower = Tower(name, vocabulary()).eval()
    long = "a photo of a red and white striped teddy bear wearing a white hat, rgb photo, front view"
    alone, together = tower.captions(["a red mug"])[0], tower.captions([long, "a red mug", ""])[1]
    assert torch.allclose(alone, together, atol=1e-5)
    assert torch.allclose(together.norm(), torch.tensor(1.0), atol=1e-5)
    assert not torch.allclose(alone, tower.captions([long])[0], atol=1e-2)


@pytest.mark.parametrize("name", TOWERS)
def test_a_tower_comes_back_from_its_file(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    tower = Tower(name, vocabulary()).eval()
    save_tower(tower, tmp_path / "tower.safetensors")
    again = load_tower(name, tmp_path / "tower.safetensors")
    images = torch.rand(3, 96, 96, 3)
    assert torch.allclose(tower.images(images), again.images(images), atol=5e-3)  # halves
    assert again.unknown("A red ZEPPELIN mug") == ["zeppelin"]
    sides = [m.shape[-1] for m in again.maps(images)]
    assert sides == sorted(sides, reverse=True) and len(sides) >= 2 and min(sides) >= 4


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="python -m benchmarks.judges.train_tower vit"):
        load_tower("vit", tmp_path / "vit.safetensors")
    with pytest.raises(FileNotFoundError, match="python -m benchmarks.judges.attributes"):
        attributes.load_attribute_reader(tmp_path / "none.safetensors")
    with pytest.raises(ValueError, match="unknown tower 'resnet': one of conv_s, conv_m, vit"):
        Tower("resnet", ["a"])


def test_words_are_runs_of_letters() -> None:
    assert split_words("A red MUG, front-view!") == ["a", "red", "mug", "front", "view"]
