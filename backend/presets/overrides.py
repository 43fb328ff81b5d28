"""A request's own values in the place of a preset's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from difflib import get_close_matches
from typing import Any, TypeVar

from backend.errors import BadInput

KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}

Settings = TypeVar("Settings")


def overridden(settings: Settings, values: Mapping[str, Any], least: Mapping[str, float]) -> Settings:
    """Return a dataclass of settings with other values; `least` names what 0 would be too little for.

    A whole number will do where a number is asked for. Raises BadInput for a name, type or value that does not fit.
    """
    preset: Any = settings
    kinds = {field.name: type(getattr(preset, field.name)) for field in fields(preset)}
    for name, value in values.items():
        if name not in kinds:
            close = get_close_matches(name, kinds, n=3)
            hint = f"Did you mean {' or '.join(close)}?" if close else f"The settings are: {', '.join(kinds)}."
            raise BadInput(f"There is no setting {name!r}.", hint)
        if kinds[name] is float and type(value) is int:
            value = float(value)
        if type(value) is not kinds[name]:
            raise BadInput(f"The setting {name} is {value!r}.", f"Give {KINDS[kinds[name]]}.")
        if kinds[name] in (int, float) and value < least.get(name, 0):
            raise BadInput(f"The setting {name} is {value}.", f"Give at least {least.get(name, 0)}.")
        preset = replace(preset, **{name: value})
    return preset
