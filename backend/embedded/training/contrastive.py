"""Trains what compares: the image encoder (CLIP pair of the text encoder), the reward, and self-supervised features."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false
# transformers annotates its defaults, not what it takes.
from __future__ import annotations

import json
import math
import random
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPTextModel,
    CLIPTokenizer,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    ViTConfig,
    ViTModel,
)

from backend.embedded.objects.data import SIZE, load_dataset
from backend.embedded.objects.shapes import COLOURS, STYLES, TRAINED_CATEGORIES
from backend.embedded.objects.solids import PATTERNS
from backend.embedded.precision import mixed
from backend.embedded.training.autoencoder import to_network
from backend.embedded.training.denoiser import describe
from backend.embedded.training.loop import fit

PEAK_RATE = 1e-3
BATCH = 64
PATCH = 16
FEATURE_WIDTH = 128
PROCESSOR = CLIPImageProcessorPil(
    size={"shortest_edge": SIZE}, crop_size={"height": SIZE, "width": SIZE}, image_mean=[0.5] * 3, image_std=[0.5] * 3
)


class Pair(torch.nn.Module):
    """An image tower and a projection of the base's frozen text encoder into the same space."""

    def __init__(self, text_encoder: CLIPTextModel) -> None:
        super().__init__()
        width = text_encoder.config.hidden_size
        self.vision = CLIPVisionModelWithProjection(vision_config(width))
        self.text_projection = torch.nn.Linear(width, width, bias=False)
        self.logit_scale = torch.nn.Parameter(torch.tensor(math.log(10.0)))
        self.text_encoder = text_encoder.requires_grad_(False)

    def forward(self, images: torch.Tensor, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return unit embeddings [B, width] of images [B, 3, 128, 128] in [-1, 1] and [T, width] of tokens."""
        seen = self.vision(images).image_embeds
        with torch.no_grad():
            pooled = self.text_encoder(tokens).pooler_output
        said = self.text_projection(pooled)
        return torch.nn.functional.normalize(seen, dim=-1), torch.nn.functional.normalize(said, dim=-1)


class Reward(torch.nn.Module):
    """A whole CLIP of its own, that guidance may see."""

    def __init__(self, tokenizer: CLIPTokenizer) -> None:
        super().__init__()
        text = {
            "vocab_size": len(tokenizer), "hidden_size": 128, "intermediate_size": 512, "num_hidden_layers": 2,
            "num_attention_heads": 4, "max_position_embeddings": tokenizer.model_max_length,
            "bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        }  # fmt: skip
        vision = vision_config(FEATURE_WIDTH).to_dict()
        config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=FEATURE_WIDTH)
        self.clip = CLIPModel(config)
        torch.nn.init.constant_(self.clip.logit_scale, math.log(10.0))

    @property
    def logit_scale(self) -> torch.Tensor:
        """Return the logarithm of the inverse temperature."""
        return self.clip.logit_scale

    def forward(self, images: torch.Tensor, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return unit embeddings [B, width] of images [B, 3, 128, 128] in [-1, 1] and [T, width] of tokens."""
        out = self.clip(input_ids=tokens, pixel_values=images)
        return out.image_embeds, out.text_embeds


class Features(torch.nn.Module):
    """A vision transformer in DINO's layout, and the head that only its training needs."""

    def __init__(self) -> None:
        super().__init__()
        width = FEATURE_WIDTH
        self.vit = ViTModel(
            ViTConfig(
                hidden_size=width, num_hidden_layers=4, num_attention_heads=4, intermediate_size=4 * width,
                image_size=SIZE, patch_size=PATCH,
            ),
            add_pooling_layer=False,
        )  # fmt: skip
        self.head = torch.nn.Sequential(torch.nn.Linear(width, width), torch.nn.GELU(), torch.nn.Linear(width, 64))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return unit vectors [B, 64] of images [B, 3, 128, 128] in [-1, 1]."""
        return torch.nn.functional.normalize(self.head(self.vit(images).last_hidden_state[:, 0]), dim=-1)


def vision_config(width: int) -> CLIPVisionConfig:
    """Return an image tower of four layers for 128 px in patches of 16."""
    return CLIPVisionConfig(
        hidden_size=width, intermediate_size=4 * width, num_hidden_layers=4, num_attention_heads=width // 32,
        image_size=SIZE, patch_size=PATCH, projection_dim=width,
    )  # fmt: skip


def train_pair(
    folder: Path, renders: Path, minutes: float, text_encoder: CLIPTextModel, tokenizer: CLIPTokenizer
) -> Pair:
    """Train the image encoder against captions, right ones and ones with one fact wrong."""
    shards, facts = load_dataset(renders)
    pair = Pair(text_encoder)

    def loss_of_batch(rng: random.Random) -> torch.Tensor:
        chosen = [rng.randrange(len(facts)) for _ in range(BATCH)]
        captions = [describe(facts[i], rng) for i in chosen] + [describe(corrupted(facts[i], rng), rng) for i in chosen]
        with mixed("cpu"):
            seen, said = pair(vary(pictures(shards, chosen), rng), tokenize(tokenizer, captions))
        return contrast(seen.float(), said.float(), pair.logit_scale)

    fit(folder, "image_encoder", pair, loss_of_batch, minutes, peak_rate=PEAK_RATE, batch=BATCH)
    return pair.eval()


def train_reward(folder: Path, renders: Path, minutes: float, tokenizer: CLIPTokenizer) -> Reward:
    """Train image-text agreement on matched against corrupted pairs, where caption or image may be the wrong one."""
    shards, facts = load_dataset(renders)
    reward = Reward(tokenizer)

    def loss_of_batch(rng: random.Random) -> torch.Tensor:
        chosen = [rng.randrange(len(facts)) for _ in range(BATCH)]
        captions = [describe(facts[i], rng) for i in chosen] + [describe(corrupted(facts[i], rng), rng) for i in chosen]
        images = vary(pictures(shards, chosen), rng)
        spoilt = spoil(images[: BATCH // 2], rng)
        with mixed("cpu"):
            seen, said = reward(torch.cat([images, spoilt]), tokenize(tokenizer, captions))
        seen, said = seen.float(), said.float()
        scale = reward.logit_scale.exp()
        right = scale * (seen[:BATCH] * said[:BATCH]).sum(-1)
        wrong_words = scale * (seen[:BATCH] * said[BATCH:]).sum(-1)
        wrong_image = scale * (seen[BATCH:] * said[: BATCH // 2]).sum(-1)
        ranking = -torch.nn.functional.logsigmoid(right - wrong_words).mean()
        ranking = ranking - torch.nn.functional.logsigmoid(right[: BATCH // 2] - wrong_image).mean()
        return contrast(seen[:BATCH], said, reward.logit_scale) + ranking

    fit(folder, "reward", reward, loss_of_batch, minutes, peak_rate=PEAK_RATE, batch=BATCH)
    return reward.eval()


def train_features(folder: Path, renders: Path, minutes: float) -> Features:
    """Train features without any label: two variations of an image know each other among the others of the batch.

    Other views of the same object are among the others, so that the features see the side as well as the subject.
    Source: Chen et al., A Simple Framework for Contrastive Learning of Visual Representations, 2020, eq. 1.
    """
    shards, facts = load_dataset(renders)
    features = Features()
    groups = len(facts) // len(shards)

    def loss_of_batch(rng: random.Random) -> torch.Tensor:
        starts = [rng.randrange(0, groups - 4) + rng.randrange(len(shards)) * groups for _ in range(BATCH // 4)]
        images = pictures(shards, [start + i for start in starts for i in range(4)])
        with mixed("cpu"):
            both = features(torch.cat([vary(images, rng, strongly=True), vary(images, rng, strongly=True)]))
        one, other = both.float().chunk(2)
        logits = one @ other.T / 0.1
        target = torch.arange(len(one))
        return (
            torch.nn.functional.cross_entropy(logits, target) + torch.nn.functional.cross_entropy(logits.T, target)
        ) / 2

    fit(folder, "features", features, loss_of_batch, minutes, peak_rate=PEAK_RATE, batch=BATCH)
    return features.eval()


def contrast(seen: torch.Tensor, said: torch.Tensor, logit_scale: torch.Tensor) -> torch.Tensor:
    """Return CLIP's loss of images [B, d] against captions [2 B, d], of which the first B are right.

    Source: Radford et al., Learning Transferable Visual Models From Natural Language Supervision, 2021, figure 3.
    """
    logits = logit_scale.exp().clamp_max(100) * seen @ said.T  # [B, 2 B]
    target = torch.arange(len(seen))
    of_words = torch.nn.functional.cross_entropy(logits, target)
    return (of_words + torch.nn.functional.cross_entropy(logits[:, : len(seen)].T, target)) / 2


def corrupted(fact: dict, rng: random.Random) -> dict:
    """Return a description with one fact wrong; half of the time the category or the main colour."""
    kind = rng.choice(("category", "colour", "category", "colour", "accent", "pattern", "hat", "azimuth", "style"))
    choices = {
        "category": TRAINED_CATEGORIES,
        "colour": COLOURS,
        "accent": COLOURS,
        "pattern": PATTERNS,
        "style": STYLES,
    }
    if kind == "azimuth":
        return fact | {"azimuth": (fact["azimuth"] + 180 + rng.choice((90, 180, -90))) % 360 - 180}
    if kind == "hat":
        return fact | {"hat": not fact["hat"]}
    return fact | {kind: rng.choice([choice for choice in choices[kind] if choice != fact[kind]])}


def tokenize(tokenizer: CLIPTokenizer, captions: list[str]) -> torch.Tensor:
    """Return token numbers [B, T]."""
    return tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt").input_ids


def pictures(shards: list[np.ndarray], chosen: list[int]) -> torch.Tensor:
    """Return the chosen images [B, 3, 128, 128] in [-1, 1], numbered through all shards."""
    each = len(shards[0])
    return to_network(np.stack([shards[i // each][i % each] for i in chosen]))


def vary(images: torch.Tensor, rng: random.Random, *, strongly: bool = False) -> torch.Tensor:
    """Return images [B, 3, H, W] moved, scaled, lightened and made noisy at random: what the camera did not decide."""
    count, spread = len(images), 0.3 if strongly else 0.15
    draw = torch.Generator().manual_seed(rng.getrandbits(32))
    scale = 1 + spread * (2 * torch.rand(count, generator=draw) - 1)
    shift = spread * (torch.rand(count, 2, generator=draw) - 0.5)
    zero = torch.zeros(count)
    affine = torch.stack(
        [torch.stack([scale, zero, shift[:, 0]], -1), torch.stack([zero, scale, shift[:, 1]], -1)], 1
    )  # [B, 2, 3]
    grid = torch.nn.functional.affine_grid(affine, list(images.shape), align_corners=False)
    moved = torch.nn.functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    light = 1 + 0.7 * spread * torch.randn(count, 1, 1, 1, generator=draw)
    noise = 0.05 * torch.randn(moved.shape, generator=draw) * torch.rand(count, 1, 1, 1, generator=draw)
    return (moved * light + noise).clamp(-1, 1)


def spoil(images: torch.Tensor, rng: random.Random) -> torch.Tensor:
    """Return images [B, 3, H, W] as failed optimisations look: blurred, torn by patches, or over-saturated."""
    draw = torch.Generator().manual_seed(rng.getrandbits(32))
    match rng.randrange(3):
        case 0:
            small = torch.nn.functional.avg_pool2d(images, 8)
            return torch.nn.functional.interpolate(small, size=images.shape[-2:], mode="bilinear")
        case 1:
            holes = torch.rand(len(images), 1, 16, 16, generator=draw) < 0.2
            holes = torch.nn.functional.interpolate(holes.float(), size=images.shape[-2:])
            colours = 2 * torch.rand(len(images), 3, 1, 1, generator=draw) - 1
            return images * (1 - holes) + colours * holes
        case _:
            grey = images.mean(dim=1, keepdim=True)
            return (grey + 3 * (images - grey)).clamp(-1, 1)


@torch.no_grad()
def standardise(reward: Reward, renders: Path, tokenizer: CLIPTokenizer, count: int = 1024) -> dict[str, float]:
    """Return mean and deviation of the raw reward of true pairs."""
    shards, facts = load_dataset(renders)
    rng = random.Random(0)
    chosen = [rng.randrange(len(facts)) for _ in range(count)]
    seen, said = reward(pictures(shards, chosen), tokenize(tokenizer, [describe(facts[i], rng) for i in chosen]))
    raw = reward.logit_scale.exp() * (seen * said).sum(-1)
    return {"mean": float(raw.mean()), "std": float(raw.std())}


def export_image_encoder(weights: Path, pair: Pair) -> None:
    """Write the image tower as IP-Adapters have it, and beside it what projects the base's texts, in fp16."""
    pair.vision.half().save_pretrained(weights / "image_encoder")
    PROCESSOR.save_pretrained(weights / "image_encoder")
    projection = {"weight": pair.text_projection.weight.half(), "logit_scale": pair.logit_scale.detach().half()}
    save_file(projection, weights / "image_encoder" / "text_projection.safetensors")


def export_reward(weights: Path, renders: Path, reward: Reward, tokenizer: CLIPTokenizer) -> None:
    """Write the reward in PickScore's layout, in fp16, and mean and deviation of what it says of true pairs."""
    statistics = standardise(reward, renders, tokenizer)
    reward.clip.half().save_pretrained(weights / "reward")
    PROCESSOR.save_pretrained(weights / "reward")
    tokenizer.save_pretrained(weights / "reward")
    (weights / "reward" / "reward.json").write_text(json.dumps(statistics, indent=2) + "\n")


def export_features(weights: Path, features: Features) -> None:
    """Write the transformer in DINO's layout, without the head that its training needed, in fp16."""
    features.vit.half().save_pretrained(weights / "features")
    PROCESSOR.save_pretrained(weights / "features")
