"""Which way surfaces face: images [B, H, W, 3] -> unit vectors [B, H, W, 3] in camera axes.

The axes are +x right, +y up, +z to the viewer. `load_geometry` gives depth and normals together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch.nn import functional

from backend.vision.depth import load_depth
from backend.vision.perception import Perception, load_perception
from backend.weights import load_frozen, network_folder

STEPS = 4  # Marigold's own few-step setting


class Normals(Protocol):
    """Estimates normals."""

    @property
    def differentiable(self) -> bool:
        """Say whether gradients reach the images."""
        ...

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Return unit normals [B, H, W, 3] of sRGB images [B, H, W, 3] in [0, 1]."""
        ...


@dataclass(frozen=True)
class PerceptionNormals:
    """The embedded network."""

    perception: Perception
    differentiable: bool = True

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Return unit normals [B, H, W, 3]."""
        return self.perception(images).normal


@dataclass(frozen=True)
class MarigoldNormals:
    """diffusers' MarigoldNormalsPipeline, whose axes are ours already; it lets no gradient through.

    diffusers says so of its defaults: x right, y top, z facing the observer (MarigoldImageProcessor.visualize_normals).
    """

    pipeline: Any
    steps: int = STEPS
    differentiable: bool = False

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Return unit normals [B, H, W, 3]; always the same ones for the same images."""
        generator = torch.Generator(self.pipeline.device).manual_seed(0)
        normals = self.pipeline(
            images.detach().clamp(0, 1).permute(0, 3, 1, 2),
            num_inference_steps=self.steps,
            generator=generator,
            output_type="pt",
        ).prediction  # [B, 3, H, W]
        return functional.normalize(normals.float(), dim=1, eps=1e-6).permute(0, 2, 3, 1).to(images)


@dataclass(frozen=True)
class Geometry:
    """Depth and normals together."""

    look: Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
    differentiable: bool = True

    def __call__(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return nearness [B, H, W, 1] and unit normals [B, H, W, 3] of sRGB images [B, H, W, 3] in [0, 1]."""
        return self.look(images)


def load_normals(name: str, device: torch.device | str = "cpu") -> Normals:
    """Load the embedded network, or a Marigold normals pipeline from a local folder. Raises MissingModel."""
    if name == "embedded":
        return PerceptionNormals(load_perception(name, device))
    return _load_marigold(network_folder(name, "normals", ("model_index.json",)), device)


def load_geometry(depth: str, normals: str, device: torch.device | str = "cpu") -> Geometry:
    """Return both networks as one: in one pass where both are the embedded network. Raises MissingModel."""
    if depth == normals == "embedded":
        return geometry_of(load_perception("embedded", device))
    depth_of, normals_of = load_depth(depth, device), load_normals(normals, device)
    return Geometry(lambda images: (depth_of(images), normals_of(images)), normals_of.differentiable)


def geometry_of(perception: Perception) -> Geometry:
    """Return the embedded network's depth and normals, by one pass."""

    def look(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        seen = perception(images)
        return seen.depth, seen.normal

    return Geometry(look)


def _load_marigold(folder: Path, device: torch.device | str) -> MarigoldNormals:
    from diffusers import AutoencoderKL, MarigoldNormalsPipeline, UNet2DConditionModel
    from transformers import CLIPTextModel

    pipeline: Any = MarigoldNormalsPipeline.from_pretrained(
        folder,
        unet=load_frozen(UNet2DConditionModel, folder / "unet", device),
        vae=load_frozen(AutoencoderKL, folder / "vae", device),
        text_encoder=load_frozen(CLIPTextModel, folder / "text_encoder", device),
        local_files_only=True,
        use_safetensors=True,
    )
    pipeline.set_progress_bar_config(disable=True)
    return MarigoldNormals(pipeline)
