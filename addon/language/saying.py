"""Sentences in the artist's language: the template is translated first, and then names and numbers are put in.

What an artist has written, and names of files, are values, which are never translated.
"""

# Blender makes its module at run time; pyright sees an almost empty one.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy

from .. import wording
from ..protocol import Phrase, sentence_of
from .words import OWN


def say(text: str, **values: object) -> str:
    """Return a text of the interface: a template with its values, a phrase, or words that stand for themselves."""
    return _phrase(text, values).translated(_ours_first(bpy.app.translations.pgettext_iface))


def say_report(text: str, **values: object) -> str:
    """Return the same for a report, which Blender's preferences translate or not by themselves."""
    return _phrase(text, values).translated(_ours_first(bpy.app.translations.pgettext_rpt))


def say_tip(text: str) -> str:
    """Return a tooltip."""
    return _ours_first(bpy.app.translations.pgettext_tip)(text)


def say_error(error: BaseException) -> str:
    """Return what an error says, for a report."""
    return say_report(sentence_of(error))


def without_stop(text: str) -> str:
    """Return a sentence as a reason why a button is grey: without the full stop, which is another one in the East."""
    return text.rstrip(".\N{IDEOGRAPHIC FULL STOP}")


def paragraph(layout: Any, context: bpy.types.Context, text: str, icon: str = "NONE") -> None:
    """Draw a text of any length, wrapped to the width of the region, with an icon before its first line."""
    column = layout.column(align=True)
    column.scale_y = 0.8
    width = context.region.width if context.region is not None else 300
    for number, line in enumerate(wording.wrapped(text, width, context.preferences.system.ui_scale)):
        column.label(text=line, icon="BLANK1" if number and icon != "NONE" else icon, translate=False)


def _ours_first(look_up: Callable[..., str]) -> Callable[[str], str]:
    """Return a look-up that takes our word where there is one, else Blender's own."""

    def found(text: str) -> str:
        word = look_up(text, OWN)
        return word if word != text else look_up(text)

    return found


def _phrase(text: str, values: dict[str, object]) -> Phrase:
    return text if isinstance(text, Phrase) else Phrase(text, **values)
