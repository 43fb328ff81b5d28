"""Reads category, main colour and azimuth off an image: `python -m benchmarks.judges.reader` trains it.

Its renders have seeds of their own, and all pairs of category and colour: it has to judge those that the prior was
never shown.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from backend.embedded.objects.shapes import COLOURS, TRAINED_CATEGORIES, WITH_FRONT
from benchmarks.judges.renders import CACHE, FIRST_SEED, TEST_SEED, cached_renders, shrink

WEIGHTS = Path(__file__).parent / "reader.safetensors"


class Reader(torch.nn.Module):
    """A small convolutional network: images [B, 64, 64, 3] in [0, 1] -> category, colour, azimuth.

    What says where the front is differs from category to category, so each has a (sin, cos) of its own.
    """

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 32, 64, 96, 128)
        blocks: list[torch.nn.Module] = []
        for before, after in zip(widths[:-1], widths[1:], strict=True):
            blocks += [
                torch.nn.Conv2d(before, after, 3, padding=1), torch.nn.BatchNorm2d(after), torch.nn.ReLU(),
                torch.nn.MaxPool2d(2),
            ]  # fmt: skip
        self.body = torch.nn.Sequential(*blocks)  # -> [B, 128, 4, 4]
        self.category = torch.nn.Linear(128 * 16, len(TRAINED_CATEGORIES))
        self.colour = torch.nn.Linear(128 * 16, len(COLOURS))
        self.azimuth = torch.nn.Linear(128 * 16, 2 * len(TRAINED_CATEGORIES))

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return logits [B, 24] and [B, 12], and for each category an unnormalised (sin, cos) [B, 24, 2]."""
        features = torch.nn.functional.dropout(
            self.body(images.permute(0, 3, 1, 2) * 2 - 1).flatten(1), 0.3, self.training
        )
        return self.category(features), self.colour(features), self.azimuth(features).unflatten(-1, (-1, 2))


def read(reader: Reader, images: torch.Tensor, shown: int | None = None) -> dict[str, torch.Tensor]:
    """Return category and colour indices [B], and azimuth in degrees [B], of square images [B, H, W, 3].

    The azimuth is read as that of the category `shown`, where it is said, else of the one that is read.
    """
    small = shrink(images)
    with torch.no_grad():
        category, colour, azimuths = reader(small)
    seen_as = category.argmax(-1) if shown is None else torch.full((len(images),), shown)
    azimuth = azimuths[torch.arange(len(azimuths)), seen_as]  # [B, 2]
    return {
        "category": category.argmax(-1),
        "colour": colour.argmax(-1),
        "azimuth": torch.rad2deg(torch.atan2(azimuth[:, 0], azimuth[:, 1])),
    }


def load_reader(path: Path = WEIGHTS) -> Reader:
    """Return the trained judge."""
    reader = Reader()
    reader.load_state_dict(load_file(path))
    return reader.eval()


def renders(first_seed: int, objects: int, cache: Path, processes: int) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Render objects (cached on disk): images [N, 64, 64, 3] in [0, 1], and what they show."""
    pictures, facts = cached_renders(first_seed, objects, cache, processes)
    images = pictures.float() / 255
    labels = {
        "category": torch.tensor([TRAINED_CATEGORIES.index(f["category"]) for f in facts]),
        "colour": torch.tensor([list(COLOURS).index(f["colour"]) for f in facts]),
        "azimuth": torch.deg2rad(torch.tensor([f["azimuth"] for f in facts])),
    }
    return images, labels


def train(images: torch.Tensor, labels: dict[str, torch.Tensor], epochs: int, seed: int = 7) -> Reader:
    """Train a reader from nothing."""
    torch.manual_seed(seed)
    reader = Reader()
    optimiser = torch.optim.AdamW(reader.parameters(), lr=2e-3, weight_decay=0.02)
    steps = epochs * (len(images) // 64)
    has_front = torch.tensor([name in WITH_FRONT for name in TRAINED_CATEGORIES])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
    for step in range(steps):
        chosen = torch.randint(0, len(images), (64,))
        batch = images[chosen]
        batch = (batch + 0.04 * torch.randn(()) + 0.02 * torch.randn_like(batch)).clamp(0, 1)
        category, colour, azimuths = reader(batch)
        angle, true_category = labels["azimuth"][chosen], labels["category"][chosen]
        difference = azimuths[torch.arange(64), true_category] - torch.stack([angle.sin(), angle.cos()], -1)  # [B, 2]
        loss = (
            torch.nn.functional.cross_entropy(category, true_category)
            + torch.nn.functional.cross_entropy(colour, labels["colour"][chosen])
            + 2 * (difference.square().mean(-1) * has_front[true_category]).mean()
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 200 == 0:
            print(f"step {step} of {steps}: loss {loss.item():.3f}", flush=True)
    return reader.eval()


def accuracy(reader: Reader, images: torch.Tensor, labels: dict[str, torch.Tensor]) -> dict[str, float]:
    """Return the shares of right categories and colours, and of azimuths within 45 degrees where there is a front."""
    said = read(reader, images)
    error = (said["azimuth"] - torch.rad2deg(labels["azimuth"]) + 180) % 360 - 180
    has_front = torch.tensor([TRAINED_CATEGORIES[i] in WITH_FRONT for i in labels["category"].tolist()])
    return {
        "category": float((said["category"] == labels["category"]).float().mean()),
        "colour": float((said["colour"] == labels["colour"]).float().mean()),
        "within_45_degrees": float((error[has_front].abs() <= 45).float().mean()),
        "median_azimuth_error": float(error[has_front].abs().median()),
        "images": len(images),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=6000)
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    trained = train(*renders(FIRST_SEED, options.objects, options.cache, options.processes), options.epochs)
    save_file(trained.state_dict(), WEIGHTS)
    print(json.dumps(accuracy(trained, *renders(TEST_SEED, 100, options.cache, options.processes))))
