"""Trains the embedded prior and writes it in diffusers' format: `python -m backend.embedded.train --minutes N`.

Stages run in order: renders (cached), autoencoder, denoiser with text encoder and cameras, export. Every stage resumes
from its checkpoint, so the command can be given again whenever the machine is idle. Where there is no checkpoint, the
denoiser goes on from the exported weights; to train it from nothing, give an empty folder as --weights.
"""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false
# diffusers and transformers annotate their defaults, not what they take.
from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline

from backend.diffusion.camera_tokens import save_camera_encoder
from backend.embedded.objects.data import load_dataset, render_dataset
from backend.embedded.training.autoencoder import (
    averaged_copy,
    encoded,
    new_autoencoder,
    train_autoencoder,
    whiten,
)
from backend.embedded.training.denoiser import averaged_denoiser, new_scheduler, train_denoiser
from backend.embedded.training.loop import Averaged, load_training

LOG = "training_log.jsonl"
WEIGHTS = Path(__file__).parent / "weights"


def trained_autoencoder(folder: Path, renders: Path, weights: Path) -> AutoencoderKL:
    """Return the autoencoder, averaged and whitened, from the checkpoint in `folder`, else the one in `weights`."""
    autoencoder = new_autoencoder()
    averaged = Averaged(autoencoder, 0.999)
    optimiser = torch.optim.Adam(autoencoder.parameters())
    if not load_training(folder / "autoencoder.safetensors", averaged, optimiser):
        return AutoencoderKL.from_pretrained(weights, subfolder="vae", torch_dtype=torch.float32).eval()
    autoencoder = averaged_copy(averaged)
    shards, _ = load_dataset(renders)
    whiten(autoencoder, encoded(autoencoder, [shard[::20] for shard in shards]))
    return autoencoder


def export_prior(folder: Path, renders: Path, weights: Path) -> None:
    """Write the averaged networks as a folder that StableDiffusionPipeline.from_pretrained loads, in fp16."""
    autoencoder = trained_autoencoder(folder, renders, weights)
    denoiser, tokenizer = averaged_denoiser(folder)
    pipeline = StableDiffusionPipeline(
        vae=autoencoder, text_encoder=denoiser.text_encoder, tokenizer=tokenizer, unet=denoiser.unet,
        scheduler=new_scheduler(), safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    for module in (pipeline.vae, pipeline.text_encoder, pipeline.unet):
        module.half()
    pipeline.save_pretrained(weights)
    save_camera_encoder(weights, denoiser.camera_encoder)
    shutil.copyfile(folder / LOG, weights / LOG)
    (weights / "prior.json").write_text(
        json.dumps({"name": "embedded", "image_size": 128, "camera_tokens": True, "words": "see tokenizer"}, indent=2)
        + "\n"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=120, help="for the chosen stages together")
    parser.add_argument("--stage", choices=["all", "renders", "autoencoder", "denoiser", "export"], default="all")
    parser.add_argument("--objects", type=int, default=5000)
    parser.add_argument("--cache", type=Path, default=Path(".cache/embedded"))
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    renders, folder = options.cache / "renders", options.cache / "training"
    if not (folder / LOG).exists() and (options.weights / LOG).exists():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(options.weights / LOG, folder / LOG)  # the log goes on where the exported one ends
    chosen = ("renders", "autoencoder", "denoiser", "export") if options.stage == "all" else (options.stage,)
    if "renders" in chosen:
        render_dataset(renders, options.objects, options.threads)
    if "autoencoder" in chosen:
        train_autoencoder(folder, renders, options.minutes * (0.35 if options.stage == "all" else 1))
    if "denoiser" in chosen:
        minutes = options.minutes * (0.65 if options.stage == "all" else 1)
        autoencoder = trained_autoencoder(folder, renders, options.weights)
        train_denoiser(folder, renders, minutes, autoencoder, options.weights)
    if "export" in chosen:
        export_prior(folder, renders, options.weights)
