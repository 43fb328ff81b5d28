"""The documents' tables of presets and settings, from the table of systems that the program itself goes by."""

from __future__ import annotations

from addon.protocol.systems import PRESETS, SYSTEMS, Setting, Value
from addon.protocol.systems.subject_prompts import RECIPES


def presets(system: str) -> list[list[str]]:
    """Return the rows of the presets of a system: the two names, the steps, and what each is for."""
    steps = SYSTEMS[system].settings["steps"]
    rows = [[label, f"`{name}`", f"{steps.preset(name):,}", tooltip] for name, (label, tooltip) in PRESETS.items()]
    return [["in the panel", "on the command line", "steps", "what it is"], *rows]


def recipes() -> list[list[str]]:
    """Return the rows of the recipes for a subject: the name, what it is for, the prompt for a bear."""
    rows = [[each.label, each.tooltip, each.prompt("bear", "sks", f"*{each.word}*")] for each in RECIPES.values()]
    return [["in the menu", "what for", "the prompt of a bear"], *rows]


def settings(system: str) -> list[list[str]]:
    """Return the rows of all settings of a system: name, heading and label, values, bounds or choices, what it is."""
    known = SYSTEMS[system].settings.values()
    head = ["`--set`", "in the panel", "value", "in other presets", "from, to", "what it is"]
    return [head, *(_row(setting) for setting in known)]


def _row(setting: Setting) -> list[str]:
    others = ", ".join(f"`{name}`: {_said(value)}" for name, value in setting.presets.items())
    if isinstance(setting.value, bool | str):
        bounds = ", ".join(f"`{value}`" for value, *_ in setting.choices)
    else:
        bounds = f"{setting.low:g}, {setting.high:g}" if setting.high is not None else f"{setting.low:g}"
    place = f"{setting.group.label}: {setting.label}"
    return [f"`{setting.name}`", place, _said(setting.value), others, bounds, setting.description]


def _said(value: Value) -> str:
    """Return a value as it is given on the command line."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value) or "-"
