"""Renders groups of views into a ring of shards, ahead of training: `python -m backend.embedded.objects.stream`.

A shard is `NNNNNNNN.npy` (uint8 [G, V, SIZE, SIZE, 3], memory-mappable) beside `NNNNNNNN.json` (a list of G lists of V
facts), where NNNNNNNN is its first seed. The JSON is written first and the array renamed into place, so every
array that is there is whole. Above `--gigabytes` the oldest shards go: who wants them longer keeps their latents.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from backend.embedded.objects.data import VIEWS
from backend.embedded.objects.groups import render_group
from backend.embedded.objects.world import HELD_OUT_2

FOLDER = Path(".cache/embedded/groups")
SHARD_GROUPS = 32


def shards(folder: Path) -> list[Path]:
    """Return the whole shards of a folder, oldest first."""
    return sorted(folder.glob("[0-9]" * 8 + ".npy"))


def load_shard(path: Path) -> tuple[np.ndarray, list[list[dict]]]:
    """Return a shard's pictures, memory-mapped uint8 [G, V, SIZE, SIZE, 3], and its facts [G][V]."""
    return np.load(path, mmap_mode="r"), json.loads(path.with_suffix(".json").read_text())


def write_shard(folder: Path, first: int, groups: int = SHARD_GROUPS, views: int = VIEWS) -> Path:
    """Render the groups of seeds from `first` on into one shard; none of what is held out may be among them."""
    images, facts = [], []
    for seed in range(first, first + groups):
        assert seed < HELD_OUT_2.first_seed, f"seed {seed} is held out"
        one, described = render_group(seed, views)
        for fact in described:
            assert fact["category"] not in HELD_OUT_2.categories
            assert fact["free"] or not HELD_OUT_2.pair(fact["category"], fact["colour"])
        images.append(one)
        facts.append(described)
    path = folder / f"{first:08d}.npy"
    path.with_suffix(".json").write_text(json.dumps(facts))
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.save(file, np.stack(images))
    partial.rename(path)
    return path


def trim(folder: Path, gigabytes: float) -> int:
    """Delete the oldest shards until the others fit into `gigabytes`; return how many went."""
    there = shards(folder)
    sizes = [path.stat().st_size for path in there]
    gone = 0
    while sum(sizes[gone:]) > gigabytes * 1e9:
        there[gone].unlink()
        there[gone].with_suffix(".json").unlink()
        gone += 1
    return gone


def next_seed(folder: Path) -> int:
    """Return the seed that follows the newest shard."""
    there = shards(folder)
    return int(there[-1].stem) + len(np.load(there[-1], mmap_mode="r")) if there else 0


def stream(
    folder: Path, *, groups: int | None = None, processes: int = 1, gigabytes: float = 4.0, first: int = 0
) -> Iterator[Path]:
    """Write shards from the next seed on, `groups` in all or for ever, and yield each one's path.

    An empty folder begins with the seed `first`: other objects than weights have seen that were trained elsewhere.
    """
    folder.mkdir(parents=True, exist_ok=True)
    first = max(first, next_seed(folder))
    starts = itertools.count(first, SHARD_GROUPS) if groups is None else range(first, first + groups, SHARD_GROUPS)
    if processes == 1:
        for start in starts:
            yield write_shard(folder, start, SHARD_GROUPS)
            trim(folder, gigabytes)
        return
    with get_context("spawn").Pool(processes, initializer=_one_thread) as pool:
        starts = iter(starts)
        while batch := list(itertools.islice(starts, processes)):  # in step, so that seeds come in order
            yield from pool.starmap(write_shard, [(folder, start, SHARD_GROUPS) for start in batch])
            trim(folder, gigabytes)


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--groups", type=int, help="how many more; for ever without")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--gigabytes", type=float, default=4.0)
    options = parser.parse_args()
    if options.processes == 1:
        _one_thread()
    started, images = time.process_time(), 0
    for path in stream(options.folder, groups=options.groups, processes=options.processes, gigabytes=options.gigabytes):
        images += SHARD_GROUPS * VIEWS
        speed = f"{images / (time.process_time() - started):.1f} views/s of processor time"
        print(path.name, speed if options.processes == 1 else "", flush=True)
