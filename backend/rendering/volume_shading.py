"""How a radiance field is lit: its albedo alone, Lambertian, or Lambertian on white, so that shape shows by itself.

Source: Poole et al., DreamFusion, 2022, section 3.1 (shading).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from backend.cameras import Cameras

Kind = Literal["albedo", "lambertian", "textureless"]


@dataclass(frozen=True)
class Shading:
    """A light; a surface of unit normal n shows albedo * (ambient + diffuse * max(0, n . l)).

    l points towards the light, of unit length; textureless takes an albedo of 1.
    """

    kind: Kind = "albedo"
    light: Tensor | None = None  # [3] or [B, 3], world: where a point light is, or the direction to one far away
    is_far: bool = False
    ambient: float = 0.1
    diffuse: float = 0.9

    def __post_init__(self) -> None:
        if self.kind != "albedo" and self.light is None:
            raise ValueError(f"The shading {self.kind!r} needs a light: give its position or direction.")

    def towards(self, points: Tensor, views: Tensor) -> Tensor:
        """Return unit vectors [M, 3] from points [M, 3], seen by views [M] int64, to the light."""
        assert self.light is not None
        light = self.light.to(points)
        light = light.expand(len(points), 3) if light.ndim == 1 else light[views]
        return functional.normalize(light if self.is_far else light - points, dim=-1)

    def factor(self, normals: Tensor, points: Tensor, views: Tensor) -> Tensor:
        """Return by how much surfaces of unit normals [M, 3] at points [M, 3] are lit, [M, 1]."""
        facing = (normals * self.towards(points, views)).sum(-1, keepdim=True)
        return self.ambient + self.diffuse * facing.clamp_min(0)


ALBEDO = Shading()


def draw_light(cameras: Cameras, generator: torch.Generator) -> Tensor:
    """Draw the position of a point light for each camera, about its side of the object: [B, 3].

    Source: threestudio's diffuse lighting: direction normalise(camera + N(0, 1)), distance 0.8 to 1.5.
    """
    around = cameras.position.cpu() + torch.randn(len(cameras), 3, generator=generator)
    distance = 0.8 + 0.7 * torch.rand(len(cameras), 1, generator=generator)
    return functional.normalize(around, dim=-1) * distance
