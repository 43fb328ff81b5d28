"""Which part of an image is the subject: images [B, H, W, 3] -> alpha [B, H, W, 1] in [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch.nn import functional

from backend.images import subject_mask
from backend.vision.perception import Perception, load_perception
from backend.vision.pixels import IMAGENET_MEAN, IMAGENET_STD
from backend.weights import load_frozen, network_folder

COLOURS = "colours"  # the name of what needs no network
INSET = 0.02  # of the picture: how far inside its corners the background is asked for


class Matting(Protocol):
    """Tells the subject from the background."""

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Return alpha [B, H, W, 1] of sRGB images [B, H, W, 3] in [0, 1]."""
        ...


@dataclass(frozen=True)
class ColourMatting:
    """Whatever differs from the colours along the border, without any network; raises EmptyMask."""

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Return alpha [B, H, W, 1]."""
        masks = [subject_mask(image, None) for image in images.detach().cpu()]
        return torch.stack(masks).to(images)


@dataclass(frozen=True)
class PerceptionMatting:
    """The embedded network; differentiable."""

    perception: Perception

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Return alpha [B, H, W, 1]."""
        return self.perception(images).mask


@dataclass(frozen=True)
class PointMatting:
    """Segment Anything, asked for what lies in the middle of the picture and not in its corners."""

    network: Any  # transformers' SamModel

    @torch.no_grad()
    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Return alpha [B, H, W, 1]; of the three candidates the one that the network itself thinks best of."""
        height, width = images.shape[1:3]
        frame = self.network.config.vision_config.image_size
        scale = frame / max(height, width)
        rows, columns = round(height * scale), round(width * scale)
        weight = next(self.network.parameters())
        pixels = functional.interpolate(
            images.permute(0, 3, 1, 2).to(weight), (rows, columns), mode="bilinear", antialias=True, align_corners=False
        )
        mean, std = (pixels.new_tensor(values)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_STD))
        pixels = functional.pad((pixels - mean) / std, (0, frame - columns, 0, frame - rows))
        points, labels = corner_points(rows, columns)
        count = len(images)
        seen = self.network(
            pixel_values=pixels,
            input_points=points.to(weight).expand(count, 1, -1, -1),
            input_labels=labels.to(weight.device).expand(count, 1, -1),
        )
        best = seen.iou_scores[:, 0].argmax(dim=-1)  # [B]
        logits = seen.pred_masks[torch.arange(count), 0, best][:, None].float()  # [B, 1, h, w] of the padded frame
        logits = functional.interpolate(logits, (frame, frame), mode="bilinear", align_corners=False)
        logits = functional.interpolate(
            logits[..., :rows, :columns], (height, width), mode="bilinear", align_corners=False
        )
        return logits.sigmoid().permute(0, 2, 3, 1).to(images)


def corner_points(rows: int, columns: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the middle and four points near the corners, (x, y) [5, 2], and what they are: subject 1, else 0."""
    low, high = INSET, 1 - INSET
    places = torch.tensor([[0.5, 0.5], [low, low], [high, low], [low, high], [high, high]])
    return places * torch.tensor([float(columns), float(rows)]), torch.tensor([1, 0, 0, 0, 0])


def load_matting(name: str, device: torch.device | str = "cpu") -> Matting:
    """Load by name: `colours` (no network), `embedded`, or a local folder with a Segment Anything model (SamModel).

    Raises MissingModel.
    """
    if name == COLOURS:
        return ColourMatting()
    if name == "embedded":
        return PerceptionMatting(load_perception(name, device))
    from transformers import SamModel

    return PointMatting(load_frozen(SamModel, network_folder(name, "matting"), device))
