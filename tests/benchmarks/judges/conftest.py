"""What tests of judges share: pictures of two objects that seconds of training can tell apart."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture(scope="module")
def two_objects() -> tuple[torch.Tensor, list[dict]]:
    """Flat pictures that stand for a red mug and a blue fish, 120 of each, uint8."""
    fact = {"accent": "white", "pattern": "plain", "hat": False, "style": "matte", "azimuth": 0.0, "elevation": 0.0}
    facts = [fact | {"category": "mug", "colour": "red"}, fact | {"category": "fish", "colour": "blue"}] * 120
    images = torch.full((240, 64, 64, 3), 200, dtype=torch.uint8)
    images[0::2, 16:48, 16:48] = torch.tensor([214, 28, 26], dtype=torch.uint8)
    images[1::2, 26:38, 8:56] = torch.tensor([30, 69, 217], dtype=torch.uint8)
    return images, facts
