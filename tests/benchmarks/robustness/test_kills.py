"""What is said of killed jobs: nothing of those that are as they should be, and each fault where it is put in."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from addon import protocol
from addon.jobs import store
from backend.runtime import job as job_module
from backend.runtime.checkpoint import sha256
from backend.runtime.control import Control
from backend.runtime.job import Job
from benchmarks.robustness.killing import Ended, Kill
from benchmarks.robustness.kills import (
    Case,
    Found,
    Standing,
    campaign,
    differences,
    kill_and_resume,
    planned,
    prepare,
)
from tests.backend.fake_system import fit, write_job

KILLED, DONE = Ended(-signal.SIGKILL, 0, ()), Ended(0, 90, ())


class Killed(BaseException):
    """What stands for the kill."""


def run_here(
    arguments: list[str], root: Path, kill: Kill | None, *, spoil: Callable[[Path], None] | None = None
) -> Ended:
    """Run the fake system in this process; die at a step: the kill's operation. `spoil` something beforehand."""
    if spoil is not None and (root / protocol.EVENTS_FILE).exists():
        spoil(root)
    said = (root / protocol.EVENTS_FILE).open("a")
    steps = 0

    def emit(event: protocol.Event) -> None:
        nonlocal steps
        said.write(protocol.encode(event))
        steps += isinstance(event, protocol.Progress)
        if kill is not None and steps >= kill.operation:
            raise Killed

    with said:
        said.write(protocol.encode(protocol.Hello(job=root.name, backend="0", pid=1)))
        try:
            fit(Job(root, protocol.read_request(root), emit, Control()))
        except Killed:
            return KILLED
        said.write(protocol.encode(protocol.Finished(results=("result/points.bin",), seconds=1.0)))
    return DONE


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    monkeypatch.setattr(job_module, "PROGRESS_SECONDS", 0.0)
    return prepare("toy", write, tmp_path, run_here)


def write(kind: str, folder: Path) -> None:
    write_job(folder, settings={"steps": 10, "checkpoint_steps": 1})


def judged(case: Case, scratch: Path, spoil: Callable[[Path], None] | None = None) -> Found:
    """Kill a job at its sixth step, spoil something, let it go on, and return what is said of it."""
    found = Found()

    def run(arguments: list[str], root: Path, kill: Kill | None) -> Ended:
        return run_here(arguments, root, kill, spoil=spoil)

    kill_and_resume(case, 0, [Kill(6)], scratch, run, found)
    assert found.kills == 1 and found.jobs == 1 and found.at == ["0: 6+0 ms"]
    return found


def test_nothing_is_said_of_a_job_that_goes_on_as_it_should(case: Case, tmp_path: Path) -> None:
    assert judged(case, tmp_path).faults == []
    assert not (tmp_path / "toy-0").exists()


def test_other_bytes_of_a_result_are_told(case: Case, tmp_path: Path) -> None:
    def spoil(root: Path) -> None:  # as if a random number had been drawn twice
        path = root / "stages/1-prepare/tensors.safetensors"
        record = root / "stages/1-prepare/stage.json"
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        written = json.loads(record.read_text())
        written["files"]["tensors.safetensors"] = sha256(path)
        record.write_text(json.dumps(written))

    found = judged(case, tmp_path, spoil)
    assert (
        "toy 0: result/points.bin" in found.different
        and "toy 0: stages/1-prepare/tensors.safetensors" in found.different
    )


def test_a_result_that_is_missing_is_different(case: Case, tmp_path: Path) -> None:
    (case.whole / "result/more.bin").write_bytes(b"1")
    assert judged(case, tmp_path).different == ["toy 0: result/more.bin"]


def test_how_long_things_took_makes_no_difference_and_anything_else_in_the_record_does(tmp_path: Path) -> None:
    for name, seconds, seed in (("a", 1.0, 3), ("b", 2.0, 3), ("c", 1.0, 4)):
        (tmp_path / name / "result").mkdir(parents=True)
        (tmp_path / name / "result/result.json").write_text(json.dumps({"seed": seed, "seconds": {"mesh": seconds}}))
    assert differences(tmp_path / "b", tmp_path / "a") == []
    assert differences(tmp_path / "c", tmp_path / "a") == ["result/result.json"]


