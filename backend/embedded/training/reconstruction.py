"""Trains the second generation's autoencoder: a recipe, its loss, and the loop that a table or a night runs."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# diffusers annotates its defaults, not what it takes.
from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from safetensors import safe_open

from backend.embedded.objects.data import render_object
from backend.embedded.objects.shapes import HELD_OUT
from backend.embedded.precision import mixed
from backend.embedded.training.codecs import (
    NOISE,
    decode,
    encode,
    fingerprint,
    load_codec,
    new_kl,
    new_tiny,
    widened_kl,
)
from backend.embedded.training.crops import crop_batch, load_shards, to_network
from backend.embedded.training.loop import Averaged, load_training, log, save_training
from backend.embedded.training.muon import Muon

DECAY = 0.999
HELD_PART = 4  # of a batch one in so many is encoded by the first generation as well
EVEN_WEIGHT = 0.05  # of new channels' distance from mean 0 and deviation 1
WARMUP, COOLDOWN = 100, 0.3  # steps; share of the minutes at whose end the rate has fallen to 2 %
CHECKPOINT_SECONDS, LOG_STEPS = 180.0, 200


@dataclass(frozen=True)
class Recipe:
    """How an autoencoder is built and trained; the defaults are what was chosen (docs/decisions)."""

    network: str = "tiny"  # | "kl"
    channels: int = 8
    from_shipped: bool = True  # kl: begin with the first generation's weights
    hold: float = 1.0  # weight of the first four channels' distance to the first generation's latents
    frozen: bool = False  # only the decoder is trained, so that all who know the latents still do
    half: bool = True  # bfloat16 where there are units for it
    channels_last: bool = True  # not for kl: its normalisation is slow in it
    edges: bool = True
    varied: bool = True
    gradient: float = 1.0  # weight of the differences between neighbours
    smaller: float = 0.0  # weight of: latents of half the size decode to the image of half the size
    muon: bool = True
    rate: float = 1e-3
    whole: float = 0.3  # share of the steps on four whole images instead of sixteen crops


def new_codec(recipe: Recipe, shipped: AutoencoderKL) -> Any:
    """Return the autoencoder where training begins."""
    if recipe.network == "tiny":
        return new_tiny(recipe.channels)
    if not recipe.from_shipped:
        return new_kl(recipe.channels)
    return widened_kl(shipped, recipe.channels)


def reconstruction_loss(rebuilt: torch.Tensor, images: torch.Tensor, gradient: float) -> torch.Tensor:
    """Return a scalar for [B, 3, H, W] each: absolute and squared, hue, patches' means, and neighbours' differences.

    Hue (what differs between the channels) and the mean of each latent's patch count extra, because groups of a
    normalisation forget an image's colour first; the differences between neighbours are what the eye takes for sharp.
    """
    difference = rebuilt - images
    hue = difference - difference.mean(dim=1, keepdim=True)
    patches = torch.nn.functional.avg_pool2d(difference, 8)
    loss = difference.abs().mean() + 5 * difference.square().mean()
    loss = loss + hue.abs().mean() + patches.abs().mean()
    steps = difference.diff(dim=2).abs().mean() + difference.diff(dim=3).abs().mean()
    return loss + gradient * steps


def codec_loss(codec: Any, recipe: Recipe, images: torch.Tensor, held: Callable | None) -> tuple[torch.Tensor, float]:
    """Return the loss of images [B, 3, H, W] and the share of it that is reconstruction."""
    with mixed(images.device.type, recipe.half):
        latents = encode(codec, images)
        rebuilt = decode(codec, latents + NOISE * torch.randn_like(latents))
        small = None
        if recipe.smaller:
            small = decode(codec, torch.nn.functional.avg_pool2d(latents, 2))
    loss = reconstruction = reconstruction_loss(rebuilt.float(), images, recipe.gradient)
    if small is not None:
        target = torch.nn.functional.avg_pool2d(images, 2)
        loss = loss + recipe.smaller * (small.float() - target).abs().mean()
    latents = latents.float()
    if held is not None:
        some = max(1, len(images) // HELD_PART)
        loss = loss + recipe.hold * (latents[:some, :4] - held(images[:some])).square().mean()
    new = latents[:, 4:] if held is not None else latents
    if new.shape[1] and not recipe.frozen:  # of about unit deviation, as what is noised wants to be
        power, mean = new.square().mean(dim=(0, 2, 3)), new.mean(dim=(0, 2, 3))
        loss = loss + EVEN_WEIGHT * ((power - 1).square().mean() + mean.square().mean())
    return loss, float(reconstruction.detach())


def train_codec(
    recipe: Recipe, folder: Path, renders: list[Path], minutes: float, shipped: Path, begin: Path | None = None,
    *, seed: int = 0, device: str = "cpu", judge: Callable[[Any], dict] | None = None,
) -> Any:  # fmt: skip
    """Train for `minutes` of process time more and return the averaged autoencoder.

    Training goes on from `folder/codec.safetensors`; where that is missing from the exported autoencoder in `begin`;
    else from where the recipe begins. New shards of `renders` are taken up as they come. A frozen encoder is always
    that of `begin`; its decoder's checkpoint is `decoder.safetensors`, which counts while the encoder is the same.
    """
    torch.manual_seed(seed)
    first_generation = AutoencoderKL.from_pretrained(shipped, torch_dtype=torch.float32).eval()
    first_generation.requires_grad_(False).to(device)
    exported = begin is not None and (begin / "config.json").exists()
    codec: Any = load_codec(begin) if exported and begin else new_codec(recipe, first_generation)
    if recipe.frozen:
        codec.requires_grad_(False)
        for part in ("decoder", "post_quant_conv"):
            if hasattr(codec, part):
                getattr(codec, part).requires_grad_(True)
    codec.to(device)
    if recipe.channels_last:
        torch.nn.Module.to(codec, memory_format=torch.channels_last)
    averaged = Averaged(codec, DECAY)
    parameters = list(averaged.parameters.values())
    chosen = Muon if recipe.muon else torch.optim.Adam
    optimiser = chosen(parameters, lr=recipe.rate)
    stage = "decoder" if recipe.frozen else "codec"
    checkpoint, fresh = folder / f"{stage}.safetensors", {"step": 0, "images": 0}
    if recipe.frozen:
        fresh["encoder"] = int(fingerprint(codec), 16)
    known = not recipe.frozen or count_in(checkpoint, "encoder") == fresh["encoder"]
    counts = (load_training(checkpoint, averaged, optimiser) if known else {}) or fresh

    def held(images: torch.Tensor) -> torch.Tensor:
        with torch.no_grad(), mixed(images.device.type, recipe.half):
            return encode(first_generation, images).float()

    hold = held if recipe.hold and not recipe.frozen else None
    shards = load_shards(*renders)
    started = saved = time.process_time()
    first, smoothed, share = counts["step"], 0.0, 0.0
    while (share := (time.process_time() - started) / 60 / minutes if minutes else 1.0) < 1:
        generator = np.random.default_rng((seed, counts["step"]))  # of the step alone: resuming changes nothing
        torch.manual_seed(1_000_003 * seed + counts["step"])
        size = 128 if generator.random() < recipe.whole else 64
        batch = crop_batch(
            shards, generator, 4 if size == 128 else 16, size, edges=recipe.edges, varied=recipe.varied
        ).to(device)
        if recipe.channels_last:
            batch = batch.contiguous(memory_format=torch.channels_last)
        step = counts["step"]
        falling = min(1.0, max(0.02, (1 - share) / COOLDOWN))
        optimiser.param_groups[0]["lr"] = recipe.rate * min(1.0, (step - first + 1) / WARMUP) * falling
        loss, reconstruction = codec_loss(codec, recipe, batch, hold)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        averaged.update(step)
        smoothed = reconstruction if step == first else 0.98 * smoothed + 0.02 * reconstruction
        counts = counts | {"step": step + 1, "images": counts["images"] + len(batch)}
        if step % LOG_STEPS == 0:
            figures = judge(copy_of_average(codec, averaged)) if judge and step % (5 * LOG_STEPS) == 0 else {}
            log(folder, stage=stage, **counts, share=share, loss=smoothed, **figures)
        if time.process_time() - saved > CHECKPOINT_SECONDS:
            save_training(checkpoint, averaged, optimiser, counts)
            shards, saved = load_shards(*renders), time.process_time()
    if minutes:
        save_training(checkpoint, averaged, optimiser, counts)
    final = copy_of_average(codec, averaged)
    if minutes:
        log(folder, stage=stage, **counts, share=1.0, loss=smoothed, **(judge(final) if judge else {}))
    return final


def count_in(checkpoint: Path, name: str) -> int:
    """Return one of a checkpoint's counters, -1 where there is no such checkpoint or counter."""
    if not checkpoint.exists():
        return -1
    with safe_open(checkpoint, framework="pt") as file:
        return int(file.get_tensor(f"count.{name}")) if f"count.{name}" in file.keys() else -1


