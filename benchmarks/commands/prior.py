"""Judges the embedded prior's samples: `python -m benchmarks.commands.prior --out FILE [--sheet PNG]`.

Held-out pairs of category and colour are sampled (DDIM 50 steps, guidance 4) and read by a judge that was trained on
other renders; cameras are asked for and read back; the autoencoder rebuilds held-out renders; and samples are compared
with each other and with the nearest training render, to see whether the prior only recites.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from backend.cameras import orbit
from backend.diffusion.denoiser import EMBEDDED, Prior, load_prior
from backend.diffusion.sampling import sample
from backend.embedded.objects.data import load_dataset, render_object
from backend.embedded.objects.shapes import COLOURS, HELD_OUT, TRAINED_CATEGORIES, WITH_FRONT
from backend.images import save_image
from benchmarks.judges.reader import TEST_SEED, accuracy, load_reader, read, renders

SEEDS = 5
BATCH = 24
AZIMUTHS = (0, 60, 120, 180, -120, -60)


def sample_pairs(prior: Prior, seeds: int, generator: torch.Generator) -> tuple[torch.Tensor, list[tuple[str, str]]]:
    """Sample every held-out pair of category and colour `seeds` times."""
    pairs = [(c, k) for c in TRAINED_CATEGORIES for k in COLOURS if HELD_OUT.pair(c, k) for _ in range(seeds)]
    images = []
    for i in range(0, len(pairs), BATCH):
        prompts = [f"a {colour} {category}" for category, colour in pairs[i : i + BATCH]]
        images.append(sample(prior, prompts, steps=50, scale=4.0, generator=generator))
    return torch.cat(images), pairs


def judge_pairs(images: torch.Tensor, pairs: list[tuple[str, str]]) -> dict[str, object]:
    """Return the shares of samples that are read as what was asked for, and the worst categories."""
    said = read(load_reader(), images)
    right_category = said["category"] == torch.tensor([TRAINED_CATEGORIES.index(c) for c, _ in pairs])
    right_colour = said["colour"] == torch.tensor([list(COLOURS).index(k) for _, k in pairs])
    per_category = {
        name: float(right_category[[i for i, (c, _) in enumerate(pairs) if c == name]].float().mean())
        for name in TRAINED_CATEGORIES
    }
    return {
        "samples": len(pairs),
        "category_accuracy": float(right_category.float().mean()),
        "colour_accuracy": float(right_colour.float().mean()),
        "categories_below_half": sorted(name for name, share in per_category.items() if share < 0.5),
    }


def judge_cameras(prior: Prior, generator: torch.Generator) -> tuple[dict[str, object], torch.Tensor]:
    """Ask for six azimuths of every category that has a front, and read them back."""
    hits, images = {}, []
    colours = {c: next(k for k in COLOURS if not HELD_OUT.pair(c, k)) for c in WITH_FRONT}
    for category in WITH_FRONT:
        cameras = orbit(AZIMUTHS, 15.0)
        shown = sample(
            prior, [f"a {colours[category]} {category}"] * len(AZIMUTHS), steps=50, scale=4.0, generator=generator,
            cameras=cameras,
        )  # fmt: skip
        said = read(load_reader(), shown, TRAINED_CATEGORIES.index(category))["azimuth"]
        error = (said - torch.tensor(AZIMUTHS) + 180) % 360 - 180
        hits[category] = float((error.abs() <= 45).float().mean())
        images.append(shown)
    met = [category for category, share in hits.items() if share >= 0.5]  # chance is a quarter
    figures = {
        "views_within_45_degrees": sum(hits.values()) / len(hits),
        "categories_met": len(met) / len(hits),
        "share_of_views_by_category": {c: round(share, 3) for c, share in hits.items()},
    }
    return figures, torch.stack(images)


def judge_recital(images: torch.Tensor, cache: Path) -> dict[str, float]:
    """Return median distances (RMS, 32 px) to the nearest training render, beside those of true renders."""
    from scipy.spatial import KDTree

    shards, _ = load_dataset(cache / "renders")
    if not shards:
        return {}
    tree = KDTree(np.concatenate([_thumbnails(torch.from_numpy(shard[:]).float() / 255) for shard in shards]))
    truth = [render_object(HELD_OUT.first_seed + 5_000 + i, 4, modalities=False)[0] for i in range(30)]
    true_images = torch.from_numpy(np.concatenate([np.stack(views) for views in truth])).float() / 255
    scale = (3 * 32 * 32) ** -0.5
    return {
        "nearest_training_render": scale * float(np.median(tree.query(_thumbnails(images))[0])),
        "nearest_training_render_of_new_true_renders": scale
        * float(np.median(tree.query(_thumbnails(true_images))[0])),
    }


def judge_diversity(images: torch.Tensor, seeds: int) -> dict[str, float]:
    """Return the mean distance of samples of one prompt, beside that of samples of different prompts."""
    small = torch.from_numpy(_thumbnails(images)).reshape(-1, seeds, 3 * 32 * 32)
    scale = (3 * 32 * 32) ** -0.5
    within = torch.stack([torch.pdist(group).mean() for group in small]).mean()
    return {"within_a_prompt": scale * float(within), "between_prompts": scale * float(torch.pdist(small[:, 0]).mean())}


def judge_autoencoder(prior: Prior, objects: int = 24) -> float:
    """Return the mean PSNR in dB over held-out renders."""
    values = []
    for i in range(objects):
        views = render_object(HELD_OUT.first_seed + i, 4, modalities=False, unseen=True)[0]
        images = torch.from_numpy(np.stack(views)).float() / 255
        with torch.no_grad():
            error = (prior.decode(prior.encode(images)) - images).square().mean(dim=(1, 2, 3))
        values += (-10 * error.log10()).tolist()
    return sum(values) / len(values)


def sizes() -> dict[str, int]:
    """Return the bytes of every part of the prior."""
    parts = {}
    for path in sorted(EMBEDDED.rglob("*")):
        if path.is_file():
            part = path.relative_to(EMBEDDED).parts[0]
            parts[part] = parts.get(part, 0) + path.stat().st_size
    return parts


def _thumbnails(images: torch.Tensor) -> np.ndarray:
    small = torch.nn.functional.adaptive_avg_pool2d(images.permute(0, 3, 1, 2), 32)
    return small.flatten(1).numpy()


def _sheet(images: torch.Tensor, columns: int) -> torch.Tensor:
    rows = [torch.cat(list(images[i : i + columns]), 1) for i in range(0, len(images), columns)]
    return torch.cat(rows, 0)


def main() -> None:
    """Print and write the figures; with --sheet also pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--gpu", action="store_true", help="accepted for symmetry: this benchmark runs on the CPU")
    parser.add_argument("--cache", type=Path, default=Path(".cache/embedded"))
    options = parser.parse_args()
    prior = load_prior("embedded")
    generator = torch.Generator().manual_seed(0)
    images, pairs = sample_pairs(prior, options.seeds, generator)
    cameras, views = judge_cameras(prior, generator)
    figures = {
        "judge_on_renders": accuracy(load_reader(), *renders(TEST_SEED, 100, options.cache / "judge", 2)),
        "held_out_pairs": judge_pairs(images, pairs),
        "cameras": cameras,
        "autoencoder_psnr": judge_autoencoder(prior),
        "diversity": judge_diversity(images, options.seeds),
        "recital": judge_recital(images, options.cache),
        "bytes": sizes(),
    }
    print(json.dumps(figures, indent=2))
    if options.out:
        options.out.write_text(json.dumps(figures, indent=2) + "\n")
    if options.sheet:
        options.sheet.parent.mkdir(parents=True, exist_ok=True)
        save_image(options.sheet, _sheet(images[:: options.seeds], 12))
        save_image(options.sheet.with_stem(f"{options.sheet.stem}-views"), _sheet(views.flatten(0, 1), len(AZIMUTHS)))


if __name__ == "__main__":
    main()
