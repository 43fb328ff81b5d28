"""A request's own values in the place of a preset's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar

from addon.protocol import systems
from addon.protocol.systems import System
from backend.errors import BadInput

S = TypeVar("S")
Options = TypeVar("Options")


def chosen_settings(system: System[S], preset: str, values: Mapping[str, Any]) -> S:
    """Return the settings of a system's preset with a request's own values.

    A whole number will do where a number is asked for; settings of earlier versions are converted. Raises BadInput for
    a name, type or value that does not fit.
    """
    chosen: Any = system.presets[preset]
    return replace(chosen, **{name: checked(system, name, value) for name, value in system.present(values).items()})


def checked(system: System[Any], name: str, value: Any) -> Any:
    """Return a value in the type of its setting. Raises BadInput for a name, type or value that does not fit."""
    try:
        return systems.checked(system, name, value)
    except systems.WrongSetting as error:
        raise BadInput(error.message, error.hint) from error


def options_of(kind: type[Options], settings: object) -> Options:
    """Return an engine's options, a dataclass whose fields have the names of settings, with the settings' values."""
    return kind(**{field.name: getattr(settings, field.name) for field in fields(kind)})  # pyright: ignore