def copy_of_average(codec: Any, averaged: Averaged) -> Any:
    """Return an autoencoder like `codec` with the averaged weights, for looking."""
    copied = copy.deepcopy(codec)
    averaged.store_into(copied)
    return copied.eval()


@torch.no_grad()
def psnr(codec: Any, images: np.ndarray) -> list[float]:
    """Return the PSNR in dB of each image's reconstruction, in [0, 1], for uint8 images [N, H, W, 3]."""
    values = []
    for i in range(0, len(images), 8):
        batch = to_network(images[i : i + 8])
        rebuilt = decode(codec, encode(codec, batch)).clamp(-1, 1)
        values += [-10 * math.log10(float(e)) for e in ((rebuilt - batch) / 2).square().mean(dim=(1, 2, 3))]
    return values


def held_out_images(objects: int = 12) -> np.ndarray:
    """Return uint8 renders [N, H, W, 3] of objects that training never sees."""
    views = [render_object(HELD_OUT.first_seed + i, 4, modalities=False, unseen=True)[0] for i in range(objects)]
    return np.concatenate(views)


def judged_on(images: np.ndarray) -> Callable[[Any], dict[str, float]]:
    """Return a function that gives the mean PSNR of an autoencoder on images, for the log."""
    return lambda codec: {"psnr": sum(psnr(codec, images)) / len(images)}
