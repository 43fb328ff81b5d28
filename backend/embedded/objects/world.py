"""The second world: more categories, colours, textures and proportions, free forms, and what training never sees."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from backend.cameras import orbit
from backend.embedded.objects.categories import CATEGORIES, Parts
from backend.embedded.objects.forms import Form, Material, Piece, fit, table
from backend.embedded.objects.pieces import ACCENT, Pieces, TellingDraw
from backend.embedded.objects.recipes import (
    buildings,
    characters,
    creatures,
    devices,
    free,
    household,
    nature,
    props,
    vehicles,
)
from backend.embedded.objects.shapes import COLOURS, FIXED_SLOTS, WITH_FRONT
from backend.embedded.objects.tracing import trace_views

COLOURS_2: dict[str, tuple[float, float, float]] = COLOURS | {
    "beige": (0.87, 0.78, 0.62),
    "gold": (0.85, 0.65, 0.18),
    "silver": (0.74, 0.75, 0.78),
    "navy": (0.07, 0.11, 0.36),
    "maroon": (0.45, 0.06, 0.14),
    "lime": (0.62, 0.88, 0.14),
    "magenta": (0.85, 0.10, 0.62),
    "olive": (0.45, 0.46, 0.14),
}
FIXED_SLOTS_2 = (
    *FIXED_SLOTS, (0.94, 0.76, 0.62), (0.20, 0.52, 0.18), (0.93, 0.72, 0.16), (0.86, 0.20, 0.26), (0.82, 0.60, 0.34),
)  # fmt: skip
SHADED = {
    "dark": ("red", "green", "teal", "blue", "purple", "gray", "brown"),
    "light": ("green", "teal", "blue", "purple", "gray", "brown"),
}
PATTERNS_2 = {
    "plain": 62, "stripes": 6, "dots": 5, "checks": 4, "wood": 5, "marble": 3, "speckles": 2, "gradient": 3,
    "zigzags": 2, "bricks": 1, "patches": 3, "stars": 1, "hearts": 1, "crosses": 1, "rings": 1,
}  # fmt: skip
FREE_SHARE = 1 / 3
FREE_NAMES = ("object", "thing", "toy", "sculpture")
HAT_SHARE = 0.2
ONE_COLOUR_SHARE = 0.4  # of plain things: who says "a red mug" wants no blue handle
# Where a detail says a size of the whole, the words for its proportions, which are relative, might contradict it.
_OF_SIZE = set("narrow wide short long low high flat tall thick thin deep shallow slim fat slender bulging".split())
ENOUGH_SEEN = 0.03  # of what is seen: from here on a colour is worth a word
_MODULES = (household, vehicles, buildings, creatures, characters, props, devices, nature)
RECIPES: dict[str, Callable[[TellingDraw, Pieces], None]] = {k: r for m in _MODULES for k, r in m.RECIPES.items()}
CATEGORIES_2 = (*CATEGORIES, *RECIPES)  # the first world's first, in their order
WITH_FRONT_2 = (*WITH_FRONT, *(name for module in _MODULES for name in module.FRONTED))


@dataclass(frozen=True)
class HeldOut2:
    """What training on the second world never sees; the stream and the trainer assert it."""

    first_seed: int = 1_000_000
    parameter_share: float = 0.9
    categories: tuple[str, ...] = ("turtle", "cake", "clock", "penguin", "cannon")

    def pair(self, category: str, colour: str) -> bool:
        """Say whether this category is never trained in this main colour: one of the first twelve for each."""
        if category not in CATEGORIES_2 or colour not in COLOURS:
            return False
        return (3 * CATEGORIES_2.index(category) + list(COLOURS).index(colour)) % len(COLOURS) == 0


HELD_OUT_2 = HeldOut2()
TRAINED_CATEGORIES_2 = tuple(c for c in CATEGORIES_2 if c not in HELD_OUT_2.categories)


@dataclass(frozen=True)
class Thing:
    """What an object of the second world is, in words; `form` is what it is in space."""

    category: str  # of CATEGORIES_2, or of FREE_NAMES where it is a free form
    free: bool
    colour: str
    shade: str  # "", dark or light
    accent: str
    accent_seen: bool  # whether a part has it, and it is another colour; a pattern has it always
    pattern: str
    hat: bool
    proportions: tuple[str, ...]  # one of tall | low, one of wide | narrow, against others of its category
    details: tuple[str, ...]  # phrases: with a long spout
    form: Form


def make_thing(
    seed: int,
    *,
    category: str | None = None,
    colour: str | None = None,
    pattern: str | None = None,
    hat: bool | None = None,
    free_form: bool | None = None,
    unseen: bool = False,
) -> Thing:
    """Draw one object. What is not given is drawn from what training may see; `unseen` uses a held-out shape."""
    rng = random.Random(seed * 9176 + 77)
    if free_form if free_form is not None else category is None and rng.random() < FREE_SHARE:
        return _free(rng, colour, pattern)
    category = category or rng.choice(TRAINED_CATEGORIES_2)
    main = colour or _colour(rng, [c for c in COLOURS_2 if not HELD_OUT_2.pair(category, c)])
    accent = _colour(rng, [c for c in COLOURS_2 if c != main])
    pattern = pattern or rng.choices(list(PATTERNS_2), list(PATTERNS_2.values()))[0]
    if pattern == "plain" and rng.random() < ONE_COLOUR_SHARE:
        accent = main
    shade = rng.choice([s for s in ("", "", "", *SHADED) if not s or main in SHADED[s]])
    draw = TellingDraw(rng, HELD_OUT_2.parameter_share, unseen)
    pieces = build(category, draw)
    wears_hat = (rng.random() < HAT_SHARE if hat is None else hat) and pieces.hat_at is not None
    if wears_hat and pieces.hat_at is not None:
        x, y, z, r = pieces.hat_at
        pieces.cone(x, y, z, r * 1.5, r * 1.5, 0.03, ACCENT)
        pieces.cone(x, y, z + r * 0.7, r * 0.9, r * 0.9, r * 0.7, ACCENT)
    first = _varied(rng, shaded(main, shade))
    second = _varied(rng, first if accent == main else COLOURS_2[accent])
    materials = (
        material(rng, first, second, pattern),
        Material(second),
        *(Material(_varied(rng, c)) for c in FIXED_SLOTS_2),
    )
    form, extent = fit(Form(tuple(pieces.pieces), materials))
    words = tuple(word for word in _proportions(category, extent) if not _OF_SIZE & set(draw.said))
    accent_seen = accent != main and bool(seen_slots(form)[ACCENT] >= ENOUGH_SEEN)
    return Thing(category, False, main, shade, accent, accent_seen, pattern, wears_hat, words, tuple(draw.said), form)


def build(category: str, draw: TellingDraw) -> Pieces:
    """Return the pieces of one object of a category; the first world's recipes are used as they are."""
    pieces = Pieces()
    if category in RECIPES:
        RECIPES[category](draw, pieces)
        return pieces
    parts = Parts()
    CATEGORIES[category](draw, parts)
    return Pieces([Piece(primitive) for primitive in parts.primitives], parts.hat_at)


