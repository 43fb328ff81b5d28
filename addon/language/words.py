"""Words in German, Spanish, Japanese and Simplified Chinese, which Blender puts in the place of ours.

Labels are looked up by Blender itself; templates of sentences by `saying`. Of tooltips those of the preferences and of
the scene's fields have words, and others are English still; so is what the backend says of a job without a phrase.
"""

# Blender makes its module at run time; pyright sees an almost empty one.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

import sys
from typing import Any

import bpy

from . import (
    course,
    cut_out,
    installation,
    pictures,
    refusals,
    scene_tooltips,
    settings,
    setup,
    setup_tooltips,
    systems,
    tab,
    told,
)

NAME = __name__
OWN = "Maquette"  # of words that Blender itself may have in another meaning: its Prompt is that of its console
CONTEXTS = ("*", "Operator", OWN)  # labels of operators are looked up in the second
LOCALES = ("de", "es", "ja", "zh_HANS")  # Blender takes a language's own for each of its countries
ALSO = {"zh_CN": "zh_HANS"}  # as Blender 4.5 and earlier may call it

TABLES = (
    tab,
    course,
    setup,
    installation,
    refusals,
    pictures,
    cut_out,
    told,
    systems,
    settings,
    scene_tooltips,
    setup_tooltips,
)
WORDS = {english: others for table in TABLES for english, others in table.WORDS.items()}


def dictionary() -> dict[str, dict[tuple[str, str], str]]:
    """Return the words as Blender takes them: locale -> (context, English) -> word."""
    made = {
        locale: {(context, english): others[place] for english, others in WORDS.items() for context in CONTEXTS}
        for place, locale in enumerate(LOCALES)
    }
    return made | {other: made[locale] for other, locale in ALSO.items()}


def take_context(cls: type) -> None:
    """Let Blender look up a class's label, and those of its properties, as OWN: where it has the same word itself, such
    as "Paper", its translation goes before ours and may mean another thing.
    """
    kinds = bpy.types.Operator, bpy.types.Panel, bpy.types.Menu
    if issubclass(cls, kinds) and getattr(cls, "bl_label", "") in WORDS:
        setattr(cls, "bl_translation_context", OWN)  # noqa: B010 - Blender's classes are made at run time
    for base in cls.__mro__:
        annotations = vars(base).get("__annotations__", {})
        for name, value in annotations.items():
            made = eval(value, vars(sys.modules[base.__module__])) if isinstance(value, str) else value
            keywords = getattr(made, "keywords", None)
            if keywords is not None:  # a property, not yet registered
                if says_ours(keywords):
                    keywords["translation_context"] = OWN
                annotations[name] = made


def says_ours(keywords: dict[str, Any]) -> bool:
    """Say whether a property has a label or a choice among our words."""
    items = keywords.get("items", ())
    names = [item[1] for item in items if isinstance(item, tuple)] if isinstance(items, list | tuple) else []
    return callable(items) or any(str(name) in WORDS for name in (keywords.get("name", ""), *names))


def register_extra() -> None:
    """Give Blender the words."""
    bpy.app.translations.register(NAME, dictionary())


def unregister_extra() -> None:
    """Take them back."""
    bpy.app.translations.unregister(NAME)


CLASSES = ()
