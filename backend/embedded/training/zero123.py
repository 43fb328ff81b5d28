"""Trains the Zero-1-to-3 role: how an object looks from elsewhere, given one picture of it and the way there."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false
# diffusers annotates its defaults, not what it takes.
from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from peft import LoraConfig, get_peft_model_state_dict, inject_adapter_in_model
from safetensors.torch import save_file

from backend.embedded.objects.data import VIEWS, load_dataset
from backend.embedded.training.denoiser import BATCH, new_scheduler, velocity_loss
from backend.embedded.training.image_prompt import PER_OBJECT
from backend.embedded.training.loop import fit

PEAK_RATE = 1.5e-3
RANK = 24
DROP = 0.1
ANGLES = 4  # d_elevation in radians, sin and cos of d_azimuth, d_distance


class NovelView(torch.nn.Module):
    """The base with reference latents beside the noisy ones, low-rank changes, and one token for image and pose.

    Source: Liu et al., Zero-1-to-3, 2023, section 3.2.
    """

    def __init__(self, unet: Any, embedding: int) -> None:
        super().__init__()
        width = unet.config.cross_attention_dim
        self.unet = unet.requires_grad_(False)
        inject_adapter_in_model(lora_config(), self.unet)
        self.conv_in = torch.nn.Conv2d(8, unet.config.block_out_channels[0], 3, padding=1)
        self.cc_projection = torch.nn.Linear(embedding + ANGLES, width)
        with torch.no_grad():
            self.conv_in.weight[:, :4] = unet.conv_in.weight
            self.conv_in.weight[:, 4:] = 0.5 * unet.conv_in.weight  # zeros would take long to hear of the reference
            self.conv_in.bias = torch.nn.Parameter(unet.conv_in.bias.clone())
        self.unet.conv_in = self.conv_in

    def context(self, embeddings: torch.Tensor, pose: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        """Return [B, 1, width] for embeddings [B, d] and poses [B, 4]; zeros where not known."""
        return (self.cc_projection(torch.cat([embeddings, pose], dim=-1)) * known[:, None])[:, None]


def lora_config() -> LoraConfig:
    """Return which layers get low-rank changes: attention and the convolutions of the residual blocks."""
    targets = ["to_q", "to_k", "to_v", "to_out.0", "conv1", "conv2", "time_emb_proj", "proj_in", "proj_out"]
    return LoraConfig(r=RANK, lora_alpha=RANK, target_modules=targets, init_lora_weights=True)


def pose_between(source: dict, target: dict) -> list[float]:
    """Return the way from one camera to another: [d_elevation, sin(d_azimuth), cos(d_azimuth), d_distance]."""
    up, turn = (math.radians(target[angle] - source[angle]) for angle in ("elevation", "azimuth"))
    return [up, math.sin(turn), math.cos(turn), target["zoom"] - source["zoom"]]


def train_zero123(
    folder: Path,
    renders: Path,
    minutes: float,
    unet: UNet2DConditionModel,
    latents: torch.Tensor,
    embeddings: torch.Tensor,
) -> NovelView:
    """Train on pairs of views of one object; image, pose and latents of the reference are dropped together."""
    _, facts = load_dataset(renders)
    network = NovelView(unet, embeddings.shape[1])
    alphas = new_scheduler().alphas_cumprod
    objects = len(facts) // PER_OBJECT

    def loss_of_batch(rng: random.Random) -> torch.Tensor:
        firsts = [PER_OBJECT * rng.randrange(objects) for _ in range(BATCH)]
        pairs = [[first + view for view in rng.sample(range(VIEWS), 2)] for first in firsts]
        seen, wanted = ([pair[k] for pair in pairs] for k in range(2))
        known = (torch.rand(BATCH) > DROP).float()
        pose = torch.tensor([pose_between(facts[a], facts[b]) for a, b in pairs])
        reference = latents[seen].float() * known[:, None, None, None]
        context = network.context(embeddings[seen], pose, known)
        return velocity_loss(network.unet, latents[wanted].float(), context, alphas, extra=reference)

    fit(folder, "zero123", network, loss_of_batch, minutes, peak_rate=PEAK_RATE, batch=BATCH)
    return network


def export_zero123(weights: Path, network: NovelView) -> None:
    """Write the low-rank changes in peft's layout, and the wider first layer and the token's layer beside them."""
    folder = weights / "zero123"
    folder.mkdir(exist_ok=True)
    changes = get_peft_model_state_dict(network.unet)
    save_file({k: v.half().contiguous() for k, v in changes.items()}, folder / "adapter_model.safetensors")
    config = lora_config().to_dict()
    config = {key: sorted(value) if isinstance(value, set) else value for key, value in config.items()}
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2, default=str) + "\n")
    others = {
        "conv_in.weight": network.conv_in.weight, "conv_in.bias": network.conv_in.bias,
        "cc_projection.weight": network.cc_projection.weight, "cc_projection.bias": network.cc_projection.bias,
    }  # fmt: skip
    save_file({k: v.detach().half().contiguous() for k, v in others.items()}, folder / "conditioning.safetensors")
