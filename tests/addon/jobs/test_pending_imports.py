"""Who wants the result of a job, kept for a Blender that is started later: taken once, and by nobody who should not."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from addon import protocol
from addon.jobs import pending_imports, store

ROOT = Path(__file__).resolve().parent.parent.parent.parent
OTHER = """
import sys
from pathlib import Path
from addon.jobs import pending_imports
pending_imports.write(Path(sys.argv[1]), pending_imports.pending_import(sys.argv[2]))
print("written", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Path]:
    yield protocol.make_job(tmp_path, protocol.Request(system="tv3dg", prompt="x"), [])
    pending_imports.leave()


def other_blender(job: Path, file: str) -> subprocess.Popen[str]:
    """Let another process have a wish, and wait until it is written."""
    command = [sys.executable, "-c", OTHER, str(job), file]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "written\n"
    return process


def test_a_wish_outlives_its_blender_and_is_taken_once(job: Path) -> None:
    with other_blender(job, "/a b/ü.blend") as other:
        other.kill()
    (found,) = pending_imports.read(job.parent).values()
    assert found.file == "/a b/ü.blend" and not found.is_ours
    assert store.list_jobs(job.parent) == [job]
    assert pending_imports.take(job) and not pending_imports.take(job) and pending_imports.read(job.parent) == {}


def test_an_unsaved_file_of_another_blender_is_left_alone_while_that_one_runs(job: Path) -> None:
    with other_blender(job, "") as other:
        wish = pending_imports.read(job.parent)[job]
        assert not pending_imports.is_left_behind(job.parent, wish)
        other.kill()
    assert pending_imports.is_left_behind(job.parent, wish)
    assert pending_imports.is_left_behind(job.parent, wish)  # also when its file was cleared away


def test_our_own_is_never_left_behind(job: Path) -> None:
    pending_imports.write(job, pending_imports.pending_import(""))
    wish = pending_imports.read(job.parent)[job]
    assert wish.is_ours and not pending_imports.is_left_behind(job.parent, wish)


def test_wishes_about_jobs_that_are_gone_and_torn_ones_are_none(job: Path) -> None:
    pending_imports.write(job, pending_imports.pending_import("a.blend"))
    gone = job.with_name("gone")
    (job.parent / pending_imports.FOLDER / "gone.json").write_text('{"file": "a.blend", "session": "1"}')
    assert list(pending_imports.read(job.parent)) == [job] and not pending_imports.take(gone)
    for text in ('{"file": "a', "[]", '{"file": "a.blend"}', '"x"', "\xff"):
        (job.parent / pending_imports.FOLDER / f"{job.name}.json").write_bytes(text.encode("latin-1"))
        assert pending_imports.read(job.parent) == {}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("[1, 2.5, -3]", (1.0, 2.5, -3.0)),
        ("null", None),
        ("[1, 2]", None),
        ("[1, 2, true]", None),
        ("[1, 2, 1e9]", None),
        ("[1, 2, NaN]", None),
        ('"here"', None),
    ],
)
def test_a_place_is_three_numbers_that_are_not_far_away(job: Path, written: str, read: object) -> None:
    pending_imports.write(job, pending_imports.pending_import("a.blend", (4.0, 5.0, 6.0)))
    assert pending_imports.read(job.parent)[job].at == (4.0, 5.0, 6.0)
    file = job.parent / pending_imports.FOLDER / f"{job.name}.json"
    file.write_text(file.read_text().replace("[4.0, 5.0, 6.0]", written))
    try:
        assert pending_imports.read(job.parent)[job].at == read
    except KeyError:
        assert written == "[1, 2, NaN]"  # no JSON at all


def test_a_wish_cannot_be_about_a_folder_elsewhere(job: Path, tmp_path: Path) -> None:
    pending_imports.write(job, pending_imports.pending_import("a.blend"))
    (job.parent / pending_imports.FOLDER / "...json").write_text('{"file": "a.blend", "session": "1"}')
    assert list(pending_imports.read(job.parent)) == [job]


@pytest.mark.parametrize("session", ["../owner", "../../x", "/etc/passwd", "a" * 15, "A" * 16, ""])
def test_a_session_that_is_no_token_is_nobody_s_and_its_file_stays(job: Path, session: str) -> None:
    for name in ("owner.session", "../x.session"):
        (job.parent / name).resolve().write_text("mine")
    pending_imports.write(job, pending_imports.pending_import(""))
    wish = job.parent / pending_imports.FOLDER / f"{job.name}.json"
    wish.write_text(json.dumps({"file": "", "session": session}))
    assert pending_imports.read(job.parent) == {}
    left = pending_imports.PendingImport("", session)
    assert pending_imports.is_left_behind(job.parent, left)
    assert (job.parent / "owner.session").read_text() == (job.parent.parent / "x.session").read_text() == "mine"
    wish.write_text("[" * 60_000)
    assert pending_imports.read(job.parent) == {}


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_wishes_follow_no_link(job: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    wish = {"file": "a.blend", "session": "0" * 16}
    (outside / f"{job.name}.json").write_text(json.dumps(wish))
    (outside / ("0" * 16 + ".session")).touch()
    (job.parent / pending_imports.FOLDER).symlink_to(outside)
    assert pending_imports.read(job.parent) == {}
    with pytest.raises(protocol.LinkInside):
        pending_imports.write(job, pending_imports.pending_import("b.blend"))
    assert pending_imports.is_left_behind(job.parent, pending_imports.PendingImport("", "0" * 16))
    assert sorted(path.name for path in outside.iterdir()) == ["0" * 16 + ".session", f"{job.name}.json"]
