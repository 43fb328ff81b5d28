"""Tasks beside Blender: it asks and goes on, and what breaks or hangs is told."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from addon import processes, protocol
from addon.install import background
from addon.install.diagnosis import Diagnosis, judge
from addon.jobs.queue import Queue
from tests.addon.install.doctor_answers import answer, backend


@pytest.fixture
def at_rest() -> Any:
    yield
    background.close()


def finish() -> Diagnosis:
    end = time.monotonic() + 30.0
    while background.task() is not None:
        assert time.monotonic() < end, "it goes on and on"
        background.poll()
    found = background.found()
    assert found is not None
    return found


def test_blender_asks_and_goes_on(tmp_path: Path, at_rest: None) -> None:
    python = backend(tmp_path, f"sleep 0.3; echo '{json.dumps(answer())}'")
    background.start("diagnose", python)
    assert not background.poll() and background.task() is not None  # returns at once
    with pytest.raises(RuntimeError, match="diagnose is not done yet"):
        background.start("verify", tmp_path)
    assert finish() == judge(answer())
    background.forget()
    assert background.found() is None


def test_a_task_that_breaks_is_told(tmp_path: Path, at_rest: None, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "echo 'Traceback (most recent call last):'; echo 'ValueError: oh'; exit 1"
    monkeypatch.setattr(background, "helper", lambda: backend(tmp_path, script))
    background.start("verify", tmp_path)
    assert finish().sentence == "The backend ended with exit code 1: ValueError: oh"


def test_a_task_that_cannot_be_started_is_told(tmp_path: Path, at_rest: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "helper", lambda: tmp_path / "no python")
    background.start("verify", tmp_path).close()
    found = finish()
    assert found.kind == "missing" and found.sentence.startswith("No Python here can run it: ")


def test_no_process_is_started_in_blenders_own_thread(
    tmp_path: Path, at_rest: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []

    def start(*_: Any, **__: Any) -> processes.Child:
        threads.append(threading.current_thread())
        raise OSError("not now")

    monkeypatch.setattr(processes, "start", start)
    background.start("verify", tmp_path)
    finish()
    assert threads and threads[0] is not threading.main_thread()

    queue = Queue(tmp_path, ["python"])
    (tmp_path / "job").mkdir()
    protocol.write_request(tmp_path / "job", protocol.Request(system="tv3dg", prompt="x"))
    queue.add(tmp_path / "job")
    while not queue.problem:
        queue.poll()
    assert len(threads) == 2 and threads[1] is not threading.main_thread()


def test_a_task_that_does_not_stop_is_ended(tmp_path: Path, at_rest: None, monkeypatch: pytest.MonkeyPatch) -> None:
    script = 'echo \'{"share": 0.5, "text": "halfway"}\'; echo \'{"share": 0.2, "text": "halfway"}\'; exec sleep 3600'
    monkeypatch.setattr(background, "helper", lambda: backend(tmp_path, script))
    monkeypatch.setattr(background, "STOP_SECONDS", 0.0)
    task = background.start("make", tmp_path)
    while not background.poll():
        assert background.task() is task
    assert (task.share, task.text) == (0.5, "halfway")
    task.stop()
    assert finish() == Diagnosis("missing", "The installation was stopped.")


def test_the_helper_is_a_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert background.helper().name.startswith("python")
    monkeypatch.setattr("sys.executable", str(tmp_path / "blender"))
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "python3").touch(mode=0o755)
    assert background.helper() == tmp_path / "python3"


def test_what_a_task_says_can_be_translated_after_the_pipe(
    tmp_path: Path, at_rest: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    background.start("diagnose", backend(tmp_path, f"echo '{json.dumps(answer())}'"))
    found = finish()
    assert isinstance(found.sentence, protocol.Phrase) and found.sentence.template == "Ready: jobs run on {where}."

    fetching = {"template": "{text} ({done} of {total})", "values": {"text": {"template": "half", "values": {}}}}
    fetching["values"] |= {"done": 1, "total": 2}
    said = {"share": 0.5, "text": "half (1 of 2)", "phrases": {"text": fetching}}
    strange = [{"share": 0.9, "text": "x", "phrases": 3}, {"share": 0.9, "text": "x", "phrases": {"text": {}}}]
    lines = "; ".join(f"echo '{json.dumps(line)}'" for line in (said, *strange))
    monkeypatch.setattr(background, "helper", lambda: backend(tmp_path, f"{lines}; exec sleep 3600"))
    task = background.start("make", tmp_path)
    while not task.text:
        background.poll()
    assert isinstance(task.text, protocol.Phrase) and task.text == "half (1 of 2)"
    assert task.text.translated(lambda text: text.replace("half", "halb")) == "halb (1 of 2)"
    for _ in range(10):
        time.sleep(0.05)
        background.poll()
    assert task.share == 0.5  # what is no phrase is no word of ours
