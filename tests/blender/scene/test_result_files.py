"""Files of a result, read without Blender."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from addon.scene import result_files
from tests.blender.made_results import make_result, two_colours


def test_a_jpeg_says_how_large_it_is() -> None:
    app0 = b"\xff\xe0" + struct.pack(">H", 16) + b"JFIF" + b"\0" * 10
    frame = b"\xff\xc2" + struct.pack(">HBHH", 17, 8, 300, 400) + b"\0" * 10
    assert result_files.check_picture(b"\xff\xd8" + app0 + frame, "it") == (400, 300)
    with pytest.raises(result_files.ImportFailed, match="it is neither PNG nor JPEG"):
        result_files.check_picture(b"\xff\xd8" + app0, "it")
    assert result_files.check_picture(two_colours(16), "it") == (16, 16)


def test_a_job_without_words_is_called_what_its_image_was_taken_for(tmp_path: Path) -> None:
    for prompt, name in (("", "robot"), ("a red mug, studio light", "red mug")):
        job = make_result(tmp_path / (prompt or "none"), prompt=prompt)
        path = job / "result/result.json"
        said = json.loads(path.read_text())
        path.write_text(json.dumps(said | {"made_with": said["made_with"] | {"class": "robot"}}))
        assert result_files.subject_name(result_files.read_metadata(job)) == name
