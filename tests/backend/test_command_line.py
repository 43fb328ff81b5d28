"""The command line as a process: what it writes to which stream, its exit codes, and how it leaves."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from addon import jobs, protocol
from addon.client import Client
from backend import __main__ as command_line
from backend import console
from backend.errors import BadInput
from backend.job import Job
from backend.machine import ROOT
from backend.supervision import Control
from tests.backend.fake_system import write_job
from tests.backend.png import chunks_to_png
from tests.backend.processes import Process, run

FAKE = "tests.backend.fake_system"
SLOW = {"steps": 2000, "pause": 0.02}


def events(text: str) -> list[Any]:
    """Return the messages of an output that has nothing else in it."""
    return [protocol.decode(line) for line in text.splitlines()]


def last(text: str) -> Any:
    """Return the last message, and check that it is the only one of its kind behind a Hello."""
    messages = events(text)
    assert isinstance(messages[0], protocol.Hello)
    assert [isinstance(message, protocol.LAST) for message in messages] == [False] * (len(messages) - 1) + [True]
    return messages[-1]


def wait_for_a_step(folder: Path) -> None:
    """Wait until the running job is in its steps."""
    while not any(isinstance(event, protocol.Progress) for event in jobs.read_events(folder)[0]):
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
    assert [jobs.state(folder) for folder in folders[:2]] == [jobs.FINISHED, jobs.FAILED]


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
    assert jobs.state(job) == jobs.INTERRUPTED


def test_a_client_sees_a_whole_job_and_can_finish_it_early(tmp_path: Path) -> None:
    job = write_job(tmp_path / "job", settings=SLOW)
    with Client.start(Path(sys.executable), [job], module=FAKE) as client:
        wait_for_a_step(job)
        assert jobs.state(job) == jobs.RUNNING
        locked = run(tmp_path, "run", job)
        client.finish()
        messages = client.wait(60)
    assert isinstance(messages[0], protocol.Hello) and isinstance(messages[-1], protocol.Finished)
    assert jobs.results(job) == [job / "result/points.bin"]
    assert locked.returncode == 1 and "Another process" in last(locked.stdout).message
    assert jobs.state(job) == jobs.FINISHED  # the refused run left no trace in the events


def test_cancel_ends_the_running_job_and_a_named_one_before_its_turn(tmp_path: Path) -> None:
    folders = [write_job(tmp_path / name, settings=SLOW) for name in ("first", "second")]
    with Client.start(Path(sys.executable), folders, module=FAKE) as client:
        wait_for_a_step(folders[0])
        client.cancel("second")
        client.cancel()
        messages = client.wait(60)
        assert client._process.returncode == 4
    assert sum(isinstance(message, protocol.Cancelled) for message in messages) == 2
    assert [jobs.state(folder) for folder in folders] == [jobs.CANCELLED] * 2


def test_the_backend_leaves_with_a_checkpoint_when_its_parent_is_gone(tmp_path: Path) -> None:
    job = write_job(tmp_path / "job", settings=SLOW)
    code = (
        "import sys, os, time; from pathlib import Path; from addon.client import Client\n"
        f"client = Client.start(Path(sys.executable), [Path({str(job)!r})], module={FAKE!r})\n"
        "print(client._process.pid, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    backend = int(parent.stdout.readline())
    wait_for_a_step(job)
    parent.kill()
    parent.wait()
    end = time.monotonic() + 60
    while jobs.is_running(job) and time.monotonic() < end:
        time.sleep(0.02)
    assert isinstance(jobs.last_message(job), protocol.Interrupted)
    assert list((job / "stages/2-fit-weights").glob("checkpoint-0.safetensors"))
    with pytest.raises(ProcessLookupError):
        while time.monotonic() < end:
            os.kill(backend, 0)
            time.sleep(0.02)


def test_an_orphan_that_hears_nothing_is_ended(tmp_path: Path) -> None:
    job = write_job(tmp_path / "job", prompt="deaf")
    done = run(tmp_path, "run", job, "--supervised")  # with an empty stdin: the parent is gone already
    assert done.returncode == 4
    assert isinstance(last(done.stdout), protocol.Interrupted)


def test_generate_makes_the_folder_runs_it_and_resumes_it(tmp_path: Path) -> None:
    picture, style, out = tmp_path / "a.png", tmp_path / "style.JPG", tmp_path / "out" / "job"
    Image.new("RGBA", (8, 8), (255, 0, 0, 128)).save(picture)
    Image.new("RGB", (8, 8), "blue").save(style)
    arguments = [
        "generate",
        "--system",
        "tv3dg",
        "--prompt",
        "a red mug",
        "--negative-prompt",
        "ugly",
        "--image",
        picture,
    ]
    arguments += ["--elevation", 20, "--azimuth", -30, "--fov", 50, "--visual-prompt", style, "--preset", "draft"]
    arguments += ["--seed", 7, "--prior", "embedded", "--threads", 1, "--set", "steps=10", "--set", "pause=0.0"]
    arguments += ["--set", "flag=true", "--set", "mode=fast", "--out", out]
    done = run(tmp_path, *arguments)
    assert done.returncode == 0
    assert done.stdout == f"{out}/result/points.bin\n"
    assert [line.split(", after")[0] for line in done.stderr.splitlines()[:3]] == [
        "1. prepare",
        "2. Fit weights",
        "3. export",
    ]
    assert done.stderr.splitlines()[3].startswith("done in 0:")
    assert protocol.read_request(out) == protocol.Request(
        system="tv3dg",
        prompt="a red mug",
        negative_prompt="ugly",
        images=(
            protocol.InputImage(path="inputs/00.png", elevation_degrees=20.0, azimuth_degrees=-30.0, fov_degrees=50.0),
            protocol.InputImage(path="inputs/01.jpg", role="visual_prompt"),
        ),
        seed=7,
        preset="draft",
        prior="embedded",
        threads=1,
        settings={"steps": 10, "pause": 0.0, "flag": True, "mode": "fast"},
    )
    assert (out / "inputs/00.png").read_bytes() == picture.read_bytes()
    again = run(tmp_path, *arguments)
    assert again.returncode == 0 and again.stderr.count("(done before)") == 3
    more = run(tmp_path, *arguments, "--threads", 2)  # how many make it is nothing of the job's
    assert more.returncode == 0 and more.stderr.count("(done before)") == 3
    assert protocol.read_request(out).threads == 2
    other = run(tmp_path, *arguments[:-1], out, "--seed", 8)
    assert other.returncode == 2 and "holds another job" in other.stderr


def png(width: int, height: int) -> bytes:
    """Return a PNG whose header promises a size, with hardly any data behind it."""
    return chunks_to_png(width, height, bits=8, colour=2, rows=b"")


def gif(path: Path) -> None:
    """Write an animation of two frames."""
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    frames[0].save(path, save_all=True, append_images=frames[1:])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--prompt", ""], "The prompt is empty"),
        (["--prompt", "x" * 10_000], "The prompt has 10000 characters; at most 1000"),
        (["--prompt", "a mug", "--preset", "ultra"], "The preset 'ultra' is unknown; choose one of bench"),
        (["--prompt", "a mug", "--system", "x"], "The system 'x' is unknown; choose one of tv3dg"),
        (["--prompt", "a mug", "--fov", "0"], None),
        (["--prompt", "a mug", "--image", "text.png"], "text.png is not an image that can be read"),
        (["--prompt", "a mug", "--image", "missing.png"], "There is no image"),
        (["--prompt", "a mug", "--image", "empty.png"], "empty.png is empty: it has 0 bytes"),
        (["--prompt", "a mug", "--image", "zero.png"], "zero.png has no pixels: 0 x 0"),
        (["--prompt", "a mug", "--image", "huge.png"], "huge.png is too large: 30000 x 30000 pixels"),
        (["--prompt", "a mug", "--image", "moving.gif"], "moving.gif is animated: it has 2 frames"),
    ],
)
def test_bad_input_is_a_sentence_and_exit_code_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str | None,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.png").write_text("this is no picture at all, but text")
    Path("empty.png").write_bytes(b"")
    Path("zero.png").write_bytes(png(0, 0))
    Path("huge.png").write_bytes(png(30_000, 30_000))
    gif(Path("moving.gif"))
    if words is None:
        Image.new("RGB", (4, 4)).save("good.png")
        arguments, words = [*arguments, "--image", "good.png"], "The field of view is 0.0 degrees"
    assert command_line.main(["generate", *arguments, "--out", "job"]) == 2
    streams = capsys.readouterr()
    assert words in streams.err and streams.err.startswith("error: ") and streams.err.count("\n") == 1
    assert streams.out == "" and not Path("job").exists()


def test_an_image_without_a_subject_is_bad_input_of_the_run(tmp_path: Path) -> None:
    images = (protocol.InputImage(path="inputs/00.png"),)
    folders = [
        write_job(tmp_path / name, prompt="images", images=images) for name in ("clear", "plain", "cut", "damaged")
    ]
    for folder in folders:
        (folder / "inputs").mkdir()
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(folders[0] / "inputs/00.png")
    Image.new("RGB", (64, 64), "white").save(folders[1] / "inputs/00.png")
    (folders[2] / "inputs/00.png").write_bytes(png(30_000, 30_000))
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


def test_a_mistyped_setting_leaves_no_folder_in_the_way_of_the_corrected_command(tmp_path: Path) -> None:
    def generate(*settings: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "backend", "generate", "--prompt", "a mug", "--out", tmp_path / "job"]
        return subprocess.run([*command, *settings], capture_output=True, text=True, cwd=ROOT)

    mistyped = generate("--set", "stepz=3")
    assert mistyped.returncode == 2 and "There is no setting 'stepz'" in mistyped.stderr
    assert "Did you mean steps" in mistyped.stderr
    stopped = generate("--stop-after", "mesg")
    assert stopped.returncode == 2 and "invalid choice: 'mesg'" in stopped.stderr and "gaussians" in stopped.stderr
    assert not (tmp_path / "job").exists()
    write_job(tmp_path / "job", system="tv3dg", prompt="a mug", settings={"stepz": 3})  # made before, by somebody
    assert generate("--set", "stepz=4").returncode == 2
    assert (tmp_path / "job/request.json").exists()


def test_a_system_that_this_version_lacks_is_said_so(tmp_path: Path) -> None:
    request = protocol.read_request(write_job(tmp_path / "job", system="dreambooth3d"))
    job = Job(tmp_path / "job", request, lambda event: None, Control())
    with pytest.raises(BadInput, match="dreambooth3d is not part of this version"):
        command_line.run_system(job)


def test_the_doctor_answers_without_torch() -> None:
    code = "import sys; from backend.__main__ import main; code = main(['doctor']); "
    code += "sys.stderr.write(str(sorted({'torch', 'numpy', 'numba', 'diffusers'} & set(sys.modules)))); sys.exit(code)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == "[]" and done.returncode == 0
    assert done.stdout.endswith("Jobs can run.\n")
    for word in ("maquette", "cores", "memory", "gpu", "torch", "xatlas"):
        assert f"\n{word}" in "\n" + done.stdout


def test_the_doctor_names_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    from backend import doctor

    monkeypatch.setattr(doctor, "NEEDED", "torch no-such-package")
    text, code = doctor.report(deep=False)
    assert (
        code == 3 and "no-such-package        MISSING" in text and text.splitlines()[-1].startswith("Jobs cannot run")
    )


def test_the_deep_doctor_tries_each_engine_and_notices_a_broken_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from backend import doctor

    findings = {finding.name: finding for finding in doctor.engines()}
    for name in ("torch on the CPU", "numba", "diffusers", "marching cubes", "decimation", "unwrapping"):
        assert findings[name].is_ok is True, findings[name]
    monkeypatch.setattr(doctor, "_ball", lambda: (np.zeros((3, 3)), np.array([[0, 1, 2]])))
    assert {finding.name: finding for finding in doctor.engines()}["marching cubes"].is_ok is False


def test_a_file_gets_a_line_of_progress_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(console.time, "monotonic", lambda: now)
    stream = io.StringIO()
    shown = console.Console(stream)
    shown.stage(2, "Fit", is_loaded=False)
    for step in range(1, 41):  # one a second
        now = float(step)
        shown.progress(step, 80, 80.0 - step, 1.0)
    assert stream.getvalue().splitlines() == [
        "2. Fit, after 0:00",
        "2. Fit [####....................] 16/80, 1.0 it/s, 1:04 left",
        "2. Fit [#########...............] 32/80, 1.0 it/s, 0:48 left",
    ]
