"""The protocol: what is written is read back, and what is wrong is refused with a sentence."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from addon import protocol
from addon.protocol import InputImage, ProtocolError, Request, VersionError, decode, decode_request, encode

EVENTS = [
    protocol.Hello(job="1", backend="0.1.0", pid=7),
    protocol.Stage(number=2, name="fit", loaded=True),
    protocol.Progress(step=1, steps=9, seconds_left=1.5, steps_per_second=2.0, memory_bytes=1 << 40),
    protocol.Preview(),
    protocol.Idle(seconds=300.0),
    protocol.Warning(message="ümlaut \u2028 and\nnew line", hint=""),
    protocol.Finished(results=("result/model.glb", "result/points.ply"), seconds=1.0, stopped_after="perception"),
    protocol.Cancelled(seconds=1.0),
    protocol.Failed(kind="Defect", message="m", hint="h", exit_code=3),
    protocol.Interrupted(reason="SIGTERM", seconds=0.0),
    protocol.Cancel(),
    protocol.Finish(job="a"),
    protocol.Turn(job="20260101-000000-a ü", ticket="0af3"),
]
FULL = Request(
    system="dreambooth3d",
    prompt="a sks dog with a hat",
    negative_prompt="blurry",
    images=(InputImage(path="inputs/00.png", role="subject"), InputImage(path="inputs/01.jpg", elevation_degrees=30)),
    seed=2**63 - 1,
    preset="paper",
    prior="/models/my prior",
    outputs=("points",),
    stop_after="perception",
    threads=2,
    settings={"steps": 400, "scale": 7.5, "camera": False, "mode": "deep"},
)


@pytest.mark.parametrize("message", EVENTS, ids=lambda message: type(message).__name__)
def test_a_message_survives_its_line(message: Any) -> None:
    line = encode(message)
    assert line.count("\n") == 1 and line.endswith("\n")
    assert decode(line) == message
    assert decode(line.encode()) == message


def test_every_message_is_tried() -> None:
    assert {type(message) for message in EVENTS} == set(protocol._MESSAGES.values())


def test_a_request_survives_its_file(tmp_path: Path) -> None:
    protocol.write_request(tmp_path, FULL)
    assert protocol.read_request(tmp_path) == FULL
    assert [path.name for path in tmp_path.iterdir()] == ["request.json"]


def test_a_number_keeps_its_type() -> None:
    settings = decode_request(protocol.encode_request(FULL)).settings
    assert [type(value) for value in settings.values()] == [int, float, bool, str]
    elevation = decode_request(protocol.encode_request(FULL)).images[1].elevation_degrees
    assert type(elevation) is float


def test_messages_are_frozen() -> None:
    for message in [*EVENTS, FULL, FULL.images[0]]:
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
    with pytest.raises(VersionError, match="version"):
        decode_request(json.dumps({"version": version, "new": 1}))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"system": "magic3d"}, "system 'magic3d' is unknown; choose one of tv3dg"),
        ({"preset": "ultra"}, "preset 'ultra' is unknown; choose one of bench"),
        ({"prompt": ""}, "prompt is empty"),
        ({"prompt": " \n"}, "prompt is empty"),
        ({"prompt": "x" * 10_000}, "10000 characters; at most 1000"),
        ({"negative_prompt": "x" * 10_000}, "negative prompt has 10000"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**63}, "seed is 9223372036854775808"),
        ({"threads": 2000}, "threads is 2000"),
        ({"prior": ""}, "prior has no name"),
        ({"outputs": ()}, "no output"),
        ({"outputs": ("video",)}, "output 'video' is unknown"),
        ({"settings": {"a b": 1}}, "'a b' is not the name"),
        ({"settings": {"a": float("nan")}}, "a is nan"),
        ({"settings": {"a": 10**400}}, "setting a is 1000"),
        ({"images": tuple(InputImage(path=f"{i}.png") for i in range(17))}, "17 images; at most 16"),
    ],
)
def test_a_wrong_request_is_refused_with_a_sentence(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ProtocolError, match=words) as caught:
        Request(**{"system": "tv3dg", "prompt": "a mug", **fields})
    assert str(caught.value).endswith(".")


def test_a_number_beyond_all_floats_is_refused() -> None:
    line = '{"type": "Cancelled", "seconds": 1' + "0" * 400 + "}"
    with pytest.raises(ProtocolError, match="Cancelled.seconds is a number of 401 digits"):
        protocol.decode(line)
    with pytest.raises(ProtocolError, match=r"elevation_degrees is a number of 401 digits"):
        image = '{"path": "a.png", "elevation_degrees": -1' + "0" * 400 + "}"
        protocol.decode_request('{"system": "tv3dg", "prompt": "a mug", "images": [' + image + "]}")


def test_one_image_needs_no_prompt() -> None:
    assert Request(system="customize_it_3d").prompt == ""


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"role": "style"}, "role of an image 'style'"),
        ({"elevation_degrees": 91.0}, "elevation is 91.0 degrees"),
        ({"azimuth_degrees": float("nan")}, "azimuth is nan"),
        ({"fov_degrees": 0.0}, "field of view is 0.0"),
    ],
)
def test_a_wrong_image_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ProtocolError, match=words):
        InputImage(path="a.png", **fields)


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "../a.png", "a/../../b.png", "C:/a.png", "C:a.png", "..\\a.png", "//host/a", "a\0b"]
)
def test_a_path_out_of_the_folder_is_refused(path: str) -> None:
    with pytest.raises(ProtocolError, match="leads out of the job folder"):
        InputImage(path=path)


@pytest.mark.parametrize("path", ["a.png", "inputs/00.png", "./a.png", "a b/ü.png", "..a/b"])
def test_a_path_in_the_folder_is_taken(path: str) -> None:
    assert InputImage(path=path).path == path


def test_a_folder_without_a_request_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match="not a job folder"):
        protocol.read_request(tmp_path)
    (tmp_path / "request.json").write_text(" " * (protocol.LINE_BYTES + 1))
    with pytest.raises(ProtocolError, match="at most"):
        protocol.read_request(tmp_path)


def test_importing_the_add_on_imports_nothing_heavy() -> None:
    code = (
        "import addon.client, addon.jobs, addon.paths, sys; print(sorted({'bpy', 'numpy', 'torch'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == "[]\n"
