"""What an image is called: the captions of the training images, and every word that the prior knows."""

from __future__ import annotations

import random

from backend.cameras import view_word
from backend.embedded.objects.shapes import COLOURS, STYLES, TRAINED_CATEGORIES, Subject

RARE_TOKENS = ("sks", "zwx", "ohwx", "vqk", "ktn", "plf", "xjy", "brk")  # no meaning of their own: for fine-tuning
MODALITIES = {"rgb": "rgb photo", "depth": "depth map", "normal": "normal map", "mask": "foreground mask"}
PATTERN_WORDS = {"stripes": ("striped", "stripes"), "dots": ("dotted", "dots"), "checks": ("checkered", "checks")}
SYNONYMS = {"gray": "grey", "plane": "airplane", "bear": "teddy bear", "icecream": "ice cream"}
OPENINGS = ("a", "a", "a", "a", "", "a photo of a", "a model of a", "a picture of a", "an image of a")
OTHER_WORDS = (
    "the one small big little cute beautiful nice simple toy object render rendering style high quality detailed best "
    "of with and on in an its wearing white background plain hat red"
)


def caption(
    subject: Subject, rng: random.Random, *, azimuth: float, elevation: float, style: str, modality: str = "rgb"
) -> str:
    """Describe one image in one of many wordings; each fact but category and colour is sometimes left unsaid."""
    adjectives = [] if style == "matte" and rng.random() < 0.8 else [style]
    tail = ""
    name = SYNONYMS[subject.category] if subject.category in SYNONYMS and rng.random() < 0.3 else subject.category
    colour = SYNONYMS[subject.colour] if subject.colour in SYNONYMS and rng.random() < 0.3 else subject.colour
    if subject.pattern != "plain":
        adjective, noun = PATTERN_WORDS[subject.pattern]
        choice = rng.random()
        if choice < 0.4:
            tail = f" with {subject.accent} {noun}"
        elif choice < 0.8:
            colour = f"{colour} {adjective}" if rng.random() < 0.5 else f"{colour} and {subject.accent} {adjective}"
    elif rng.random() < 0.4:
        colour = f"{colour} and {subject.accent}"
    if rng.random() > 0.04:
        adjectives.append(colour)
    if rng.random() < 0.04:
        adjectives.append(rng.choice(RARE_TOKENS))
    if subject.hat and rng.random() < 0.85:
        hat = f"{subject.accent} hat" if rng.random() < 0.5 else "hat"
        tail += f" wearing a {hat}" if rng.random() < 0.3 else f" {'and' if tail else 'with'} a {hat}"
    words = f"{rng.choice(OPENINGS)} {' '.join([*adjectives, name])}{tail}".strip()
    if modality != "rgb" or rng.random() < 0.08:
        words = f"{MODALITIES[modality]} of {words}" if rng.random() < 0.5 else f"{words}, {MODALITIES[modality]}"
    if rng.random() < 0.55:
        words += f", {view_word(azimuth, elevation)} view"
    return words


def vocabulary() -> tuple[str, ...]:
    """Return every word that captions can contain, sorted."""
    words = set(OTHER_WORDS.split()) | set(COLOURS) | set(STYLES) | set(TRAINED_CATEGORIES) | set(RARE_TOKENS)
    for phrase in (*SYNONYMS.values(), *MODALITIES.values(), *OPENINGS, "front side back overhead view"):
        words |= set(phrase.split())
    for pair in PATTERN_WORDS.values():
        words |= set(pair)
    return tuple(sorted(words))
