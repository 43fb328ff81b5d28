"""The tokenizer of the bundled model: one token for a known word, pieces of every other, nothing lost."""

from __future__ import annotations

import pytest

from backend.embedded.tokenizer import MAX_TOKENS, build_tokenizer

WORDS = ["a", "red", "mug", "mugs", "teddy", "tea", "teapot"]


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer(WORDS)


def test_a_known_word_is_one_token_and_another_is_pieces_that_spell_it(tokenizer) -> None:
    assert [tokenizer.tokenize(word) for word in WORDS] == [[f"{word}</w>"] for word in WORDS]
    pieces = tokenizer.tokenize("mugger")
    assert len(pieces) > 1 and "".join(pieces) == "mugger</w>"


def test_a_later_word_leaves_the_earlier_ones_whole() -> None:
    words = ["ab", "abc", "bc", "cab", "abab"]
    assert [len(build_tokenizer(words).tokenize(word)) for word in words] == [1] * len(words)


def test_text_comes_back_and_the_end_has_the_highest_number(tokenizer) -> None:
    tokens = tokenizer("a red teapot").input_ids
    assert tokenizer.decode(tokens, skip_special_tokens=True).strip() == "a red teapot"
    assert tokens[0] == tokenizer.bos_token_id and tokens[-1] == tokenizer.eos_token_id == len(tokenizer) - 1
    assert tokenizer.model_max_length == MAX_TOKENS
