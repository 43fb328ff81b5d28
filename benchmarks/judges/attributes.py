"""Reads the pattern and the hat off an image: `python -m benchmarks.judges.attributes` trains it.

It stands beside the reader of category, colour and azimuth, so that figures that were read by that one stay what they
are. Only some categories can wear a hat; of the others the answer means nothing.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from backend.embedded.objects.solids import PATTERNS
from backend.embedded.precision import mixed
from backend.embedded.training.loop import Averaged, Budget
from benchmarks.judges.renders import (
    FIRST_SEED,
    TEST_SEED,
    augmented,
    cached_renders,
    settle_batch_norms,
    shrink,
    trainer_arguments,
)

WEIGHTS = Path(__file__).parent / "attributes.safetensors"
CAN_WEAR_A_HAT = ("snowman", "bird", "robot")
SEED, BATCH, PEAK_RATE = 21, 96, 2e-3


class AttributeReader(nn.Module):
    """A small convolutional network: images [B, 64, 64, 3] in [0, 1] -> pattern [B, 4] and hat [B] logits."""

    def __init__(self) -> None:
        super().__init__()

        def block(before: int, after: int, stride: int = 1) -> list[nn.Module]:
            return [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]

        self.body = nn.Sequential(
            nn.PixelUnshuffle(2), *block(12, 40), nn.MaxPool2d(2), *block(40, 80), *block(80, 112, 2),
            *block(112, 144), nn.MaxPool2d(2), *block(144, 160),
        )  # fmt: skip
        self.pattern = nn.Linear(2 * 160, len(PATTERNS))
        self.hat = nn.Linear(16 * 160, 1)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the logits of the patterns, [B, 4], and of the hat, [B]."""
        maps = self.body(images.permute(0, 3, 1, 2) * 2 - 1)  # [B, 160, 4, 4]
        maps = nn.functional.dropout(maps, 0.1, self.training)
        pooled = torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], -1)
        return self.pattern(pooled), self.hat(maps.flatten(1)).squeeze(-1)


@torch.no_grad()
def read_attributes(reader: AttributeReader, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return the pattern's index [B] and whether there is a hat [B] of square images [B, H, W, 3] in [0, 1]."""
    pattern, hat = reader(shrink(images))
    return {"pattern": pattern.argmax(-1), "hat": hat > 0}


def load_attribute_reader(path: Path = WEIGHTS) -> AttributeReader:
    """Return the trained reader. Raises FileNotFoundError where it has not been trained."""
    if not path.exists():
        raise FileNotFoundError(f"{path.name} is not there: run `python -m benchmarks.judges.attributes`")
    reader = AttributeReader()
    reader.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in load_file(path).items()})
    return reader.eval().requires_grad_(False)


def train(images: torch.Tensor, facts: list[dict], minutes: float) -> AttributeReader:
    """Train from nothing on uint8 images [N, 64, 64, 3]; patterned objects and wearers are drawn more often."""
    torch.manual_seed(SEED)
    rng = random.Random(SEED)
    reader = AttributeReader().to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    optimiser = torch.optim.AdamW(reader.parameters(), lr=PEAK_RATE, weight_decay=0.03)
    averaged, budget, step = Averaged(reader, 0.995), Budget(minutes), 0
    groups = [
        range(len(facts)),
        [i for i, fact in enumerate(facts) if fact["pattern"] != "plain"],
        [i for i, fact in enumerate(facts) if fact["category"] in CAN_WEAR_A_HAT],
        [i for i, fact in enumerate(facts) if fact["hat"]],
    ]
    while budget.share < 1:
        chosen = [rng.choice(group) for group in groups for _ in range(BATCH // len(groups))]
        true_pattern = torch.tensor([PATTERNS.index(facts[i]["pattern"]) for i in chosen])
        true_hat = torch.tensor([float(facts[i]["hat"]) for i in chosen])
        counts = torch.tensor([float(facts[i]["category"] in CAN_WEAR_A_HAT) for i in chosen])
        batch = augmented(images[chosen].float() / 255)
        with mixed("cpu"):
            pattern, hat = reader(batch)
        of_hat = binary_cross_entropy_with_logits(hat.float(), true_hat, reduction="none")
        loss = cross_entropy(pattern.float(), true_pattern) + (of_hat * counts).sum() / counts.sum()
        optimiser.param_groups[0]["lr"] = budget.learning_rate(PEAK_RATE, step, warmup=50)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        averaged.update(step)
        if step % 100 == 0:
            print(f"attributes: step {step}, {budget.share:.0%} of the time, loss {loss.item():.3f}", flush=True)
        step += 1
    averaged.store_into(reader)
    settle_batch_norms(reader, reader, images, rng)
    return reader.eval()


@torch.no_grad()
def accuracy(reader: AttributeReader, images: torch.Tensor, facts: list[dict]) -> dict[str, float]:
    """Return the share of right patterns, the mean share over the four patterns, and the same of hats."""
    said = read_attributes(reader, images.float() / 255)
    true_pattern = torch.tensor([PATTERNS.index(fact["pattern"]) for fact in facts])
    can = torch.tensor([fact["category"] in CAN_WEAR_A_HAT for fact in facts])
    wears = torch.tensor([bool(fact["hat"]) for fact in facts])
    right = (said["pattern"] == true_pattern).float()
    right_hat = (said["hat"] == wears).float()
    return {
        "pattern": float(right.mean()),
        "pattern_balanced": sum(float(right[true_pattern == i].mean()) for i in range(4)) / 4,
        "hat": float(right_hat[can].mean()),
        "hat_balanced": 0.5 * float(right_hat[can & wears].mean() + right_hat[can & ~wears].mean()),
        "images": len(facts),
        "images_of_categories_that_can_wear_a_hat": int(can.sum()),
    }


def main() -> None:
    """Train, write the weights, and print how often they are right on new objects."""
    options = trainer_arguments(__doc__ or "", minutes=3.0).parse_args()
    torch.set_num_threads(options.threads)
    trained = train(*cached_renders(FIRST_SEED, options.objects, options.cache, options.threads), options.minutes)
    tensors = {k: v.half() if v.is_floating_point() else v for k, v in trained.state_dict().items()}
    save_file({k: v.contiguous() for k, v in tensors.items()}, options.weights or WEIGHTS)
    print(json.dumps(accuracy(trained, *cached_renders(TEST_SEED, 100, options.cache, options.threads))))


if __name__ == "__main__":
    main()
