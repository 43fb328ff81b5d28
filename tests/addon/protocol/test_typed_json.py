"""Dataclasses from JSON: every field known, every type the class's own, else a sentence that says where."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from addon.protocol.typed_json import NotJson, ProtocolError, build, parse


@dataclass(frozen=True)
class Point:
    x: float
    name: str = ""


@dataclass(frozen=True)
class Path:
    points: tuple[Point, ...]
    weights: dict[str, float] = field(default_factory=dict)
    limit: int | None = None
    count: int = 0
    settings: dict[str, int | str | bool] = field(default_factory=dict)


def test_nested_values_become_what_the_class_says() -> None:
    content = {"points": [{"x": 1}, {"x": 2.5, "name": "b"}], "weights": {"a": 3}, "settings": {"n": True, "s": "x"}}
    found = build(Path, content)
    assert found == Path((Point(1.0), Point(2.5, "b")), {"a": 3.0}, None, 0, {"n": True, "s": "x"})
    assert type(found.points[0].x) is float and type(found.weights["a"]) is float and found.settings["n"] is True


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"points": [], "colour": 1}, "Path has no 'colour'; it has points, weights, limit, count, settings."),
        ({}, "Path lacks 'points'."),
        ({"points": [{"x": 1.0}, {"x": "1"}]}, "Point.x is '1' of type str; expected"),
        ({"points": [{"x": True}]}, "Point.x is 'True' of type bool"),
        ({"points": {}}, "Path.points is '{}' of type dict"),
        ({"points": [], "limit": 1.0}, "Path.limit is '1.0' of type float"),
        ({"points": [], "weights": {"a": None}}, "Path.weights['a'] is 'None' of type NoneType"),
        ({"points": [], "settings": {"n": 0.5}}, "Path.settings['n'] is '0.5' of type float"),
        ({"points": [3]}, "Path.points[0] is '3' of type int"),
        ({"points": [], "count": 10**310}, "Path.count is a number of 311 digits; it must fit 64 bits."),
        ({"points": [{"x": 10**400}]}, "Point.x is a number of 401 digits; the largest has 309."),
    ],
)
def test_what_does_not_fit_is_a_sentence(content: dict[str, Any], words: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        build(Path, content)
    assert words in str(caught.value)


def test_nonsense_is_told_from_json_of_another_kind() -> None:
    assert parse(b'{"a": [1]}', "The line") == {"a": [1]}
    for torn in ('{"a": ', "", "[" * 100_000, '{"a": ' + "9" * 5_000 + "}"):
        with pytest.raises(NotJson, match="The line is not JSON"):
            parse(torn, "The line")
    with pytest.raises(ProtocolError, match="The line is a JSON list, not an object") as caught:
        parse("[1]", "The line")
    assert not isinstance(caught.value, NotJson)


@pytest.mark.parametrize(("opened", "closed"), [("[", "]"), ('{"a": ', "}"), ('[{"a": ', "}]")])
def test_what_is_nested_too_deep_is_refused_and_not_followed(opened: str, closed: str) -> None:
    for times in (200, 60_000):
        with pytest.raises(ProtocolError, match="nested deeper than 32 times|is not JSON"):
            parse('{"x": ' + opened * times + "1" + closed * times + "}", "The line")
    assert parse('{"x": ' + "[" * 31 + "]" * 31 + "}", "The line")["x"]
