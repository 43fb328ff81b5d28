"""The words of a prior, read from its tokenizer's file, are those that the tokenizer itself leaves whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from addon import paths, prior_words

PROMPT = "A red Gargoyle, with 3 white dots! größe icecream its gargoyle"


def test_unknown_words_are_those_that_are_cut_into_pieces() -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not in this environment")
    tokenizer = transformers.CLIPTokenizer.from_pretrained(paths.EMBEDDED_PRIOR / "tokenizer", local_files_only=True)
    found = prior_words.unknown_words(PROMPT, prior_words.known_words(paths.EMBEDDED_PRIOR))
    assert found == ["gargoyle", "größe"]
    assert found == [word for word in prior_words.words_of(PROMPT) if len(tokenizer.tokenize(word)) > 1]


def test_what_is_offered_says_what_an_object_is() -> None:
    offered = prior_words.words_to_offer(prior_words.known_words(paths.EMBEDDED_PRIOR))
    assert offered == sorted(offered) and {"mug", "red", "striped", "glossy", "icecream"} <= set(offered)
    assert not {"a", "with", "view", "3", "!"} & set(offered)


def test_words_of_no_meaning_are_not_offered() -> None:
    captions = pytest.importorskip("backend.embedded.objects.captions", reason="torch is not in this environment")
    assert set(captions.RARE_TOKENS) <= prior_words.BETWEEN


@pytest.mark.parametrize("content", [None, "{", "[]", '{"model": {}}', '{"model": {"vocab": 3}}'])
def test_of_a_tokenizer_that_cannot_be_read_nothing_is_said(tmp_path: Path, content: str | None) -> None:
    (tmp_path / "tokenizer").mkdir()
    if content is not None:
        (tmp_path / prior_words.TOKENIZER).write_text(content)
    assert (
        prior_words.known_words(tmp_path) == frozenset() and prior_words.unknown_words("a gargoyle", frozenset()) == []
    )


def test_a_file_beyond_the_bound_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "tokenizer").mkdir()
    with (tmp_path / prior_words.TOKENIZER).open("wb") as file:
        file.truncate(prior_words.MAX_BYTES + 1)
    assert prior_words.known_words(tmp_path) == frozenset()
