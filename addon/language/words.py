"""Words in German, Spanish, Japanese and Simplified Chinese, which Blender puts in the place of ours.

Labels are looked up by Blender itself; templates of sentences by `saying`. Of tooltips those of the preferences and of
the scene's fields have words; others are English still, and so is what the backend says of a job.
"""

# Blender makes its module at run time; pyright sees an almost empty one.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

import bpy

from . import course, installation, refusals, scene_tooltips, settings, setup, setup_tooltips, systems, tab

NAME = __name__
OWN = "Maquette"  # of words that Blender itself has in another meaning: its Prompt is that of its console
CONTEXTS = ("*", "Operator", OWN)  # labels of operators are looked up in the second
LOCALES = ("de", "es", "ja", "zh_HANS")  # Blender takes a language's own for each of its countries
ALSO = {"zh_CN": "zh_HANS"}  # as Blender 4.5 and earlier may call it

TABLES = (tab, course, setup, installation, refusals, systems, settings, scene_tooltips, setup_tooltips)
WORDS = {english: others for table in TABLES for english, others in table.WORDS.items()}


def dictionary() -> dict[str, dict[tuple[str, str], str]]:
    """Return the words as Blender takes them: locale -> (context, English) -> word."""
    made = {
        locale: {(context, english): others[place] for english, others in WORDS.items() for context in CONTEXTS}
        for place, locale in enumerate(LOCALES)
    }
    return made | {other: made[locale] for other, locale in ALSO.items()}


def register_extra() -> None:
    """Give Blender the words."""
    bpy.app.translations.register(NAME, dictionary())


def unregister_extra() -> None:
    """Take them back."""
    bpy.app.translations.unregister(NAME)


CLASSES = ()
