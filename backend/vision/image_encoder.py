"""The vision half of CLIP, which turns an image into one vector, and the agreement of images with words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch.nn import functional

from backend.errors import MissingModel
from backend.vision.pixels import Pixels, read_pixels
from backend.weights import EMBEDDED, load_frozen, network_folder

PROJECTION = "text_projection.safetensors"


@dataclass(frozen=True)
class ImageEncoder:
    """transformers' CLIPVisionModelWithProjection and the pixels that it wants; differentiable."""

    network: Any
    pixels: Pixels

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Return the embeddings [B, C] (fp32, not normalised) of sRGB images [B, H, W, 3] in [0, 1]."""
        weight = next(self.network.parameters())
        return self.network(self.pixels(images.to(weight))).image_embeds.float()

    @property
    def width(self) -> int:
        """Return C."""
        return self.network.config.projection_dim


def load_image_encoder(name: str, device: torch.device | str = "cpu") -> ImageEncoder:
    """Load the embedded encoder, or any CLIP vision tower from a local folder. Raises MissingModel."""
    from transformers import CLIPVisionModelWithProjection

    folder = network_folder(name, "image_encoder")
    return ImageEncoder(load_frozen(CLIPVisionModelWithProjection, folder, device), encoder_pixels(folder))


def encoder_pixels(folder: Path) -> Pixels:
    """Return the pixels that a CLIP encoder in a folder wants: those of its processor's file, beside or in it.

    The public IP-Adapter and Zero-1-to-3 keep no such file with the encoder, or one folder further; then CLIP's own
    colours are used, at the size that the network's config.json tells.
    """
    for place in (folder, folder.parent / "feature_extractor"):
        if (place / "preprocessor_config.json").is_file():
            return read_pixels(place)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    side = config.get("vision_config", config).get("image_size", 224)
    return Pixels((side, side), CLIP_MEAN, CLIP_STD, keep_aspect=True, crop=(side, side))


CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class ImageText:
    """A pair of encoders with a common space; both return unit vectors."""

    image_encoder: ImageEncoder
    text_encoder: Any
    tokenizer: Any
    text_projection: torch.Tensor  # [C, text width]
    scale: float  # what CLIP multiplies cosines by, exp(logit_scale)

    def images(self, images: torch.Tensor) -> torch.Tensor:
        """Return unit vectors [B, C] of sRGB images [B, H, W, 3] in [0, 1], differentiably."""
        return functional.normalize(self.image_encoder(images), dim=-1)

    @torch.no_grad()
    def texts(self, prompts: Sequence[str]) -> torch.Tensor:
        """Return unit vectors [B, C] of prompts."""
        tokens = self.tokenizer(
            list(prompts), padding="max_length", truncation=True, max_length=self.tokenizer.model_max_length,
            return_tensors="pt",
        )  # fmt: skip
        pooled = self.text_encoder(tokens.input_ids.to(self.text_projection.device)).pooler_output
        return functional.normalize(pooled.float() @ self.text_projection.T, dim=-1)

    def similarity(self, images: torch.Tensor, prompts: Sequence[str]) -> torch.Tensor:
        """Return the cosines [B, N] of images [B, H, W, 3] with N prompts."""
        return self.images(images) @ self.texts(prompts).T


def load_image_text(name: str, device: torch.device | str = "cpu") -> ImageText:
    """Load the embedded pair, or a whole public CLIP (CLIPModel with its tokenizer) from a local folder.

    Raises MissingModel.
    """
    from transformers import CLIPModel, CLIPTextModel, CLIPTokenizer, CLIPVisionModelWithProjection

    if name == "embedded":
        folder = network_folder(name, "image_encoder", ("config.json", PROJECTION))
        tokenizer = CLIPTokenizer.from_pretrained(EMBEDDED, subfolder="tokenizer", local_files_only=True)
        text_encoder = load_frozen(CLIPTextModel, EMBEDDED / "text_encoder", device)
        projection = {key: value.float().to(device) for key, value in load_file(folder / PROJECTION).items()}
        return ImageText(
            load_image_encoder(name, device), text_encoder, tokenizer, projection["weight"],
            float(projection["logit_scale"].exp()),
        )  # fmt: skip
    folder = network_folder(name, "image_encoder", ("config.json", "tokenizer_config.json"))
    if json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type") != "clip":
        raise MissingModel(
            f"{folder} holds no text encoder beside its image encoder.", "Give the folder of a whole CLIPModel."
        )
    whole = load_frozen(CLIPModel, folder, device)
    vision: Any = CLIPVisionModelWithProjection(whole.config.vision_config).requires_grad_(False).eval()
    vision.vision_model, vision.visual_projection = whole.vision_model, whole.visual_projection
    tokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    return ImageText(
        ImageEncoder(vision, encoder_pixels(folder)), whole.text_model, tokenizer, whole.text_projection.weight,
        float(whole.logit_scale.exp()),
    )  # fmt: skip
