"""Builds a CLIP tokenizer whose merges make one token of every known word, and pieces of every other."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false
# diffusers and transformers annotate their defaults, not what they take.
from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from transformers import CLIPTokenizer

MAX_TOKENS = 32


def build_tokenizer(words: Sequence[str]) -> CLIPTokenizer:
    """Return a CLIPTokenizer with the byte alphabet and as many merges as make each word a single token."""
    ranks: dict[tuple[str, str], int] = {}
    for word in words:
        pieces = _apply([*word[:-1], f"{word[-1]}</w>"], ranks)
        while len(pieces) > 1:  # later merges rank lower, so words already whole stay whole
            ranks[(pieces[0], pieces[1])] = len(ranks)
            pieces = _apply(pieces, ranks)
    alphabet = _byte_alphabet()
    tokens = [*alphabet, *(f"{letter}</w>" for letter in alphabet), *("".join(pair) for pair in ranks)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]  # CLIPTextModel pools at the highest id: the end token comes last
    vocabulary = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
    return CLIPTokenizer(vocab=vocabulary, merges=list(ranks), model_max_length=MAX_TOKENS)


def _apply(pieces: list[str], ranks: dict[tuple[str, str], int]) -> list[str]:
    while True:
        best = min(pairwise(pieces), key=lambda pair: ranks.get(pair, len(ranks)), default=None)
        if best is None or best not in ranks:
            return pieces
        merged, i = [], 0
        while i < len(pieces):
            if i + 1 < len(pieces) and (pieces[i], pieces[i + 1]) == best:
                merged.append(pieces[i] + pieces[i + 1])
                i += 2
            else:
                merged.append(pieces[i])
                i += 1
        pieces = merged


def _byte_alphabet() -> list[str]:
    """Return the 256 printable stand-ins for bytes of byte-level BPE (GPT-2's table, as CLIP uses it)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in printable]
    return [chr(b) for b in printable] + [chr(256 + i) for i in range(len(others))]
