"""The preferences as they are drawn, and what a pretended doctor says to them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

FINE = {"findings": [{"name": "gpu", "is_ok": None, "text": "none"}], "gpus": ["RTX A", "RTX B"]}


def draw(bpy: Any) -> Any:
    """Draw the preferences and return the noted layout."""
    from addon import preferences
    from tests.blender.layout import Layout

    layout = Layout()
    cls: Any = preferences.MAQUETTE_AP_preferences
    own: Any = preferences.of(bpy.context)
    values = {name: getattr(own, name) for name in cls.__annotations__}
    drawn = SimpleNamespace(layout=layout, bl_rna=own.bl_rna, **values)
    cls.draw(drawn, bpy.context)
    return layout


def shows(layout: Any, text: str) -> bool:
    return text in " ".join(layout.texts)
