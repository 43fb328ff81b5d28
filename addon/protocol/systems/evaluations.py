"""What parts of a job ask of the networks, in pictures: a step of guidance, drawing, redrawing, teaching.

What a draw decides, the noise levels, is here its mean.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

LEVELS = 1_000  # of the noise schedule
WINDOW = ((0.22, 0.98), (0.02, 0.78))  # from which a step draws its level, at first and in the end
ISM_STRIDE = 200
SMALL_SHARE = 0.8  # of a run's steps, from its first on, that encode with the small encoder where it is asked for


@dataclass(frozen=True)
class Asked:
    """What is asked of the networks: pictures, but for `told`, which are prompts. `views` are drawn by the renderer
    and back; `parts` are the shares of the work on a processor that every such stage has.
    """

    drawn: float = 0.0  # by the UNet
    reused: float = 0.0  # by its outermost layers alone, which use what the deep ones said before
    learnt: float = 0.0  # by the UNet, and back
    encoded: float = 0.0
    pulled: float = 0.0  # through the encoder, and back
    encoded_small: float = 0.0  # by the small encoder
    pulled_small: float = 0.0
    decoded: float = 0.0
    told: float = 0.0
    views: float = 0.0

    def __add__(self, other: Asked) -> Asked:
        return Asked(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    def __rmul__(self, times: float) -> Asked:
        return Asked(*(times * getattr(self, each.name) for each in fields(self)))


@dataclass(frozen=True)
class Knows:
    """What a base can be told of."""

    cameras: bool = False
    views: bool = False  # several of one object, that see each other
    reference: bool = False  # beside them, a clean one
    large: bool = False  # its pictures go through the encoder one by one


def small_steps(total: int) -> int:
    """Return how many of a run's steps, from its first on, go through the small encoder; the last never does."""
    return int(SMALL_SHARE * total)


def small_share(settings: Any, total: int) -> float:
    """Return the share of them in a run of so many steps; 0 where the settings do not ask for it."""
    return small_steps(total) / total if settings.small_encoder else 0.0


def inversions(loss: str, t: int, delta_t: int) -> int:
    """Return how often a loss asks of each view before it compares, at the noise level t."""
    if loss == "ism":
        return -(-(t - delta_t) // ISM_STRIDE) + 1 if t > delta_t else 1
    return -(-t // delta_t) if loss in ("csm", "vpcsm") else 0


def mean_inversions(loss: str, delta_t: int, window: tuple[float, float], every: int = 1) -> float:
    """Return the mean of `inversions` over the levels of a window; with `every` above 1 of the first, and each such
    one after it.
    """
    low, high = max(1, round(window[0] * LEVELS)), min(LEVELS - 1, round(window[1] * LEVELS))
    return sum(-(-inversions(loss, t, delta_t) // every) for t in range(low, high + 1)) / (high - low + 1)


def sliding(loss: str, delta_t: int, steps: int, warmup: float, every: int = 1) -> float:
    """Return the same over a run whose window slides for a share of its steps, then stays."""
    if inversions(loss, 1, delta_t) == 0:
        return 0.0
    moves, (begin, end) = min(steps, warmup * steps), WINDOW
    places = [0.1, 0.3, 0.5, 0.7, 0.9] if moves else []
    windows = [(begin[0] + (end[0] - begin[0]) * p, begin[1] + (end[1] - begin[1]) * p) for p in places]
    moving = sum(mean_inversions(loss, delta_t, window, every) for window in windows) / max(1, len(windows))
    return (moves * moving + (steps - moves) * mean_inversions(loss, delta_t, end, every)) / steps


def scored(
    loss: str, views: int, k: float, knows: Knows, *, perturbed: bool = False, perp_neg: bool = False, beside: int = 0,
    small: float = 0.0, asked: float | None = None,
) -> Asked:  # fmt: skip
    """Return one step of guidance: `k` inversions of each view, then the views with the prompt and without.

    In so many inversions as are `asked` (None: all) the deep layers of the UNet take part.

    `beside` is 1 where a clean picture stands beside the views; `small` is the share of the steps that go through the
    small encoder.
    """
    reused = (k - asked) * views if asked is not None else 0.0
    drawn = k * views - reused + 2 * views + beside
    drawn += views * (perturbed and loss == "vpcsm") + 2 * views * perp_neg + views * (loss == "vsd")
    told = views * (5 if perp_neg else 2) + beside
    own, twice = 1 - small, views * knows.large
    return Asked(
        drawn=drawn, reused=reused, learnt=views * (loss == "vsd"), encoded=own * twice + beside, pulled=own * views,
        encoded_small=small * twice, pulled_small=small * views, told=told, views=views,
    )  # fmt: skip


def sampled(pictures: int, steps: int) -> Asked:
    """Return the drawing of pictures from a prompt."""
    return Asked(drawn=2 * pictures * steps, decoded=pictures, told=2 * pictures)


def taught(steps: int, batch: int, of_class: int) -> Asked:
    """Return steps of teaching, each on so many pictures and so many of the class."""
    return steps * Asked(learnt=batch + of_class, told=batch + of_class)


def redrawn(pictures: int, steps: int, noise: float) -> Asked:
    """Return the redrawing of pictures from a share of the noise."""
    count = int(steps * noise)
    return pictures * Asked(drawn=2 * count, encoded=1, decoded=1, told=2 * (count > 0))
