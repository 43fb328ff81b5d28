"""Captions of the embedded world: known words, one token each."""

from __future__ import annotations

import random

from backend.embedded.objects.captions import RARE_TOKENS, caption, vocabulary
from backend.embedded.objects.data import view_parameters
from backend.embedded.objects.shapes import make_subject
from backend.embedded.tokenizer import build_tokenizer


def test_captions_use_known_words_only_and_each_is_one_token():
    tokenizer = build_tokenizer(vocabulary())
    rng = random.Random(0)
    for seed in range(60):
        view = view_parameters(rng, 1)[0]
        words = caption(
            make_subject(seed), rng, azimuth=view["azimuth"], elevation=view["elevation"],
            style=rng.choice(["matte", "neon", "glossy"]), modality=rng.choice(["rgb", "depth", "normal", "mask"]),
        )  # fmt: skip
        assert len(tokenizer(words).input_ids) <= tokenizer.model_max_length, words
        for word in words.replace(",", "").split():
            assert word in vocabulary(), words
            assert len(tokenizer.tokenize(word)) == 1, word
    assert all(len(tokenizer.tokenize(token)) == 1 for token in RARE_TOKENS)
    assert len(tokenizer.tokenize("turtle")) > 1  # a held-out category is not known
