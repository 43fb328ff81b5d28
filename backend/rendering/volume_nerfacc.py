"""What nerfacc does for packed samples on a GPU: stretches of rays in occupied cells, and their weights.

Source: Li et al., NerfAcc, 2023; version 0.5.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from backend.representations.occupancy import OccupancyGrid

BOX = [-1.0, -1.0, -1.0, 1.0, 1.0, 1.0]


@dataclass(frozen=True)
class Nerfacc:
    """The library, as the packed renderer calls it."""

    library: Any

    def samples(
        self, origins: Tensor, directions: Tensor, near: Tensor, far: Tensor, step: float, occupancy: OccupancyGrid
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return rays [N] int64, starts [N] and ends [N] of the stretches in occupied cells of rays [R, 3]."""
        estimator = self.library.OccGridEstimator(roi_aabb=BOX, resolution=len(occupancy.seen), levels=1)
        estimator = estimator.to(origins.device)
        estimator.binaries = occupancy.occupied[None]  # [1, C, C, C]; ours is updated from the job's generator
        ray, start, end = estimator.sampling(
            origins.contiguous(), directions.contiguous(), t_min=near, t_max=torch.maximum(far, near),
            render_step_size=step, stratified=False,
        )  # fmt: skip
        return ray.long(), start, end

    def weights(self, ray: Tensor, start: Tensor, end: Tensor, densities: Tensor, count: int) -> Tensor:
        """Return the weights of samples of `count` rays, all [N]; differentiable with respect to the densities."""
        found, _, _ = self.library.render_weight_from_density(
            t_starts=start, t_ends=end, sigmas=densities, ray_indices=ray, n_rays=count
        )
        return found


@lru_cache
def nerfacc_or_none() -> Nerfacc | None:
    """Return nerfacc, or None where it is not installed."""
    try:
        import nerfacc
    except ImportError:
        return None
    return Nerfacc(nerfacc)
