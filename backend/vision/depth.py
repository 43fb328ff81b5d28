"""How near everything in an image is: images [B, H, W, 3] -> [B, H, W, 1], larger is nearer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch

from backend.vision.perception import Perception, load_perception
from backend.vision.pixels import Pixels, read_pixels, to_maps
from backend.weights import load_frozen, network_folder


class Depth(Protocol):
    """Estimates nearness up to an unknown scale and offset, differentiably."""

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Return nearness [B, H, W, 1] of sRGB images [B, H, W, 3] in [0, 1]."""
        ...


@dataclass(frozen=True)
class PerceptionDepth:
    """The embedded network."""

    perception: Perception

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Return nearness [B, H, W, 1]."""
        return self.perception(images).depth


@dataclass(frozen=True)
class DepthAnything:
    """transformers' DepthAnythingForDepthEstimation, versions 1 and 2."""

    network: Any
    pixels: Pixels

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Return nearness [B, H, W, 1]: the network's own disparity, or 1 / depth where it was trained in metres."""
        weight = next(self.network.parameters())
        out = self.network(self.pixels(images.to(weight))).predicted_depth[:, None]  # [B, 1, h, w]
        if self.network.config.depth_estimation_type == "metric":
            out = 1 / out.clamp_min(1e-3)
        return to_maps(out, images)


def load_depth(name: str, device: torch.device | str = "cpu") -> Depth:
    """Load the embedded network, or a Depth Anything from a local folder. Raises MissingModel."""
    if name == "embedded":
        return PerceptionDepth(load_perception(name, device))
    from transformers import DepthAnythingForDepthEstimation

    folder = network_folder(name, "depth")
    return DepthAnything(load_frozen(DepthAnythingForDepthEstimation, folder, device), read_pixels(folder))
