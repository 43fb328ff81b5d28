"""Trains the IP-Adapter: keys and values of the cross-attention for four tokens made of an image's embedding."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false
# diffusers annotates its defaults, not what it takes.
from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTokenizer, CLIPVisionModelWithProjection

from backend.embedded.objects.data import MODALITY_VIEWS, VIEWS, load_dataset
from backend.embedded.training.autoencoder import to_network
from backend.embedded.training.denoiser import BATCH, Denoiser, condition, new_scheduler, velocity_loss
from backend.embedded.training.loop import fit

PEAK_RATE = 1e-3
TOKENS = 4
DROP_IMAGE = 0.08
DROP_TEXT = 0.45  # most captions say nearly everything, and the image would not be needed
PER_OBJECT = VIEWS + bool(MODALITY_VIEWS)


def with_image_prompt(unet: UNet2DConditionModel, embedding: int) -> UNet2DConditionModel:
    """Give a UNet fresh image-prompt layers through diffusers' own loader; they alone require gradients.

    Keys and values start as those of the text. Source: Ye et al., IP-Adapter, 2023, section 3.2.
    """
    width = unet.config.cross_attention_dim
    projection = torch.nn.Linear(embedding, TOKENS * width)
    layers: dict[str, torch.Tensor] = {}
    state = unet.state_dict()
    for number, name in enumerate(unet.attn_processors):
        if name.endswith("attn2.processor"):
            attention = name.removesuffix(".processor")
            layers[f"{number}.to_k_ip.weight"] = state[f"{attention}.to_k.weight"].clone()
            layers[f"{number}.to_v_ip.weight"] = state[f"{attention}.to_v.weight"].clone()
    image = {"proj.weight": projection.weight.detach(), "proj.bias": projection.bias.detach()}
    image |= {"norm.weight": torch.ones(width), "norm.bias": torch.zeros(width)}
    unet._load_ip_adapter_weights([{"image_proj": image, "ip_adapter": layers}])
    unet.requires_grad_(False)
    for name, parameter in unet.named_parameters():
        parameter.requires_grad_("_ip." in name or name.startswith("encoder_hid_proj"))
    return unet.float()


@torch.no_grad()
def embed_images(encoder: CLIPVisionModelWithProjection, shards: list[np.ndarray]) -> torch.Tensor:
    """Return the image embeddings [N, d] of all renders."""
    parts = [
        encoder(to_network(shard[i : i + 50])).image_embeds for shard in shards for i in range(0, len(shard), 50)
    ]  # fmt: skip
    return torch.cat(parts)


def train_image_prompt(
    folder: Path,
    renders: Path,
    minutes: float,
    denoiser: Denoiser,
    tokenizer: CLIPTokenizer,
    latents: torch.Tensor,
    embeddings: torch.Tensor,
) -> Any:
    """Train to draw an object that another of its pictures shows, with or without words and cameras."""
    _, facts = load_dataset(renders)
    denoiser.requires_grad_(False)
    unet = with_image_prompt(denoiser.unet, embeddings.shape[1])
    alphas = new_scheduler().alphas_cumprod

    def loss_of_batch(rng: random.Random) -> torch.Tensor:
        chosen = [rng.randrange(len(facts)) for _ in range(BATCH)]
        others = [i - i % PER_OBJECT + rng.randrange(VIEWS) for i in chosen]
        prompts = embeddings[others] * (torch.rand(BATCH, 1) > DROP_IMAGE)
        context = condition(denoiser, tokenizer, [facts[i] for i in chosen], rng, drop_text=DROP_TEXT)

        def predict(noisy: torch.Tensor, t: torch.Tensor, context: torch.Tensor) -> Any:
            return unet(noisy, t, context, added_cond_kwargs={"image_embeds": [prompts[:, None]]})

        return velocity_loss(predict, latents[chosen].float(), context, alphas)

    fit(folder, "ip_adapter", unet, loss_of_batch, minutes, peak_rate=PEAK_RATE, batch=BATCH)
    return unet


def export_image_prompt(weights: Path, unet: Any) -> None:
    """Write the layers in IP-Adapter's public layout, in fp16."""
    layers = {}
    for name, value in unet.encoder_hid_proj.image_projection_layers[0].state_dict().items():
        layers[f"image_proj.{name.replace('image_embeds.', 'proj.')}"] = value.half().contiguous()
    for number, processor in enumerate(unet.attn_processors.values()):
        for kind in ("k", "v"):
            if hasattr(processor, f"to_{kind}_ip"):
                weight = getattr(processor, f"to_{kind}_ip")[0].weight
                layers[f"ip_adapter.{number}.to_{kind}_ip.weight"] = weight.detach().half().contiguous()
    (weights / "ip_adapter").mkdir(exist_ok=True)
    save_file(layers, weights / "ip_adapter" / "ip_adapter.safetensors")
