"""What the embedded world draws, and what it holds out."""

from __future__ import annotations

from backend.embedded.objects.shapes import COLOURS, HELD_OUT, TRAINED_CATEGORIES, make_subject


def test_training_never_draws_what_is_held_out():
    subjects = [make_subject(seed) for seed in range(120)]
    assert not {s.category for s in subjects} & set(HELD_OUT.categories)
    assert not any(HELD_OUT.pair(s.category, s.colour) for s in subjects)
    assert len(TRAINED_CATEGORIES) >= 24
    pairs = [sum(HELD_OUT.pair(category, colour) for colour in COLOURS) for category in TRAINED_CATEGORIES]
    assert set(pairs) == {2}
