"""What an image is like, in vectors that were learnt without words; for semantic losses and comparisons of style."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from backend.vision.pixels import Pixels, read_pixels
from backend.weights import load_frozen, network_folder


@dataclass(frozen=True)
class Features:
    """A vision transformer in DINO's layout (transformers' ViTModel); differentiable.

    Source: Caron et al., Emerging Properties in Self-Supervised Vision Transformers, 2021.
    """

    network: Any
    pixels: Pixels

    def __call__(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the whole's vector [B, C] and the patches' [B, N, C], row by row, of sRGB [B, H, W, 3] in [0, 1]."""
        weight = next(self.network.parameters())
        pixels = self.pixels(images.to(weight))
        side = self.network.config.image_size
        tokens = self.network(pixels, interpolate_pos_encoding=pixels.shape[-2:] != (side, side)).last_hidden_state
        return tokens[:, 0].float(), tokens[:, 1:].float()


def load_features(name: str, device: torch.device | str = "cpu") -> Features:
    """Load the embedded network, or a DINO from a local folder. Raises MissingModel."""
    from transformers import ViTModel

    folder = network_folder(name, "features")
    # DINO has no pooling layer: the class token is the whole's vector.
    return Features(load_frozen(ViTModel, folder, device, add_pooling_layer=False), read_pixels(folder))
