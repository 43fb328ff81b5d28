"""Judges the networks beside the base: `python -m benchmarks.commands.companions --out FILE [--sheet PNG]`.

On renders of held-out objects with held-out shapes: masks, depth and normals against the true ones; novel views beside
what copying the reference would score; what an image prompt changes; how often the reward prefers the true caption.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from backend.cameras import orbit
from backend.diffusion.denoiser import load_prior
from backend.diffusion.image_prompt import load_image_prompt, sample_with_image
from backend.diffusion.zero123 import load_zero123, novel_views, relative_poses
from backend.embedded.objects.data import render_object
from backend.embedded.objects.shapes import COLOURS, HELD_OUT, TRAINED_CATEGORIES, make_subject
from backend.embedded.objects.solids import photograph
from backend.embedded.training.contrastive import corrupted
from backend.embedded.training.denoiser import describe
from backend.embedded.training.perception import before_anything, nearness, render_maps
from backend.images import save_image
from backend.vision.features import load_features
from backend.vision.image_encoder import load_image_text
from backend.vision.perception import load_perception
from backend.vision.reward import load_reward
from benchmarks.commands.prior import sizes
from benchmarks.judges.reader import load_reader, read
from benchmarks.metrics.pictures import normal_error, psnr

FIRST_SEED = HELD_OUT.first_seed + 20_000
TURNS = (30, 90, 180)
STRENGTHS = (0.0, 0.5, 1.0)


def judge_perception(objects: int) -> tuple[dict[str, float], torch.Tensor]:
    """Return mask IoU, depth Pearson correlation and normal error on plain and other backgrounds, and a sheet."""
    perception = load_perception("embedded")
    maps = [render_maps(FIRST_SEED + i, unseen=True) for i in range(objects)]
    rgb, depth, normal = (np.concatenate(arrays) for arrays in zip(*maps, strict=True))
    images = torch.from_numpy(rgb).float() / 255
    depth = torch.from_numpy(depth).float()[..., None]
    normal = torch.from_numpy(normal).float() / 127
    mask = (depth > 0).float()
    placed = before_anything(images.permute(0, 3, 1, 2) * 2 - 1, mask.permute(0, 3, 1, 2), random.Random(5))
    elsewhere = placed.permute(0, 2, 3, 1) / 2 + 0.5
    true_near = nearness(depth.permute(0, 3, 1, 2), mask.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    figures: dict[str, float] = {"images": len(images)}
    rows = []
    for name, shown in (("plain", images), ("any_background", elsewhere)):
        with torch.no_grad():
            seen = perception(shown)
        said = seen.mask > 0.5
        both, either = (said & (mask > 0)).sum(dim=(1, 2, 3)), (said | (mask > 0)).sum(dim=(1, 2, 3))
        figures[f"mask_iou_{name}"] = float((both / either).mean())
        pairs = [
            torch.corrcoef(torch.stack([seen.depth[i, ..., 0][m], true_near[i, ..., 0][m]]))[0, 1]
            for i, m in enumerate(mask[..., 0] > 0)
        ]
        figures[f"depth_pearson_{name}"] = float(torch.stack(pairs).nanmean())
        figures[f"normal_error_{name}"] = float(normal_error(seen.normal * mask, normal).nanmean())
        inside = torch.where(said, seen.depth, torch.nan)[..., 0].flatten(1)
        far, close = (inside.nanquantile(q, dim=1)[:, None, None, None] for q in (0.02, 0.98))
        near = (0.15 + 0.85 * (seen.depth - far) / (close - far).clamp_min(1e-6)).clamp(0, 1)
        shades = [seen.mask.expand(-1, -1, -1, 3), (near * said).expand(-1, -1, -1, 3), (seen.normal * said + 1) / 2]
        rows += [shown, *shades]
    return figures, torch.cat([torch.cat(list(row[: 4 * 12 : 4]), 1) for row in rows], 0)


def judge_novel_views(objects: int, generator: torch.Generator) -> tuple[dict[str, float], torch.Tensor]:
    """Return PSNR and silhouette IoU at three turns, each beside that of a copy of the reference, and a sheet."""
    model, perception = load_zero123("embedded"), load_perception("embedded")
    scores: dict[str, list[float]] = {}
    rows = []
    for i in range(objects):
        subject = make_subject(FIRST_SEED + 500 + i, category=TRAINED_CATEGORIES[i % len(TRAINED_CATEGORIES)])
        start, side = random.Random(i).uniform(-60, 60), random.Random(i).choice((-1, 1))
        reference, targets = orbit([start], 15.0), orbit([start + side * turn for turn in TURNS], 15.0)
        true = photograph(subject.solid, targets, torch.ones(3)).rgb
        shown = photograph(subject.solid, reference, torch.ones(3)).rgb
        made = novel_views(model, shown, relative_poses(reference, targets), generator=generator)
        with torch.no_grad():
            silhouettes = [perception(images).mask > 0.5 for images in (true, made, shown.expand_as(true))]
        for name, images, outline in (("made", made, silhouettes[1]), ("copy", shown.expand_as(true), silhouettes[2])):
            overlap = (outline & silhouettes[0]).sum((1, 2, 3)) / (outline | silhouettes[0]).sum((1, 2, 3)).clamp_min(1)
            for turn, decibel, share in zip(TURNS, psnr(images, true), overlap, strict=True):
                scores.setdefault(f"psnr_{turn}_{name}", []).append(float(decibel))
                scores.setdefault(f"iou_{turn}_{name}", []).append(float(share))
        rows.append(torch.cat([shown[0], *(pair for k in range(3) for pair in (true[k], made[k]))], 1))
    figures = {name: sum(values) / len(values) for name, values in scores.items()}
    return figures | {"objects": objects}, torch.cat(rows[:8], 0)


def judge_image_prompts(count: int, generator: torch.Generator) -> tuple[dict[str, object], torch.Tensor]:
    """Ask for a category in words and show another object: what stays of the words, what comes of the picture?

    Returned for each strength: the share of samples that are read as the category of the words, and as the main colour
    of the picture, whose category is another.
    """
    prompt, reader, rng = load_image_prompt(load_prior("embedded"), "embedded"), load_reader(), random.Random(3)
    asked = [TRAINED_CATEGORIES[i % len(TRAINED_CATEGORIES)] for i in range(count)]
    shown, colours = [], []
    for i, category in enumerate(asked):
        other = rng.choice([c for c in TRAINED_CATEGORIES if c != category])
        images, facts = render_object(FIRST_SEED + 900 + i, 1, modalities=False, category=other)
        shown.append(torch.from_numpy(images[0]).float() / 255)
        colours.append(list(COLOURS).index(facts[0]["colour"]))
    figures: dict[str, object] = {"samples": count}
    references, rows = torch.stack(shown), [torch.cat(shown[:12], 1)]
    state = generator.get_state()
    for strength in STRENGTHS:
        generator.set_state(state)
        made = sample_with_image(
            prompt.with_strength(strength), [f"a {c}" for c in asked], references, generator=generator
        )
        said = read(reader, made)
        right = said["category"] == torch.tensor([TRAINED_CATEGORIES.index(c) for c in asked])
        figures[f"{strength:g}"] = {
            "category_of_the_words": float(right.float().mean()),
            "colour_of_the_picture": float((said["colour"] == torch.tensor(colours)).float().mean()),
        }
        rows.append(torch.cat(list(made[:12]), 1))
    return figures, torch.cat(rows, 0)


def judge_words(objects: int) -> dict[str, float]:
    """Return the reward's AUC and accuracy, the image encoder's choice among 24 words, and the features' neighbours."""
    reward, pair, features = load_reward("embedded"), load_image_text("embedded"), load_features("embedded")
    rng = random.Random(9)
    made = [render_object(FIRST_SEED + 2_000 + i, 4, modalities=False) for i in range(objects)]
    images = torch.from_numpy(np.concatenate([np.stack(views) for views, _ in made])).float() / 255
    facts = [fact for _, described in made for fact in described]
    truth = torch.tensor([TRAINED_CATEGORIES.index(fact["category"]) for fact in facts])
    with torch.no_grad():
        right = reward(images, reward.read([describe(fact, rng) for fact in facts]))
        wrong = reward(images, reward.read([describe(corrupted(fact, rng), rng) for fact in facts]))
        chosen = pair.similarity(images, [f"a {category}" for category in TRAINED_CATEGORIES]).argmax(-1)
        pooled = torch.nn.functional.normalize(features(images)[0], dim=-1)
    likeness = pooled @ pooled.T
    same = torch.arange(len(facts)) // 4
    likeness[same[:, None] == same] = -1  # other views of the object do not count
    return {
        "reward_auc": float((right[:, None] > wrong).float().mean()),
        "reward_prefers_the_true_caption": float((right > wrong).float().mean()),
        "image_encoder_category": float((chosen == truth).float().mean()),
        "features_neighbour_of_the_same_category": float((truth[likeness.argmax(-1)] == truth).float().mean()),
        "images": len(facts),
    }


def main() -> None:
    """Print and write the figures of the chosen parts; with --sheet also pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="a JSON file; parts that are not judged now keep their figures")
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--parts", nargs="+", default=["perception", "novel_views", "image_prompts", "words", "bytes"])
    parser.add_argument("--gpu", action="store_true", help="accepted for symmetry: this benchmark runs on the CPU")
    options = parser.parse_args()
    generator = torch.Generator().manual_seed(0)
    judges: dict[str, Callable] = {
        "perception": lambda: judge_perception(48),
        "novel_views": lambda: judge_novel_views(24, generator),
        "image_prompts": lambda: judge_image_prompts(48, generator),
        "words": lambda: (judge_words(96), None),
        "bytes": lambda: (sizes(), None),
    }
    figures = json.loads(options.out.read_text()) if options.out and options.out.exists() else {}
    for part in options.parts:
        figures[part], sheet = judges[part]()
        print(json.dumps({part: figures[part]}, indent=2), flush=True)
        if options.sheet and sheet is not None:
            save_image(options.sheet.with_stem(f"{options.sheet.stem}-{part.replace('_', '-')}"), sheet)
        if options.out:
            options.out.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
