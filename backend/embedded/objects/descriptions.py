"""What a view of the second world is called: captions that say everything, each clause sometimes left out.

A caption: an article, proportions, shade, colour and pattern, the name, details; then finish, background, light, kind
of picture and view, parted by commas. What the clauses behind the name say can be completed where an artist did not
say it (`completion_clauses`, read by the product from beside the weights).
"""

from __future__ import annotations

import random
import re

from backend.cameras import view_word
from backend.embedded.objects.captions import MODALITIES, RARE_TOKENS, SYNONYMS, vocabulary
from backend.embedded.objects.groups import LIGHTS
from backend.embedded.objects.recipes.free import NOUNS
from backend.embedded.objects.surfaces import FINISHES
from backend.embedded.objects.world import COLOURS_2, FREE_NAMES, SHADED, TRAINED_CATEGORIES_2

# How often each clause is left out, an accent also with the colour before it; without its category a thing is called
# object or thing.
LEFT_OUT = {
    "colour": 0.10, "pattern": 0.10, "plain": 0.15, "accent": 0.10, "proportions": 0.15, "details": 0.15, "hat": 0.12,
    "finish": 0.15, "background": 0.12, "light": 0.15, "view": 0.20, "category": 0.03, "modality": 0.0,
}  # fmt: skip
# Adjective and noun of each pattern; "{a}" is the accent's colour.
PATTERN_WORDS_2 = {
    "stripes": ("striped", "{a} stripes"), "dots": ("dotted", "{a} dots"), "checks": ("checkered", "{a} checks"),
    "wood": ("wooden", "wood grain"), "marble": ("marbled", "{a} veins"), "speckles": ("speckled", "{a} speckles"),
    "gradient": ("gradient", "a gradient to {a}"), "zigzags": ("zigzag", "{a} zigzags"),
    "bricks": ("brick", "{a} joints"), "patches": ("patchy", "{a} patches"), "stars": ("starry", "{a} stars"),
    "hearts": ("printed", "{a} hearts"), "crosses": ("printed", "{a} crosses"), "rings": ("printed", "{a} rings"),
}  # fmt: skip
SYNONYMS_2 = SYNONYMS | {
    "balloon": "hot air balloon", "hotdog": "hot dog", "television": "tv", "ufo": "flying saucer",
    "plant": "potted plant", "hydrant": "fire hydrant", "chest": "treasure chest", "person": "man", "gift": "present",
    "candle": "candlestick", "palm": "palm tree", "helmet": "knight helmet", "phone": "smartphone", "sofa": "couch",
    "truck": "lorry", "potion": "potion bottle", "ghost": "spook", "dresser": "chest of drawers", "gem": "diamond",
}  # fmt: skip
ARTICLES = ("a", "a", "a", "a", "the", "", "one")
MOST_WORDS = 30  # with commas, so that a caption fits the text encoder


def describe(fact: dict, rng: random.Random) -> str:
    """Return a caption for one view's facts; what is too long loses its details, then its clauses from the middle."""
    kept = {name: rng.random() >= share for name, share in LEFT_OUT.items()}
    kept["plain before"] = kept["plain"] and rng.random() < 0.5  # else it stands behind, as the product says it
    subject = _subject(fact, rng, kept)
    clauses = _clauses(fact, rng, kept)
    while len(" ".join([subject, *clauses]).split()) + len(clauses) > MOST_WORDS and clauses:
        if kept["details"] and fact["details"]:
            kept["details"] = False
            subject = _subject(fact, rng, kept)
        else:
            clauses.pop(rng.randrange(len(clauses)))
    return ", ".join([subject, *clauses])


def vocabulary_2() -> tuple[str, ...]:
    """Return every word of the second world: the first world's first, in their order, so that token ids stay."""
    words = {*COLOURS_2, *SHADED, *FINISHES, *LIGHTS, *TRAINED_CATEGORIES_2, *FREE_NAMES, *NOUNS.values(), *RARE_TOKENS}
    phrases = (*SYNONYMS_2.values(), *MODALITIES.values(), *ARTICLES, *_LIGHT_WORDS, *_BACKGROUND_WORDS)
    for phrase in (*phrases, *(noun for pair in PATTERN_WORDS_2.values() for noun in pair)):
        words |= set(phrase.replace("{a}", "").split())
    words |= set(_OTHERS.split()) | set(DETAIL_WORDS.split())
    old = vocabulary()
    return (*old, *sorted(words - set(old)))


