"""What lies in the folder of models is read from its records, and what is wrong with one is a sentence."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from addon import protocol
from addon.protocol import models

RECORD = models.ModelRecord(
    name="sd15", role="base", title="Stable Diffusion 1.5", source="a/b", files={"unet/m.safetensors": "0" * 64},
    sizes={"unet/m.safetensors": 12},
)  # fmt: skip


def write(folder: Path, record: models.ModelRecord) -> Path:
    place = models.place_of(folder, record.role, record.name)
    place.mkdir(parents=True)
    (place / models.MODEL_RECORD).write_bytes(models.encode_model_record(record))
    return place


def test_bases_come_first_and_companions_lie_where_systems_look(tmp_path: Path) -> None:
    write(tmp_path, RECORD)
    write(tmp_path, dataclasses.replace(RECORD, name="depth", role="depth"))
    write(tmp_path, dataclasses.replace(RECORD, name="mine", base="sd15", strength=0.5))
    found = models.list_installed(tmp_path)
    assert [each.name for each in found] == ["mine", "sd15", "depth"]
    assert found[2].folder == models.companions_folder(tmp_path) / "depth"
    assert found[0].line == "sd15 changed by a LoRA, strength 0.5" and found[1].size == 12
    assert models.find_installed(tmp_path, "sd15") == found[1]
    with pytest.raises(protocol.ProtocolError, match="Installed are mine, sd15, depth"):
        models.find_installed(tmp_path, "sd2")


def test_no_folder_is_no_models(tmp_path: Path) -> None:
    assert models.list_installed(tmp_path / "none") == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"version": 2}, "version 2; known is 1"),
        ({"role": "oracle"}, "role 'oracle', which is not known"),
        ({"name": "../x"}, "is no name of a model"),
        ({"name": "embedded"}, "is no name of a model"),
        ({"strength": 9.0}, "strength 9 is not between -4 and 4"),
        ({"sizes": {}}, "files without their sizes"),
        ({"surprise": 1}, "has no 'surprise'"),
    ],
)
def test_what_is_wrong_with_a_record_is_said(tmp_path: Path, changed: dict[str, Any], words: str) -> None:
    place = write(tmp_path, RECORD)
    content = json.loads((place / models.MODEL_RECORD).read_text()) | changed
    (place / models.MODEL_RECORD).write_text(json.dumps(content))
    (found,) = models.list_installed(tmp_path)
    assert found.record is None and words in found.problem and found.line == found.problem


def test_a_folder_without_a_record_is_named(tmp_path: Path) -> None:
    (tmp_path / "bases" / "own").mkdir(parents=True)
    (found,) = models.list_installed(tmp_path)
    assert "was not fetched or imported" in found.problem and found.name == "own"
