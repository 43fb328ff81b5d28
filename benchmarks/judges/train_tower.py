"""Trains a CLIP-like judge on the judges' own renders: `python -m benchmarks.judges.train_tower conv_s`."""

from __future__ import annotations

import json
import random
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy

from backend.embedded.objects.captions import vocabulary
from backend.embedded.objects.shapes import COLOURS, TRAINED_CATEGORIES
from backend.embedded.precision import mixed
from backend.embedded.training.loop import Averaged, Budget
from benchmarks.judges.renders import (
    FIRST_SEED,
    TEST_SEED,
    augmented,
    cached_renders,
    describe,
    settle_batch_norms,
    trainer_arguments,
)
from benchmarks.judges.towers import FOLDER, TOWERS, Tower, save_tower

SEEDS = {"conv_s": 11, "conv_m": 12, "vit": 13}
BATCH = 128
PEAK_RATE = 1.5e-3
PAIRS = tuple((category, colour) for category in TRAINED_CATEGORIES for colour in COLOURS)
PLAIN = tuple(f"a {colour} {category}" for category, colour in PAIRS)  # 288 captions that every batch is told from


def train(name: str, images: torch.Tensor, facts: list[dict], minutes: float) -> Tower:
    """Train a tower from nothing on uint8 images [N, 64, 64, 3].

    Two losses: captions against the images of a batch, both ways (Radford et al., Learning transferable visual models,
    2021, figure 3), and images against the plain captions of all pairs of category and colour.
    """
    torch.manual_seed(SEEDS[name])
    rng = random.Random(SEEDS[name])
    tower = Tower(name, vocabulary()).train()
    tower = tower.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    optimiser = torch.optim.AdamW(tower.parameters(), lr=PEAK_RATE, betas=(0.9, 0.98), weight_decay=0.05)
    averaged, budget, step = Averaged(tower, 0.995), Budget(minutes), 0
    numbers = {pair: i for i, pair in enumerate(PAIRS)}
    pair_of = [numbers[fact["category"], fact["colour"]] for fact in facts]
    diagonal = torch.arange(BATCH)
    while budget.share < 1:
        chosen = [rng.randrange(len(facts)) for _ in range(BATCH)]
        batch = augmented(images[chosen].float() / 255)
        said = [describe(facts[i], rng) for i in chosen]
        with mixed("cpu"):
            seen, read = tower.images(batch).float(), torch.cat([tower.captions(said), tower.captions(PLAIN)]).float()
        scale = tower.log_scale.exp().clamp_max(100)
        of_batch = scale * seen @ read[:BATCH].T  # [B, B]
        of_all = scale * seen @ read[BATCH:].T  # [B, 288]
        loss = (
            0.5 * (cross_entropy(of_batch, diagonal) + cross_entropy(of_batch.T, diagonal))
            + cross_entropy(of_all, torch.tensor([pair_of[i] for i in chosen]))
        )  # fmt: skip
        optimiser.param_groups[0]["lr"] = budget.learning_rate(PEAK_RATE, step, warmup=100)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(tower.parameters(), 1.0)
        optimiser.step()
        averaged.update(step)
        if step % 50 == 0:
            print(f"{name}: step {step}, {budget.share:.0%} of the time, loss {loss.item():.3f}", flush=True)
        step += 1
    averaged.store_into(tower)
    settle_batch_norms(tower, tower.images, images, rng)
    print(f"{name}: {step} steps of {BATCH} images", flush=True)
    return tower.eval()


@torch.no_grad()
def precision(tower: Tower, images: torch.Tensor, facts: list[dict]) -> dict[str, float]:
    """Return the shares of renders whose pair, category and colour rank first among the 288 plain captions."""
    seen = torch.cat([tower.images(part.float() / 255) for part in images.split(200)])
    said = (seen @ tower.captions(PLAIN).T).argmax(-1).tolist()
    right = [(PAIRS[i][0] == f["category"], PAIRS[i][1] == f["colour"]) for i, f in zip(said, facts, strict=True)]
    count = len(right)
    return {
        "pair": sum(a and b for a, b in right) / count,
        "category": sum(a for a, _ in right) / count,
        "colour": sum(b for _, b in right) / count,
        "images": count,
        "parameters": sum(p.numel() for p in tower.parameters()),
    }


def main() -> None:
    """Train one tower, write its weights, and print how often it is right on new objects."""
    parser = trainer_arguments(__doc__ or "", minutes=4.5)
    parser.add_argument("tower", choices=TOWERS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    trained = train(
        options.tower, *cached_renders(FIRST_SEED, options.objects, options.cache, options.threads), options.minutes
    )
    save_tower(trained, options.weights or Path(FOLDER / f"{options.tower}.safetensors"))
    print(json.dumps(precision(trained, *cached_renders(TEST_SEED, 100, options.cache, options.threads))))


if __name__ == "__main__":
    main()
