"""A coarse grid over the box [-1, 1]^3 that tells where a field may have density, so that rays skip the rest.

For fields that cannot be bounded by looking at their parameters, as dense grids can (`rendering.volume_cpu.occupancy`).
Source: Mueller et al., Instant NGP, 2022, appendix C; constants of nerfacc's OccGridEstimator.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from backend.representations.radiance import RadianceField, density

DECAY = 0.95  # of what a cell was seen to hold, at each update
LEAST_OPACITY = 1e-2  # of one stretch of a ray; lower where the mean is lower, so that not all is culled at the start
WARM_UP = 256  # updates that look into all cells; later ones look into occupied cells and a quarter of the others
AT_ONCE = 1 << 18  # points at a time


class OccupancyGrid:
    """The largest density that was lately seen in each of C^3 cells; all of them count as occupied until an update."""

    def __init__(self, resolution: int = 64, *, step: float, device: torch.device | str = "cpu") -> None:
        """Prepare for rays that are cut into stretches of length `step`."""
        self.step = step
        self.seen = torch.full((resolution,) * 3, float("inf"), device=device)  # [C, C, C] at x, y, z
        self.updates = 0

    @property
    def occupied(self) -> Tensor:
        """Return which cells may hold something, [C, C, C] bool: those that were seen to, and their neighbours.

        A surface that runs through a corner of a cell is easily missed in that cell, and not in the one behind it.
        """
        opacity = -torch.expm1(-self.seen * self.step)
        found = (opacity > min(float(opacity.mean()), LEAST_OPACITY)).float()
        return functional.max_pool3d(found[None, None], 3, stride=1, padding=1)[0, 0] > 0

    def at(self, points: Tensor) -> Tensor:
        """Return whether points [M, 3] of the box lie in occupied cells, [M] bool."""
        size = len(self.seen)
        x, y, z = ((points + 1) * (size / 2)).long().clamp(0, size - 1).unbind(-1)
        return self.occupied[x, y, z]

    @torch.no_grad()
    def update(self, field: RadianceField, generator: torch.Generator) -> None:
        """Look at one random point of each cell; after WARM_UP updates of occupied cells and a quarter of the rest."""
        size = len(self.seen)
        flat = self.seen.reshape(-1)
        cells = torch.arange(len(flat), device=flat.device)
        if self.updates >= WARM_UP:
            drawn = torch.rand(len(flat), generator=generator, device=generator.device).to(flat.device) < 0.25
            cells = cells[self.occupied.reshape(-1) | drawn]
        corner = torch.stack([cells // size**2, cells // size % size, cells % size], dim=-1)
        inside = torch.rand(len(cells), 3, generator=generator, device=generator.device).to(flat.device)
        points = (corner + inside) * (2 / size) - 1
        found = torch.cat([density(field.raw_density(chunk)) for chunk in points.split(AT_ONCE)])
        before = flat[cells]
        flat[cells] = torch.where(before.isfinite(), torch.maximum(before * DECAY, found), found).to(flat)
        self.updates += 1

    def state_dict(self) -> dict[str, Tensor]:
        """Return copies of what was seen and of the number of updates."""
        return {"seen": self.seen.clone(), "updates": torch.tensor(self.updates)}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take over a state_dict."""
        self.seen = state["seen"].to(self.seen, copy=True)
        self.updates = int(state["updates"])
