"""The judges that a run of the quality benchmark uses, loaded once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from benchmarks.judges import attributes, reader
from benchmarks.judges.towers import FOLDER, TOWERS, Tower, load_tower
from benchmarks.metrics.features import Distance, lpips_like


class ImageText(Protocol):
    """What R-precision and CLIP scores take: an image tower and a text tower that meet in one space."""

    def images(self, images: torch.Tensor, /) -> torch.Tensor: ...
    def captions(self, captions: list[str], /) -> torch.Tensor: ...


@dataclass(frozen=True)
class Judges:
    """Towers by name; perceptual distances by name, for LPIPS; feature extractors for identity; and the readers."""

    towers: Mapping[str, ImageText]
    distances: Mapping[str, Distance]
    identity: Mapping[str, Callable[[torch.Tensor], torch.Tensor]]
    reader: reader.Reader
    attributes: attributes.AttributeReader
    fingerprint: str  # of all weights
    missing: tuple[str, ...] = ()  # sentences about metrics that cannot be had


def load_embedded() -> Judges:
    """Load the judges of this repository. Raises FileNotFoundError with the command that trains what is missing."""
    towers = {name: load_tower(name) for name in TOWERS}
    return Judges(
        towers=towers,
        distances={name: _distance(towers[name]) for name in ("conv_s", "conv_m")},
        identity={name: tower.images for name, tower in towers.items()},
        reader=reader.load_reader(),
        attributes=attributes.load_attribute_reader(),
        fingerprint=hash_of(sorted(FOLDER.glob("*.safetensors"))),
    )


def _distance(tower: Tower) -> Distance:
    @torch.no_grad()
    def distance(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        return lpips_like(tower.maps(one), tower.maps(other))

    return distance


def hash_of(paths: list[Path]) -> str:
    """Return the first 16 digits of the SHA-256 over files."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]
