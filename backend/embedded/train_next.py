"""Trains the prior's second generation: `python -m backend.embedded.train_next --stage STAGE --minutes N`.

Stages: `groups` renders without end, beside the others; `autoencoder`; `views`, the UNet with text and cameras; after
that `decoder`, which makes the autoencoder sharper and leaves its latents as they are. Each goes on from its
checkpoint in --cache; without one from the exported weights, with a warm-up; without these from the shipped first
generation. `export` writes what --cache holds to --weights. Minutes are of process time.
"""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false
# diffusers and transformers annotate their defaults, not what they take.
from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionPipeline

from backend.diffusion.camera_tokens import save_camera_encoder
from backend.diffusion.prompt_completion import FILE as CLAUSES
from backend.embedded.objects.descriptions import describe, prompt_completion, vocabulary_2
from backend.embedded.objects.stream import stream
from backend.embedded.tokenizer import build_tokenizer
from backend.embedded.train import LOG
from backend.embedded.training.codecs import export_codec, load_codec
from backend.embedded.training.denoiser import new_scheduler
from backend.embedded.training.looking import held_out_groups, look_at
from backend.embedded.training.reconstruction import Recipe, held_out_images, judged_on, train_codec
from backend.embedded.training.views import Course, Training, averaged_copy, train_views
from backend.weights import EMBEDDED

NEXT = Path(__file__).parent / "weights_next"


def train_autoencoder(cache: Path, renders: list[Path], weights: Path, minutes: float, device: str) -> None:
    """Train the autoencoder of the chosen recipe, and log what it makes of held-out renders.

    Raises ValueError where a denoiser has begun on its latents.
    """
    if (cache / "views.safetensors").exists() or (weights / "unet").exists():
        raise ValueError("a denoiser has begun on this autoencoder's latents: only --stage decoder can go on")
    train_codec(
        Recipe(), cache, renders, minutes, EMBEDDED / "vae", weights / "vae", device=device,
        judge=judged_on(held_out_images()),
    )  # fmt: skip


def train_decoder(cache: Path, renders: list[Path], weights: Path, minutes: float, device: str) -> None:
    """Train the exported autoencoder's decoder further; its latents stay, and so does all that was trained on them."""
    codec_of(cache, weights)
    train_codec(
        replace(Recipe(), frozen=True), cache, renders, minutes, EMBEDDED / "vae", weights / "vae", device=device,
        judge=judged_on(held_out_images()),
    )  # fmt: skip


def codec_of(cache: Path, weights: Path) -> Any:
    """Return the autoencoder whose latents the denoiser is trained on: the exported one.

    Raises FileNotFoundError where there is none.
    """
    if not (weights / "vae" / "config.json").exists():
        raise FileNotFoundError(f"no autoencoder in {weights}: run --stage autoencoder, then --stage export")
    return load_codec(weights / "vae").eval()


def new_training(weights: Path, channels: int, device: str) -> Training:
    """Return the denoiser where its training begins: with exported weights, else with the first generation's."""
    begin = weights if (weights / "unet").is_dir() else EMBEDDED
    return Training(build_tokenizer(vocabulary_2()), channels, Course(), begin, device=device)


def export(cache: Path, weights: Path) -> None:
    """Write the averaged networks that `cache` has checkpoints of, in fp16.

    With the denoiser the folder is one that StableDiffusionPipeline.from_pretrained loads.
    """
    weights.mkdir(parents=True, exist_ok=True)
    if (cache / "codec.safetensors").exists() and not (cache / "views.safetensors").exists():
        export_codec(train_codec(Recipe(), cache, [], 0, EMBEDDED / "vae", weights / "vae"), weights / "vae")
    if (cache / "decoder.safetensors").exists():
        decoder = replace(Recipe(), frozen=True)
        export_codec(train_codec(decoder, cache, [], 0, EMBEDDED / "vae", weights / "vae"), weights / "vae")
    if (cache / "views.safetensors").exists():  # its autoencoder stays what it was trained with
        codec = codec_of(cache, weights)
        training = new_training(weights, codec.config.latent_channels, "cpu")
        training.load(cache / "views.safetensors")
        model = averaged_copy(training).half()
        StableDiffusionPipeline(
            vae=codec.half(), text_encoder=model.text_encoder, tokenizer=training.tokenizer, unet=model.unet,
            scheduler=new_scheduler(), safety_checker=None, feature_extractor=None, requires_safety_checker=False,
        ).save_pretrained(weights)  # fmt: skip
        forget_paths(weights)
        save_camera_encoder(weights, model.camera_encoder)
        (weights / CLAUSES).write_text(json.dumps(prompt_completion(), indent=1) + "\n")
        facts = {"name": "embedded", "image_size": 128, "camera_tokens": True, "joint_views": True, "clean_view": True}
        (weights / "prior.json").write_text(json.dumps(facts | {"words": "see tokenizer"}, indent=2) + "\n")
    if (cache / LOG).exists():
        shutil.copyfile(cache / LOG, weights / LOG)


def forget_paths(weights: Path) -> None:
    """Take out of the configurations from where each network was loaded: a path of this machine."""
    for path in weights.glob("*/config.json"):
        config = json.loads(path.read_text())
        if config.pop("_name_or_path", None) is not None:
            path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stage", choices=["groups", "autoencoder", "decoder", "views", "export"], required=True)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--renders", type=Path, nargs="+", default=[Path(".cache/embedded/groups")])
    parser.add_argument("--cache", type=Path, default=Path(".cache/embedded/next"), help="checkpoints, latents, log")
    parser.add_argument("--weights", type=Path, default=NEXT)
    parser.add_argument("--first-seed", type=int, default=0, help="of renders: others than the weights have seen")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.cache.mkdir(parents=True, exist_ok=True)
    if not (options.cache / LOG).exists() and (options.weights / LOG).exists():
        shutil.copyfile(options.weights / LOG, options.cache / LOG)  # the log goes on where the exported one ends
    if options.stage == "groups":
        for shard in stream(options.renders[0], processes=options.threads, first=options.first_seed):
            print(shard.name, flush=True)
    elif options.stage == "autoencoder":
        train_autoencoder(options.cache, options.renders, options.weights, options.minutes, options.device)
    elif options.stage == "decoder":
        train_decoder(options.cache, options.renders, options.weights, options.minutes, options.device)
    elif options.stage == "views":
        codec = codec_of(options.cache, options.weights)
        training = new_training(options.weights, codec.config.latent_channels, options.device)
        look = look_at(held_out_groups(codec)[0], describe)
        train_views(
            training, options.cache, options.renders, codec, options.minutes, describe,
            lambda model: look(model, training.tokenizer),
        )  # fmt: skip
    else:
        export(options.cache, options.weights)
