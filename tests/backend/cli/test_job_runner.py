"""The command line as a process: what it writes to which stream, its exit codes, and how it leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from addon import protocol
from addon.jobs import store
from addon.jobs.client import Client
from backend.cli import job_runner
from backend.runtime.control import Control
from backend.runtime.machine import ROOT, available_threads
from tests.backend.fake_system import write_job
from tests.backend.png import promised_png
from tests.backend.processes import Process, events, last, run

FAKE = "tests.backend.fake_system"
SLOW = {"steps": 2000, "pause": 0.02}


def wait_for_a_step(folder: Path) -> None:
    """Wait until the running job is in its steps."""
    while not any(isinstance(event, protocol.Progress) for event in store.read_events(folder)[0]):
        time.sleep(0.01)


def test_stdout_has_nothing_but_events(tmp_path: Path) -> None:
    job = write_job(tmp_path / "job", prompt="print")
    done = run(tmp_path, "run", job)
    assert done.returncode == 0 and done.stderr == ""
    assert last(done.stdout).results == ("result/points.bin",)
    assert (job / "events.jsonl").read_text() == done.stdout
    log = (job / "log.txt").read_text()
    for text in ("a library prints to stdout", "a child process prints to stdout", "C++ prints to stdout"):
        assert text in log


def test_several_folders_in_one_run_have_one_end_each(tmp_path: Path) -> None:
    folders = [
        write_job(tmp_path / "good"),
        write_job(tmp_path / "bad", prompt="raise"),
        tmp_path / "missing",
        write_job(tmp_path / "gpu", prompt="gpu"),
        write_job(tmp_path / "memory", prompt="memory"),
        write_job(tmp_path / "newer"),
        write_job(tmp_path / "outside"),
    ]
    text = (folders[5] / "request.json").read_text()
    (folders[5] / "request.json").write_text(text.replace('"version": 1', '"version": 2, "new": 0'))
    text = (folders[6] / "request.json").read_text()
    (folders[6] / "request.json").write_text(text.replace('"images": []', '"images": [{"path": "../../secret.png"}]'))
    done = run(tmp_path, "run", *folders)
    assert done.returncode == 1  # of the first that failed
    assert done.stderr == ""
    messages = events(done.stdout)
    assert [message.job for message in messages if isinstance(message, protocol.Hello)] == [f.name for f in folders]
    ends = [message for message in messages if isinstance(message, protocol.LAST)]
    assert isinstance(ends[0], protocol.Finished)
    failures = [(end.kind, end.exit_code) for end in ends[1:]]
    assert failures == [
        ("Defect", 1),
        ("BadInput", 2),
        ("UnfitEnvironment", 3),
        ("OutOfMemory", 3),
        ("BadInput", 2),
        ("BadInput", 2),
    ]
    assert "division by zero" in ends[1].message and "Traceback" in (folders[1] / "log.txt").read_text()
    assert "not a job folder" in ends[2].message and not folders[2].exists()
    assert "version 2; this Maquette knows up to 1" in ends[5].message
    assert "'../../secret.png' leads out of the job folder" in ends[6].message
    assert all(end.hint for end in ends[1:])
    assert [store.state(folder) for folder in folders[:2]] == [store.FINISHED, store.FAILED]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_interrupts_and_the_job_goes_on_later(tmp_path: Path, number: signal.Signals) -> None:
    job = write_job(tmp_path / "job", settings=SLOW)
    process = Process(tmp_path, "run", job, tmp_path / "next")
    wait_for_a_step(job)  # the end of stdin does not matter without --supervised
    os.kill(process.pid, number)
    done = process.wait()
    assert done.returncode == 4
    assert last(done.stdout).reason == f"the process received {number.name}"  # and the next folder is not begun
    assert list((job / "stages/2-fit-weights").glob("checkpoint-0.safetensors"))
    assert store.state(job) == store.INTERRUPTED


def test_a_client_sees_a_whole_job_and_can_finish_it_early(tmp_path: Path) -> None:
    job = write_job(tmp_path / "job", settings=SLOW)
    with Client.start(Path(sys.executable), [job], module=FAKE) as client:
        wait_for_a_step(job)
        assert store.state(job) == store.RUNNING
        locked = run(tmp_path, "run", job)
        client.finish()
        messages = client.wait(60)
    assert isinstance(messages[0], protocol.Hello) and isinstance(messages[-1], protocol.Finished)
    assert store.results(job) == [job / "result/points.bin"]
    assert locked.returncode == 1 and "Another process" in last(locked.stdout).message
    assert store.state(job) == store.FINISHED  # the refused run left no trace in the events


def test_cancel_ends_the_running_job_and_a_named_one_before_its_turn(tmp_path: Path) -> None:
    folders = [write_job(tmp_path / name, settings=SLOW) for name in ("first", "second")]
    with Client.start(Path(sys.executable), folders, module=FAKE) as client:
        wait_for_a_step(folders[0])
        client.cancel("second")
        client.cancel()
        messages = client.wait(60)
        assert client._process.returncode == 4
    assert sum(isinstance(message, protocol.Cancelled) for message in messages) == 2
    assert [store.state(folder) for folder in folders] == [store.CANCELLED] * 2


def test_the_backend_leaves_with_a_checkpoint_when_its_parent_is_gone(tmp_path: Path) -> None:
    job = write_job(tmp_path / "job", settings=SLOW)
    code = (
        "import sys, os, time; from pathlib import Path; from addon.jobs.client import Client\n"
        f"client = Client.start(Path(sys.executable), [Path({str(job)!r})], module={FAKE!r})\n"
        "print(client._process.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        backend = int(parent.stdout.readline())
        wait_for_a_step(job)
        parent.kill()
    end = time.monotonic() + 60
    while protocol.is_running(job) and time.monotonic() < end:
        time.sleep(0.02)
    assert isinstance(store.last_message(job), protocol.Interrupted)
    assert list((job / "stages/2-fit-weights").glob("checkpoint-0.safetensors"))
    with pytest.raises(ProcessLookupError):
        while time.monotonic() < end:
            os.kill(backend, 0)
            time.sleep(0.02)


def test_an_image_without_a_subject_is_bad_input_of_the_run(tmp_path: Path) -> None:
    images = (protocol.InputImage(path="inputs/00.png"),)
    folders = [
        write_job(tmp_path / name, prompt="images", images=images) for name in ("clear", "plain", "cut", "damaged")
    ]
    for folder in folders:
        (folder / "inputs").mkdir()
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(folders[0] / "inputs/00.png")
    Image.new("RGB", (64, 64), "white").save(folders[1] / "inputs/00.png")
    (folders[2] / "inputs/00.png").write_bytes(promised_png(30_000, 30_000))
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folders[3] / "inputs/00.png")
    whole = (folders[3] / "inputs/00.png").read_bytes()
    (folders[3] / "inputs/00.png").write_bytes(whole[: len(whole) // 2])
    done = run(tmp_path, "run", *folders)
    assert done.returncode == 2
    failures = [event for event in events(done.stdout) if isinstance(event, protocol.Failed)]
    assert [(failure.kind, failure.exit_code) for failure in failures] == [
        ("EmptyMask", 2),
        ("EmptyMask", 2),
        ("BadInput", 2),
        ("BadInput", 2),
    ]
    assert "0 of 64 pixels are opaque" in failures[0].message
    assert "0 of 4096 pixels differ clearly" in failures[1].message
    assert "30000 x 30000" in failures[2].message
    assert "breaks off or is damaged" in failures[3].message


def test_the_control_knows_no_job_when_the_last_message_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    control, seen = Control(), []
    run = job_runner._JobRun(tmp_path / "missing", control, None, None)
    monkeypatch.setattr(run, "emit", lambda event: seen.append((type(event).__name__, control.job)))
    control.cancel()
    run.run(lambda job: None)
    assert seen == [("Hello", "missing"), ("Failed", "")]


def test_a_job_says_that_it_goes_on_with_fewer_cores_than_there_are(tmp_path: Path) -> None:
    new, begun = write_job(tmp_path / "new", threads=0), write_job(tmp_path / "begun", threads=0)
    (begun / protocol.CORES_FILE).write_text('{"threads": 1}')
    said = {}
    for job in (new, begun):
        messages = events(run(tmp_path, "run", job).stdout)
        said[job] = [
            each.message for each in messages if isinstance(each, protocol.Warning) and "cores" in each.message
        ]
    assert json.loads((new / protocol.CORES_FILE).read_text()) == {"threads": available_threads()} and not said[new]
    wanted = [f"The job uses 1 of {available_threads()} processor cores"] if available_threads() > 1 else []
    assert [message.partition(":")[0] for message in said[begun]] == wanted
    assert json.loads((begun / protocol.CORES_FILE).read_text()) == {"threads": 1}
