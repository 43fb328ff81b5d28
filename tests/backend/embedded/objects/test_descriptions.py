"""Captions of the second world: what they say, and how often each clause is left out."""

from __future__ import annotations

import random
import re

import pytest

from backend.embedded.objects import world
from backend.embedded.objects.captions import vocabulary
from backend.embedded.objects.descriptions import (
    LEFT_OUT,
    MOST_WORDS,
    PATTERN_WORDS_2,
    describe,
    prompt_completion,
    vocabulary_2,
)
from backend.embedded.objects.groups import draw_setting
from backend.embedded.objects.pieces import TellingDraw
from backend.embedded.objects.recipes import free
from backend.embedded.tokenizer import build_tokenizer


def some_fact(rng: random.Random, **given) -> dict:
    """Return facts as a group has them, without making its object."""
    setting = draw_setting(rng)
    is_free = rng.random() < 0.3
    fact = {
        "category": rng.choice(world.FREE_NAMES if is_free else world.TRAINED_CATEGORIES_2), "free": is_free,
        "colour": rng.choice(list(world.COLOURS_2)), "shade": rng.choice(("", "dark", "light")),
        "accent": rng.choice(list(world.COLOURS_2)), "accent_seen": True, "pattern": rng.choice(list(world.PATTERNS_2)),
        "hat": rng.random() < 0.3, "proportions": ["tall", "wide"], "details": ["bent", "made of balls and prisms"],
        "style": setting.finish, "background": setting.background, "light": setting.light, "side": setting.side,
        "modality": rng.choice(("rgb", "rgb", "rgb", "depth")), "azimuth": rng.uniform(-180, 180),
        "elevation": rng.uniform(-10, 80), "seed": 0,
    }  # fmt: skip
    return fact | given


PLAIN = {
    "category": "kettle", "free": False, "colour": "green", "shade": "", "accent": "pink", "accent_seen": True,
    "pattern": "plain", "hat": False, "proportions": ["low"], "details": [], "style": "glossy", "background": "navy",
    "light": "warm", "side": "", "modality": "rgb",
}  # fmt: skip


@pytest.mark.parametrize(
    ("clause", "words"),
    [
        ("plain", "plain"), ("colour", "green"), ("finish", "glossy"), ("background", "navy background"),
        ("light", "warm light"), ("view", "view"), ("proportions", "low"), ("category", "kettle"),
    ],
)  # fmt: skip
def test_each_clause_is_left_out_as_often_as_it_should_be(clause: str, words: str):
    rng, count = random.Random(1), 4000
    missing = sum(words not in describe(some_fact(rng, **PLAIN), rng) for _ in range(count)) / count
    assert missing == pytest.approx(LEFT_OUT[clause], abs=4 * (LEFT_OUT[clause] / count) ** 0.5)


def test_an_accent_is_said_with_the_colour_before_it_and_where_it_is_seen():
    rng, count = random.Random(6), 3000
    share = sum("green and pink" not in describe(some_fact(rng, **PLAIN), rng) for _ in range(count)) / count
    assert share == pytest.approx(1 - (1 - LEFT_OUT["accent"]) * (1 - LEFT_OUT["colour"]), abs=0.025)
    assert not any("pink" in describe(some_fact(rng, **PLAIN | {"accent_seen": False}), rng) for _ in range(300))


def test_a_pattern_is_said_and_never_where_there_is_none():
    rng, count = random.Random(2), 3000
    striped = [describe(some_fact(rng, **PLAIN | {"pattern": "stripes"}), rng) for _ in range(count)]
    share = sum("stripe" not in words for words in striped) / count
    assert share == pytest.approx(LEFT_OUT["pattern"], abs=0.02)
    assert not any("plain" in words for words in striped)
    adjectives = "|".join({pair[0] for pair in PATTERN_WORDS_2.values()})
    plain = [describe(some_fact(rng, **PLAIN), rng) for _ in range(500)]
    assert not any(re.search(rf"\b({adjectives})\b", words) for words in plain)


def test_captions_use_known_words_only_and_are_short_enough():
    known, rng = set(vocabulary_2()), random.Random(3)
    for _ in range(3000):
        words = describe(some_fact(rng), rng)
        assert set(words.replace(",", "").split()) <= known, set(words.replace(",", "").split()) - known
        assert len(words.replace(",", " ,").split()) <= MOST_WORDS, words
        assert not re.search(r"\ba [aeiou]|  |,,| ,", words), words


def test_every_detail_of_every_recipe_is_in_the_vocabulary():
    known = set(vocabulary_2())
    for name in world.RECIPES:
        for seed in range(6):
            draw = TellingDraw(random.Random(seed), 0.9, False)
            world.build(name, draw)
            assert set(" ".join(draw.said).split()) <= known, (name, draw.said)
    for seed in range(60):
        assert set(" ".join(free.draw_form(random.Random(seed)).details).split()) <= known


def test_the_first_worlds_words_keep_their_token_ids():
    old, new = build_tokenizer(vocabulary()), build_tokenizer(vocabulary_2())
    before = old.get_vocab()
    moved = {token for token, i in before.items() if new.get_vocab().get(token) != i}
    assert moved == {"<|startoftext|>", "<|endoftext|>"}  # the end token stays the highest id
    for word in vocabulary_2():
        assert len(new.tokenize(word)) == 1, word
    for word in world.HELD_OUT_2.categories:
        assert word not in vocabulary_2()


def test_neutral_clauses_are_words_of_captions():
    rng = random.Random(5)
    neutral = PLAIN | {"style": "matte", "background": "white", "light": "soft"}
    captions = {clause for _ in range(200) for clause in describe(some_fact(rng, **neutral), rng).split(", ")}
    assert {clause["neutral"].format(background="white") for clause in prompt_completion()["clauses"]} <= captions