def prompt_completion() -> dict:
    """Return what completes a prompt (`backend.diffusion.prompt_completion` reads it from beside the weights).

    Each clause has neutral words and the words that say it already, but not where a word of `not_before` follows.
    Captions of depth, normals and masks have no such clauses, so prompts with `unless` get none.
    """
    patterns = {word for pair in PATTERN_WORDS_2.values() for word in pair[0].split()}
    patterns |= {noun.split()[-1] for name, (_, noun) in PATTERN_WORDS_2.items() if name != "gradient"}
    background = ["background", "backdrop"]
    clauses = [
        {"neutral": "plain", "said_by": sorted({"plain", "pattern", *patterns}), "not_before": background},
        {"neutral": "matte", "said_by": [*FINISHES, "shiny", "metal"], "not_before": []},
        {"neutral": "{background} background", "said_by": background, "not_before": []},
        {"neutral": "soft light", "said_by": ["light", "lighting", "lit", "albedo"], "not_before": list(COLOURS_2)},
    ]
    return {"unless": [words for kind, words in MODALITIES.items() if kind != "rgb"], "clauses": clauses}


_LIGHT_WORDS = ("light", "lighting", "from the left", "from the right", "from above", "from behind", "albedo")
_BACKGROUND_WORDS = ("on a white background", "background", "backdrop")
_OTHERS = "with and a an of in on made wearing hat plain tall low wide narrow front side back overhead view photo shape"
# Every word of the details that recipes and free forms tell; a test reads them all.
DETAIL_WORDS = (
    "a arms back barrel bent big blade brim bulging columns deep drumsticks ears egg eye eyes face fat flat "
    "flowers fried fruit half handle hat head headboard high horns leaves legs lens long low narrow neck on "
    "one open pads pointed points post roof round sail sails shallow shell short slender slim small spout "
    "stem tail tall tap tapered thick thin toast tower twisted two wheels wide wings with "
)


def _subject(fact: dict, rng: random.Random, kept: dict[str, bool]) -> str:
    name = fact["category"]
    if not kept["category"] and not fact["free"]:
        name = rng.choice(("object", "thing"))
    elif name in SYNONYMS_2 and rng.random() < 0.25:
        name = SYNONYMS_2[name]
    colour = " ".join(w for w in (fact["shade"], fact["colour"]) if w)
    if fact["colour"] == "gray" and rng.random() < 0.3:
        colour = colour.replace("gray", "grey")
    before, behind, pattern = [], [], fact["pattern"]
    if kept["proportions"]:
        before += [word for word in fact["proportions"] if word not in fact["details"]]
    said = [detail for detail in fact["details"] if rng.random() < 0.9] if kept["details"] else []
    before += [detail for detail in said if " " not in detail]
    behind += [detail for detail in said if " " in detail]
    if pattern == "plain":
        if kept["plain before"]:
            before.append("plain")
        if kept["colour"]:
            before.append(colour)
        if kept["accent"] and fact["accent_seen"]:
            before += ["and", fact["accent"]] if kept["colour"] else []
    else:
        adjective, noun = PATTERN_WORDS_2[pattern]
        words = [colour] if kept["colour"] else []
        if kept["pattern"]:
            told = (rng.random() < 0.5 or adjective == "printed") and (kept["accent"] or pattern != "gradient")
            if told:
                behind.insert(0, f"with {noun.format(a=fact['accent'] if kept['accent'] else '').strip()}")
            else:
                words += ["and", fact["accent"]] if kept["accent"] and words and pattern != "wood" else []
                words.append(adjective)
        before += words
    if rng.random() < 0.03:
        before.append(rng.choice(RARE_TOKENS))
    if fact["hat"] and kept["hat"]:
        hat = f"{fact['accent']} hat" if kept["accent"] and fact["accent"] != fact["colour"] else "hat"
        behind.append(rng.choice((f"wearing a {hat}", f"with a {hat}")))
    words = " ".join(w for w in (rng.choice(ARTICLES), *before, name, *behind) if w)
    return re.sub(r"\ba (?=[aeiou])", "an ", " ".join(words.split()))


def _clauses(fact: dict, rng: random.Random, kept: dict[str, bool]) -> list[str]:
    clauses = []
    if fact["modality"] != "rgb":
        clauses.append(MODALITIES[fact["modality"]])  # that shows neither finish nor light nor background
    else:
        if fact["pattern"] == "plain" and kept["plain"] and not kept["plain before"]:
            clauses.append("plain")
        if kept["finish"]:
            clauses.append(fact["style"])
        if kept["background"]:
            article = "an" if fact["background"][0] in "aeiou" else "a"
            clauses.append(f"{rng.choice(('', '', f'on {article} '))}{fact['background']} background")
        if kept["light"]:
            clauses.append(_light(fact, rng))
        if rng.random() < 0.05:
            clauses.append("rgb photo")
        if rng.random() < 0.15:
            rng.shuffle(clauses)
    if kept["view"]:
        clauses.append(f"{view_word(fact['azimuth'], fact['elevation'])} view")
    return clauses


def _light(fact: dict, rng: random.Random) -> str:
    if fact["light"] == "flat" and rng.random() < 0.4:
        return "albedo"
    words = f"{fact['light']} {rng.choice(('light', 'light', 'light', 'lighting'))}"
    if fact["side"] and rng.random() < 0.85:
        where = {"left": "from the left", "right": "from the right", "front": "from the front"}
        words += f" {where.get(fact['side'], 'from ' + fact['side'])}"
    return words