def material(
    rng: random.Random, first: tuple[float, float, float], second: tuple[float, float, float], pattern: str
) -> Material:
    """Return the main material in a pattern; wood's second colour is a darker one of its own."""
    if pattern == "wood":
        second = (0.5 * first[0], 0.5 * first[1], 0.5 * first[2])
    frequency = rng.uniform(2.2, 3.2) if pattern in ("marble", "wood", "patches") else rng.uniform(3.2, 4.8)
    return Material(first, second, pattern, frequency, rng.randrange(12))


def shaded(colour: str, shade: str) -> tuple[float, float, float]:
    """Return a named colour, darker or lighter."""
    r, g, b = COLOURS_2[colour]
    match shade:
        case "dark":
            return 0.58 * r, 0.58 * g, 0.58 * b
        case "light":
            return 0.5 * r + 0.5, 0.5 * g + 0.5, 0.5 * b + 0.5
    return r, g, b


def colour_name(rgb: tuple[float, float, float]) -> tuple[str, str]:
    """Return the shade and the name of the nearest colour, by distance in CIELAB (D65)."""
    named = [("", name) for name in COLOURS_2] + [(shade, name) for shade in SHADED for name in SHADED[shade]]
    known = _lab(np.array([shaded(name, shade) for shade, name in named]))
    return named[int(np.linalg.norm(known - _lab(np.array(rgb)), axis=-1).argmin())]


def _lab(rgb: np.ndarray) -> np.ndarray:
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = linear @ to_xyz.T / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


def _colour(rng: random.Random, allowed: list[str]) -> str:
    """Draw a name; the first world's twelve twice as often as the others."""
    return rng.choices(allowed, [2 if name in COLOURS else 1 for name in allowed])[0]


def _varied(rng: random.Random, rgb: tuple[float, float, float], by: float = 0.035) -> tuple[float, float, float]:
    r, g, b = (min(1.0, max(0.0, c + rng.uniform(-by, by))) for c in rgb)
    return r, g, b


