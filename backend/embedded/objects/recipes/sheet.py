"""Draws recipes from six sides each, to be looked at: `python -m backend.embedded.objects.recipes.sheet --out FILE`."""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from backend.cameras import orbit
from backend.embedded.objects.descriptions import describe
from backend.embedded.objects.groups import Setting, facts_of, lamp_of, render_group
from backend.embedded.objects.pictures import picture
from backend.embedded.objects.world import CATEGORIES_2, make_thing

AROUND = ((0.0, 12.0), (40.0, 22.0), (90.0, 12.0), (140.0, 22.0), (180.0, 15.0), (-55.0, 45.0))
WHITE = (1.0, 1.0, 1.0)


def category_sheet(
    categories: Sequence[str], *, seed: int, size: int, columns: int, unseen: bool = False
) -> Image.Image:
    """Draw one object of each category on white, from AROUND, its name and what is said of it above."""
    tiles = []
    for category in categories:
        thing = make_thing(seed, category=category, pattern="plain", unseen=unseen)
        setting = Setting("soft", "", lamp_of("soft", "", random.Random(1)), "white", WHITE, "matte")
        cameras = orbit([a for a, _ in AROUND], [e for _, e in AROUND], size=size)
        views = picture(thing.form, cameras, WHITE, setting.lamp).rgb.numpy()
        told = facts_of(thing, setting)
        tiles.append((views, f"{category}: {', '.join([*told['proportions'], *told['details']])}"))
    return _laid_out(tiles, columns)


def group_sheet(seeds: Sequence[int], *, columns: int, views: int = 6) -> Image.Image:
    """Draw groups as training sees them, one caption above each."""
    tiles = []
    for seed in seeds:
        images, facts = render_group(seed, views)
        tiles.append((images / 255, describe(facts[0], random.Random(seed))))
    return _laid_out(tiles, columns)


def _laid_out(tiles: list[tuple[np.ndarray, str]], columns: int) -> Image.Image:
    views, size = tiles[0][0].shape[:2]
    width, height = views * size, size + 13
    sheet = Image.new("RGB", (columns * width, -(-len(tiles) // columns) * height), "white")
    draw = ImageDraw.Draw(sheet)
    for i, (images, words) in enumerate(tiles):
        x, y = (i % columns) * width, (i // columns) * height
        strip = np.round(255 * np.concatenate(list(images), axis=1)).astype(np.uint8)
        sheet.paste(Image.fromarray(strip), (x, y + 13))
        draw.text((x + 2, y + 1), words[: width // 6], fill="black")
    return sheet


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--groups", type=int, help="so many groups as training sees them, instead of categories")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--columns", type=int, default=4)
    parser.add_argument("--unseen", action="store_true", help="held-out shapes")
    parser.add_argument("--only", nargs="*", default=list(CATEGORIES_2))
    options = parser.parse_args()
    if options.groups:
        seeds = range(options.seed, options.seed + options.groups)
        drawn = group_sheet(seeds, columns=options.columns)
    else:
        drawn = category_sheet(
            options.only, seed=options.seed, size=options.size, columns=options.columns, unseen=options.unseen
        )
    drawn.save(options.out)
