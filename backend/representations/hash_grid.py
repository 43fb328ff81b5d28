"""A multi-resolution hash grid: features of points in [0, 1]^3, in plain torch, or by tinycudann where it imports.

Both read the same table in the same layout: levels one after another, each node's features side by side. A level whose
nodes fit into its part of the table is dense (x fastest); a larger one is hashed and may collide.
Source: Mueller et al., Instant Neural Graphics Primitives, 2022, section 3; layout of tiny-cuda-nn's grid.h.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

PRIMES = (1, 2_654_435_761, 805_459_861)


@dataclass(frozen=True)
class HashGrid:
    """The layout: `levels` grids from `base` nodes a side upwards, each `growth` times as fine as the one before."""

    levels: int = 16
    features: int = 2
    log2_size: int = 19  # of a level's largest table
    base: int = 16
    growth: float = 1.447269237440378

    def scale(self, level: int) -> float:
        """Return how many cells of a level fit along [0, 1]."""
        return self.base * 2 ** (level * math.log2(self.growth)) - 1

    def side(self, level: int) -> int:
        """Return the nodes along a side of a level."""
        return math.ceil(self.scale(level)) + 1

    def entries(self, level: int) -> int:
        """Return the entries of a level's table: its nodes, padded to a multiple of 8, or 2^log2_size."""
        return min(-(-(self.side(level) ** 3) // 8) * 8, 1 << self.log2_size)

    def is_hashed(self, level: int) -> bool:
        """Say whether a level has more nodes than entries."""
        return self.side(level) ** 3 > self.entries(level)

    @property
    def width(self) -> int:
        """Return the number of features of a point."""
        return self.levels * self.features

    @property
    def size(self) -> int:
        """Return the number of parameters."""
        return self.features * sum(self.entries(level) for level in range(self.levels))

    def new_table(self, generator: torch.Generator) -> Tensor:
        """Draw a table to start from, evenly within 1e-4 of 0: [size]."""
        return (torch.rand(self.size, generator=generator) * 2 - 1) * 1e-4

    def config(self) -> dict[str, Any]:
        """Return the encoding_config of tinycudann."""
        return {
            "otype": "HashGrid",
            "n_levels": self.levels,
            "n_features_per_level": self.features,
            "log2_hashmap_size": self.log2_size,
            "base_resolution": self.base,
            "per_level_scale": self.growth,
        }


def encode(grid: HashGrid, table: Tensor, points: Tensor, active: int | None = None) -> Tensor:
    """Return the features [M, levels * features] of points [M, 3] in [0, 1], those of levels from `active` on 0.

    Differentiable with respect to the table and, twice, the points. Source: section 3; `active`: threestudio's
    ProgressiveBandHashGrid.
    """
    found, start = [], 0
    for level in range(grid.levels):
        count = grid.entries(level)
        if active is not None and level >= active:
            found.append(points.new_zeros(len(points), grid.features))
        else:
            entries = table[start * grid.features : (start + count) * grid.features].reshape(count, grid.features)
            found.append(_level(grid, level, entries, points))
        start += count
    return torch.cat(found, dim=-1)


def _level(grid: HashGrid, level: int, entries: Tensor, points: Tensor) -> Tensor:
    """Interpolate one level's entries [T, F] trilinearly at points [M, 3]: [M, F]."""
    places = points * grid.scale(level) + 0.5  # half a cell off, so that the levels' nodes do not coincide
    cell = places.detach().floor()
    inside = places - cell  # [M, 3]
    total = points.new_zeros(len(points), grid.features)
    for corner in range(8):
        step = torch.tensor([corner & 1, corner >> 1 & 1, corner >> 2 & 1], device=points.device)
        weight = torch.where(step.bool(), inside, 1 - inside).prod(-1, keepdim=True)
        total = total + weight * entries[index_of(grid, level, cell.long() + step)]
    return total


def index_of(grid: HashGrid, level: int, nodes: Tensor) -> Tensor:
    """Return the entries that nodes [M, 3] int64 of a level stand at, [M]."""
    side, count = grid.side(level), grid.entries(level)
    x, y, z = nodes.unbind(-1)
    if not grid.is_hashed(level):
        return (x + side * (y + side * z)) % count
    mask = 0xFFFFFFFF  # tinycudann hashes in 32 bits
    return ((x * PRIMES[0] & mask) ^ (y * PRIMES[1] & mask) ^ (z * PRIMES[2] & mask)) % count


@lru_cache
def tinycudann_encoder(grid: HashGrid) -> Callable[[Tensor, Tensor], Tensor] | None:
    """Return (table, points) -> features by tinycudann, on the GPU, in half precision; None where it is not there."""
    try:
        import tinycudann  # pyright: ignore[reportMissingImports]
    except (ImportError, OSError):  # it raises OSError where torch sees no GPU
        return None
    encoding = tinycudann.Encoding(n_input_dims=3, encoding_config=grid.config())

    def encoded(table: Tensor, points: Tensor) -> Tensor:
        return torch.func.functional_call(encoding, {"params": table}, (points,)).float()

    return encoded
