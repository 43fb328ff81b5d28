"""Draws sides with the second generation: `python -m benchmarks.training.sides --sheet FILE --out FILE`.

Held-out objects with held-out shapes are seen from 0, 30, 90, 180 and -90 degrees. The first is given; the others are
drawn beside it with the words, beside it without words, and from the words alone. What is compared is their PSNR with
the true ones, beside that of a copy of the given view and that of the true ones through the autoencoder.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from pathlib import Path

import numpy as np
import torch

from backend.embedded.objects.data import cameras_of
from backend.embedded.objects.descriptions import describe
from backend.embedded.objects.groups import draw_setting, facts_of
from backend.embedded.objects.pictures import picture
from backend.embedded.objects.world import HELD_OUT_2, make_thing
from backend.embedded.train_next import NEXT, codec_of, new_training
from backend.embedded.training.latent_stream import encoded
from backend.embedded.training.looking import draw_sides, pictures
from backend.embedded.training.views import ViewDenoiser, averaged_copy
from backend.images import save_image

AZIMUTHS = (0.0, 30.0, 90.0, 180.0, -90.0)
FIRST_SEED = HELD_OUT_2.first_seed + 40_000


def true_views(seed: int) -> tuple[np.ndarray, list[dict]]:
    """Return one held-out object from the five sides, uint8 [5, H, W, 3], and the facts."""
    thing, setting = make_thing(seed, unseen=True), draw_setting(random.Random(seed))
    told = facts_of(thing, setting) | {"seed": seed, "modality": "rgb", "elevation": 15.0, "fov": 40.0, "zoom": 1.0}
    facts = [told | {"azimuth": azimuth} for azimuth in AZIMUTHS]
    images = picture(thing.form, cameras_of(facts), setting.colour, setting.lamp, finish=setting.finish).rgb
    return np.round(255 * np.stack([np.asarray(image) for image in images])).astype(np.uint8), facts


def decibels(images: np.ndarray, truth: np.ndarray) -> list[float]:
    """Return the PSNR of each of uint8 images [V, H, W, 3]."""
    errors = ((images.astype(float) - truth) / 255) ** 2
    return [-10 * math.log10(max(1e-10, e)) for e in errors.mean(axis=(1, 2, 3))]


def load_model(cache: Path, weights: Path) -> tuple[ViewDenoiser, object, object]:
    """Return the averaged denoiser of a checkpoint in `cache`, else the exported one, its tokenizer and autoencoder."""
    codec = codec_of(cache, weights)
    training = new_training(weights, codec.config.latent_channels, "cpu")
    training.load(cache / "views.safetensors")
    return averaged_copy(training), training.tokenizer, codec


def main() -> None:
    """Print and write the figures; with --sheet also the pictures, true sides above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--objects", type=int, default=8)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--cache", type=Path, default=Path(".cache/embedded/next"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    model, tokenizer, codec = load_model(options.cache, NEXT)
    values: dict[str, list[list[float]]] = {}
    sheet, seed = [], FIRST_SEED
    while len(sheet) < options.objects:
        truth, facts = true_views(seed)
        seed += 1
        latents = encoded(codec, truth)
        words = [describe(fact, random.Random(seed)) for fact in facts]
        silent = [""] * len(words)
        drawn = {
            "beside it, with words": draw_sides(model, tokenizer, latents[0], facts, words, steps=options.steps),
            "beside it, without words": draw_sides(model, tokenizer, latents[0], facts, silent, steps=options.steps),
            "from words": draw_sides(model, tokenizer, None, facts, words, steps=options.steps),
            "true, through the autoencoder": latents.float(),
        }
        rows = {name: pictures(codec, latent) for name, latent in drawn.items()}
        for name, images in {**rows, "a copy": np.repeat(truth[:1], len(truth), 0)}.items():
            values.setdefault(name, []).append(decibels(images, truth))
        sheet.append(np.concatenate([truth, *(images for images in list(rows.values())[:3])]))
        print(seed - 1, words[0], flush=True)
    table = {
        name: {f"{azimuth:.0f}": round(float(np.mean([v[i] for v in each])), 2) for i, azimuth in enumerate(AZIMUTHS)}
        for name, each in values.items()
    }
    print(json.dumps(table, indent=1))
    if options.out:
        options.out.write_text(json.dumps({"objects": options.objects, "psnr": table}, indent=1) + "\n")
    if options.sheet:
        rows = [np.concatenate(list(row[i : i + 5]), 1) for row in sheet for i in range(0, len(row), 5)]
        columns = [np.concatenate(rows[4 * i : 4 * i + 4], 0) for i in range(len(sheet))]
        half = (len(columns) + 1) // 2
        blank = [np.full_like(columns[0], 255)] * (2 * half - len(columns))
        pairs = zip(columns[:half], [*columns[half:], *blank], strict=True)
        whole = np.concatenate([np.concatenate(pair, 1) for pair in pairs], 0)
        save_image(options.sheet, torch.from_numpy(whole).float() / 255)


if __name__ == "__main__":
    main()
