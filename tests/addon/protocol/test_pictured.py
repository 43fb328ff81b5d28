"""Where in its picture an object was: what result.json says of it, and what no result says."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from addon import protocol

SAID: dict[str, Any] = {
    "across": -0.1, "down": 0.2, "side": 0.5, "azimuth_degrees": 30.0, "elevation_degrees": 15, "fov_degrees": 40.0,
}  # fmt: skip


def test_what_is_written_is_read_back() -> None:
    there = protocol.Pictured(-0.1, 0.2, 0.5, 30.0, 15.0, 40.0)
    assert protocol.read_pictured({"picture": SAID}) == there
    assert protocol.read_pictured({"picture": dataclasses.asdict(there)}) == there
    assert protocol.read_pictured({"picture": SAID | {"of a later version": [1]}}) == there
    assert protocol.read_pictured({"prompt": "a red mug"}) is None


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"side": 0.0}, "The side of an object in its picture is 0.0"),
        ({"side": float("nan")}, "The side of an object in its picture is nan"),
        ({"across": 1e9}, "The across of an object"),
        ({"down": float("-inf")}, "The down of an object"),
        ({"fov_degrees": 180.0}, "The fov_degrees of an object"),
        ({"elevation_degrees": 91.0}, "The elevation_degrees of an object"),
        ({"side": "wide"}, "side is 'wide' of type str"),
    ],
)
def test_what_no_picture_has_is_refused(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(protocol.ProtocolError, match=sentence):
        protocol.read_pictured({"picture": SAID | wrong})


@pytest.mark.parametrize("said", [[0.1, 0.2], "left", 3])
def test_only_an_object_says_it(said: object) -> None:
    with pytest.raises(protocol.ProtocolError, match="expected an object"):
        protocol.read_pictured({"picture": said})
    with pytest.raises(protocol.ProtocolError, match="lacks 'across'"):
        protocol.read_pictured({"picture": {}})
