"""The reader of attributes learns and counts."""

from __future__ import annotations

import pytest
import torch

from benchmarks.judges import attributes
from tests.benchmarks.judges.step_budget import steps


def test_an_attribute_reader_learns_and_counts(
    two_objects: tuple[torch.Tensor, list[dict]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attributes, "Budget", steps(12))
    images, facts = two_objects
    facts = [
        fact | ({"pattern": "dots"} if fact["category"] == "fish" else {"category": "bird", "hat": True})
        for fact in facts
    ]
    facts[-1] = facts[-1] | {"category": "bird"}  # one without a hat
    judge = attributes.train(images, facts, minutes=1.0)
    said = attributes.read_attributes(judge, images[:2].float() / 255)
    assert said["pattern"].tolist() == [0, 2]
