"""A base as the floor sees it: the configurations and the size of its networks, and what it can be told of."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from ..systems.evaluations import Knows
from ..typed_json import ProtocolError
from .networks import (
    CLIP_WORDS,
    STABLE_DIFFUSION,
    TAESD,
    decoder_gflop,
    encoder_gflop,
    image_size,
    outer_gflop,
    text_gflop,
    tiny_encoder_gflop,
    unet_gflop,
)

PARTS = ("unet", "vae", "text_encoder")
LARGE_PIXELS = 256  # above, views go through the encoder one by one
MAX_HEADER = 1 << 24  # of a configuration, or of the header of a file of weights
STABLE_DIFFUSION_WEIGHTS = {"unet": 859_520_964, "vae": 83_653_863, "text_encoder": 123_060_480}


@dataclass(frozen=True)
class Base:
    """Configurations of a base's networks, by part, how many weights each has, and what prior.json says of it."""

    configs: Mapping[str, Mapping[str, Any]]
    weights: Mapping[str, int]
    facts: Mapping[str, Any] = field(default_factory=dict)
    takes_cameras: bool = False

    @cached_property
    def pixels(self) -> int:
        """Return the pixels along a side of its pictures."""
        return image_size(self.configs["unet"], self.configs["vae"])

    @property
    def knows(self) -> Knows:
        """Return what it can be told of."""
        facts = self.facts
        is_joint, is_shown = bool(facts.get("joint_views")), bool(facts.get("clean_view"))
        return Knows(self.takes_cameras, is_joint, is_shown, large=self.pixels > LARGE_PIXELS)

    @cached_property
    def gflop(self) -> dict[str, float]:
        """Return the gigaoperations of one picture, there: of the UNet and its outermost blocks, of encoder and
        decoder, and of one prompt.

        The small encoder counts as TAESD whatever the base.
        """
        unet, autoencoder, text = (self.configs[part] for part in PARTS)
        tokens = text.get("max_position_embeddings", CLIP_WORDS)
        return {
            "unet": unet_gflop(unet, tokens), "unet_outer": outer_gflop(unet, tokens),
            "encoder": encoder_gflop(autoencoder, self.pixels), "decoder": decoder_gflop(autoencoder, self.pixels),
            "text": text_gflop(text), "small_encoder": tiny_encoder_gflop(TAESD, self.pixels),
        }  # fmt: skip


STABLE_DIFFUSION_BASE = Base(STABLE_DIFFUSION, STABLE_DIFFUSION_WEIGHTS)  # as it is before it is fetched


@lru_cache(maxsize=4)
def read_base(folder: Path) -> Base:
    """Return the base in a folder in diffusers' format; only headers of its files are read. Raises ProtocolError."""
    try:
        configs = {part: _json(folder / part / "config.json") for part in PARTS}
        weights = {part: sum(map(_weights, (folder / part).glob("*.safetensors"))) for part in PARTS}
        facts = _json(folder / "prior.json") if (folder / "prior.json").is_file() else {}
        base = Base(configs, weights, facts, (folder / "camera_encoder").is_dir())
        if not all(map(math.isfinite, base.gflop.values())):
            raise ValueError("its networks are of no size")
        return base
    except (OSError, ValueError, TypeError, LookupError, AttributeError, struct.error) as error:
        raise ProtocolError(f"What the model in {folder} costs cannot be told: {error}.") from error


def _json(path: Path) -> Any:
    if path.stat().st_size > MAX_HEADER:
        raise ValueError(f"{path.name} is too large")
    return json.loads(path.read_text(encoding="utf-8"))


def _weights(path: Path) -> int:
    """Return how many numbers a safetensors file holds, from its header."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > MAX_HEADER:
            raise ValueError(f"{path.name} has a header that is too long")
        header = json.loads(file.read(length))
    return sum(math.prod(each["shape"]) for name, each in header.items() if name != "__metadata__")
