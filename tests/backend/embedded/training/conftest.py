"""Renders, latents and words for the trainers' tests."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from backend.embedded.tokenizer import build_tokenizer
from backend.embedded.training.latent_stream import Rows


@pytest.fixture
def renders(tmp_path):
    """Return a folder with one shard of two groups of three views."""
    folder, generator = tmp_path / "renders", np.random.default_rng(0)
    folder.mkdir()
    np.save(folder / "00000000.npy", generator.integers(0, 256, (2, 3, 128, 128, 3), dtype=np.uint8))
    facts = [[{"seed": g, "modality": "rgb", "category": "mug", "colour": "plum"} for _ in range(3)] for g in range(2)]
    (folder / "00000000.json").write_text(json.dumps(facts))
    return folder


@pytest.fixture(scope="module")
def rows() -> Rows:
    """Return four objects of six views and one map each, with latents of 8 channels."""
    generator, rows = torch.Generator().manual_seed(0), Rows()
    facts = [
        {"seed": i // 7, "azimuth": 60.0 * (i % 7) - 170, "elevation": 10.0, "fov": 40.0, "zoom": 1.0}
        | {"modality": "depth" if i % 7 == 6 else "rgb"}
        for i in range(28)
    ]
    rows.append("shard", torch.randn(28, 8, 16, 16, generator=generator).half(), facts)
    return rows


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer(("a", "red", "blue", "mug"))
