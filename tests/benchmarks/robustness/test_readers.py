"""Every reader reads its whole file, refuses damaged ones in sentences, and what it does not catch is counted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from addon import protocol
from benchmarks.robustness.readers import Reader, contents, readers, try_out

NAMES = (
    "request", "event", "events", "metadata", "thumbnail", "png", "jpeg", "webp", "tiff", "bmp", "gif", "points",
    "mesh", "checkpoint",
)  # fmt: skip


@pytest.fixture(scope="module")
def all_readers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Reader]:
    return {each.name: each for each in readers(tmp_path_factory.mktemp("whole"))}


def test_the_names_are_those(all_readers: dict[str, Reader]) -> None:
    assert tuple(all_readers) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_whole_file_is_read_and_nothing_but_refusals_comes_of_damage(
    name: str, all_readers: dict[str, Reader], tmp_path: Path
) -> None:
    reader = all_readers[name]
    assert reader.read(tmp_path, written(reader, tmp_path)) is not None or name == "mesh"
    found = try_out(reader, tmp_path / "job", 25, seed=3)
    assert found.faults == [] and found.outcomes["uncaught"] == 0
    assert sum(found.outcomes.values()) == 25 and found.outcomes["read"] >= 1
    assert found.outcomes["refused"] > 0 or name in ("thumbnail", "events")


def test_what_is_not_caught_is_counted_with_the_number_of_its_input(tmp_path: Path) -> None:
    def read(job: Path, path: Path) -> object:
        if b"!" not in path.read_bytes():
            raise KeyError("no mark")
        raise protocol.ProtocolError("A mark.")

    reader = Reader("toy", "file", b"!" * 30, read)
    found = try_out(reader, tmp_path, 200)
    assert found.outcomes["refused"] + found.outcomes["uncaught"] == 200 and 0 < len(found.faults) < 100
    numbers = [int(fault.partition(":")[0]) for fault in found.faults]
    made = list(contents(reader, 200))
    assert made[0] == reader.whole and numbers == [i for i, content in enumerate(made) if b"!" not in content]
    assert found.faults[0].endswith("KeyError: 'no mark'")
    assert list(contents(replace(reader, name="other"), 20))[1:] != made[1:20]


def written(reader: Reader, folder: Path) -> Path:
    path = folder / reader.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(reader.whole)
    return path
