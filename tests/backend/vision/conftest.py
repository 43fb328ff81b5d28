"""What tests of images and words share: the bundled tokenizer, and encoders whose meaning is known."""

from __future__ import annotations

import pytest
import torch
from transformers import CLIPTokenizer

from backend.diffusion.denoiser import EMBEDDED
from backend.vision.image_encoder import ImageText


class Meaning(ImageText):
    """Encoders that know red mugs: the first axis is how red, the second how much of a mug, the third the rest."""

    def images(self, images: torch.Tensor) -> torch.Tensor:
        red = images[..., 0].mean(dim=(1, 2)) - images[..., 2].mean(dim=(1, 2))
        vectors = torch.stack([red, torch.ones_like(red), 0.1 * torch.ones_like(red)], dim=-1)
        return torch.nn.functional.normalize(vectors, dim=-1)

    def texts(self, prompts) -> torch.Tensor:
        vectors = [[1.0 * ("red" in p), 1.0 * ("mug" in p), 0.1] for p in prompts]
        return torch.nn.functional.normalize(torch.tensor(vectors), dim=-1)


@pytest.fixture(scope="session")
def tokenizer():
    return CLIPTokenizer.from_pretrained(EMBEDDED, subfolder="tokenizer", local_files_only=True)


@pytest.fixture(scope="session")
def red_mugs(tokenizer):
    """Encoders that know red mugs."""
    return Meaning(None, None, tokenizer, torch.zeros(1), 10.0)  # pyright: ignore[reportArgumentType]
