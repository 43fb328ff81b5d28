"""Sentences are translated before they are filled in, and what an artist has written is not translated at all."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from addon.protocol import Phrase


@pytest.fixture
def german(enabled: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module, in a Blender that speaks German; its module for Python has no languages of its own."""
    from addon.language import saying, words

    def look_up(text: str, context: str = "*") -> str:
        if context == "*" and text in ("History", "Solidify"):  # of Blender's own words, which go before ours
            return {"History": "Protokol", "Solidify": "Verdicken"}[text]
        return words.dictionary()["de"].get((context, text), text)

    def look_up_report(text: str, context: str = "*") -> str:
        return f"R: {look_up(text, context)}"

    found = SimpleNamespace(pgettext_iface=look_up, pgettext_rpt=look_up_report)
    found.pgettext_tip = look_up
    monkeypatch.setattr(saying, "bpy", SimpleNamespace(app=SimpleNamespace(translations=found)))
    return saying


def test_a_template_is_translated_and_then_filled_in(german: Any) -> None:
    assert german.say("Done in {time}", time="40 s") == "Fertig in 40 s"
    assert german.say(Phrase("About {time} left", time="3 min")) == "Noch etwa 3 min"
    assert german.say("Starting") == "Startet" and german.say("") == ""
    assert german.say_tip("Put right what went wrong") == "Beheben, was schiefging"
    assert german.say_report("No job is running") == "R: Es läuft kein Auftrag"


def test_phrases_among_the_values_are_translated_and_names_are_not(german: Any) -> None:
    inner = Phrase("it has no result yet")
    assert german.say("This job cannot be edited: {reason}", reason=inner) == (
        "Dieser Auftrag lässt sich nicht ändern: er hat noch kein Ergebnis"
    )
    assert german.say("Onto {mesh}", mesh="Delete") == "Auf Delete"  # an object's name
    assert german.say("Onto {mesh}", mesh="{count}") == "Auf {count}"


def test_errors_are_said_by_what_they_were_made_of(german: Any) -> None:
    error = ValueError(Phrase("{job} is running: cancel it first.", job="bear"))
    assert str(error) == "bear is running: cancel it first."
    assert german.say_error(error) == "R: bear läuft: zuerst abbrechen."
    assert german.say_error(OSError(28, "No space left on device")).endswith("No space left on device")


def test_a_reason_has_no_full_stop(german: Any) -> None:
    assert [german.without_stop(text) for text in ("It is.", "そうです。", "So")] == ["It is", "そうです", "So"]


def test_our_word_goes_before_blenders_own_and_that_before_english(german: Any) -> None:
    assert german.say("History") == "Verlauf" and german.say("Solidify") == "Verdicken"
