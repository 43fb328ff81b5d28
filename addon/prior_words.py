"""The words that a prior knows, read from its tokenizer: the others are cut into pieces and mean nothing to it."""

from __future__ import annotations

import functools
import json
from pathlib import Path

TOKENIZER = "tokenizer/tokenizer.json"  # in a prior's folder
END = "</w>"  # of a token that ends a word, in CLIP's vocabularies
MAX_BYTES = 1 << 24
# Words between those that an artist looks for; the last are of no meaning, for what the prior is taught.
BETWEEN = frozenset(
    "and back background best depth detailed foreground front high image its map mask model normal object one overhead "
    "photo picture quality render rendering rgb side style the view wearing with "
    "sks zwx ohwx vqk ktn plf xjy brk".split()
)


@functools.lru_cache(maxsize=4)
def known_words(prior: Path) -> frozenset[str]:
    """Return the words that are one token each, none where the prior's tokenizer cannot be read."""
    path = prior / TOKENIZER
    try:
        if path.stat().st_size > MAX_BYTES:
            return frozenset()
        vocabulary = json.loads(path.read_text(encoding="utf-8"))["model"]["vocab"]
    except (OSError, ValueError, KeyError, TypeError):
        return frozenset()
    tokens = vocabulary if isinstance(vocabulary, dict) else {}
    return frozenset(token.removesuffix(END) for token in tokens if token.endswith(END))


def words_of(prompt: str) -> list[str]:
    """Return the words of a prompt, each once, in their order, in small letters."""
    return list(dict.fromkeys("".join(c if c.isalnum() else " " for c in prompt.lower()).split()))


def unknown_words(prompt: str, known: frozenset[str]) -> list[str]:
    """Return the words of a prompt that are not known, in their order; none where nothing is known of the prior."""
    return [word for word in words_of(prompt) if word not in known] if known else []


def words_to_offer(known: frozenset[str]) -> list[str]:
    """Return the words that say what an object is or looks like, by the alphabet."""
    return sorted(word for word in known - BETWEEN if len(word) > 2 and word.isalpha())
