"""A few steps of training teach a judge's tower."""

from __future__ import annotations

import pytest
import torch

from benchmarks.judges import train_tower
from tests.benchmarks.judges.step_budget import steps

STEPS = 12


@pytest.mark.parametrize("name", ["conv_s"])  # the others take longer to learn the same
def test_a_few_steps_of_training_tell_two_objects_apart(
    name: str, two_objects: tuple[torch.Tensor, list[dict]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_tower, "Budget", steps(STEPS))
    images, facts = two_objects
    torch.set_num_threads(1)
    tower = train_tower.train(name, images, facts, minutes=1.0)
    with torch.no_grad():
        seen = tower.images(images[:2].float() / 255)
        said = tower.captions(["a red mug", "a blue fish"])
    cosines = seen @ said.T
    assert cosines[0, 0] > cosines[0, 1] and cosines[1, 1] > cosines[1, 0]
