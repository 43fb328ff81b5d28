"""The photos' colours as what every side of the object is held to, where the prompt asks for no others.

The paper has nothing of the kind. A side that no photo shows is drawn in the colours of the class otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn.functional import normalize

from backend.cameras import Cameras
from backend.systems.palette import MIN_CELLS, Palette, recoloured, sliced_distance, solid_colours


@dataclass(frozen=True)
class PhotoColours:
    """The colours of photos, each [N, 3] in sRGB, and from where those were taken, if that is known of them."""

    palettes: list[torch.Tensor]
    cameras: Cameras | None

    def palette(self, camera: Cameras, rgb: torch.Tensor, alpha: torch.Tensor, background: torch.Tensor) -> Palette:
        """Return the palette of the photo taken nearest to a camera; of the one most alike where nobody knows.

        rgb [H, W, 3] over the background [3], alpha [H, W, 1] are of the view that is compared.
        """
        if self.cameras is not None:
            ahead = normalize(self.cameras.position, dim=-1) @ normalize(camera.position[0], dim=-1).to(
                self.cameras.position
            )
            return Palette(None, self.palettes[int(ahead.argmax())])
        own = solid_colours(rgb.detach(), alpha, background)
        if len(own) < MIN_CELLS:
            return Palette(None, self.palettes[0])
        return Palette(None, min(self.palettes, key=lambda each: float(sliced_distance(own, each.to(own)))))

    def loss(self, rgb: torch.Tensor, alpha: torch.Tensor, background: torch.Tensor, cameras: Cameras) -> torch.Tensor:
        """Return how far the colours of renderings [B, H, W, 3] are from those of the nearest photos, a scalar."""
        total = rgb.new_zeros(())
        for camera, picture, cover in zip(cameras, rgb, alpha, strict=True):
            palette = self.palette(camera, picture, cover, background)
            total = total + palette.loss(picture[None], cover[None], background, camera)
        return total / len(rgb)

    @torch.no_grad()
    def recoloured(self, pictures: torch.Tensor, mask: torch.Tensor, cameras: Cameras) -> torch.Tensor:
        """Return views [B, H, W, 3] on white, carried over to the nearest photos' colours as far as they disagree."""
        white, made = torch.ones(3).to(pictures), []
        for camera, picture, inside in zip(cameras, pictures, mask, strict=True):
            palette = self.palette(camera, picture, inside, white)
            made.append(recoloured(picture[None], inside[None], camera, palette)[0])
        return torch.stack(made)
