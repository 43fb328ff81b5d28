"""Three CLIP-like judges, each an image tower and a text tower of its own kind: conv_s, conv_m, vit.

They take the part that CLIP B/16, B/32 and L/14 have in the papers: R-precision, CLIP score, features of Frechet
distances and of A-LPIPS. Nothing of them is shared with the networks that guide.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from benchmarks.judges.renders import SIDE, shrink

FOLDER = Path(__file__).parent
TOWERS = ("conv_s", "conv_m", "vit")
EMBED = 128
MAX_WORDS = 24


class PlainConvolutions(nn.Module):
    """Patches of 4 px, then convolutions with batch norm; about 0.9 M parameters."""

    def __init__(self) -> None:
        super().__init__()

        def block(before: int, after: int, stride: int) -> nn.Sequential:
            return nn.Sequential(
                nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=False)
            )

        self.stages = nn.ModuleList(
            [
                nn.Sequential(nn.Conv2d(3, 64, 4, 4), nn.ReLU(), block(64, 96, 1)),  # 16 x 16
                nn.Sequential(block(96, 128, 2), block(128, 192, 1)),  # 8 x 8
                block(192, 256, 2),  # 4 x 4
            ]
        )
        self.head = nn.Linear(256 * 4, EMBED)

    def maps(self, planes: torch.Tensor) -> list[torch.Tensor]:
        """Return the feature maps after each stage, [B, C, h, w]."""
        found = []
        for stage in self.stages:
            planes = stage(planes)
            found.append(planes)
        return found

    def forward(self, planes: torch.Tensor) -> torch.Tensor:
        """Return features [B, 128] of images [B, 3, 64, 64] in [-1, 1]."""
        return self.head(nn.functional.adaptive_avg_pool2d(self.maps(planes)[-1], 2).flatten(1))


class Residual(nn.Module):
    """Two convolutions around a shortcut, each after its batch norm."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.second = nn.Conv2d(after, after, 3, 1, 1)
        self.norms = nn.ModuleList([nn.BatchNorm2d(before), nn.BatchNorm2d(after)])
        self.shortcut = nn.Conv2d(before, after, 1, stride) if before != after else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return maps [B, after, h / stride, w / stride]."""
        y = self.first(nn.functional.silu(self.norms[0](x)))
        return self.shortcut(x) + self.second(nn.functional.silu(self.norms[1](y)))


class ResidualConvolutions(nn.Module):
    """Pixels unshuffled by two, then residual blocks; about 1.8 M parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(12, 48, 3, 2, 1))  # 16 x 16
        self.stages = nn.ModuleList([Residual(48, 96, 1), Residual(96, 176, 2), Residual(176, 256, 2)])
        self.head = nn.Sequential(nn.SiLU(), nn.Linear(256, 384), nn.SiLU(), nn.Linear(384, EMBED))

    def maps(self, planes: torch.Tensor) -> list[torch.Tensor]:
        """Return the feature maps after each stage, [B, C, h, w]."""
        found, planes = [], self.stem(planes)
        for stage in self.stages:
            planes = stage(planes)
            found.append(planes)
        return found

    def forward(self, planes: torch.Tensor) -> torch.Tensor:
        """Return features [B, 128] of images [B, 3, 64, 64] in [-1, 1]."""
        return self.head(self.maps(planes)[-1].amax((2, 3)))


class Layer(nn.Module):
    """A transformer layer that norms first. Written out: torch's own is several times slower in bfloat16 on a CPU."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.attend = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))

    def forward(self, x: torch.Tensor, missing: torch.Tensor | None = None) -> torch.Tensor:
        """Return tokens [B, N, width]; those that are `missing` [B, N] are not looked at."""
        query, key, value = self.attend(self.norms[0](x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        weights = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5  # [B, heads, N, N]
        if missing is not None:
            weights = weights.masked_fill(missing[:, None, None], -1e4)
        x = x + self.out((weights.softmax(-1).to(value.dtype) @ value).transpose(1, 2).flatten(2))
        return x + self.mlp(self.norms[1](x))


class VisionTransformer(nn.Module):
    """Patches of 8 px from a small convolutional stem, then five transformer layers; about 1 M parameters."""

    def __init__(self, width: int = 128, depth: int = 5) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 48, 4, 4), nn.GELU(), nn.Conv2d(48, width, 2, 2))
        self.position = nn.Parameter(0.02 * torch.randn(1, (SIDE // 8) ** 2 + 1, width))
        self.summary = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.layers = nn.ModuleList(Layer(width, 4, 3 * width) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, EMBED)

    def tokens(self, planes: torch.Tensor) -> list[torch.Tensor]:
        """Return the tokens after each layer, [B, 1 + 64, width]; the first sums the image up."""
        x = self.stem(planes).flatten(2).transpose(1, 2)
        x = torch.cat([self.summary.expand(len(x), -1, -1), x], 1) + self.position
        found = []
        for layer in self.layers:
            x = layer(x)
            found.append(x)
        return found

    def maps(self, planes: torch.Tensor) -> list[torch.Tensor]:
        """Return the feature maps after the second and the fourth layer, [B, width, 8, 8]."""
        return [x[:, 1:].transpose(1, 2).unflatten(-1, (SIDE // 8, -1)) for x in self.tokens(planes)[1::2]]

    def forward(self, planes: torch.Tensor) -> torch.Tensor:
        """Return features [B, 128] of images [B, 3, 64, 64] in [-1, 1]."""
        return self.head(self.norm(self.tokens(planes)[-1][:, 0]))


class WordConvolution(nn.Module):
    """Text tower of conv_s: convolutions over three words, the largest answer of each channel."""

    def __init__(self, words: int, width: int = 96) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, width, padding_idx=0)
        self.convolution = nn.Conv1d(width, 2 * width, 3, padding=1)
        self.head = nn.Linear(2 * width, EMBED)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Return features [N, 128] of word numbers [N, W]; 0 is no word."""
        seen = self.convolution(self.embedding(ids).transpose(1, 2)).masked_fill((ids == 0)[:, None], -1e4)
        return self.head(nn.functional.relu(seen.amax(-1)))


