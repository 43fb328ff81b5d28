"""The reader of categories and colours: its labels, and names in range."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from backend.embedded.objects.shapes import COLOURS, TRAINED_CATEGORIES
from benchmarks.judges import attributes, reader, renders


def test_renders_are_kept_with_what_they_show(tmp_path: Path) -> None:
    facts = [{"category": "mug", "colour": "red", "azimuth": 90.0}] * 2
    np.save(tmp_path / "5-1.npy", np.full((2, 64, 64, 3), 255, np.uint8))
    (tmp_path / "5-1.json").write_text(json.dumps(facts))
    images, labels = reader.renders(5, 1, tmp_path, 1)
    assert images.min() == 1.0 and labels["category"].tolist() == [TRAINED_CATEGORIES.index("mug")] * 2
    assert torch.allclose(labels["azimuth"], torch.tensor(torch.pi / 2))
    assert renders.cached_renders(5, 1, tmp_path)[1] == facts


def test_the_readers_answer_with_names_in_range() -> None:
    judge = reader.load_reader()
    said = reader.read(judge, torch.rand(2, 128, 128, 3))
    assert said["category"].max() < len(TRAINED_CATEGORIES) and said["colour"].max() < len(COLOURS)
    torch.manual_seed(0)
    told = attributes.read_attributes(attributes.AttributeReader().eval(), torch.rand(2, 128, 128, 3))
    assert told["pattern"].max() < 4 and told["hat"].dtype == torch.bool
