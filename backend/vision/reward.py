"""How well an image agrees with a prompt, in deviations from what is usual; differentiable."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from backend.errors import MissingModel
from backend.vision.image_encoder import ImageText, load_image_text
from backend.weights import network_folder

# Of PickScore v1, where the folder has no reward.json: an estimate, from averages of about 21 that papers report for
# Stable Diffusion 1.5. Whoever relies on the scale measures it and writes the file.
PICKSCORE = {"mean": 21.0, "std": 1.5}


@dataclass(frozen=True)
class Reward:
    """A CLIP that was trained to prefer what people (or, the embedded one, true captions) prefer.

    Source: Kirstain et al., Pick-a-Pic: An Open Dataset of User Preferences for Text-to-Image Generation, 2023, eq. 1.
    """

    pair: ImageText
    mean: float
    std: float

    def read(self, prompts: Sequence[str]) -> torch.Tensor:
        """Return vectors [B, C] of prompts; do it once for each prompt."""
        return self.pair.texts(prompts)

    def __call__(self, images: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
        """Return the reward [B] of sRGB images [B, H, W, 3] in [0, 1] for what `read` returned, [B or 1, C].

        Pairs as the network was trained with have mean 0 and deviation 1.
        """
        raw = self.pair.scale * (self.pair.images(images) * words).sum(dim=-1)
        return (raw - self.mean) / self.std


def load_reward(name: str, device: torch.device | str = "cpu") -> Reward:
    """Load the embedded network, or one of PickScore's layout from a local folder.

    `reward.json` there, {"mean", "std"} of the raw score, says what is usual. Raises MissingModel.
    """
    folder = network_folder(name, "reward", ("config.json", "tokenizer_config.json", "preprocessor_config.json"))
    path = folder / "reward.json"
    usual = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else PICKSCORE
    numbers = [value for key in ("mean", "std") if isinstance(value := usual.get(key), int | float)]
    if len(numbers) < 2 or not all(math.isfinite(value) for value in numbers) or numbers[1] <= 0:
        raise MissingModel(f"{path} holds {usual}.", "It must hold numbers for mean and std, std above 0.")
    return Reward(load_image_text(str(folder), device), float(numbers[0]), float(numbers[1]))
