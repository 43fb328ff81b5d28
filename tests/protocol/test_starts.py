"""A request that begins from an earlier result: its file, what is refused, and that others stay as they were."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from addon import protocol
from addon.protocol import InputImage, ProtocolError, Request

FIRST = Request(
    system="tv3dg",
    prompt="a red robot",
    negative_prompt="fog",
    images=(InputImage(path="inputs/00.png"), InputImage(path="inputs/01.png", role="visual_prompt")),
    seed=9,
    preset="draft",
    stop_after="perceive",
    settings={"steps": 40, "views": 2},
)


def test_an_edit_keeps_all_but_the_words(tmp_path: Path) -> None:
    edited = FIRST.edited(" a blue robot ", settings={"views": 4}, threads=1)
    assert (edited.prompt, edited.start_prompt, edited.start) == ("a blue robot", "a red robot", "inputs/start.ply")
    assert (edited.seed, edited.preset, edited.images) == (9, "draft", FIRST.images[1:])  # the start shows the other
    assert (edited.settings, edited.threads, edited.stop_after) == ({"steps": 40, "views": 4}, 1, "")
    assert edited.files == ("inputs/01.png", "inputs/start.ply") and len(FIRST.files) == 2
    protocol.write_request(tmp_path, edited)
    assert protocol.read_request(tmp_path) == edited
    again = edited.edited("a blue robot wearing a hat")
    assert (again.start_prompt, again.files) == ("a blue robot", edited.files)


def test_a_request_without_a_start_is_written_as_before_there_were_any() -> None:
    text = protocol.encode_request(FIRST)
    assert "start" not in text and protocol.decode_request(text) == FIRST
    assert list(json.loads(text))[-3:] == ["threads", "settings", "version"]
    assert {"start", "start_prompt"} <= json.loads(protocol.encode_request(FIRST.edited("a blue robot"))).keys()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"start": "../start.ply"}, "leads out of the job folder"),
        ({"start": "/start.ply"}, "leads out of the job folder"),
        ({"start": "inputs/start.ply", "start_prompt": "x" * 1001}, "prompt of the start has 1001 characters"),
        ({"start_prompt": "a red robot"}, "no start"),
        ({"start": "inputs/start.ply", "system": "dreambooth3d"}, "dreambooth3d cannot begin from a result"),
        ({"start": "inputs/start.ply", "start_prompt": "a  mug "}, "say what is to be different"),
    ],
)
def test_a_wrong_start_is_refused_with_a_sentence(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ProtocolError, match=words) as caught:
        Request(**{"system": "tv3dg", "prompt": "a mug", **fields})
    assert str(caught.value).endswith(".")
    with pytest.raises(ProtocolError, match=words):
        protocol.decode_request(json.dumps({"system": "tv3dg", "prompt": "a mug", **fields}))


def test_a_start_needs_no_words() -> None:
    assert Request(system="tv3dg", prompt="a mug", start="inputs/mine.ply").files == ("inputs/mine.ply",)


def test_a_change_that_is_no_field_is_refused() -> None:
    with pytest.raises(ProtocolError, match="no pressets"):
        FIRST.edited("a blue robot", pressets="draft")
