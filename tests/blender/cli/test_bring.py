"""Results that come home: folders of job folders, those that end while they are watched, a grid."""

# Blender makes its module at run time; pyright sees an almost empty one.
# pyright: reportMissingImports=false

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from addon import protocol
from addon.cli import bring
from tests.blender.cli.test_commands import Runner, objects_of, run
from tests.blender.made_jobs import FAILED, HELLO, make
from tests.blender.made_results import make_result

__all__ = ["run"]

DONE = protocol.Finished(results=(), seconds=1.0)


def end(job: Path, last: protocol.Event) -> None:
    (job / protocol.EVENTS_FILE).write_text(protocol.encode(HELLO) + protocol.encode(last))


def test_a_folder_gives_what_is_finished_in_a_grid(run: Runner, bpy: Any) -> None:
    jobs = [make_result(run.folder / "jobs" / f"job-{number}") for number in range(5)]
    for job in jobs:
        end(job, DONE)
    make(run.folder / "jobs", "job-9")  # waits
    options = ["--save", run.folder / "x.blend", "--output", "mesh", "--columns", 2, "--apart", 3, "--at", 0, 0, 0]
    answer = run("import", run.folder / "jobs", *options, "--json")
    assert answer.code == 0
    assert [job["state"] for job in answer.json["jobs"]] == ["imported"] * 5 + ["waiting"]
    places = sorted(tuple(place) for place in objects_of(bpy, run.folder / "x.blend").values())
    assert places == sorted([(0, 0, 0), (3, 0, 0), (0, -3, 0), (3, -3, 0), (0, -6, 0)])


def test_jobs_that_end_while_they_are_watched_come_each_to_its_place(
    run: Runner, bpy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bring, "LOOK_AGAIN_SECONDS", 0.05)
    jobs = [make_result(run.folder / "jobs" / f"job-{number}") for number in range(3)]
    end(jobs[1], DONE)
    for job in (jobs[0], jobs[2]):
        (job / protocol.EVENTS_FILE).unlink()
    save = run.folder / "x.blend"

    def farm() -> None:
        while not save.exists():
            threading.Event().wait(0.05)
        end(jobs[2], protocol.Interrupted(reason="its machine is gone", seconds=1.0))
        end(jobs[0], FAILED)
        threading.Event().wait(0.3)
        end(jobs[2], DONE)

    threading.Thread(target=farm, daemon=True).start()
    answer = run(
        "import", run.folder / "jobs", "--watch", "--output", "mesh", "--save", save, "--at", 0, 0, 0, "--json"
    )
    assert answer.code == 1 and "job-0: the job is failed." in answer.err
    assert [job["state"] for job in answer.json["jobs"]] == ["failed", "imported", "imported"]
    assert sorted(place[0] for place in objects_of(bpy, save).values()) == [2.5, 5.0]


def test_a_folder_that_holds_nothing_is_refused(run: Runner) -> None:
    (run.folder / "empty").mkdir()
    answer = run("import", run.folder / "empty", "--save", run.folder / "x.blend")
    assert answer.code == 2 and not (run.folder / "x.blend").exists()


def test_what_could_not_be_saved_is_refused_beforehand(tmp_path: Path) -> None:
    with pytest.raises(protocol.ProtocolError, match="does not end in .blend"):
        bring.check_target(tmp_path / "x.obj")
    with pytest.raises(protocol.ProtocolError, match="There is no folder"):
        bring.check_target(tmp_path / "none" / "x.blend")