def _free(rng: random.Random, colour: str | None, pattern: str | None) -> Thing:
    def any_colour() -> tuple[float, float, float]:
        if rng.random() < 0.5:
            return _varied(rng, COLOURS_2[rng.choice(list(COLOURS_2))], 0.08)
        return rng.random(), rng.random(), rng.random()

    first = _varied(rng, COLOURS_2[colour]) if colour else any_colour()
    others = [any_colour() for _ in range(free.SLOTS - 1)]
    pattern = pattern or (rng.choice(list(PATTERNS_2)[1:]) if rng.random() < 0.5 else "plain")
    materials = [material(rng, first, others[0], pattern)]
    for colour_of_slot in others:
        own = rng.choice(list(PATTERNS_2)) if pattern != "plain" and rng.random() < 0.35 else "plain"
        materials.append(material(rng, colour_of_slot, any_colour(), own))
    while True:
        shape = free.draw_form(rng)
        try:
            form, extent = fit(replace(shape.form, materials=tuple(materials)))
        except ValueError:  # its cuts took everything away: draw another
            continue
        break
    words = _words_of(extent, (0.75, 1.35), (0.7, 1.4))
    form, accent, accent_seen = _most_seen_first(form)
    main = form.materials[0]
    shade, named = ("", colour) if colour else colour_name(main.colour)
    name, accent = rng.choice(FREE_NAMES), colour_name(main.second if main.texture != "plain" else accent)[1]
    return Thing(name, True, named, shade, accent, accent_seen, main.texture, False, words, shape.details, form)


def seen_slots(form: Form) -> np.ndarray:
    """Return each slot's share of what is seen of a form from around, [S]."""
    written = table(form)
    cameras = orbit([20.0, 80.0, 140.0, 200.0, 260.0, 320.0], [15.0, 40.0, -5.0, 30.0, 10.0, 50.0], size=24)
    poses, focal = cameras.camera_to_world.double().numpy(), cameras.intrinsics[:, 0, 0].double().numpy()
    found = trace_views(written.rows, written.placement, poses, focal, 24, np.array([0.0, 0.0, 1.0]), False)
    counts = np.bincount(found[found[..., 1] > 0][:, 9].astype(int), minlength=len(form.materials))
    return counts / max(counts.sum(), 1)


def _most_seen_first(form: Form) -> tuple[Form, tuple[float, float, float], bool]:
    """Exchange slots so that the one most seen comes first; return the runner-up's colour, and if it is seen."""
    shares = seen_slots(form)
    order = np.argsort(-shares, kind="stable")
    exchange = {int(order[0]): 0, 0: int(order[0])}
    pieces = [
        replace(p, primitive=replace(p.primitive, slot=exchange.get(p.primitive.slot, p.primitive.slot)))
        for p in form.pieces
    ]
    second = form.materials[int(order[1])].colour
    materials = list(form.materials)
    materials[0], materials[int(order[0])] = materials[int(order[0])], materials[0]
    return (
        replace(form, pieces=tuple(pieces), materials=tuple(materials)),
        second,
        bool(shares[order[1]] >= ENOUGH_SEEN),
    )


def _words_of(extent: np.ndarray, heights: tuple[float, float], widths: tuple[float, float]) -> tuple[str, ...]:
    height, width = float(extent[2] / max(extent[0], extent[1])), float(extent[0] / extent[1])
    words = ["tall"] if height > heights[1] else ["low"] if height < heights[0] else []
    words += ["wide"] if width > widths[1] else ["narrow"] if width < widths[0] else []
    return tuple(words)


def _proportions(category: str, extent: np.ndarray) -> tuple[str, ...]:
    return _words_of(extent, *_usual(category))


@cache
def _usual(category: str) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return between what height and width against the rest a category's middle half lies, with some margin."""
    ratios = []
    for seed in range(24):
        pieces = build(category, TellingDraw(random.Random(seed), HELD_OUT_2.parameter_share, False))
        extent = fit(Form(tuple(pieces.pieces), tuple(Material((0.5, 0.5, 0.5)) for _ in range(13))), 18)[1]
        ratios.append((extent[2] / max(extent[0], extent[1]), extent[0] / extent[1]))
    low, high = np.quantile(np.array(ratios), (0.25, 0.75), axis=0)
    margin = np.maximum(0.08 * (low + high) / 2 - (high - low) / 2, 0)
    (a, b), (c, d) = (low - margin).tolist(), (high + margin).tolist()
    return (a, c), (b, d)
