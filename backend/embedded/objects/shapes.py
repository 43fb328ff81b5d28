"""The grammar of objects: categories, colours, patterns, optional parts, and what is held out from training."""

from __future__ import annotations

import random
from dataclasses import dataclass

from backend.embedded.objects.categories import ACCENT, CATEGORIES, Draw, Parts
from backend.embedded.objects.solids import PATTERNS, Solid, fit

COLOURS: dict[str, tuple[float, float, float]] = {
    "red": (0.84, 0.11, 0.10),
    "orange": (0.96, 0.50, 0.06),
    "yellow": (0.97, 0.86, 0.10),
    "green": (0.13, 0.62, 0.18),
    "teal": (0.05, 0.66, 0.66),
    "blue": (0.12, 0.27, 0.85),
    "purple": (0.50, 0.16, 0.72),
    "pink": (0.98, 0.50, 0.72),
    "brown": (0.45, 0.26, 0.12),
    "black": (0.09, 0.09, 0.10),
    "white": (0.96, 0.96, 0.95),
    "gray": (0.52, 0.53, 0.55),
}
FIXED_SLOTS = ((0.07, 0.07, 0.08), (0.95, 0.55, 0.05), (0.42, 0.26, 0.13), (0.93, 0.91, 0.86), (0.45, 0.46, 0.48))
FIXED_SLOTS = (*FIXED_SLOTS, (0.60, 0.82, 0.95))
STYLES = ("matte", "glossy", "cartoon", "pastel", "neon")


# Categories whose front cannot be taken for their back (in which Janus failures can be measured).
WITH_FRONT = (
    "chair",
    "snowman",
    "house",
    "car",
    "bird",
    "dog",
    "fish",
    "robot",
    "rabbit",
    "bear",
    "boat",
    "plane",
    "sofa",
)


@dataclass(frozen=True)
class HeldOut:
    """What training never sees; the trainer asserts that none of it is in its data."""

    first_seed: int = 1_000_000  # object seeds from here on are for evaluation
    parameter_share: float = 0.9  # training draws from this lower share of every range
    categories: tuple[str, ...] = ("turtle", "cake", "clock")

    def pair(self, category: str, colour: str) -> bool:
        """Say whether this category is never trained in this main colour (two colours of twelve for each)."""
        return (3 * list(CATEGORIES).index(category) + list(COLOURS).index(colour)) % len(COLOURS) in (0, 5)


HELD_OUT = HeldOut()
TRAINED_CATEGORIES = tuple(c for c in CATEGORIES if c not in HELD_OUT.categories)


@dataclass(frozen=True)
class Subject:
    """What an object is, in words; `solid` is what it is in space."""

    category: str
    colour: str
    accent: str
    pattern: str
    hat: bool
    solid: Solid


def make_subject(
    seed: int,
    *,
    category: str | None = None,
    colour: str | None = None,
    pattern: str | None = None,
    hat: bool | None = None,
    unseen: bool = False,
) -> Subject:
    """Draw one object. What is not given is drawn from what training may see; `unseen` uses a held-out shape."""
    rng = random.Random(seed)
    category = category or rng.choice(TRAINED_CATEGORIES)
    allowed = [c for c in COLOURS if not HELD_OUT.pair(category, c)]
    colour = colour or rng.choice(allowed)
    accent = rng.choice([c for c in COLOURS if c != colour])
    pattern = pattern or (rng.choice(PATTERNS[1:]) if rng.random() < 0.3 else "plain")
    parts = Parts()
    CATEGORIES[category](Draw(rng, HELD_OUT.parameter_share, unseen), parts)
    wears_hat = (rng.random() < 0.3 if hat is None else hat) and parts.hat_at is not None and len(parts.primitives) < 11
    if wears_hat:
        assert parts.hat_at is not None
        x, y, z, r = parts.hat_at
        parts.cone(x, y, z, r * 1.5, r * 1.5, 0.03, ACCENT)
        parts.cone(x, y, z + r * 0.7, r * 0.9, r * 0.9, r * 0.7, ACCENT)
    colours = (COLOURS[colour], COLOURS[accent], *FIXED_SLOTS)
    frequency = rng.uniform(3.5, 5.0)
    solid = Solid(tuple(parts.primitives), colours, pattern, COLOURS[accent], frequency)
    return Subject(category, colour, accent, pattern, wears_hat, fit(solid))
