"""What a model's files are compared with; tests/backend/models/test_fetching.py changes, cuts and removes them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from addon.protocol import models
from backend.errors import MissingModel
from backend.models.checking import check, problems, sha256_of


def test_the_hash_is_that_of_the_whole_file(tmp_path: Path) -> None:
    content = bytes(range(256)) * 20_000  # 5 MB: more than is read at a time
    (tmp_path / "file").write_bytes(content)
    heard: list[int] = []
    assert sha256_of(tmp_path / "file", heard.append) == hashlib.sha256(content).hexdigest()
    assert sum(heard) == len(content) and len(heard) == 2


def test_a_folder_whose_record_cannot_be_read_is_not_used(tmp_path: Path) -> None:
    found = models.Installed(tmp_path, problem="Its record is not JSON.")
    assert problems(found) == ["Its record is not JSON."]
    with pytest.raises(MissingModel, match="is not what was installed: Its record is not JSON"):
        check(found)
