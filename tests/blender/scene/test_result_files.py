"""Files of a result, read without Blender."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from addon import protocol
from addon.scene import result_files
from tests.blender.made_results import make_result, two_colours


def test_a_jpeg_says_how_large_it_is() -> None:
    app0 = b"\xff\xe0" + struct.pack(">H", 16) + b"JFIF" + b"\0" * 10
    frame = b"\xff\xc2" + struct.pack(">HBHH", 17, 8, 300, 400) + b"\0" * 10
    assert result_files.check_picture(b"\xff\xd8" + app0 + frame, "it") == (400, 300)
    with pytest.raises(result_files.ImportFailed, match="it is neither PNG nor JPEG"):
        result_files.check_picture(b"\xff\xd8" + app0, "it")
    assert result_files.check_picture(two_colours(16), "it") == (16, 16)


def test_an_object_is_called_as_its_picture_where_nothing_was_said_of_it(tmp_path: Path) -> None:
    photo = protocol.InputImage(path="inputs/00.png", name="old teapot.png")
    (tmp_path / "x.png").touch()
    job = protocol.make_job(tmp_path, protocol.Request(system="customize_it_3d", images=(photo,)), [tmp_path / "x.png"])
    assert result_files.subject_name(result_files.read_metadata(job)) == "old teapot"
    for strange in ("null", '["x"]', '[{"name": 3}]', '{"name": "x"}'):
        (job / "request.json").write_text(f'{{"images": {strange}}}')
        assert result_files.subject_name(result_files.read_metadata(job)) == ""


def test_an_object_is_not_called_by_the_hash_of_a_kept_subject() -> None:
    said: dict[str, Any] = {"maquette_subject": "0" * 64, "maquette_prompt": "a sks bear wearing a hat"}
    assert result_files.subject_name(said) == "sks bear wearing a hat"
    assert result_files.subject_name(said | {"maquette_subject": "the bear"}) == "bear"


def test_a_job_without_words_is_called_what_its_image_was_taken_for(tmp_path: Path) -> None:
    for prompt, name in (("", "robot"), ("a red mug, studio light", "red mug")):
        job = make_result(tmp_path / (prompt or "none"), prompt=prompt)
        path = job / "result/result.json"
        said = json.loads(path.read_text())
        path.write_text(json.dumps(said | {"made_with": said["made_with"] | {"class": "robot"}}))
        assert result_files.subject_name(result_files.read_metadata(job)) == name
