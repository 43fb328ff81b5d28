"""A radiance field of a hash grid and a small network: what a GPU optimises.

Source: Mueller et al., Instant Neural Graphics Primitives, 2022; the network in plain torch as in threestudio, because
normals by differences and second derivatives of a fused one do not agree.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from backend.representations.hash_grid import HashGrid, encode, tinycudann_encoder
from backend.representations.radiance import blob, logit

WIDTH = 64  # of the one hidden layer
OUTPUTS = 4  # raw density, logits of the sRGB albedo


class HashField:
    """Features of a hash grid through one hidden layer; a blob is added to the density, so that it starts as one."""

    def __init__(
        self, grid: HashGrid, generator: torch.Generator, *, radius: float = 0.5, strength: float = 10.0
    ) -> None:
        """Draw the parameters."""
        self.grid, self.radius, self.strength = grid, radius, strength
        self.active: int | None = None  # levels in use; None: all. For coarse to fine
        self.table = grid.new_table(generator)
        self.hidden = _drawn(WIDTH, grid.width, generator)  # [WIDTH, width]
        self.output = _drawn(OUTPUTS, WIDTH, generator)  # [4, WIDTH]
        self.background_logits = torch.full((3,), logit(0.9))

    @property
    def background(self) -> Tensor:
        """Return the learned background, [3], sRGB in (0, 1)."""
        return self.background_logits.sigmoid()

    def raw_density(self, points: Tensor) -> Tensor:
        """Return the density before its activation at points [M, 3] of the box: [M]."""
        return self._outputs(points)[:, 0]

    def __call__(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Return raw density [M] and sRGB albedo [M, 3] at points [M, 3] of the box."""
        found = self._outputs(points)
        return found[:, 0], found[:, 1:].sigmoid()

    def parameters(self) -> dict[str, Tensor]:
        """Return the tensors by name, not copied."""
        names = ("table", "hidden", "output", "background_logits")
        return {name: getattr(self, name) for name in names}

    def requires_grad_(self, wanted: bool = True) -> HashField:
        """Make the parameters leaves that collect gradients (or not); return self."""
        for name, value in self.parameters().items():
            setattr(self, name, value.detach().requires_grad_(wanted))
        return self

    def to_(self, device: torch.device | str) -> HashField:
        """Move the parameters to another device, as new leaves; return self."""
        for name, value in self.parameters().items():
            setattr(self, name, value.detach().to(device).requires_grad_(value.requires_grad))
        return self

    def state_dict(self) -> dict[str, Tensor]:
        """Return copies of the parameters by name."""
        return {name: value.detach().clone() for name, value in self.parameters().items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take over the parameters of a state_dict; raises ValueError where names or shapes are others."""
        for name, value in self.parameters().items():
            if name not in state or state[name].shape != value.shape:
                raise ValueError(
                    f"The saved field has no {name} of shape {tuple(value.shape)}: it is of another layout."
                )
            loaded = state[name].to(device=value.device, dtype=value.dtype, copy=True)
            setattr(self, name, loaded.requires_grad_(value.requires_grad))

    def _outputs(self, points: Tensor) -> Tensor:
        """Return what the network says of points [M, 3], the blob added to the density: [M, 4]."""
        places = (points + 1) / 2
        fast = tinycudann_encoder(self.grid) if points.is_cuda and self.active is None else None
        features = fast(self.table, places) if fast else encode(self.grid, self.table, places, self.active)
        found = functional.linear(functional.relu(functional.linear(features, self.hidden)), self.output)
        start = blob(points, radius=self.radius, strength=self.strength)
        return torch.cat([found[:, :1] + start[:, None], found[:, 1:]], dim=-1)


def _drawn(rows: int, columns: int, generator: torch.Generator) -> Tensor:
    """Draw a layer's weights, [rows, columns], as torch.nn.Linear does."""
    return (torch.rand(rows, columns, generator=generator) * 2 - 1) / columns**0.5
