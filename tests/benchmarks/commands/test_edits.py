"""The figures of edits by text, on true objects of which it is known what they are."""

from __future__ import annotations

import pytest
import torch

from backend.cameras import orbit
from backend.embedded.objects.shapes import make_subject
from benchmarks.commands.edits import (
    ACCENT,
    AZIMUTHS,
    EDITS,
    ELEVATION,
    MAIN,
    OBJECT_SEED,
    Edit,
    judge,
    parts_of,
)
from benchmarks.data.draw import Views, solid_views
from benchmarks.judges.bench import Judges, load_embedded
from benchmarks.report.tables import edits

NAMED = {edit.name: edit for edit in EDITS}


def true_views(*, hat: bool = False) -> Views:
    subject = make_subject(OBJECT_SEED, category="robot", colour=MAIN, pattern="plain", hat=hat)
    assert subject.accent == ACCENT and subject.hat == hat
    return solid_views(subject.solid)(orbit(AZIMUTHS, ELEVATION))


@pytest.fixture(scope="module")
def start() -> Views:
    return true_views()


@pytest.fixture(scope="module")
def judges() -> Judges:
    return load_embedded()


def test_parts_are_told_by_their_colours(start: Views) -> None:
    parts = parts_of(start)
    front = {name: float(part[0].float().mean()) for name, part in parts.items()}
    assert front["main"] > front["accent"] > front["rest"] > 0.003
    assert not bool((parts["main"] & parts["accent"]).any())
    outside = start.alpha[..., 0] < 0.5
    assert not any(bool((part & outside).any()) for part in parts.values())


def test_a_true_change_is_seen_and_the_rest_has_stayed(start: Views, judges: Judges) -> None:
    before = judge(start, start, NAMED["blue"], judges)
    main = parts_of(start)["main"][..., None]
    painted = Views(torch.where(main, start.rgb.flip(-1), start.rgb), start.alpha, start.normal)  # red becomes blue
    after = judge(painted, start, NAMED["blue"], judges)
    assert before["changed"] == 0 and after["changed"] >= 0.75 and after["others_right"] >= 0.7
    assert after["silhouette_iou"] == pytest.approx(1) and after["colour_distance"] == 0
    assert sum(after[name] > before[name] for name in after if name.startswith("nearer_")) >= 2


def test_a_hat_is_seen(start: Views, judges: Judges) -> None:
    assert judge(start, start, NAMED["hat"], judges)["changed"] <= 0.25
    assert judge(true_views(hat=True), start, NAMED["hat"], judges)["changed"] >= 0.75


def test_what_changes_besides_is_counted(start: Views, judges: Judges) -> None:
    """Painting the limbs purple is what was asked for; it is a mistake where the body should be blue."""
    limbs = parts_of(start)["accent"][..., None]
    painted = Views(torch.where(limbs, torch.tensor([0.5, 0.1, 0.6]), start.rgb), start.alpha, start.normal)
    asked = judge(painted, start, NAMED["limbs"], judges)
    assert asked["changed"] == 1 and asked["colour_distance"] == 0
    mistaken = judge(painted, start, NAMED["blue"], judges)
    assert mistaken["changed"] == 0 and mistaken["colour_distance"] > 0.1


def test_the_table_says_what_the_start_says_in_brackets() -> None:
    new = {
        "changed": 1.0,
        "others_right": 0.5,
        "nearer_a": 1.0,
        "nearer_b": 0.5,
        "silhouette_iou": 0.9,
        "colour_distance": 0.1,
    }
    row = {"prompt": "a blue robot", "figures": new, "start": new | {"changed": 0.0}, "seconds": 1.0}
    assert edits({"rows": [row]})[1] == ["a blue robot", "100% (0%)", "50% (50%)", "75% (75%)", "0.90", "0.100"]


def test_the_edits_are_of_all_kinds() -> None:
    assert {edit.part for edit in EDITS} == {"main", "accent", "pattern", "hat"} and len(NAMED) == 5
    assert all(isinstance(edit, Edit) and edit.prompt.startswith("a ") for edit in EDITS)
