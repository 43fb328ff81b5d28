"""Who wants the result of a job, kept for a Blender that is started later: taken once, and by nobody who should not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from addon import jobs, protocol, wishes

ROOT = Path(__file__).resolve().parent.parent.parent
OTHER = """
import sys
from pathlib import Path
from addon import wishes
wishes.write(Path(sys.argv[1]), wishes.wish(sys.argv[2]))
print("written", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Path]:
    yield jobs.make_job(tmp_path, protocol.Request(system="tv3dg", prompt="x"), [])
    wishes.leave()


def other_blender(job: Path, file: str) -> subprocess.Popen[str]:
    """Let another process have a wish, and wait until it is written."""
    command = [sys.executable, "-c", OTHER, str(job), file]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "written\n"
    return process


def test_a_wish_outlives_its_blender_and_is_taken_once(job: Path) -> None:
    with other_blender(job, "/a b/ü.blend") as other:
        other.kill()
    (found,) = wishes.read(job.parent).values()
    assert found.file == "/a b/ü.blend" and not found.is_ours
    assert jobs.list_jobs(job.parent) == [job]
    assert wishes.take(job) and not wishes.take(job) and wishes.read(job.parent) == {}


def test_an_unsaved_file_of_another_blender_is_left_alone_while_that_one_runs(job: Path) -> None:
    with other_blender(job, "") as other:
        wish = wishes.read(job.parent)[job]
        assert not wishes.is_left_behind(job.parent, wish)
        other.kill()
    assert wishes.is_left_behind(job.parent, wish)
    assert wishes.is_left_behind(job.parent, wish)  # also when its file was cleared away


def test_our_own_is_never_left_behind(job: Path) -> None:
    wishes.write(job, wishes.wish(""))
    wish = wishes.read(job.parent)[job]
    assert wish.is_ours and not wishes.is_left_behind(job.parent, wish)


def test_wishes_about_jobs_that_are_gone_and_torn_ones_are_none(job: Path) -> None:
    wishes.write(job, wishes.wish("a.blend"))
    gone = job.with_name("gone")
    (job.parent / wishes.FOLDER / "gone.json").write_text('{"file": "a.blend", "session": "1"}')
    assert list(wishes.read(job.parent)) == [job] and not wishes.take(gone)
    for text in ('{"file": "a', "[]", '{"file": "a.blend"}', '"x"', "\xff"):
        (job.parent / wishes.FOLDER / f"{job.name}.json").write_bytes(text.encode("latin-1"))
        assert wishes.read(job.parent) == {}


def test_a_wish_cannot_be_about_a_folder_elsewhere(job: Path, tmp_path: Path) -> None:
    wishes.write(job, wishes.wish("a.blend"))
    (job.parent / wishes.FOLDER / "...json").write_text('{"file": "a.blend", "session": "1"}')
    assert list(wishes.read(job.parent)) == [job]
