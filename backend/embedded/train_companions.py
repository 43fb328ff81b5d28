"""Trains the networks beside the base: `python -m backend.embedded.train_companions --stage NAME --minutes N`.

Stages: maps (renders with depth and normals), perception, image_encoder, reward, features, and on top of the exported
base and the image encoder ip_adapter and zero123; export writes what has been trained. Every stage resumes from its
checkpoint. A new base asks for image_encoder, ip_adapter and zero123 anew: delete their checkpoints.
"""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false
# diffusers and transformers annotate their defaults, not what they take.
from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import numpy as np
import torch
from transformers import CLIPTextModel, CLIPTokenizer

from backend.embedded.objects.captions import vocabulary
from backend.embedded.objects.data import load_dataset
from backend.embedded.tokenizer import build_tokenizer
from backend.embedded.train import LOG, WEIGHTS, trained_autoencoder
from backend.embedded.training.contrastive import (
    Pair,
    export_features,
    export_image_encoder,
    export_reward,
    train_features,
    train_pair,
    train_reward,
)
from backend.embedded.training.denoiser import Denoiser, cached_latents, load_exported
from backend.embedded.training.image_prompt import embed_images, export_image_prompt, train_image_prompt
from backend.embedded.training.perception import export_perception, render_all_maps, train_perception
from backend.embedded.training.zero123 import export_zero123, train_zero123
from backend.embedded.volumes.training import export_volume, train_volume

STAGES = ("perception", "image_encoder", "reward", "features", "ip_adapter", "zero123", "volume")


class Trainer:
    """The folders of one training, and the stages that work in them; 0 minutes load what is there."""

    def __init__(self, cache: Path, weights: Path) -> None:
        self.renders, self.maps, self.folder = cache / "renders", cache / "maps", cache / "training"
        self.volumes = cache / "volumes"
        self.weights = weights
        self.tokenizer: CLIPTokenizer = build_tokenizer(vocabulary())

    def denoiser(self) -> Denoiser:
        """Return the base as it was exported."""
        denoiser = Denoiser(self.tokenizer)
        load_exported(denoiser, self.weights)
        return denoiser.eval()

    def pair(self, minutes: float) -> Pair:
        """Return the image encoder with its projection of the base's texts."""
        text_encoder = CLIPTextModel.from_pretrained(self.weights / "text_encoder", dtype=torch.float32).eval()
        return train_pair(self.folder, self.renders, minutes, text_encoder, self.tokenizer)

    def prepared(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return latents [N, 4, 16, 16] and image embeddings [N, d] of all renders, both kept on disk (fp16)."""
        autoencoder = trained_autoencoder(self.folder, self.renders, self.weights)
        path, encoder = self.folder / "embeddings.npy", self.folder / "image_encoder.safetensors"
        if not path.exists() or path.stat().st_mtime < encoder.stat().st_mtime:
            np.save(path, embed_images(self.pair(0).vision, load_dataset(self.renders)[0]).half().numpy())
        return cached_latents(self.folder, self.renders, autoencoder), torch.from_numpy(np.load(path)).float()

    def run(self, stage: str, minutes: float, *, export: bool) -> None:
        """Train one stage, and write its network into the weights where `export` says so."""
        match stage:
            case "perception":
                network = train_perception(self.folder, self.maps, minutes)
                if export:
                    export_perception(self.weights, network)
            case "image_encoder":
                pair = self.pair(minutes)
                if export:
                    export_image_encoder(self.weights, pair)
            case "reward":
                reward = train_reward(self.folder, self.renders, minutes, self.tokenizer)
                if export:
                    export_reward(self.weights, self.renders, reward, self.tokenizer)
            case "features":
                features = train_features(self.folder, self.renders, minutes)
                if export:
                    export_features(self.weights, features)
            case "ip_adapter":
                latents, embeddings = self.prepared() if minutes else (torch.empty(0), torch.empty(0, 160))
                unet = train_image_prompt(
                    self.folder, self.renders, minutes, self.denoiser(), self.tokenizer, latents, embeddings
                )
                if export:
                    export_image_prompt(self.weights, unet)
            case "zero123":
                latents, embeddings = self.prepared() if minutes else (torch.empty(0), torch.empty(0, 160))
                network = train_zero123(self.folder, self.renders, minutes, self.denoiser().unet, latents, embeddings)
                if export:
                    export_zero123(self.weights, network)
            case "volume":
                network = train_volume(self.folder, self.volumes, minutes, self.weights)
                if export:
                    export_volume(self.weights, network)
            case _:
                raise ValueError(f"there is no stage {stage!r}: {', '.join(STAGES)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stage", choices=["maps", *STAGES, "export"], required=True)
    parser.add_argument("--minutes", type=float, default=10, help="0 only exports what has been trained")
    parser.add_argument("--objects", type=int, default=2500, help="how many the stage maps renders")
    parser.add_argument("--cache", type=Path, default=Path(".cache/embedded"))
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    trainer = Trainer(options.cache, options.weights)
    if options.stage == "maps":
        render_all_maps(trainer.maps, options.objects, options.threads)
    elif options.stage == "export":
        for stage in STAGES:
            if (trainer.folder / f"{stage}.safetensors").exists():
                trainer.run(stage, 0, export=True)
        shutil.copyfile(trainer.folder / LOG, options.weights / LOG)
    else:
        trainer.run(options.stage, options.minutes, export=False)
