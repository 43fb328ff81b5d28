"""Messages: what is written is read back, and what is wrong is refused with a sentence."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from typing import Any

import pytest

from addon import protocol
from addon.protocol import ProtocolError, VersionError, decode, encode, events

EVENTS = [
    protocol.Hello(job="1", backend="0.1.0", pid=7),
    protocol.Forecast(seconds=90.5, memory_bytes=2_000_000_000, stages={"gaussians": 61.0}),
    protocol.Stage(number=2, name="fit", loaded=True),
    protocol.Progress(step=1, steps=9, seconds_left=1.5, steps_per_second=2.0, memory_bytes=1 << 40),
    protocol.Preview(),
    protocol.Idle(seconds=300.0),
    protocol.Compiling(done=3, most=14),
    protocol.Warning(message="ümlaut \u2028 and\nnew line", hint=""),
    protocol.Finished(results=("result/model.glb", "result/points.ply"), seconds=1.0, stopped_after="perception"),
    protocol.Cancelled(seconds=1.0),
    protocol.Failed(kind="Defect", message="m", hint="h", exit_code=3),
    protocol.Interrupted(reason="SIGTERM", seconds=0.0),
    protocol.Cancel(),
    protocol.Finish(job="a"),
    protocol.Turn(job="20260101-000000-a ü", ticket="0af3"),
]


@pytest.mark.parametrize("message", EVENTS, ids=lambda message: type(message).__name__)
def test_a_message_survives_its_line(message: Any) -> None:
    line = encode(message)
    assert line.count("\n") == 1 and line.endswith("\n")
    assert decode(line) == message
    assert decode(line.encode()) == message


def test_every_message_is_tried() -> None:
    assert {type(message) for message in EVENTS} == set(events._MESSAGES.values())


def test_messages_are_frozen() -> None:
    for message in EVENTS:
        field = dataclasses.fields(message)[0].name
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(message, field, "x")


def test_a_text_that_is_too_long_for_a_line_is_cut() -> None:
    line = encode(protocol.Failed(kind="Defect", message="\u00e9" * 5_000_000, hint="h"))
    assert len(line) <= protocol.LINE_BYTES
    message = decode(line)
    assert isinstance(message, protocol.Failed) and message.message.startswith("\u00e9" * 10_000)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[1]", "a JSON list"),
        ('"Hello"', "a JSON str"),
        (b"\xff\xfe", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("{}", "None is not a type"),
        ('{"type": 3}', "3 is not a type"),
        ('{"type": "Request"}', "'Request' is not a type"),
        ('{"type": "Stage", "number": 1}', "lacks 'name'"),
        ('{"type": "Stage", "number": 1, "name": "a", "colour": 2}', "no 'colour'"),
        ('{"type": "Stage", "number": 1.5, "name": "a"}', "Stage.number is '1.5' of type float"),
        ('{"type": "Stage", "number": true, "name": "a"}', "Stage.number is 'True' of type bool"),
        ('{"type": "Stage", "number": "1", "name": "a"}', "Stage.number"),
        ('{"type": "Finished", "results": "a", "seconds": 1}', "Finished.results"),
        ('{"type": "Finished", "results": ["a", 1], "seconds": 1}', r"Finished.results\[1\]"),
        ('{"type": "Finished", "results": ["../a"], "seconds": 1}', "leads out of the job folder"),
        ('{"type": "Preview", "path": "/etc/passwd"}', "leads out of the job folder"),
        (" " * (protocol.LINE_BYTES + 1), "longer than a message"),
    ],
)
def test_a_wrong_line_is_refused(line: str | bytes, words: str) -> None:
    with pytest.raises(ProtocolError, match=words):
        decode(line)


@pytest.mark.parametrize("version", [2, 0, -1, "1", 1.0, None, True])
def test_another_version_is_refused_whatever_else_the_message_has(version: object) -> None:
    line = json.dumps({"type": "Hello", "version": version, "mood": "new field"})
    with pytest.raises(VersionError, match="version"):
        decode(line)


def test_a_number_beyond_all_floats_is_refused() -> None:
    line = '{"type": "Cancelled", "seconds": 1' + "0" * 400 + "}"
    with pytest.raises(ProtocolError, match="Cancelled.seconds is a number of 401 digits"):
        protocol.decode(line)


def test_importing_the_add_on_imports_nothing_heavy() -> None:
    code = "import addon.jobs.client, addon.jobs.store, addon.paths, sys\n"
    code += "print(sorted({'bpy', 'numpy', 'torch'} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == "[]\n"


def test_a_sentence_can_be_translated_on_the_other_side_and_is_english_in_the_line() -> None:
    told = protocol.Phrase(
        "{file}: {sentence}", file="a.png", sentence=protocol.Phrase("{share:.0%} is lost", share=0.5)
    )
    line = encode(protocol.Warning(message=told, hint=protocol.Phrase("Look.")))
    assert json.loads(line)["message"] == "a.png: 50% is lost"
    back = decode(line)
    assert isinstance(back, protocol.Warning) and isinstance(back.hint, protocol.Phrase) and back.message == told
    words = {"{share:.0%} is lost": "verloren: {share:.0%}"}
    assert isinstance(back.message, protocol.Phrase)
    assert back.message.translated(lambda text: words.get(text, text)) == "a.png: verloren: 50%"


@pytest.mark.parametrize(
    "said",
    [
        1,
        [],
        {"message": 1},
        {"message": {"template": "Other", "values": {}}},
        {"hint": {"template": "{a.b}"}},
        {"x": {}},
    ],
)
def test_phrases_that_say_something_else_leave_the_sentence_as_it_is(said: Any) -> None:
    line = json.dumps({"type": "Warning", "message": "It is so.", "phrases": said})
    back = decode(line)
    assert back == protocol.Warning(message="It is so.") and not isinstance(back.message, protocol.Phrase)  # pyright: ignore
