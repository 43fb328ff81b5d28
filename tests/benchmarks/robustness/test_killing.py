"""A process dies where it is told to, in the middle of a write too, counts the same every time, and leaves nobody."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from addon import protocol
from addon.jobs import store
from backend.runtime.job import Job
from benchmarks.robustness import killing
from benchmarks.robustness.killing import Ended, Kill, left_behind, run_and_kill
from tests.backend.fake_system import run_fake, write_job

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="fork and /proc")


@pytest.fixture(autouse=True)
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    """Load no prior for the fake systems."""
    monkeypatch.setattr(killing, "WARM", ("tests.backend.fake_system", "torch._dynamo"))


def run(folder: Path, kill: Kill | None = None, *, steps: int = 6, prompt: str = "fit") -> Ended:
    if not folder.exists():
        write_job(folder, prompt=prompt, settings={"steps": steps, "checkpoint_steps": 2})
    return run_and_kill(run_system, ["run", str(folder)], folder, kill)


def run_system(job: Job) -> None:
    """Do what the prompt says."""
    if job.request.prompt == "child":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        (job.folder / "child").write_text(str(child.pid))
    if job.request.prompt == "wait":
        (job.folder / "waits").touch()
        time.sleep(600)
    run_fake(job)


def test_operations_are_counted_and_are_as_many_every_time(tmp_path: Path) -> None:
    ended = [run(tmp_path / name) for name in ("a", "b")]
    assert ended[0] == ended[1] and ended[0].code == 0 and 100 < ended[0].operations < 1000
    longer = run(tmp_path / "c", steps=8)  # a checkpoint more
    assert longer.operations > ended[0].operations


def test_a_process_dies_at_its_operation_and_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    operations = run(tmp_path / "whole").operations
    for number in range(5, operations // 2, operations // 12):
        ended = run(tmp_path / "job", Kill(number))
        assert ended == Ended(-signal.SIGKILL, 0, ()) and ended.was_killed, number
    ended = run(tmp_path / "job")
    assert ended.code == 0 and not ended.was_killed
    assert (tmp_path / "job/result/points.bin").read_bytes() == (tmp_path / "whole/result/points.bin").read_bytes()


def test_a_write_is_torn(tmp_path: Path) -> None:
    operations, torn = run(tmp_path / "whole").operations, 0
    for number in range(1, operations):  # the first event is early
        run(tmp_path / f"job-{number}", Kill(number))
        events = tmp_path / f"job-{number}" / protocol.EVENTS_FILE
        if events.exists() and (content := events.read_bytes()):
            torn = len(content)
            break
    assert torn and not content.endswith(b"\n") and b'"Hello"' in content
    job = tmp_path / f"job-{number}"
    assert store.last_message(job) is None
    assert run(job).code == 0 and store.state(job) == store.FINISHED


def test_a_process_dies_some_time_after_an_operation_whatever_it_waits_for(tmp_path: Path) -> None:
    ended = run(tmp_path / "job", Kill(3, milliseconds=300), prompt="wait")
    assert ended.code == -signal.SIGALRM and ended.was_killed


def test_what_a_killed_process_leaves_behind_is_found_and_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(killing, "STRAY_SECONDS", 0.3)
    ended = run(tmp_path / "job", prompt="child")
    child = int((tmp_path / "job/child").read_text())
    assert ended.code == 0 and ended.strays == (child,)
    assert left_behind(os.getpgid(0), 0.0) != []  # this very process
    assert left_behind(1 << 30, 5.0) == []
