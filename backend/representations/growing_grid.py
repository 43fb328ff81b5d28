"""A dense radiance grid that is optimised coarse to fine, with the Adam of its present number of nodes.

Source: Sun et al., Direct Voxel Grid Optimization, 2022, section 5.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from backend.representations.radiance_grid import RadianceGrid

COARSE_TO_FINE = ((1 / 3, 0.25), (2 / 3, 0.6), (1.0, 1.0))  # share of the nodes, until which share of a run
FEWEST_NODES = 2
EPSILON = 1e-15  # of Adam


class GrowingGrid:
    """A copy of a grid and its Adam, which begins anew on each finer grid."""

    def __init__(self, field: RadianceGrid, memory: float) -> None:
        self._memory = memory
        self._take(RadianceGrid(**field.state_dict()))  # what it began as may be what it is held to

    def _take(self, field: RadianceGrid) -> None:
        self.field = field.requires_grad_()
        self.optimiser = torch.optim.Adam(self.field.parameters().values(), betas=(0.9, self._memory), eps=EPSILON)

    def grow(self, nodes: int) -> None:
        """Go on with the same field on more nodes a side; with no more, nothing happens."""
        if nodes > len(self.field):
            self._take(self.field.resampled(nodes))

    @property
    def is_finite(self) -> bool:
        """Say whether all gradients are numbers."""
        found = (value.grad for value in self.field.parameters().values())
        return all(bool(torch.isfinite(gradient).all()) for gradient in found if gradient is not None)

    def step(self, rate: float) -> None:
        """Take one step of Adam and forget the gradients."""
        self.optimiser.param_groups[0]["lr"] = rate
        self.optimiser.step()
        self.optimiser.zero_grad()

    def state_dict(self) -> dict[str, Any]:
        """Return copies of the field and the optimiser's state."""
        return {"field": self.field.state_dict(), "optimiser": self.optimiser.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a state_dict, of whatever number of nodes."""
        self.field.load_state_dict(state["field"])
        self._take(self.field)
        self.optimiser.load_state_dict(dict(state["optimiser"]))


def nodes_for(step: int, total: int, nodes: int) -> int:
    """Return the nodes along a side at a step of a run that ends with `nodes`: a third, two thirds, all of them."""
    share = next(share for share, until in COARSE_TO_FINE if step < until * total or until == 1.0)
    return max(FEWEST_NODES, round(share * nodes))
