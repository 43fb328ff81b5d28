"""What a renderer is, whatever it draws: cameras and a background in, a rendering out.

A stage is handed a renderer that knows its object already, such as `splat_renderer(gaussians)`, so that Gaussians, a
radiance field or points can stand in one another's place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from backend.cameras import Cameras, orbit


@dataclass
class Rendering:
    """What the cameras see, differentiable with respect to the object and the background."""

    rgb: Tensor  # [B, H, W, 3], over the background; above 1 where the object's colours are
    alpha: Tensor  # [B, H, W, 1]
    sums: Tensor | None  # [B, H, W, 4], camera z and normal times their blending weights, where geometry was asked for

    @property
    def depth(self) -> Tensor:
        """Return the expected camera z, [B, H, W, 1], 0 where alpha is 0."""
        alpha = torch.where(self.alpha > 0, self.alpha, torch.ones_like(self.alpha))
        return self._geometry[..., :1] / alpha

    @property
    def normal(self) -> Tensor:
        """Return unit normals in world space that face the camera, [B, H, W, 3], 0 where alpha is 0."""
        total = self._geometry[..., 1:]
        length = total.square().sum(-1, keepdim=True)  # the root only of what is not 0: its slope there is infinite
        return total / torch.where(length > 0, length, torch.ones_like(length)).sqrt()

    @property
    def _geometry(self) -> Tensor:
        if self.sums is None:
            raise ValueError("This rendering has no depth and no normals: call the renderer with geometry=True.")
        return self.sums


class Renderer(Protocol):
    """Draw one object; background is [3] or [B, 3], sRGB; depth and normals only with geometry=True."""

    def __call__(self, cameras: Cameras, background: Tensor, *, geometry: bool = False) -> Rendering: ...


def draw_background(generator: torch.Generator) -> Tensor:
    """Draw white or a middle grey, [3]: a fixed one would be painted onto the object."""
    choice, grey = torch.rand(2, generator=generator).tolist()
    return torch.full((3,), 1.0 if choice < 0.4 else 0.45 + 0.3 * grey)


def background_word(background: Tensor) -> str:
    """Return what a prior is told of a background that `draw_background` has drawn."""
    return "white" if float(background.mean()) > 0.9 else "gray"


@torch.no_grad()
def turntable_view(render: Renderer, size: int, step: int) -> Tensor:
    """Return a picture [S, S, 3] of the object before white, from an azimuth that turns slowly with the steps."""
    return render(orbit([step * 3.0], 15.0, size=size), torch.ones(3)).rgb[0].clamp(0, 1)


def resized_views(pictures: torch.Tensor, size: int) -> torch.Tensor:
    """Return pictures [B, H, H, 3] as [B, size, size, 3], without aliasing and with the way back."""
    if pictures.shape[1] == size:
        return pictures
    layers = pictures.permute(0, 3, 1, 2)
    layers = torch.nn.functional.interpolate(layers, (size, size), mode="bilinear", antialias=True)
    return layers.permute(0, 2, 3, 1)