class WordRecurrence(nn.Module):
    """Text tower of conv_m: a recurrent network, its mean over the words."""

    def __init__(self, words: int, width: int = 96) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, width, padding_idx=0)
        self.recurrence = nn.GRU(width, 2 * width, batch_first=True)
        self.head = nn.Linear(2 * width, EMBED)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Return features [N, 128] of word numbers [N, W]; 0 is no word."""
        said = (ids > 0)[..., None].float()
        states = self.recurrence(self.embedding(ids))[0] * said
        return self.head(states.sum(1) / said.sum(1).clamp_min(1))


class WordTransformer(nn.Module):
    """Text tower of vit: two transformer layers over the words, their mean."""

    def __init__(self, words: int, width: int = 96) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, width, padding_idx=0)
        self.position = nn.Parameter(0.02 * torch.randn(1, MAX_WORDS, width))
        self.layers = nn.ModuleList(Layer(width, 3, 2 * width) for _ in range(2))
        self.head = nn.Linear(width, EMBED)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Return features [N, 128] of word numbers [N, W]; 0 is no word."""
        x, missing = self.embedding(ids) + self.position[:, : ids.shape[1]], ids == 0
        for layer in self.layers:
            x = layer(x, missing)
        said = (~missing)[..., None].float()
        return self.head((x * said).sum(1) / said.sum(1).clamp_min(1))


class Tower(nn.Module):
    """An image tower and a text tower that meet in one space."""

    def __init__(self, name: str, words: Sequence[str]) -> None:
        super().__init__()
        kinds = {
            "conv_s": (PlainConvolutions, WordConvolution),
            "conv_m": (ResidualConvolutions, WordRecurrence),
            "vit": (VisionTransformer, WordTransformer),
        }
        if name not in kinds:
            raise ValueError(f"unknown tower {name!r}: one of {', '.join(kinds)}")
        self.name, self.words = name, tuple(words)
        self.numbers = {word: i + 2 for i, word in enumerate(self.words)}  # 0 is no word, 1 an unknown one
        self.vision = kinds[name][0]()
        self.language = kinds[name][1](len(self.words) + 2)
        self.log_scale = nn.Parameter(torch.tensor(2.5))

    def images(self, images: torch.Tensor) -> torch.Tensor:
        """Return unit features [B, 128] of square images [B, H, W, 3] in [0, 1] of any size."""
        return nn.functional.normalize(self.vision(_planes(images)), dim=-1)

    def captions(self, captions: Sequence[str]) -> torch.Tensor:
        """Return unit features [N, 128] of captions; words that the judge never learned count as unknown."""
        ids = torch.tensor([self._ids(words) for words in captions], device=self.log_scale.device)
        ids = ids[:, : int((ids > 0).sum(1).max())]  # no tower looks at what is missing
        return nn.functional.normalize(self.language(ids), dim=-1)

    def maps(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Return the image tower's feature maps [B, C, h, w] of images [B, H, W, 3] in [0, 1], fine to coarse."""
        return self.vision.maps(_planes(images))

    def unknown(self, text: str) -> list[str]:
        """Return the words of a text that the tower never learned."""
        return [word for word in split_words(text) if word not in self.numbers]

    def _ids(self, text: str) -> list[int]:
        numbers = [self.numbers.get(word, 1) for word in split_words(text)][:MAX_WORDS] or [1]
        return numbers + [0] * (MAX_WORDS - len(numbers))


def split_words(text: str) -> list[str]:
    """Return the words of a text: runs of letters, in lower case."""
    return re.findall(r"[a-z]+", text.lower())


def _planes(images: torch.Tensor) -> torch.Tensor:
    return shrink(images).permute(0, 3, 1, 2) * 2 - 1


def save_tower(tower: Tower, path: Path) -> None:
    """Write a tower in half precision, with its words."""
    tensors = {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in tower.state_dict().items()
    }
    save_file(tensors, path, metadata={"name": tower.name, "words": json.dumps(tower.words)})


def load_tower(name: str, path: Path | None = None) -> Tower:
    """Return a trained tower in single precision. Raises FileNotFoundError where it has not been trained."""
    path = path or FOLDER / f"{name}.safetensors"
    if not path.exists():
        raise FileNotFoundError(f"{path.name} is not there: run `python -m benchmarks.judges.train_tower {name}`")
    with safe_open(path, "pt") as file:
        words = json.loads(file.metadata()["words"])
    tower = Tower(name, words)
    tower.load_state_dict({key: v.float() if v.is_floating_point() else v for key, v in load_file(path).items()})
    return tower.eval().requires_grad_(False)
