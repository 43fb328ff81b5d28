"""What a batch holds: groups of views, references, and what is told."""

from __future__ import annotations

import random

import torch

from backend.embedded.training import view_batches
from backend.embedded.training.view_batches import draw_batch, draw_groups, draw_single


def describe(fact: dict, rng: random.Random) -> str:
    return f"a {rng.choice(('red', 'blue'))} mug, {round(fact['azimuth'])}"


def test_a_group_is_the_coloured_views_of_one_object(rows):
    assert rows.groups == [[7 * i + j for j in range(6)] for i in range(4)]


def test_references_are_clean_and_first_and_the_shares_are_as_told(rows):
    rng = random.Random(0)
    batches = [draw_batch(rows, rng, describe) for _ in range(2000)]
    singles = [b for b in batches if b.views == 1]
    assert abs(len(singles) / len(batches) - view_batches.SINGLE) < 0.03
    assert not any(b.clean.any() for b in singles)
    grouped = [b for b in batches if b.views > 1]
    clean = torch.cat([b.clean.reshape(-1, b.views)[:, 0] for b in grouped])
    assert abs(float(clean.float().mean()) - view_batches.REFERENCE) < 0.02
    assert not any(b.clean.reshape(-1, b.views)[:, 1:].any() for b in grouped)
    assert all((b.timesteps[b.clean] == 0).all() for b in grouped)
    for batch in grouped:
        for i in range(0, len(batch.rows), batch.views):
            objects = {rows.facts[row]["seed"] for row in batch.rows[i : i + batch.views]}
            assert len(objects) == 1 and len(set(batch.rows[i : i + batch.views])) == batch.views
    with_reference = [b.words[i] for b in grouped for i in range(len(b.rows)) if b.clean[i]]
    assert abs(sum(not w for w in with_reference) / len(with_reference) - view_batches.UNTOLD_BESIDE_REFERENCE) < 0.03


def test_a_group_is_told_in_one_wording(rows):
    batch = draw_groups(rows, random.Random(1), describe, 4, 40)
    for i in range(0, len(batch.words), 4):
        assert len({word.split(",")[0] for word in batch.words[i : i + 4]}) == 1


def test_single_pictures_are_of_any_kind(rows):
    batch = draw_single(rows, random.Random(0), describe, 200)
    assert {rows.facts[i]["modality"] for i in batch.rows} == {"rgb", "depth"}
