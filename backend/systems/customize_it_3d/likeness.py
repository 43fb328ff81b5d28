"""How much views of other sides are of the same thing as the image, and as described, in what networks see in them.

Source: Customize-It-3D's code: CLIP's image and text losses, in both stages; Mechrez et al., 2018 (contextual).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from backend.losses import contextual
from backend.systems.customize_it_3d.perceived import Perceived
from backend.vision.features import Features, load_features
from backend.vision.image_encoder import ImageText, load_image_text
from backend.weights import network_name


@dataclass(frozen=True)
class Likeness:
    """The image and the words in the networks' vectors; what has weight 0 is not asked for."""

    pair: ImageText | None
    image: Tensor | None  # [1, C], unit
    text: Tensor | None  # [1, C], unit
    features: Features | None
    patches: Tensor | None  # [1, N, C], of the image

    def loss(self, views: Tensor, *, image: float = 0.0, text: float = 0.0, details: float = 0.0) -> Tensor:
        """Return the weighted sum over views [B, H, W, 3]: minus cosines, and the contextual loss. Differentiable."""
        total = views.new_zeros(())
        if self.pair is not None and (image or text):
            vectors = self.pair.images(views)
            for weight, wanted in ((image, self.image), (text, self.text)):
                if weight and wanted is not None:
                    total = total - weight * (vectors @ wanted.T).mean()
        if self.features is not None and self.patches is not None and details:
            patches = self.features(views)[1]
            total = total + details * contextual(patches, self.patches.expand(len(patches), -1, -1))
        return total


@torch.no_grad()
def load_likeness(
    seen: Perceived, words: str, companions: str, device: Any, *, image: bool, text: bool, details: bool
) -> Likeness | None:
    """Return what compares views with image and words; None where nothing is asked for. Raises MissingModel."""
    if not (image or text or details):
        return None
    pair = load_image_text(network_name(companions, "image_encoder"), device) if image or text else None
    features = load_features(network_name(companions, "features"), device) if details else None
    picture = seen.picture("rgb").to(device)
    return Likeness(
        pair,
        pair.images(picture) if pair is not None else None,
        pair.texts([words]) if pair is not None else None,
        features,
        features(picture)[1] if features is not None else None,
    )
