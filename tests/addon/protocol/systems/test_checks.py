"""Settings are refused with what would fit, before a job begins."""

from __future__ import annotations

from typing import Any

import pytest

from addon import protocol
from addon.protocol.systems import checked
from addon.protocol.systems.tv3dg import TV3DG


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"nonsense": 1}, "There is no setting 'nonsense'. The nearest are "),
        ({"stepz": 1}, "There is no setting 'stepz'. Did you mean steps"),
        ({"steps": 3, "scale": "much"}, "The setting scale is 'much'. Give a number."),
        ({"entropy": -1.0}, "The setting entropy is -1.0. Give at least 0."),
        ({"multi_view": "cube"}, "The setting multi_view is 'cube'. The choices are: "),
    ],
)
def test_what_does_not_fit_is_one_sentence_with_what_would(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(protocol.WrongSetting) as caught:
        protocol.check_settings(TV3DG, values)
    assert str(caught.value).startswith(sentence) and isinstance(caught.value, protocol.ProtocolError)
    assert str(caught.value) == f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize("name", ["nonsense", "", "x" * 100_000, "\u2603"])
def test_a_setting_that_is_like_none_names_the_nearest_few_and_where_all_are(name: str) -> None:
    with pytest.raises(protocol.WrongSetting) as caught:
        protocol.check_settings(TV3DG, {name: 1})
    words = caught.value.hint.split(";")[0].replace(",", "").split()
    assert len([word for word in words if word in TV3DG.settings]) == 3
    assert caught.value.hint.endswith(f"`generate --help-settings` lists all {len(TV3DG.settings)}.")
    assert len(str(caught.value)) < 250


def test_what_fits_is_let_pass_and_so_are_those_of_every_job() -> None:
    protocol.check_settings(TV3DG, {"steps": 3, "scale": 2, "checkpoint_steps": 1, "checkpoint_seconds": 0.5})
    assert checked(TV3DG, "scale", 2) == 2.0 and type(checked(TV3DG, "scale", 2)) is float
