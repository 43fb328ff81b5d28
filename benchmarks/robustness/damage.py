"""Damages the contents of files as disks, transfers and strangers do: the same random numbers, the same damage."""

from __future__ import annotations

import random
from collections.abc import Callable

Kind = Callable[[bytes, random.Random], bytes]

MOST = 1 << 16  # bytes that one damage adds
NUMBERS = (b"0", b"-1", b"1e999", b"NaN", b"9" * 400, b"18446744073709551616", b"null", b"true", b'""', b"[]", b"{}")
BYTES = (b"\0", b"\xff", b"\x1b[2J", b"\xed\xa0\x80", b"..", b"/", b'"', b"[" * 2000, b"\n" * 2000)


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Return a content with one to three kinds of damage; it may be what it was where nothing is hit."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        content = rng.choice(KINDS)(content, rng)
    return content


def cut(content: bytes, rng: random.Random) -> bytes:
    """Return the beginning of a content: a full disk, a transfer that broke off."""
    return content[: rng.randrange(len(content) + 1)]


def flipped(content: bytes, rng: random.Random) -> bytes:
    """Turn some bits, most of them near the beginning, where headers are."""
    changed = bytearray(content)
    for _ in range(rng.randint(1, 8) if changed else 0):
        changed[min(int(rng.expovariate(8 / len(changed))), len(changed) - 1)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def overwritten(content: bytes, rng: random.Random) -> bytes:
    """Replace a run of bytes by one of their extremes, as large sizes in headers are."""
    start, length = _run(content, rng)
    return content[:start] + rng.choice((b"\0", b"\xff", b"\x7f")) * length + content[start + length :]


def removed(content: bytes, rng: random.Random) -> bytes:
    """Take a run of bytes out."""
    start, length = _run(content, rng)
    return content[:start] + content[start + length :]


def repeated(content: bytes, rng: random.Random) -> bytes:
    """Say a run of bytes several times."""
    start, length = _run(content, rng)
    part = content[start : start + length]
    return content[:start] + (part * rng.choice((2, 3, 100)))[:MOST] + content[start:]


def inserted(content: bytes, rng: random.Random) -> bytes:
    """Put in what has a meaning somewhere, or noise."""
    place = rng.randrange(len(content) + 1)
    return content[:place] + rng.choice((*BYTES, rng.randbytes(rng.randint(1, 64)))) + content[place:]


def another_number(content: bytes, rng: random.Random) -> bytes:
    """Write something else in the place of a number of a text, such as JSON or a header."""
    places = [i for i in range(len(content)) if content[i : i + 1].isdigit()]
    if not places:
        return flipped(content, rng)
    start = end = rng.choice(places)
    while content[end : end + 1].isdigit():
        end += 1
    return content[:start] + rng.choice(NUMBERS) + content[end:]


def _run(content: bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(content) + 1)
    return start, min(rng.choice((1, 2, 4, 8, rng.randint(0, len(content)))), len(content) - start)


KINDS: tuple[Kind, ...] = (cut, flipped, overwritten, removed, repeated, inserted, another_number)
