"""What rendering a radiance field gives: a rendering, and per ray what regularisers are made of."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from backend.rendering.renderer import Rendering

DIAGONAL = 2 * math.sqrt(3)  # of the box [-1, 1]^3


@dataclass
class VolumeRendering(Rendering):
    """A rendering of a radiance field; per ray, what regularisers are made of, where geometry was asked for.

    `backend.regularisers` has the formulas; `variance`, `orientation` and `distortion` are [B, H, W, 1].
    """

    extras: Tensor | None  # [B, H, W, 3]: squared offset from the origin's camera z, orientation, distortion
    origin_depth: Tensor  # [B, 1, 1, 1], camera z of the world's origin

    @property
    def variance(self) -> Tensor:
        """Return the sum of w (z - depth)^2 over a ray's samples: 0 for a single one."""
        offset = self._geometry[..., :1] - self.alpha * self.origin_depth  # sum of w (z - z0)
        alpha = torch.where(self.alpha > 0, self.alpha, torch.ones_like(self.alpha))
        return self._extras[..., :1] - offset.square() / alpha

    @property
    def orientation(self) -> Tensor:
        """Return the sum of stop_gradient(w) max(0, n . d)^2: what of a ray lies on surfaces that face away."""
        return self._extras[..., 1:2]

    @property
    def distortion(self) -> Tensor:
        """Return Mip-NeRF 360's distortion, distances divided by the box's diagonal."""
        return self._extras[..., 2:3]

    @property
    def _extras(self) -> Tensor:
        if self.extras is None:
            raise ValueError("This rendering has no geometry: call the renderer with geometry=True.")
        return self.extras
