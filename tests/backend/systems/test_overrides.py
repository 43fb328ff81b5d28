"""What a request may override, and what it may not."""

from __future__ import annotations

from typing import Any

import pytest

from addon.protocol.systems.tv3dg import TV3DG
from backend.errors import BadInput
from backend.systems.overrides import chosen_settings


def test_a_whole_number_will_do_for_a_number() -> None:
    settings = chosen_settings(TV3DG, "bench", {"scale": 5, "steps": 7})
    assert (settings.scale, type(settings.scale), settings.steps) == (5.0, float, 7)
    assert chosen_settings(TV3DG, "bench", {}) == TV3DG.presets["bench"]


@pytest.mark.parametrize(
    ("name", "value", "message", "hint"),
    [
        ("stepz", 3, "no setting 'stepz'", "steps"),
        ("steps", "many", "steps is 'many'", "a whole number"),
        ("steps", 2.5, "steps is 2.5", "a whole number"),
        ("camera_tokens", 1, "camera_tokens is 1", "true or false"),
        ("loss", 1.0, "loss is 1.0", "a word"),
        ("multi_view", "cube", "multi_view is 'cube'", "prior, zero123"),
        ("delta_t", 0, "delta_t is 0", "at least 1"),
        ("entropy", -1, "entropy is -1.0", "at least 0"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(name: str, value: Any, message: str, hint: str) -> None:
    with pytest.raises(BadInput, match=message) as error:
        chosen_settings(TV3DG, "bench", {name: value})
    assert hint in error.value.hint
