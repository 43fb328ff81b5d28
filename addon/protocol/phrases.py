"""Sentences with names and numbers in them, so that who shows one can translate it before it is filled in."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

# What comes from a file may be a stranger's: only plain places are filled in, and not to any length.
PLACE = re.compile(r"\{\w+(?::,?(?:\.\d)?[%fgd]?)?\}")
MOST_LETTERS = 10_000


class Phrase(str):
    """English text that knows the template it was made of, and the values that were put into it.

    It is the English text wherever a text is wanted: in logs, on the command line. Values may be phrases themselves.
    Without values nothing is put in, and braces stay.
    """

    __slots__ = ("template", "values")
    template: str
    values: Mapping[str, object]

    def __new__(cls, template: str, **values: object) -> Phrase:
        made = super().__new__(cls, template.format(**values) if values else template)
        made.template, made.values = template, values
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return _made, (self.template, dict(self.values))

    def translated(self, translate: Callable[[str], str]) -> str:
        """Return it with the template, and those of phrases among its values, as `translate` gives them."""
        template = translate(self.template)
        if not self.values:
            return template
        inner = {
            name: value.translated(translate) if isinstance(value, Phrase) else value
            for name, value in self.values.items()
        }
        return template.format(**inner)


def _made(template: str, values: Mapping[str, object]) -> Phrase:
    return Phrase(template, **values)


def sentence_of(error: BaseException) -> str:
    """Return what an error says: the phrase that it was made with, where it was one."""
    first = error.args[0] if error.args else ""
    return first if isinstance(first, Phrase) else str(error)


def joined(phrases: Iterable[Phrase], template: str) -> Phrase:
    """Return phrases one after the other, each two as a template of {first} and {second} joins them."""
    return functools.reduce(lambda first, second: Phrase(template, first=first, second=second), phrases)


def packed(phrase: Phrase) -> dict[str, Any]:
    """Return a phrase as JSON can hold it; values that are neither numbers nor phrases become text."""
    values = {
        name: packed(value) if isinstance(value, Phrase) else value if isinstance(value, int | float) else str(value)
        for name, value in phrase.values.items()
    }
    return {"template": phrase.template, "values": values}


def unpacked(content: Mapping[str, Any]) -> Phrase:
    """Return the phrase that was packed. Raises KeyError, TypeError or ValueError where it was none of ours."""
    values = {
        str(name): unpacked(value) if isinstance(value, Mapping) else value for name, value in content["values"].items()
    }
    template = str(content["template"])
    braces = PLACE.sub("", template).replace("{{", "").replace("}}", "")
    if values and (len(template) > MOST_LETTERS or "{" in braces or "}" in braces):
        raise ValueError(f"{template[:80]!r} is no template of a sentence")
    made = Phrase(template, **values)
    if len(made) > MOST_LETTERS:
        raise ValueError(f"a sentence of {len(made)} letters")
    return made
