"""Trains the autoencoder: 128 px images to 16 x 16 x 4 latents and back."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# diffusers and transformers annotate their defaults, not what they take.
from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL

from backend.embedded.objects.data import load_dataset, render_object
from backend.embedded.objects.shapes import HELD_OUT
from backend.embedded.training.loop import Averaged, Budget, load_training, log, save_training

PEAK_RATE = 1.6e-3
KL_WEIGHT = 2e-4
CROP_SHARE = 0.7  # of the time is spent on crops: four times the steps, and no plain borders
CHANNELS = (16, 32, 64, 64)  # 0.57 GFLOP to encode an image


def new_autoencoder() -> AutoencoderKL:
    """Return an untrained autoencoder of 0.94 M parameters; convolutions only, so that crops train it as well."""
    return AutoencoderKL(
        in_channels=3, out_channels=3, latent_channels=4, sample_size=128, layers_per_block=1, norm_num_groups=8,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=CHANNELS, mid_block_add_attention=False,
    )  # fmt: skip


def train_autoencoder(folder: Path, renders: Path, minutes: float, seed: int = 0) -> None:
    """Train for `minutes` more, from the checkpoint in `folder` if there is one; the average is what counts."""
    torch.manual_seed(seed)
    generator = np.random.default_rng(seed)
    shards, _ = load_dataset(renders)
    autoencoder = new_autoencoder()
    torch.nn.Module.to(autoencoder, memory_format=torch.channels_last)
    averaged = Averaged(autoencoder, 0.999)
    optimiser = torch.optim.Adam(autoencoder.parameters(), lr=PEAK_RATE, betas=(0.9, 0.99))
    checkpoint = folder / "autoencoder.safetensors"
    counts = load_training(checkpoint, averaged, optimiser) or {"step": 0, "images": 0}
    held_out = held_out_images(folder)
    budget, first, smoothed = Budget(minutes), counts["step"], 0.0
    while budget.share < 1:
        crop = 64 if budget.share < CROP_SHARE else 128
        batch = image_batch(shards, generator, 16 if crop == 64 else 8, crop)
        step = counts["step"]
        optimiser.param_groups[0]["lr"] = budget.learning_rate(PEAK_RATE, step - first)
        posterior = autoencoder.encode(batch).latent_dist
        difference = autoencoder.decode(posterior.sample()).sample - batch
        reconstruction = reconstruction_loss(difference)
        loss = reconstruction + KL_WEIGHT * posterior.kl().mean() / posterior.mean[0].numel()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(autoencoder.parameters(), 1.0)
        optimiser.step()
        averaged.update(step)
        smoothed = reconstruction.item() if step == first else 0.98 * smoothed + 0.02 * reconstruction.item()
        counts = {"step": step + 1, "images": counts["images"] + len(batch)}
        if step % 500 == 0:
            psnr = reconstruction_psnr(averaged_copy(averaged), held_out[:32])
            log(folder, stage="autoencoder", **counts, share=budget.share, loss=smoothed, psnr=psnr)
        if budget.checkpoint_due():
            save_training(checkpoint, averaged, optimiser, counts)
    save_training(checkpoint, averaged, optimiser, counts)
    psnr = reconstruction_psnr(averaged_copy(averaged), held_out)
    log(folder, stage="autoencoder", **counts, share=1.0, loss=smoothed, psnr=psnr, held_out=len(held_out))


def reconstruction_loss(difference: torch.Tensor) -> torch.Tensor:
    """Return a scalar for reconstruction minus image, [B, 3, H, W]: absolute and squared, and colour once more.

    The groups of the normalisation forget an image's colour first. Hue (what differs between the channels) and the mean
    of each latent's patch therefore count extra: without them green and purple stay blue for an hour.
    """
    hue = difference - difference.mean(dim=1, keepdim=True)
    patches = torch.nn.functional.avg_pool2d(difference, 8)
    plain = difference.abs().mean() + 5 * difference.square().mean()
    return plain + 2 * hue.abs().mean() + 3 * patches.abs().mean()


def averaged_copy(averaged: Averaged) -> AutoencoderKL:
    """Return an autoencoder with the averaged weights."""
    autoencoder = new_autoencoder()
    averaged.store_into(autoencoder)
    return autoencoder.eval()


@torch.no_grad()
def encoded(autoencoder: AutoencoderKL, shards: list[np.ndarray]) -> torch.Tensor:
    """Return the latents (fp16) [N, 4, 16, 16] of shards of images, uint8 [n, H, W, 3] each."""
    parts = []
    for shard in shards:
        for i in range(0, len(shard), 50):
            parts.append(autoencoder.encode(to_network(shard[i : i + 50])).latent_dist.mode().half())
    return torch.cat(parts)


@torch.no_grad()
def whiten(autoencoder: Any, latents: torch.Tensor) -> None:
    """Scale and shift the latent channels in place until `latents` [N, 4, h, w] would have deviation 1 and mean 0.

    Pictures stay what they are: what the last layer of the encoder does is undone by the first of the decoder.
    """
    mean, deviation = latents.float().mean(dim=(0, 2, 3)), latents.float().std(dim=(0, 2, 3))
    last, first, channels = autoencoder.quant_conv, autoencoder.post_quant_conv, len(mean)
    last.weight[:channels] /= deviation[:, None, None, None]
    last.bias[:channels] = (last.bias[:channels] - mean) / deviation
    last.bias[channels:] -= 2 * deviation.log()  # the logarithm of a variance
    first.bias += first.weight[:, :, 0, 0] @ mean
    first.weight *= deviation[None, :, None, None]
    autoencoder.register_to_config(scaling_factor=1.0)


def image_batch(shards: list[np.ndarray], generator: np.random.Generator, count: int, crop: int) -> torch.Tensor:
    """Return `count` random crops [B, 3, crop, crop] in [-1, 1]."""
    images = []
    for _ in range(count):
        shard = shards[generator.integers(len(shards))]
        top, left = (int(generator.integers(0, 128 - crop + 1)) for _ in range(2))
        images.append(shard[generator.integers(len(shard)), top : top + crop, left : left + crop])
    return to_network(np.stack(images))


def to_network(images: np.ndarray) -> torch.Tensor:
    """Turn uint8 [B, H, W, 3] into float [B, 3, H, W] in [-1, 1]."""
    batch = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
    return batch.contiguous(memory_format=torch.channels_last)


def held_out_images(folder: Path, objects: int = 24) -> np.ndarray:
    """Return uint8 renders [N, H, W, 3] of objects that training never sees, made once."""
    path = folder / "held_out.npy"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        images = [render_object(HELD_OUT.first_seed + i, 4, modalities=False, unseen=True)[0] for i in range(objects)]
        np.save(path, np.concatenate(images))
    return np.load(path)


@torch.no_grad()
def reconstruction_psnr(autoencoder: AutoencoderKL, images: np.ndarray) -> float:
    """Return the mean PSNR in dB of reconstructions in [0, 1], each image's own taken first."""
    values = []
    for i in range(0, len(images), 8):
        batch = to_network(images[i : i + 8])
        rebuilt = autoencoder.decode(autoencoder.encode(batch).latent_dist.mode()).sample.clamp(-1, 1)
        values += [-10 * math.log10(float(e)) for e in ((rebuilt - batch) / 2).square().mean(dim=(1, 2, 3))]
    return sum(values) / len(values)
