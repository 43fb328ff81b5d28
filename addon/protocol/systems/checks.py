"""Whether a request's own values fit the settings of its system: said before a process starts, and in the job again."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any

from ..typed_json import ProtocolError
from .system import System, Value

KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}
OF_EVERY_JOB = ("checkpoint_seconds", "checkpoint_steps")  # settings that no system has


class WrongSetting(ProtocolError):
    """A setting that there is not, or a value that does not fit; `hint` says what would."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(f"{message} {hint}")
        self.message = message
        self.hint = hint


def checked(system: System[Any], name: str, value: Any) -> Value:
    """Return a value in the type of its setting. Raises WrongSetting for a name, type or value that does not fit."""
    known = system.settings
    if name not in known:
        close = get_close_matches(name, known, n=3)
        hint = f"Did you mean {' or '.join(close)}?" if close else _nearest(name, known)
        raise WrongSetting(f"There is no setting {name[:80]!r}.", hint)
    setting = known[name]
    kind = type(setting.value)
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise WrongSetting(f"The setting {name} is {value!r}.", f"Give {KINDS[kind]}.")
    if kind in (int, float) and float(value) < setting.low:
        raise WrongSetting(f"The setting {name} is {value}.", f"Give at least {setting.low:g}.")
    if setting.choices and value not in (choices := [choice for choice, *_ in setting.choices]):
        raise WrongSetting(f"The setting {name} is {value!r}.", f"The choices are: {', '.join(choices)}.")
    return value


def _nearest(name: str, known: Collection[str]) -> str:
    """Name the few settings that are least unlike a name, and where all of them are."""
    *others, last = get_close_matches(name[:80], known, n=3, cutoff=0.0)
    return f"The nearest are {', '.join(others)} and {last}; `generate --help-settings` lists all {len(known)}."


def check_settings(system: System[Any], values: Mapping[str, Any]) -> None:
    """Raise WrongSetting for the first of a request's own values that does not fit, as the job would."""
    for name, value in system.present(values).items():
        if name not in OF_EVERY_JOB:
            checked(system, name, value)
