"""The shipped judges: all that a benchmark asks of them is there, and another file is another fingerprint."""

from __future__ import annotations

from pathlib import Path

import torch

from benchmarks.judges.bench import hash_of, load_embedded
from benchmarks.judges.towers import TOWERS


def test_the_shipped_judges_are_whole() -> None:
    judges = load_embedded()
    assert set(judges.towers) == set(judges.identity) == set(TOWERS) and judges.missing == ()
    images = torch.rand(2, 64, 64, 3, generator=torch.Generator().manual_seed(0))
    for distance in judges.distances.values():
        assert distance(images, images).abs().max() < 1e-6 < distance(images, images.flip(0)).min()


def test_the_fingerprint_is_of_names_and_contents(tmp_path: Path) -> None:
    one, other = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    one.write_bytes(b"x")
    other.write_bytes(b"x")
    assert len(hash_of([one])) == 16 and hash_of([one]) == hash_of([one])
    assert len({hash_of([one]), hash_of([other]), hash_of([one, other]), hash_of([])}) == 4
    before = hash_of([one])
    one.write_bytes(b"y")
    assert hash_of([one]) != before
