"""Latents of rendered groups for the denoiser to train on: new shards are encoded as they come, and kept."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from backend.embedded.objects.world import HELD_OUT_2
from backend.embedded.training.codecs import encode, fingerprint
from backend.embedded.training.crops import finished_shards, load_facts, load_shard, to_network

TOGETHER = 32  # images


@dataclass
class Rows:
    """Latents, what is known of each, and which of them show one object."""

    latents: list[torch.Tensor] = field(default_factory=list)  # each [C, h, w], fp16
    facts: list[dict] = field(default_factory=list)
    groups: list[list[int]] = field(default_factory=list)  # of rows that show one object in colour
    taken: set[str] = field(default_factory=set)  # names of shards

    def append(self, name: str, latents: torch.Tensor, facts: list[dict]) -> None:
        """Take up a shard's latents [N, C, h, w] with their facts; a seed's rows that follow each other are a group."""
        if len(latents) != len(facts):
            raise ValueError(f"{len(facts)} descriptions for {len(latents)} latents in {name}")
        last = None
        for latent, fact in zip(latents, facts, strict=True):
            if fact.get("modality", "rgb") == "rgb":
                if last is None or fact["seed"] != last:
                    self.groups.append([])
                self.groups[-1].append(len(self.latents))
                last = fact["seed"]
            self.latents.append(latent)
            self.facts.append(fact)
        self.taken.add(name)


def is_held_out(fact: dict) -> bool:
    """Say whether a fact is of an object that training must not see."""
    category, colour = fact["category"], fact["colour"]
    pair = not fact.get("free") and HELD_OUT_2.pair(category, colour)
    return fact["seed"] >= HELD_OUT_2.first_seed or category in HELD_OUT_2.categories or pair


def take_up(rows: Rows, folder: Path, renders: list[Path], codec: Any, most: int, device: str = "cpu") -> int:
    """Add shards of `renders` that are not in `rows` yet, encoding at most `most` of them; return how many were added.

    Latents lie in `folder/latents-FINGERPRINT`, and stay when their renders are gone. Raises ValueError where something
    held out is among the renders.
    """
    shelf = folder / f"latents-{fingerprint(codec)}"
    shelf.mkdir(parents=True, exist_ok=True)
    added = 0
    for kept in sorted(shelf.glob("*.safetensors")):
        if kept.stem not in rows.taken:
            rows.append(kept.stem, load_file(kept)["latents"], json.loads(kept.with_suffix(".json").read_text()))
            added += 1
    for path in (path for source in renders for path in finished_shards(source)):
        name = f"{path.parent.name}-{path.stem}"
        if name in rows.taken or most <= 0:
            continue
        facts = load_facts(path)
        if hidden := next((fact for fact in facts if is_held_out(fact)), None):
            raise ValueError(f"{path} holds what training must not see: {hidden}")
        latents = encoded(codec, load_shard(path), device)
        (shelf / f"{name}.json").write_text(json.dumps(facts))
        save_file({"latents": latents}, shelf / f"{name}.partial")
        (shelf / f"{name}.partial").rename(shelf / f"{name}.safetensors")
        rows.append(name, latents, facts)
        added, most = added + 1, most - 1
    return added


@torch.no_grad()
def encoded(codec: Any, images: np.ndarray, device: str = "cpu") -> torch.Tensor:
    """Return the latents (fp16) [N, C, h, w] of images, uint8 [N, H, W, 3]."""
    parts = []
    for i in range(0, len(images), TOGETHER):
        parts.append(encode(codec, to_network(images[i : i + TOGETHER]).to(device)).half().cpu())
    return torch.cat(parts).contiguous()
