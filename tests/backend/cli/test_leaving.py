"""How a run leaves: by signals, in stages without steps, in the middle of a row of jobs, and when its folder goes."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest

from addon import protocol
from addon.jobs import store
from tests.backend.fake_system import write_job
from tests.backend.processes import Process, events, last, run

SLOW = {"steps": 2000, "pause": 0.02}

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")


def wait_for(folder: Path, kind: type) -> None:
    """Wait until the running job has said something of a kind."""
    while not any(isinstance(event, kind) for event in store.read_events(folder)[0]):
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("prompt", ["mesh", "native"])
def test_a_signal_in_a_stage_without_steps_ends_it_within_a_second(
    tmp_path: Path, prompt: str, number: signal.Signals
) -> None:
    jobs = [write_job(tmp_path / name, prompt=prompt) for name in ("A", "B")]
    process = Process(tmp_path, "run", *jobs)
    wait_for(jobs[0], protocol.Stage)
    time.sleep(0.1)  # into the stage
    os.kill(process.pid, number)
    sent = time.monotonic()
    while process.is_alive:
        time.sleep(0.01)
    seconds = time.monotonic() - sent
    done = process.wait()
    assert done.returncode == 4
    assert last(done.stdout).reason == f"the process received {number.name}"
    assert done.stderr == "interrupted: 1 other job was not run; the same command goes on\n"
    assert not (jobs[1] / "events.jsonl").exists() and store.state(jobs[0]) == store.INTERRUPTED
    assert seconds < 10  # of a minute and more; a busy machine gives it no whole second


def test_steps_are_kept_though_the_signal_may_leave_elsewhere_at_once(tmp_path: Path) -> None:
    job = write_job(tmp_path / "job", settings=SLOW)
    process = Process(tmp_path, "run", job)
    wait_for(job, protocol.Progress)
    os.kill(process.pid, signal.SIGHUP)
    done = process.wait()
    assert done.returncode == 4 and last(done.stdout).reason == "the process received SIGHUP" and done.stderr == ""
    assert (job / "stages/2-fit-weights/checkpoint-0.safetensors").exists()


def test_a_run_that_ignores_the_end_of_its_terminal_goes_on(tmp_path: Path) -> None:
    job = write_job(tmp_path / "job", settings={"steps": 60, "pause": 0.02})
    process = Process(tmp_path, "run", job, ignored=signal.SIGHUP)
    wait_for(job, protocol.Progress)
    os.kill(process.pid, signal.SIGHUP)
    assert process.wait().returncode == 0 and store.state(job) == store.FINISHED


def test_a_row_that_was_interrupted_at_the_end_of_a_job_says_that_the_others_were_not_run(tmp_path: Path) -> None:
    """The first is finished all the same, as one whose last stage was nearly done."""
    jobs = [write_job(tmp_path / name, prompt=prompt) for name, prompt in (("A", "late"), ("B", "fit"), ("C", "fit"))]
    done = run(tmp_path, "run", *jobs)
    assert done.returncode == 4
    assert isinstance(last(done.stdout), protocol.Finished) and store.state(jobs[0]) == store.FINISHED
    assert done.stderr == "interrupted: 2 other jobs were not run; the same command goes on\n"
    assert [store.state(job) for job in jobs[1:]] == [store.WAITING] * 2


@pytest.mark.parametrize("is_replaced", [False, True])
@pytest.mark.parametrize("prompt", ["fit", "mesh"])
def test_a_job_whose_folder_is_removed_ends_and_stays_away(tmp_path: Path, prompt: str, is_replaced: bool) -> None:
    job, other = (write_job(tmp_path / name, prompt=prompt, settings=SLOW) for name in ("job", "other"))
    process = Process(tmp_path, "run", job)
    wait_for(job, protocol.Progress if prompt == "fit" else protocol.Stage)
    shutil.rmtree(job, ignore_errors=True)
    shutil.rmtree(job, ignore_errors=True)  # what was written meanwhile
    if is_replaced:
        os.replace(other, job)
    if prompt == "mesh":
        os.kill(process.pid, signal.SIGTERM)
    done = process.wait()
    said = events(done.stdout)
    assert done.returncode == 4 and isinstance(said[-1], protocol.Cancelled)
    assert isinstance(said[-2], protocol.Warning) and "folder was removed while it ran" in said[-2].message
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in job.iterdir()) == ["request.json"] if is_replaced else not job.exists()


def test_a_queue_without_jobs_and_one_that_is_not_there_say_so(tmp_path: Path) -> None:
    write_job(tmp_path / "jobs/a")  # of no queue
    done = run(tmp_path, "queue", tmp_path / "jobs")
    assert done.returncode == 0 and [type(event) for event in events(done.stdout)] == [protocol.Idle]
    assert done.stderr == f"No job waits in the queue of {tmp_path / 'jobs'}. A job is run by its name: run JOB\n"
    done = run(tmp_path, "queue", tmp_path / "nowhere")
    assert done.returncode == 2 and done.stderr.startswith(f"error: There is no folder {tmp_path / 'nowhere'}.")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    ("prompt", "code", "words"),
    [("empty", 2, "The mask is empty"), ("gpu", 3, "There is no GPU"), ("memory", 3, "memory")],
)
def test_a_job_that_cannot_begin_leaves_nothing_in_the_way_of_the_same_folder(
    tmp_path: Path, prompt: str, code: int, words: str
) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    for out in (tmp_path / "job", tmp_path / "link"):
        failed = run(tmp_path, "generate", "--prompt", prompt, "--threads", 1, "--out", out)
        assert failed.returncode == code and words in failed.stderr and not out.exists()
        assert run(tmp_path, "generate", "--prompt", "fit", "--threads", 1, "--out", out).returncode == 0
    write_job(tmp_path / "mine", prompt=prompt)  # made before, by somebody
    kept = run(tmp_path, "generate", "--prompt", prompt, "--seed", 3, "--threads", 1, "--out", tmp_path / "mine")
    assert kept.returncode == code and (tmp_path / "mine/request.json").exists()


def test_a_job_that_has_something_to_go_on_from_stays_when_it_cannot(tmp_path: Path) -> None:
    job = tmp_path / "job"
    failed = run(tmp_path, "generate", "--prompt", "prepared", "--threads", 1, "--out", job)
    assert failed.returncode == 3 and (job / "stages/1-prepare/stage.json").exists()
