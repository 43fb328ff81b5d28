"""The judges' networks: what they take and return, how they are kept, and that a few seconds of training teach them."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.embedded.captions import vocabulary
from backend.embedded.shapes import COLOURS, HELD_OUT, TRAINED_CATEGORIES
from benchmarks.judges import attributes, reader, renders, train_tower
from benchmarks.judges.towers import TOWERS, Tower, load_tower, save_tower, split_words


@pytest.fixture(scope="module")
def two_objects() -> tuple[torch.Tensor, list[dict]]:
    """Flat pictures that stand for a red mug and a blue fish, 120 of each, uint8."""
    fact = {"accent": "white", "pattern": "plain", "hat": False, "style": "matte", "azimuth": 0.0, "elevation": 0.0}
    facts = [fact | {"category": "mug", "colour": "red"}, fact | {"category": "fish", "colour": "blue"}] * 120
    images = torch.full((240, 64, 64, 3), 200, dtype=torch.uint8)
    images[0::2, 16:48, 16:48] = torch.tensor([214, 28, 26], dtype=torch.uint8)
    images[1::2, 26:38, 8:56] = torch.tensor([30, 69, 217], dtype=torch.uint8)
    return images, facts


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


def test_every_word_of_a_caption_is_known(two_objects: tuple[torch.Tensor, list[dict]]) -> None:
    tower, rng = Tower("conv_s", vocabulary()), random.Random(0)
    said = [renders.describe(fact | {"pattern": "dots", "hat": True}, rng) for fact in two_objects[1][:40]]
    assert all(tower.unknown(words) == [] for words in said) and len(set(said)) > 20


@pytest.mark.parametrize("name", ["conv_s"])  # the others take longer to learn the same
def test_seconds_of_training_tell_two_objects_apart(name: str, two_objects: tuple[torch.Tensor, list[dict]]) -> None:
    images, facts = two_objects
    torch.set_num_threads(1)
    tower = train_tower.train(name, images, facts, minutes=0.06)
    with torch.no_grad():
        seen = tower.images(images[:2].float() / 255)
        said = tower.captions(["a red mug", "a blue fish"])
    cosines = seen @ said.T
    assert cosines[0, 0] > cosines[0, 1] and cosines[1, 1] > cosines[1, 0]


def test_variations_never_mirror() -> None:
    images = torch.zeros(64, 64, 64, 3)
    images[:, :, :20] = 1.0
    varied = renders.augmented(images, torch.Generator().manual_seed(0))
    assert (varied[:, :, :10].mean((1, 2, 3)) > varied[:, :, 40:].mean((1, 2, 3)) + 0.5).all()
    assert 0 <= varied.min() and varied.max() <= 1 and not torch.allclose(varied[0], varied[1], atol=0.05)


def test_averaging_down_keeps_the_mean() -> None:
    images = torch.rand(2, 128, 128, 3)
    small = renders.shrink(images)
    assert small.shape == (2, 64, 64, 3) and torch.allclose(small.mean(), images.mean(), atol=1e-5)


def test_renders_are_kept_with_what_they_show(tmp_path: Path) -> None:
    facts = [{"category": "mug", "colour": "red", "azimuth": 90.0}] * 2
    np.save(tmp_path / "5-1.npy", np.full((2, 64, 64, 3), 255, np.uint8))
    (tmp_path / "5-1.json").write_text(json.dumps(facts))
    images, labels = reader.renders(5, 1, tmp_path, 1)
    assert images.min() == 1.0 and labels["category"].tolist() == [TRAINED_CATEGORIES.index("mug")] * 2
    assert torch.allclose(labels["azimuth"], torch.tensor(torch.pi / 2))
    assert renders.cached_renders(5, 1, tmp_path)[1] == facts


def test_judges_see_other_objects_than_the_prior() -> None:
    assert 100_000 < renders.FIRST_SEED < renders.TEST_SEED < HELD_OUT.first_seed


def test_the_readers_answer_with_names_in_range() -> None:
    judge = reader.load_reader()
    said = reader.read(judge, torch.rand(2, 128, 128, 3))
    assert said["category"].max() < len(TRAINED_CATEGORIES) and said["colour"].max() < len(COLOURS)
    torch.manual_seed(0)
    told = attributes.read_attributes(attributes.AttributeReader().eval(), torch.rand(2, 128, 128, 3))
    assert told["pattern"].max() < 4 and told["hat"].dtype == torch.bool


def test_an_attribute_reader_learns_and_counts(two_objects: tuple[torch.Tensor, list[dict]]) -> None:
    images, facts = two_objects
    facts = [
        fact | ({"pattern": "dots"} if fact["category"] == "fish" else {"category": "bird", "hat": True})
        for fact in facts
    ]
    facts[-1] = facts[-1] | {"category": "bird"}  # one without a hat
    judge = attributes.train(images, facts, minutes=0.06)
    said = attributes.read_attributes(judge, images[:2].float() / 255)
    assert said["pattern"].tolist() == [0, 2]
