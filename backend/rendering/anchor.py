"""Holds an object that is being changed to what it was, where nothing asks for a change."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from backend.cameras import Cameras
from backend.losses import photometric, silhouette, untouched
from backend.rendering.splats import Renderer, Rendering
from backend.representations.gaussians import Gaussians


@dataclass(frozen=True)
class Anchor:
    """The Gaussians that an edit begins from, and how strongly their renderings hold those of the edit."""

    start: Gaussians
    reach: float  # how far the result is to reach from the origin
    colour: float
    alpha: float

    def loss(
        self,
        render: Renderer,
        seen: Rendering,
        cameras: Cameras,
        background: torch.Tensor,
        gradient: torch.Tensor,
    ) -> torch.Tensor:
        """Return a scalar: how far a rendering is from that of the start, where the guidance does not pull.

        `gradient` is d(guidance) / d(latents of the rendering), [B, C, h, w]: where it is strong, the words want
        something else. Source of the map: Couairon et al., DiffEdit, 2022, step 1.
        """
        with torch.no_grad():
            was = render(self.start, cameras, background)
            kept = untouched(gradient, seen.rgb.shape[1])  # [B, S, S, 1]
        colour = photometric(seen.rgb, was.rgb, kept)
        return self.colour * colour + self.alpha * silhouette(seen.alpha * kept, was.alpha * kept)
