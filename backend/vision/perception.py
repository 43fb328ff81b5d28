"""The embedded network that sees the subject's mask, depth and normals in one pass."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from backend.errors import MissingModel
from backend.vision.pixels import resize, to_maps
from backend.weights import load_frozen, network_folder

CHANNELS = (1, 1, 3)  # mask logit, depth, normal


@dataclass(frozen=True)
class Seen:
    """What is seen in images [B, H, W, 3]."""

    mask: torch.Tensor  # [B, H, W, 1] in [0, 1]
    depth: torch.Tensor  # [B, H, W, 1], larger is nearer; scale and offset are anyone's guess
    normal: torch.Tensor  # [B, H, W, 3], camera axes: +x right, +y up, +z to the viewer; unit length


@dataclass(frozen=True)
class Perception:
    """diffusers' UNet2DModel on images folded so that n x n pixels lie in channels; differentiable."""

    network: Any
    fold: int  # n
    size: int  # pixels, of the images that it was trained on

    def __call__(self, images: torch.Tensor) -> Seen:
        """See sRGB images [B, H, W, 3] in [0, 1]."""
        weight = next(self.network.parameters())
        height, width = images.shape[1:3]
        side = max(height, width)
        left, top = (side - width) // 2, (side - height) // 2
        around = (left, side - width - left, top, side - height - top)
        square = functional.pad(images.permute(0, 3, 1, 2).to(weight), around, mode="replicate")
        pixels = resize(square, self.size, self.size) * 2 - 1  # [B, 3, S, S]
        out = self.network(functional.pixel_unshuffle(pixels, self.fold), 0).sample  # no noise: t is 0
        maps = to_maps(functional.pixel_shuffle(out, self.fold), square.permute(0, 2, 3, 1))
        maps = maps[:, top : top + height, left : left + width]  # [B, H, W, 5]
        mask, depth, normal = maps.split(CHANNELS, dim=-1)
        return Seen(mask.sigmoid(), depth, functional.normalize(normal, dim=-1, eps=1e-6))


def load_perception(name: str, device: torch.device | str = "cpu") -> Perception:
    """Load the embedded network, or one of its layout from a local folder. Raises MissingModel."""
    from diffusers import UNet2DModel

    folder = network_folder(name, "perception", ("config.json", "diffusion_pytorch_model.safetensors"))
    network = load_frozen(UNet2DModel, folder, device)
    config = network.config
    fold = math.isqrt(config.in_channels // 3)
    if (config.in_channels, config.out_channels) != (3 * fold**2, sum(CHANNELS) * fold**2):
        raise MissingModel(
            f"The network in {folder} has {config.in_channels} channels in and {config.out_channels} out.",
            f"It must have 3 and {sum(CHANNELS)} for each of n x n folded pixels.",
        )
    return Perception(network, fold, fold * config.sample_size)
