"""A phrase is English text that remembers what it was made of."""

from __future__ import annotations

import copy
import json

import pytest

from addon.protocol import Phrase, joined, packed, sentence_of, unpacked

TOLD = Phrase("{name}: {reason}", name="bear", reason=Phrase("{count} failed", count=2))
WORDS = {"{name}: {reason}": "{reason} bei {name}", "{count} failed": "{count} fehlgeschlagen"}


def translate(text: str) -> str:
    return WORDS.get(text, text)


def test_it_is_english_text_and_can_be_translated() -> None:
    assert TOLD == "bear: 2 failed" and isinstance(TOLD, str) and json.dumps(TOLD) == '"bear: 2 failed"'
    assert TOLD.translated(translate) == "2 fehlgeschlagen bei bear"
    assert Phrase("of {braces}") == "of {braces}" and Phrase("of {braces}").translated(str.upper) == "OF {BRACES}"


def test_values_are_put_in_once() -> None:
    assert Phrase("{name} is gone", name="{count}").translated(translate) == "{count} is gone"


def test_a_copy_remembers_too() -> None:
    again = copy.deepcopy(TOLD)
    assert again == TOLD and again.translated(translate) == TOLD.translated(translate)


def test_it_goes_through_json() -> None:
    back = unpacked(json.loads(json.dumps(packed(TOLD))))
    assert back == TOLD and back.translated(translate) == "2 fehlgeschlagen bei bear"
    assert unpacked(json.loads(json.dumps(packed(Phrase("{share:.0%}", share=0.5))))) == "50%"
    with pytest.raises((KeyError, TypeError)):
        unpacked({"template": "{name}"})


def test_an_error_says_the_phrase_that_it_was_made_with() -> None:
    assert sentence_of(ValueError(TOLD)) is TOLD
    assert sentence_of(ValueError("plain")) == "plain" and sentence_of(ValueError()) == ""


def test_phrases_are_joined() -> None:
    three = [Phrase("{count} failed", count=count) for count in (1, 2, 3)]
    assert joined(three, "{first}, {second}") == "1 failed, 2 failed, 3 failed"
    assert joined(three, "{first}, {second}").translated(translate).startswith("1 fehlgeschlagen, 2 fehl")


@pytest.mark.parametrize(
    "template",
    ["{count:>1000000000}", "{count.__class__}", "{count!r}", "{count", "{count}" * 2_000, "{count:{count}}"],
)
def test_a_strangers_template_is_not_filled_in(template: str) -> None:
    with pytest.raises(ValueError):
        unpacked({"template": template, "values": {"count": 3}})
    with pytest.raises(ValueError, match="letters"):
        unpacked({"template": "{count}{count}", "values": {"count": "x" * 9_000}})
