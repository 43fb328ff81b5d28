"""What both command lines ask about a system, and what NAME=VALUE is read as."""

from __future__ import annotations

import argparse
from typing import Any

import pytest

from addon import protocol


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("steps=400", "steps", 400),
        ("tau=0.5", "tau", 0.5),
        ("delta=1e-4", "delta", 1e-4),
        ("camera_tokens=false", "camera_tokens", False),
        ("reward_shapes=true", "reward_shapes", True),
        ("loss=csm", "loss", "csm"),
        ("adapter=a=b", "adapter", "a=b"),
        ("adapter=", "adapter", ""),
    ],
)
def test_a_value_is_what_it_reads_as(text: str, name: str, value: Any) -> None:
    found = protocol.named_value(text)
    assert found == (name, value) and type(found[1]) is type(value)


def test_a_setting_without_a_value_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    protocol.add_set(parser, "change a setting")
    with pytest.raises(SystemExit):
        parser.parse_args(["--set", "steps"])
    assert "'steps' is not NAME=VALUE" in capsys.readouterr().err


def test_what_is_not_said_is_as_in_a_request(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    protocol.add_system(parser)
    protocol.add_stop_after(parser)
    found = parser.parse_args([])
    assert (found.system, found.preset, found.set, found.stop_after) == ("tv3dg", protocol.Request.preset, [], "")
    assert parser.parse_args(["--stop-after", "sides"]).stop_after == "sides"
    with pytest.raises(SystemExit):
        parser.parse_args(["--stop-after", "cellar"])
    assert "standard (if nothing is said)" in parser.format_help()


def test_all_settings_are_listed_with_their_values_as_they_are_typed(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    protocol.add_system(parser)
    parser.add_argument("--out", required=True)
    with pytest.raises(SystemExit) as left:
        parser.parse_args(["--help-settings"])
    text = capsys.readouterr().out
    assert left.value.code == 0
    for system in protocol.built_systems().values():
        listed = text.split(f"Settings of {system.name},")[1].split("Settings of ")[0].splitlines()
        heads = [line[2:].split("  (")[0] for line in listed[1:] if line[2:3].strip()]
        shown = dict(protocol.named_value(head) for head in heads)
        assert {name: str(value) for name, value in shown.items()} == {
            name: str(setting.value) for name, setting in system.settings.items()
        }
