"""Crops of rendered shards to train an autoencoder on: mostly where there is something to see."""

from __future__ import annotations

import json
from itertools import permutations
from pathlib import Path

import numpy as np
import torch

CANDIDATES = 3  # places of which one is taken, the more there is to see in it the sooner
MIRRORED, RECOLOURED, SHRUNK = 0.5, 0.5, 0.15  # shares of the crops
ORDERS = tuple(permutations(range(3)))


def finished_shards(folder: Path) -> list[Path]:
    """List the shards of a folder whose images and facts are both there, in order."""
    paths = (path for path in folder.glob("*.npy") if path.name.count(".") == 1)  # others are being written
    return sorted(path for path in paths if path.with_suffix(".json").exists())


def load_shard(path: Path) -> np.ndarray:
    """Return one shard, memory-mapped uint8 [N, H, W, 3], its groups [n, V, H, W, 3] strung together."""
    shard = np.load(path, mmap_mode="r")
    return shard.reshape(-1, *shard.shape[-3:])


def load_shards(*folders: Path) -> list[np.ndarray]:
    """Return the finished shards of folders."""
    return [load_shard(path) for folder in folders for path in finished_shards(folder)]


def crop_batch(
    shards: list[np.ndarray], generator: np.random.Generator, count: int, size: int, *, edges: bool, varied: bool
) -> torch.Tensor:
    """Return `count` crops [B, 3, size, size] in [-1, 1].

    With `edges` a crop is chosen among three places by the contrast in it. With `varied` half are mirrored, half have
    their colour channels in another order and some are shrunk from twice the size, so that more is seen than rendered.
    """
    crops = []
    for _ in range(count):
        shard = shards[generator.integers(len(shards))]
        image = shard[generator.integers(len(shard))]
        shrink = 2 if varied and generator.random() < SHRUNK and 2 * size <= len(image) else 1
        crop = _place(image, generator, size * shrink, edges)
        if shrink == 2:
            crop = crop.reshape(size, 2, size, 2, 3).mean(axis=(1, 3)).round().astype(np.uint8)
        if varied and generator.random() < MIRRORED:
            crop = crop[:, ::-1]
        if varied and generator.random() < RECOLOURED:
            crop = crop[..., ORDERS[generator.integers(len(ORDERS))]]
        crops.append(crop)
    return to_network(np.stack(crops))


def _place(image: np.ndarray, generator: np.random.Generator, size: int, edges: bool) -> np.ndarray:
    most = len(image) - size
    places = generator.integers(0, most + 1, size=(CANDIDATES if edges and most else 1, 2))
    crops = [image[top : top + size, left : left + size] for top, left in places]
    if len(crops) == 1:
        return crops[0]
    rows = [crop[::2, ::2, 1].astype(np.int16) for crop in crops]
    contrast = np.array([np.abs(np.diff(r, axis=0)).mean() + np.abs(np.diff(r, axis=1)).mean() + 0.3 for r in rows])
    return crops[generator.choice(len(crops), p=contrast / contrast.sum())]


def to_network(images: np.ndarray) -> torch.Tensor:
    """Turn uint8 [B, H, W, 3] into float [B, 3, H, W] in [-1, 1]."""
    return torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).float() / 127.5 - 1


def load_facts(shard: Path) -> list[dict]:
    """Return the facts of one shard's images, in their order."""
    facts = json.loads(shard.with_suffix(".json").read_text())
    return [fact for group in facts for fact in group] if facts and isinstance(facts[0], list) else facts
