"""The Python API below the operators: describe, submit and wait, against backends of every kind. No Blender needed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from addon import api, protocol
from addon.jobs import store
from tests.blender.instant_backend import CHECKOUT, write_interpreter
from tests.blender.made_results import make_result, two_colours

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the interpreter of these tests is a shell script")

# Holds the lock of a job as the backend does and runs it a little: another run's end, then its own beginning and end.
OTHER_PROCESS = """
import fcntl, sys, time
from pathlib import Path
from addon import protocol
job, manner = Path(sys.argv[1]), sys.argv[2]
lock = open(job / ".lock", "w+b", buffering=0)
fcntl.lockf(lock, fcntl.LOCK_EX, 1, 1 << 20)
def say(event):
    with open(job / "events.jsonl", "a") as file:
        file.write(protocol.encode(event))
say(protocol.Interrupted(reason="an earlier run", seconds=1))
say(protocol.Hello(job=job.name, backend="0", pid=1))
print("locked", flush=True)
sys.stdin.readline()
if manner == "ends":
    say(protocol.Stage(number=1, name="work"))
    say(protocol.Finished(results=("result/model.glb",), seconds=2))
"""


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """Return an interpreter whose backend leaves made results at once."""
    return write_interpreter(tmp_path / "python")


def fake(tmp_path: Path) -> Path:
    """Return an interpreter whose backend goes wrong in the way that the prompt names."""
    program = write_interpreter(tmp_path / "fake")
    program.write_text(program.read_text().replace("tests.blender.instant_backend", "tests.addon.fake_backend"))
    return program


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# ---- describe and submit ----


def test_images_get_roles_names_and_cameras(tmp_path: Path) -> None:
    front, style = tmp_path / "Front.PNG", tmp_path / "style.jpg"
    front.write_bytes(two_colours())
    style.write_bytes(b"style")
    request, sources = api.describe([front], [style], prompt="a red mug", elevation_degrees=20, seed=4)
    assert sources == [front, style] and request.seed == 4
    assert request.images == (
        protocol.InputImage(path="inputs/00.png", elevation_degrees=20),
        protocol.InputImage(path="inputs/01.jpg", role="visual_prompt"),
    )
    photos, _ = api.describe([front, str(front)], system="dreambooth3d", prompt="a dog", elevation_degrees=20)
    assert [image.role for image in photos.images] == ["subject", "subject"]
    assert photos.images[1].elevation_degrees == 0


@pytest.mark.parametrize(
    ("wishes", "sentence"),
    [
        ({"prompt": ""}, "The prompt is empty"),
        ({"prompt": "x", "images": ["nowhere.png"]}, "There is no image nowhere.png"),
        ({"prompt": "x", "sead": 3}, "A request has no sead"),
        ({"prompt": "x", "preset": "fast"}, "The preset 'fast' is unknown"),
    ],
)
def test_what_cannot_be_asked_for_is_a_sentence_and_no_folder(
    tmp_path: Path, wishes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(protocol.ProtocolError, match=sentence):
        api.submit(jobs=tmp_path / "jobs", **wishes)
    assert not (tmp_path / "jobs").exists()


def test_submit_takes_keywords_or_a_request(tmp_path: Path) -> None:
    image = tmp_path / "mug.png"
    image.write_bytes(two_colours())
    by_keywords = api.submit(prompt="a red mug", images=[image], jobs=tmp_path / "jobs")
    request, sources = api.describe([image], prompt="a red mug")
    by_request = api.submit(request, sources, jobs=tmp_path / "jobs")
    assert protocol.read_request(by_keywords) == protocol.read_request(by_request) == request
    assert (by_keywords / "inputs/00.png").read_bytes() == image.read_bytes()
    assert store.state(by_keywords) == store.WAITING
    with pytest.raises(TypeError, match="leave prompt away"):
        api.submit(request, sources, jobs=tmp_path / "jobs", prompt="a blue mug")


# ---- wait ----


def test_wait_runs_a_job_tells_its_events_and_prints_nothing(
    tmp_path: Path, python: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    job = api.submit(prompt="a red mug", jobs=tmp_path / "jobs")
    events: list[protocol.Event] = []
    last = api.wait(job, python=python, on_event=events.append)
    assert last == events[-1] and "result/model.glb" in last.results
    assert [type(event).__name__ for event in events] == ["Hello", "Stage", "Progress", "Warning", "Finished"]
    assert (job / "result/model.glb").is_file() and capfd.readouterr() == ("", "")


def test_a_job_that_is_done_is_not_run_again(tmp_path: Path) -> None:
    job = make_result(tmp_path / "done")
    assert "result/model.glb" in api.wait(job, python=tmp_path / "nowhere").results


FAILURES: dict[str, tuple[type[api.JobError], str, int]] = {
    "fails": (api.JobFailed, "^The mask is empty. Use another.$", 2),
    "crashes": (api.JobFailed, "was ended by SIGSEGV without a last message", 1),
    "raises": (api.JobFailed, "(?s)exit code 1 without a last message.*division by zero", 1),
    "newer version": (api.JobFailed, "The backend does not fit this add-on", 3),
}


@pytest.mark.parametrize("manner", FAILURES)
def test_a_failure_is_a_typed_error_with_message_hint_and_code(tmp_path: Path, manner: str) -> None:
    kind, sentence, code = FAILURES[manner]
    job = api.submit(prompt=manner, jobs=tmp_path / "jobs")
    with pytest.raises(kind, match=sentence) as caught:
        api.wait(job, python=fake(tmp_path))
    assert caught.value.exit_code == code and caught.value.hint
    assert str(caught.value) == f"{caught.value.message} {caught.value.hint}"


def test_no_interpreter_is_a_fault_of_the_environment(tmp_path: Path) -> None:
    job = api.submit(prompt="a red mug", jobs=tmp_path / "jobs")
    with pytest.raises(api.JobFailed, match="could not be started") as caught:
        api.wait(job, python=tmp_path / "nowhere")
    assert caught.value.exit_code == api.ENVIRONMENT


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_whatever_ends_the_waiting_ends_the_backend_which_may_say_why(
    tmp_path: Path, python: Path, error: type[BaseException]
) -> None:
    job = api.submit(prompt="wait for ever", jobs=tmp_path / "jobs")
    pids: list[int] = []

    def stop(event: protocol.Event) -> None:
        if isinstance(event, protocol.Hello):
            pids.append(event.pid)
        if isinstance(event, protocol.Warning):
            raise error

    with pytest.raises(error):
        api.wait(job, python=python, on_event=stop)
    assert not is_alive(pids[0])
    assert store.state(job) == store.INTERRUPTED
    last = store.last_message(job)
    assert isinstance(last, protocol.Interrupted) and "gone" in last.reason  # it had the time to write that


def run_each(tmp_path: Path, python: Path, *prompts: str) -> tuple[list[str], list[int]]:
    """Run a job for each prompt; return what they came to and the processes that ran them."""
    folders = [api.submit(prompt=prompt, jobs=tmp_path / "jobs") for prompt in prompts]
    pids: list[int] = []

    def note(job: Path, event: protocol.Event) -> None:
        if isinstance(event, protocol.Hello):
            assert event.job == job.name
            pids.append(event.pid)

    outcomes = list(api.wait_each(folders, python=python, on_event=note))
    assert [job for job, _ in outcomes] == folders
    return [getattr(outcome, "message", "finished") for _, outcome in outcomes], pids


def test_several_jobs_share_a_process_and_one_failure_is_not_the_others(tmp_path: Path, python: Path) -> None:
    said, pids = run_each(tmp_path, python, "a mug", "fail", "a car")
    assert said == ["finished", "The mask is empty.", "finished"] and len(set(pids)) == 1


def test_a_crash_ends_one_job_and_the_others_get_a_new_process(tmp_path: Path, python: Path) -> None:
    said, pids = run_each(tmp_path, python, "a mug", "crash", "a car")
    assert (said[0], said[2]) == ("finished", "finished") and "ended with exit code 7" in said[1]
    assert pids[0] == pids[1] != pids[2]


def test_no_interpreter_concerns_all_jobs(tmp_path: Path) -> None:
    with pytest.raises(api.JobFailed, match="could not be started"):
        run_each(tmp_path, tmp_path / "nowhere", "a mug", "a car")


def test_closing_the_generator_ends_the_process(tmp_path: Path, python: Path) -> None:
    folders = [api.submit(prompt=prompt, jobs=tmp_path / "jobs") for prompt in ("a mug", "wait for ever")]
    outcomes = api.wait_each(folders, python=python)
    assert next(outcomes)[0] == folders[0]
    outcomes.close()
    assert store.state(folders[1]) in (store.INTERRUPTED, store.WAITING)
    assert not protocol.is_running(folders[1])


def test_a_job_that_another_process_runs_is_watched(tmp_path: Path) -> None:
    last, events = watch(tmp_path, "ends")
    assert last == protocol.Finished(results=("result/model.glb",), seconds=2)
    assert [type(event).__name__ for event in events] == ["Hello", "Stage", "Finished"]  # not those of an earlier run


def test_a_watched_process_that_just_ends_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(api.JobFailed, match="ended without a last message. Look into its log.txt"):
        watch(tmp_path, "is gone")


def watch(tmp_path: Path, manner: str) -> tuple[protocol.Finished, list[protocol.Event]]:
    """Wait for a job that another process runs, which goes on as soon as the first event has come from it."""
    job = api.submit(prompt="a red mug", jobs=tmp_path / "jobs")
    command = [sys.executable, "-c", OTHER_PROCESS, str(job), manner]
    with subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdin is not None
        assert other.stdout.readline() == "locked\n"
        events: list[protocol.Event] = []
        let_go: Callable[[], object] = other.stdin.close

        def note(event: protocol.Event) -> None:
            if not events:
                threading.Timer(0.2, let_go).start()  # after it was seen that nothing comes
            events.append(event)

        return api.wait(job, python=tmp_path / "nowhere", on_event=note), events


def test_interrupted_and_cancelled_jobs_are_told_apart_from_failed_ones(tmp_path: Path) -> None:
    job = api.submit(prompt="ends interrupted", jobs=tmp_path / "jobs")
    program = tmp_path / "python"
    for event, sentence in (
        (protocol.Interrupted(reason="memory is short", seconds=1.0), "interrupted: memory is short"),
        (protocol.Cancelled(seconds=1.0), "was cancelled"),
    ):
        lines = [protocol.encode(protocol.Hello(job=job.name, backend="0", pid=1)), protocol.encode(event)]
        program.write_text("#!/bin/sh\ncat <<'EOF'\n" + "".join(lines) + "EOF\n")
        program.chmod(0o755)
        with pytest.raises(api.JobStopped, match=sentence) as caught:
            api.wait(job, python=program)
        assert caught.value.exit_code == 4


def test_a_folder_that_is_no_job_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(protocol.ProtocolError, match="is not a job folder"):
        api.wait(tmp_path, python=tmp_path / "nowhere")
