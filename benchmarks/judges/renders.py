"""The judges' own pictures: renders with seeds that the prior never saw, in all pairs of category and colour."""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from backend.embedded.objects.captions import caption
from backend.embedded.objects.data import render_object
from backend.embedded.objects.shapes import COLOURS, TRAINED_CATEGORIES, Subject

FIRST_SEED = 500_000  # objects of the judges; training of the prior stays far below
TEST_SEED = 700_000
VIEWS = 6
SIDE = 64
CACHE = Path(".cache/embedded/judge")


def shrink(images: torch.Tensor) -> torch.Tensor:
    """Average images [B, H, W, 3] down to 64 px."""
    return torch.nn.functional.adaptive_avg_pool2d(images.permute(0, 3, 1, 2), SIDE).permute(0, 2, 3, 1)


def _render(seed: int) -> tuple[np.ndarray, list[dict]]:
    torch.set_num_threads(1)
    rng = random.Random(seed)
    category, colour = rng.choice(TRAINED_CATEGORIES), rng.choice(list(COLOURS))
    images, facts = render_object(seed, VIEWS, modalities=False, category=category, colour=colour)
    small = shrink(torch.from_numpy(np.stack(images)).float() / 255)
    return (255 * small).round().byte().numpy(), facts


def cached_renders(
    first_seed: int, objects: int, cache: Path = CACHE, processes: int = 2
) -> tuple[torch.Tensor, list[dict]]:
    """Render objects (kept on disk): images, uint8 [6 N, 64, 64, 3], and what each shows, in the same order."""
    path = cache / f"{first_seed}-{objects}.npy"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with get_context("spawn").Pool(processes) as pool:
            made = pool.map(_render, range(first_seed, first_seed + objects), chunksize=20)
        path.with_suffix(".json").write_text(json.dumps([fact for _, facts in made for fact in facts]))
        np.save(path, np.concatenate([images for images, _ in made]))
    return torch.from_numpy(np.load(path)), json.loads(path.with_suffix(".json").read_text())


def describe(fact: dict, rng: random.Random) -> str:
    """Return one of the many captions of a render, without rare tokens (they mean nothing)."""
    subject = Subject(fact["category"], fact["colour"], fact["accent"], fact["pattern"], fact["hat"], solid=None)  # type: ignore[arg-type]
    return caption(subject, rng, azimuth=fact["azimuth"], elevation=fact["elevation"], style=fact["style"])


def augmented(images: torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
    """Vary a batch [B, 64, 64, 3] in [0, 1] as results differ from true renders: zoom, shift, light, contrast, noise.

    The azimuth stays what it was: nothing is mirrored.
    """
    count = len(images)

    def draw(low: float, high: float) -> torch.Tensor:
        return low + (high - low) * torch.rand(count, generator=generator)

    zoom, move = draw(0.9, 1.15), (draw(-0.1, 0.1), draw(-0.1, 0.1))
    grid = torch.zeros(count, 2, 3)
    grid[:, 0, 0] = grid[:, 1, 1] = zoom
    grid[:, 0, 2], grid[:, 1, 2] = move
    planes = images.permute(0, 3, 1, 2)
    flow = torch.nn.functional.affine_grid(grid, list(planes.shape), align_corners=False)
    planes = torch.nn.functional.grid_sample(planes, flow, padding_mode="border", align_corners=False)
    gain, bias = draw(0.8, 1.2)[:, None, None, None], draw(-0.06, 0.06)[:, None, None, None]
    noise = 0.02 * torch.randn(planes.shape, generator=generator)
    return ((planes - 0.5) * gain + 0.5 + bias + noise).clamp(0, 1).permute(0, 2, 3, 1)


@torch.no_grad()
def settle_batch_norms(
    judge: torch.nn.Module, look: Callable[[torch.Tensor], object], images: torch.Tensor, rng: random.Random
) -> None:
    """Measure the batch norms' statistics anew on 20 batches of uint8 `images`, which `look` passes through the judge.

    Those that training left belong to other weights than the averaged ones.
    """
    norms = [module for module in judge.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average
    for _ in range(20 if norms else 0):
        look(augmented(images[[rng.randrange(len(images)) for _ in range(128)]].float() / 255))


def trainer_arguments(description: str, minutes: float) -> argparse.ArgumentParser:
    """Return the options that all trainers of judges take."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=minutes, help="of training, renders not counted")
    parser.add_argument("--objects", type=int, default=6000)
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--weights", type=Path, help="write to this file instead of the committed one")
    return parser
