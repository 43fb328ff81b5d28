"""Results that come home: folders of job folders, those that end while they are watched, a grid."""

# Blender makes its module at run time; pyright sees an almost empty one.
# pyright: reportMissingImports=false

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from addon import protocol
from addon.cli import bring
from addon.scene.as_pictured import Thing, stands
from tests.blender.cli.test_commands import Runner, objects_of, run
from tests.blender.instant_backend import pictured
from tests.blender.made_jobs import FAILED, HELLO, make
from tests.blender.made_results import make_result, two_colours

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


def things_of_a_picture(folder: Path) -> list[Path]:
    """Make a job of its own picture, and one of each of the two things of another one."""
    jobs = [make_result(folder / f"job-{number}") for number in range(3)]
    for piece, job in enumerate(jobs):
        (job / "inputs").mkdir()
        (job / "inputs/00.png").write_bytes(two_colours(16 if piece else 8))
        image = protocol.InputImage(path="inputs/00.png", elevation_degrees=20.0)
        settings: dict[str, protocol.Setting] = {"piece": piece} if piece else {}
        protocol.write_request(job, protocol.Request(system="tv3dg", prompt="x", images=(image,), settings=settings))
        path = job / protocol.RESULT_FILE
        said = json.loads(path.read_text()) | {"picture": pictured(protocol.read_request(job))}
        path.write_text(json.dumps(said))
        end(job, DONE)
    return jobs


def test_things_of_one_picture_come_together_also_where_the_place_is_given(run: Runner, bpy: Any) -> None:
    """The single one stands at x = 0; the largest of the others would reach into it, and goes aside with its own."""
    things_of_a_picture(run.folder / "jobs")
    save = run.folder / "x.blend"
    options = ["--save", save, "--output", "mesh", "--apart", 0.25, "--at", 0, 0, 0, "--json"]
    assert run("import", run.folder / "jobs", *options).code == 0
    single, large, small = objects_of(bpy, save).values()
    stand = stands([Thing(protocol.Pictured(*place, 0, 20, 40), -0.2) for place in ((-0.2, 0, 0.4), (0.2, 0.1, 0.2))])[
        1
    ]
    assert single == [0, 0, 0] and large[0] > 0.6 and large[1:] == [0, 0]
    assert [there - here for here, there in zip(large, small, strict=True)] == pytest.approx(stand.offset, abs=1e-5)


def test_things_of_one_picture_wait_for_each_other_where_they_are_watched(
    run: Runner, bpy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bring, "LOOK_AGAIN_SECONDS", 0.05)
    jobs = things_of_a_picture(run.folder / "jobs")
    (jobs[2] / protocol.EVENTS_FILE).unlink()
    brought: list[list[tuple[int, tuple[Path, ...]]]] = []
    real = bring.bring

    def note(placed: Any, *arguments: Any) -> None:
        brought.append(list(placed))
        real(placed, *arguments)
        end(jobs[2], DONE)

    monkeypatch.setattr(bring, "bring", note)
    options = ["--watch", "--output", "mesh", "--save", run.folder / "x.blend", "--apart", 9, "--json"]
    answer = run("import", run.folder / "jobs", *options)
    assert answer.code == 0 and [job["state"] for job in answer.json["jobs"]] == ["imported"] * 3
    assert brought == [[(0, (jobs[0],))], [(1, (jobs[1], jobs[2]))]]


def test_a_result_that_lies_about_its_picture_is_refused(run: Runner) -> None:
    jobs = things_of_a_picture(run.folder / "jobs")
    path = jobs[1] / protocol.RESULT_FILE
    said = json.loads(path.read_text())
    path.write_text(json.dumps(said | {"picture": said["picture"] | {"across": 1e9}}))
    answer = run("import", jobs[1], "--save", run.folder / "x.blend")
    assert (
        answer.code == 2
        and "The across of an object in its picture is 1000000000.0" in answer.err
        and "Traceback" not in answer.err
    )


def test_a_folder_that_holds_nothing_is_refused(run: Runner) -> None:
    (run.folder / "empty").mkdir()
    answer = run("import", run.folder / "empty", "--save", run.folder / "x.blend")
    assert answer.code == 2 and not (run.folder / "x.blend").exists()


def test_what_could_not_be_saved_is_refused_beforehand(tmp_path: Path) -> None:
    with pytest.raises(protocol.ProtocolError, match="does not end in .blend"):
        bring.check_target(tmp_path / "x.obj")
    with pytest.raises(protocol.ProtocolError, match="There is no folder"):
        bring.check_target(tmp_path / "none" / "x.blend")