def test_a_stage_that_is_made_again_is_lost(case: Case, tmp_path: Path) -> None:
    found = judged(case, tmp_path, lambda root: (root / "stages/1-prepare/stage.json").unlink())
    assert found.lost == ["toy 0: the stage prepare was done and was made again"]


def test_steps_that_are_made_again_are_lost(case: Case, tmp_path: Path) -> None:
    found = judged(case, tmp_path, lambda root: (root / "stages/2-fit-weights/checkpoint-0.safetensors").unlink())
    assert found.lost == ["toy 0: step 1 of Fit weights was made again, 5 were kept"]


def test_a_job_that_does_not_come_to_its_end_is_lost(case: Case, tmp_path: Path) -> None:
    found = Found()
    ends = iter([KILLED, Ended(1, 0, ())])
    kill_and_resume(case, 0, [Kill(6)], tmp_path, lambda arguments, root, kill: next(ends), found)
    assert found.lost == ["toy 0: the job that went on ended with 1: "]
    assert "toy 0: result/points.bin" in found.different


def test_a_job_of_a_queue_that_was_done_is_not_run_again(tmp_path: Path) -> None:
    write_job(tmp_path / "job", settings={"steps": 2})
    run_here([], tmp_path / "job", None)
    standing = Standing.of(tmp_path / "job")
    assert store.state(tmp_path / "job") == store.FINISHED and standing.lost_since(tmp_path / "job") == []
    run_here([], tmp_path / "job", None)
    assert standing.lost_since(tmp_path / "job") == ["job was done and was run again"]


@pytest.mark.parametrize("name", ["stages/values.json.partial", "result/model.glb.tmp", ".lock.1"])
def test_a_file_that_the_undisturbed_job_has_not_is_left_over(case: Case, tmp_path: Path, name: str) -> None:
    def spoil(root: Path) -> None:
        (root / "result").mkdir(exist_ok=True)
        (root / name).write_bytes(b"half")

    found = judged(case, tmp_path, spoil)
    # What a job itself clears away is not left: the temporary files of a killed run.
    assert found.leftovers == ([] if name.endswith(".tmp") else [f"toy 0: {name}"])


def test_a_process_and_a_lock_that_stay_are_left_over(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Found()
    ends = iter([Ended(-signal.SIGKILL, 0, (77,)), DONE])
    monkeypatch.setattr(protocol, "is_running", lambda folder: folder.name == "toy-0")
    kill_and_resume(case, 0, [Kill(6)], tmp_path, lambda arguments, root, kill: next(ends), found)
    assert found.leftovers[:2] == ["toy 0: process 77 goes on", "toy 0: toy-0 is locked"]


def test_an_undisturbed_job_that_fails_is_no_measure(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="the undisturbed toy job ended with 3"):
        prepare("toy", write, tmp_path, lambda arguments, root, kill: Ended(3, 0, ()))


def test_the_same_seed_plans_the_same_kills_within_the_job(tmp_path: Path) -> None:
    case = Case("toy", tmp_path, tmp_path, operations=90)
    plans = [planned(case, 5, attempt) for attempt in range(200)]
    assert plans == [planned(case, 5, attempt) for attempt in range(200)]
    assert plans != [planned(case, 6, attempt) for attempt in range(200)]
    kills: list[Any] = [kill for plan in plans for kill in plan]
    places = sorted(kill.operation for kill in kills)
    assert 1 <= places[0] <= 5 and 86 <= places[-1] <= 90 and len(set(places)) > 70
    assert 0.3 < sum(kill.milliseconds == 0 for kill in kills) / len(kills) < 0.7
    assert {len(plan) for plan in plans} == {1, 2, 3}


def test_a_campaign_does_so_many_kills_and_passes_over_those_that_never_come(case: Case, tmp_path: Path) -> None:
    ends: list[Ended] = []

    def run(arguments: list[str], root: Path, kill: Kill | None) -> Ended:
        ends.append(run_here(arguments, root, kill))
        return ends[-1]

    found = campaign(replace(case, operations=18), 4, 2, tmp_path, run)  # of 15 steps
    assert found.kills == sum(ended == KILLED for ended in ends) == 4 and found.jobs == len(found.at)
    assert found.faults == []
