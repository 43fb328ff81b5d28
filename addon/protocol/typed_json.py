"""Make dataclasses of JSON: every field known and of the type that the class says. The standard library only."""

from __future__ import annotations

import dataclasses
import functools
import json
import typing
from types import UnionType
from typing import Any

MAX_DEPTH = 32  # of objects and lists in each other; a request has three
MAX_WHOLE = 2**63  # beyond which other programs cannot count either


class ProtocolError(ValueError):
    """Say what is wrong with a line, a message or a request, in one sentence."""


class NotJson(ProtocolError):
    """The text is no JSON: nonsense, or a line that a power failure has torn."""


def parse(text: str | bytes, what: str) -> dict[str, Any]:
    """Return a JSON object. Raises NotJson, or ProtocolError for JSON that is none; `what` begins the sentence.

    Nothing in it is nested deeper than MAX_DEPTH.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotJson(f"{what} is not JSON ({error}): {text[:80]!r}") from error
    if not isinstance(content, dict):
        raise ProtocolError(f"{what} is a JSON {type(content).__name__}, not an object: {text[:80]!r}")
    if is_deep(content):
        raise ProtocolError(f"{what} is nested deeper than {MAX_DEPTH} times: {text[:80]!r}")
    return content


def is_deep(content: Any) -> bool:
    """Say whether lists and dicts are nested deeper than MAX_DEPTH."""
    level = [content]
    for _ in range(MAX_DEPTH):
        if not level:
            return False
        inner = (value.values() if isinstance(value, dict) else value for value in level)
        level = [item for items in inner for item in items if isinstance(item, dict | list)]
    return bool(level)


@functools.cache
def _fields(cls: type) -> dict[str, tuple[Any, bool]]:
    """Return name -> (type, must be given) of a dataclass."""
    hints = typing.get_type_hints(cls)
    missing = dataclasses.MISSING
    return {
        f.name: (hints[f.name], f.default is missing and f.default_factory is missing) for f in dataclasses.fields(cls)
    }


def build(cls: type, content: dict[str, Any]) -> Any:
    """Make the dataclass from parsed JSON; every field known, every type right. Raises ProtocolError otherwise."""
    fields = _fields(cls)
    if unknown := sorted(content.keys() - fields.keys()):
        raise ProtocolError(f"{cls.__name__} has no {', '.join(map(repr, unknown))}; it has {', '.join(fields)}.")
    if lacking := [name for name, (_, needed) in fields.items() if needed and name not in content]:
        raise ProtocolError(f"{cls.__name__} lacks {', '.join(map(repr, lacking))}.")
    return cls(**{name: _convert(value, fields[name][0], f"{cls.__name__}.{name}") for name, value in content.items()})


def _convert(value: Any, hint: Any, where: str) -> Any:
    """Return the parsed JSON value as the annotated type. Raises ProtocolError when it is of another one."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return build(typing.cast(type, hint), value)
    if origin is tuple and isinstance(value, list):
        return tuple(_convert(item, arguments[0], f"{where}[{i}]") for i, item in enumerate(value))
    if origin is dict and isinstance(value, dict):
        return {key: _convert(item, arguments[1], f"{where}[{key!r}]") for key, item in value.items()}
    if origin in (typing.Union, UnionType) and type(value) in arguments:
        return value
    if hint is float and type(value) in (int, float):
        try:
            return float(value)
        except OverflowError as error:
            raise ProtocolError(
                f"{where} is a number of {len(str(abs(value)))} digits; the largest has 309."
            ) from error
    if hint is int and type(value) is int and abs(value) > MAX_WHOLE:
        raise ProtocolError(f"{where} is a number of {len(str(abs(value)))} digits; it must fit 64 bits.")
    if isinstance(hint, type) and origin is None and type(value) is hint:  # type(), since True is an int for isinstance
        return value
    raise ProtocolError(f"{where} is {str(value)[:80]!r} of type {type(value).__name__}; expected {hint}.")
