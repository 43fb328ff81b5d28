"""What tests of figures share: judges whose answers are no matter."""

from __future__ import annotations

import pytest
import torch

from backend.embedded.objects.captions import vocabulary
from benchmarks.judges import attributes, reader
from benchmarks.judges.bench import Judges
from benchmarks.judges.towers import TOWERS, Tower
from benchmarks.metrics.features import lpips_like


@pytest.fixture(scope="module")
def judges() -> Judges:
    """Judges that have learned nothing: what they say is no matter here."""
    torch.manual_seed(0)
    towers = {name: Tower(name, vocabulary()).eval().requires_grad_(False) for name in TOWERS}
    return Judges(
        towers=towers,
        distances={"conv_s": lambda a, b: lpips_like(towers["conv_s"].maps(a), towers["conv_s"].maps(b))},
        identity={"conv_s": towers["conv_s"].images},
        reader=reader.load_reader(),
        attributes=attributes.AttributeReader().eval(),
        fingerprint="untrained",
    )
