"""Damage is the same for the same random numbers, of every kind, and within bounds."""

from __future__ import annotations

import random

import pytest

from benchmarks.robustness import damage

WHOLE = b'{"steps": 40, "prompt": "a red mug", "sizes": [12, 400]}' * 3


def test_the_same_numbers_make_the_same_damage() -> None:
    made = [damage.damaged(WHOLE, random.Random(number)) for number in range(300)]
    assert made == [damage.damaged(WHOLE, random.Random(number)) for number in range(300)]
    assert len(set(made)) > 250 and sum(each != WHOLE for each in made) > 280
    assert max(map(len, made)) < len(WHOLE) + 4 * damage.MOST


@pytest.mark.parametrize("kind", damage.KINDS)
def test_each_kind_damages_and_takes_an_empty_file(kind: damage.Kind) -> None:
    assert any(kind(WHOLE, random.Random(number)) != WHOLE for number in range(20))
    for number in range(50):
        kind(b"", random.Random(number))
        kind(b"7", random.Random(number))


def test_each_kind_does_what_it_says() -> None:
    for number in range(50):
        assert WHOLE.startswith(damage.cut(WHOLE, random.Random(number)))
        flipped = damage.flipped(WHOLE, random.Random(number))
        assert len(flipped) == len(WHOLE) and sum(a != b for a, b in zip(flipped, WHOLE, strict=True)) <= 8
        assert len(damage.overwritten(WHOLE, random.Random(number))) == len(WHOLE)
        assert len(damage.removed(WHOLE, random.Random(number))) <= len(WHOLE)
        assert len(damage.repeated(WHOLE, random.Random(number))) >= len(WHOLE)
        assert len(damage.inserted(WHOLE, random.Random(number))) > len(WHOLE)
    numbers = {damage.another_number(b"[12]", random.Random(number)) for number in range(200)}
    assert b"[1e999]" in numbers and all(each[:1] == b"[" and each[-1:] == b"]" for each in numbers)
