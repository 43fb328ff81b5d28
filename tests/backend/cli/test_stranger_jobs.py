"""A stranger's job folder with a link in it is run, alone or from a queue: what the link leads to stays as it is."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from addon import protocol
from tests.backend.fake_system import write_job
from tests.backend.processes import last, run

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")

LONG = b"the only copy of something that took a year\n" * 200


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder of somebody's files, with names that a job has, too."""
    folder = tmp_path / "outside"
    for name in ("file", "rgb.png", "result.json", "sub/model.glb", "sub/deeper/file", "latest.png", "values.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(LONG)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


FILES = [".lock", "events.jsonl", "log.txt"]
REPLACED = ["request.json.tmp", "stages/1-prepare/stage.json.tmp", "stages/2-fit-weights/checkpoint-0.safetensors.tmp"]
FOLDERS = ["stages", "stages/1-prepare", "stages/2-fit-weights", "result", "preview", "inputs"]
LEAVES = [
    "preview/latest.png", "preview/latest.tmp.png", "result/points.bin", "result/points.bin.tmp", "stages/note",
    "stages/1-prepare/note.txt", "stages/1-prepare/stage.json", "stages/1-prepare/values.json",
    "stages/2-fit-weights/checkpoint-0.safetensors", "stages/2-fit-weights/sub",
]  # fmt: skip


@pytest.mark.parametrize("name", [*FILES, *REPLACED, *FOLDERS, *LEAVES])
def test_a_link_in_a_job_is_refused_in_a_sentence_and_what_it_leads_to_stays(
    tmp_path: Path, outside: Path, name: str
) -> None:
    job = write_job(tmp_path / "job")
    (job / name).parent.mkdir(parents=True, exist_ok=True)
    (job / name).symlink_to(outside if name in FOLDERS or name.endswith("sub") else outside / "file")
    before = contents(outside)
    done = run(tmp_path, "run", job)
    assert contents(outside) == before
    failed = last(done.stdout)
    if name == "request.json.tmp":  # is nobody's
        assert done.returncode == 0
    else:
        assert done.returncode == 2 and isinstance(failed, protocol.Failed) and failed.kind == "BadInput"
        assert f"{job / name} is a link; in a job folder none is followed." in failed.message
        assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("name", FILES)
def test_a_second_name_of_a_file_elsewhere_is_not_written(tmp_path: Path, outside: Path, name: str) -> None:
    job = write_job(tmp_path / "job")
    os.link(outside / "file", job / name)
    before = contents(outside)
    done = run(tmp_path, "run", job)
    assert done.returncode == 2 and "names of the same file (hard links)" in last(done.stdout).message
    assert contents(outside) == before


def test_a_second_name_of_a_file_elsewhere_is_replaced_where_results_are_written(tmp_path: Path, outside: Path) -> None:
    job = write_job(tmp_path / "job")
    names = ("preview/latest.png", "stages/1-prepare/note.txt", "stages/1-prepare/values.json.tmp")
    for name in names:
        (job / name).parent.mkdir(parents=True, exist_ok=True)
        os.link(outside / "file", job / name)
    before = contents(outside)
    assert run(tmp_path, "run", job).returncode == 0 and contents(outside) == before
    assert (job / "stages/1-prepare/note.txt").read_text() == "made by the first stage"


def test_a_request_that_is_refused_leaves_a_link_s_target_alone_too(tmp_path: Path, outside: Path) -> None:
    job = write_job(tmp_path / "job")
    (job / "request.json").write_text("{}")
    (job / ".lock").symlink_to(outside / "file")
    assert run(tmp_path, "run", job).returncode == 2
    assert (outside / "file").read_bytes() == LONG


def test_a_request_that_is_a_link_is_none(tmp_path: Path) -> None:
    other, job = write_job(tmp_path / "other"), tmp_path / "job"
    job.mkdir()
    (job / "request.json").symlink_to(other / "request.json")
    done = run(tmp_path, "run", job)
    assert done.returncode == 2 and "request.json is a link" in last(done.stdout).message
    assert [path.name for path in job.iterdir()] == ["request.json"]  # nothing was begun


def test_links_above_a_job_folder_are_followed(tmp_path: Path) -> None:
    job = write_job(tmp_path / "disk/jobs/job")
    (tmp_path / "jobs").symlink_to(tmp_path / "disk/jobs")
    (tmp_path / "shortcut").symlink_to(job)
    assert run(tmp_path, "run", tmp_path / "jobs/job").returncode == 0
    assert run(tmp_path, "run", tmp_path / "shortcut").returncode == 0
    assert (job / "result/points.bin").exists()


def test_the_inputs_of_another_folder_are_neither_hashed_nor_named(tmp_path: Path, outside: Path) -> None:
    job = write_job(tmp_path / "job")
    (job / "inputs").mkdir()
    (job / "inputs/00.png").write_bytes(b"own")
    plain = _made_from(tmp_path, job, "a")
    (job / "inputs/more").symlink_to(outside)
    assert _made_from(tmp_path, job, "b") == plain  # what decides whether a stage is made again has not heard of it


def _made_from(tmp_path: Path, job: Path, name: str) -> str:
    (tmp_path / name).mkdir()
    assert run(tmp_path / name, "run", job).returncode == 0
    return json.loads((job / "stages/1-prepare/stage.json").read_bytes())["made_from"]


@pytest.mark.parametrize("target", ["outside/file", "jobs/owner"])
def test_a_queue_goes_on_behind_a_job_whose_lock_is_a_link(tmp_path: Path, outside: Path, target: str) -> None:
    jobs = tmp_path / "jobs"
    evil, good = write_job(jobs / "a"), write_job(jobs / "b")
    (jobs / "owner").write_bytes(LONG)
    (evil / ".lock").symlink_to(tmp_path / target)
    protocol.write_turns(jobs / protocol.QUEUE_FILE, [protocol.new_turn("a"), protocol.new_turn("b")])
    done = run(tmp_path, "queue", jobs)
    assert done.returncode == 2 and "a/.lock is a link" in done.stdout
    assert (good / "result/points.bin").exists() and not (evil / "result").exists()
    assert (outside / "file").read_bytes() == (jobs / "owner").read_bytes() == LONG


@pytest.mark.parametrize("name", ["stage.json", "values.json"])
def test_json_that_is_nested_without_end_is_a_sentence(tmp_path: Path, name: str) -> None:
    job = write_job(tmp_path / "job")
    assert run(tmp_path, "run", job).returncode == 0
    (job / "stages/1-prepare" / name).write_text("[" * 60_000 + "]" * 60_000)
    (tmp_path / "again").mkdir()
    done = run(tmp_path / "again", "run", job)
    assert done.returncode == 2
    if name == "stage.json":
        assert "is damaged" in last(done.stdout).message and "Delete this" in last(done.stdout).hint
