"""`blender --command maquette` called as Blender calls it: exit codes, what goes where, what is refused beforehand."""

# Blender makes its module at run time; pyright sees an almost empty one.
# pyright: reportMissingImports=false

from __future__ import annotations

import io
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from addon import commands, protocol, terminal
from tests.blender.instant_backend import write_interpreter
from tests.blender.made_results import make_result, two_colours

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the interpreter of these tests is a shell script")


class Answer(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The last line of stdout, which is the only one."""
        assert self.out.count("\n") == 1
        return json.loads(self.out)


class Runner:
    """Calls the command in this process, where Blender is a module."""

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capfd = capfd

    def __call__(self, *arguments: object) -> Answer:
        self._capfd.readouterr()
        code = commands.main([str(argument) for argument in arguments])
        sys.stdout.flush()
        out, err = self._capfd.readouterr()
        return Answer(code, str(out), str(err))

    @property
    def jobs(self) -> list[Path]:
        return sorted((self.folder / "jobs").glob("*"))


@pytest.fixture
def run(tmp_path: Path, bpy: Any, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    monkeypatch.setenv("MAQUETTE_PYTHON", str(write_interpreter(tmp_path / "python")))
    return Runner(tmp_path, capfd)


def objects_of(bpy: Any, blend: Path) -> dict[str, list[float]]:
    """Open a file and say where what it shows stands."""
    bpy.ops.wm.open_mainfile(filepath=str(blend))
    return {item.name: list(item.location) for item in bpy.data.objects}


# ---- generate ----


def test_generate_makes_an_object_and_saves_it(run: Runner, bpy: Any) -> None:
    image = run.folder / "mug.png"
    image.write_bytes(two_colours())
    wishes = ["--prompt", "a red mug", "--image", image, "--elevation", 15, "--seed", 3, "--set", "steps=40"]
    saved = run.folder / "out.blend"
    answer = run("generate", *wishes, "--jobs", run.folder / "jobs", "--save", saved, "--json")
    assert answer.code == 0
    (job,) = run.jobs
    request = protocol.read_request(job)
    assert (request.prompt, request.seed, request.settings) == ("a red mug", 3, {"steps": 40})
    assert request.images == (protocol.InputImage(path="inputs/00.png", elevation_degrees=15),)
    said = answer.json
    assert (said["exit_code"], said["saved"], said["jobs"][0]["state"]) == (0, str(saved), "finished")
    assert str(job / "result/model.glb") in said["jobs"][0]["results"]
    assert "1 gaussians" in answer.err and "warning: The word sks is unknown. Leave it out." in answer.err
    assert objects_of(bpy, saved) == {"red mug": [0, 0, 0], "red mug points": [0, 0, 0]}


def test_without_json_the_files_are_listed_on_stdout_and_nothing_else(run: Runner) -> None:
    answer = run("generate", "--prompt", "a red mug", "--output", "mesh", "--jobs", run.folder / "jobs")
    (job,) = run.jobs
    names = ("model.glb", "preview.png", "result.json")
    assert (answer.code, answer.out.splitlines()) == (0, [str(job / "result" / name) for name in names])
    saved = run("import", job, "--save", run.folder / "out.blend")
    assert saved.out == f"{run.folder / 'out.blend'}\n"  # Blender's importers talk to stderr


def test_a_failed_job_has_the_backends_exit_code_and_sentence(run: Runner) -> None:
    answer = run(
        "generate", "--prompt", "fail", "--jobs", run.folder / "jobs", "--save", run.folder / "x.blend", "--json"
    )
    assert answer.code == answer.json["exit_code"] == 2
    (entry,) = answer.json["jobs"]
    assert (entry["state"], entry["message"], entry["hint"]) == ("failed", "The mask is empty.", "Use another image.")
    assert answer.err.endswith("The mask is empty. Use another image.\n")
    assert not (run.folder / "x.blend").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_interrupts_the_job_which_can_be_resumed(run: Runner, number: signal.Signals) -> None:
    before = signal.getsignal(number)
    threading.Timer(1.5, os.kill, (os.getpid(), number)).start()
    answer = run("generate", "--prompt", "wait here", "--jobs", run.folder / "jobs", "--json")
    assert signal.getsignal(number) is before
    (job,) = run.jobs
    assert (answer.code, answer.json["jobs"][0]["state"]) == (4, "stopped")
    assert answer.json["hint"] == f"Go on with: generate --resume {job}"
    changed = (job / "request.json").read_text().replace("wait here", "a red mug")
    (job / "request.json").write_text(changed)
    assert run("generate", "--resume", job).code == 0 and (job / "result/model.glb").exists()


def test_a_signal_that_a_callback_swallows_comes_again(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "AGAIN_SECONDS", 0.5)
    heard = []

    def generate(arguments: object, outcome: object) -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
        except KeyboardInterrupt:  # as one that is raised in a finaliser, which Python only prints
            heard.append(1)
        for _ in range(200):  # as the command waits for a job
            time.sleep(0.1)

    monkeypatch.setattr(commands, "_generate", generate)
    began = time.monotonic()
    assert run("generate", "--prompt", "x").code == 4 and heard == [1] and time.monotonic() - began < 15
    time.sleep(0.7)  # none is left to come


def test_no_backend_is_exit_code_3(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAQUETTE_PYTHON", str(run.folder / "nowhere"))
    answer = run("generate", "--prompt", "a red mug", "--jobs", run.folder / "jobs", "--json")
    assert answer.code == 3 and f"There is no Python at {run.folder / 'nowhere'}" in answer.json["message"]
    assert run.jobs == []


BAD: dict[str, tuple[list[str], str]] = {
    "no command": ([], "the following arguments are required: command"),
    "no such option": (["generate", "--promt", "x"], "unrecognized arguments: --promt"),
    "an empty prompt": (["generate"], "The prompt is empty"),
    "no image": (["generate", "--prompt", "x", "--image", "nowhere.png"], "There is no image nowhere.png"),
    "not a setting": (["generate", "--prompt", "x", "--set", "steps"], "'steps' is not NAME=VALUE"),
    "not a blend": (["generate", "--prompt", "x", "--save", "out.glb"], "out.glb does not end in .blend"),
    "no folder": (["generate", "--prompt", "x", "--save", "/nowhere/out.blend"], "There is no folder /nowhere"),
    "no job": (["import", "/nowhere", "--save", "out.blend"], "/nowhere/result holds neither model.glb nor points.ply"),
    "not a job": (["generate", "--resume", "/nowhere"], "/nowhere is not a job folder"),
    "nowhere to import": (["import", "/nowhere"], "the following arguments are required: --save"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_exit_code_2_and_a_sentence_before_any_work(run: Runner, case: str) -> None:
    arguments, sentence = BAD[case]
    answer = run(*arguments)
    assert answer.code == 2 and sentence in answer.err and answer.out == ""
    assert "Traceback" not in answer.err and list(run.folder.glob("*.blend")) == run.jobs == []


def test_what_nobody_thought_of_is_exit_code_1_with_its_traceback(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands.api, "describe", lambda *_, **__: 1 / 0)
    answer = run("generate", "--prompt", "x", "--json")
    assert (answer.code, answer.json["message"]) == (1, "ZeroDivisionError: division by zero")
    assert "Traceback" in answer.err


def test_a_file_that_cannot_be_written_is_exit_code_1(run: Runner) -> None:
    job = make_result(run.folder / "jobs" / "done")
    (run.folder / "taken.blend").mkdir()
    answer = run("import", job, "--save", run.folder / "taken.blend")
    assert answer.code == 1 and "taken.blend" in answer.err and "Traceback" not in answer.err


def test_jobs_run_on_the_gpu_that_was_chosen(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    from addon import preferences

    monkeypatch.setattr(preferences, "child_variables", lambda context: {"CUDA_VISIBLE_DEVICES": "3"})
    answer = run("generate", "--prompt", "tell", "--jobs", run.folder / "jobs")
    assert answer.code == 0 and "warning: The GPU is 3." in answer.err


# ---- import and doctor ----


def test_import_puts_results_into_a_row_under_a_name_as_assets(run: Runner, bpy: Any) -> None:
    jobs = [make_result(run.folder / "jobs" / name) for name in ("one", "two")]
    options = ["--save", run.folder / "row.blend", "--at", 1, 2, 3, "--apart", 4, "--name", "cup", "--output", "mesh"]
    answer = run("import", *jobs, *options, "--asset", "--tag", "clay", "--json")
    assert answer.code == 0 and [job["state"] for job in answer.json["jobs"]] == ["imported", "imported"]
    assert objects_of(bpy, run.folder / "row.blend") == {"cup": [1, 2, 3], "cup.001": [5, 2, 3]}
    assert [tag.name for tag in bpy.data.objects["cup"].asset_data.tags] == ["clay"]


def test_an_open_file_keeps_what_it_has(run: Runner, bpy: Any) -> None:
    bpy.data.scenes[0].collection.objects.link(bpy.data.objects.new("mine", None))
    bpy.ops.wm.save_as_mainfile(filepath=str(run.folder / "scene.blend"))
    job = make_result(run.folder / "jobs" / "one")
    assert run("import", job, "--output", "mesh", "--save", run.folder / "more.blend").code == 0
    assert set(objects_of(bpy, run.folder / "more.blend")) == {"mine", "red mug"}
    assert set(objects_of(bpy, run.folder / "scene.blend")) == {"mine"}


def test_the_scene_of_the_startup_file_is_not_taken_along(run: Runner, bpy: Any) -> None:
    bpy.ops.wm.read_factory_settings()
    assert "Cube" in bpy.data.objects
    assert run("import", make_result(run.folder / "one"), "--save", run.folder / "x.blend").code == 0
    assert set(objects_of(bpy, run.folder / "x.blend")) == {"red mug", "red mug points"}


def test_one_bad_result_leaves_no_file(run: Runner) -> None:
    jobs = [make_result(run.folder / "jobs" / name) for name in ("one", "two")]
    (jobs[1] / "result/points.ply").write_bytes(b"ply")
    answer = run("import", *jobs, "--save", run.folder / "x.blend")
    assert answer.code == 2 and "points.ply is not a binary" in answer.err and not (run.folder / "x.blend").exists()


def test_doctor_asks_the_backend_and_hands_on_what_is_missing(run: Runner) -> None:
    answer = run("doctor")
    assert answer.code == 3 and "Jobs cannot run: install what is missing." in answer.out
    assert f"interpreter            ok       {run.folder / 'python'}" in answer.out


# ---- registered, and what a terminal shows ----


def test_the_command_is_there_while_the_addon_is_enabled(enabled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert commands._handle is not None
    taken_back: list[object] = []
    monkeypatch.setattr(enabled.utils, "unregister_cli_command", taken_back.append)
    handle = commands._handle
    commands.unregister_extra()
    assert taken_back == [handle] and commands._handle is None
    monkeypatch.undo()
    enabled.utils.unregister_cli_command(handle)
    commands.register_extra()


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_one_line_that_is_rewritten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    screen = Screen()
    show = terminal.Terminal(screen, name="mug")
    show(protocol.Stage(number=1, name="gaussians"))
    for step in (2, 4):
        show(protocol.Progress(step=step, steps=4, seconds_left=9.0, steps_per_second=1.0, memory_bytes=0))
    lines = screen.getvalue().split("\r\x1b[K")
    assert lines[1] == "mug: 1 gaussians\n"
    assert lines[2].startswith("mug: gaussians [") and " 2/4, " in lines[2] and "left" in lines[2]
    assert lines[3].count("#") > lines[2].count("#") > 0 and screen.getvalue().count("\n") == 1


def test_a_log_gets_a_line_of_progress_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([0.0, 0.0, 5.0, 11.0, 11.0, 12.0, 30.0, 30.0])
    monkeypatch.setattr(terminal.time, "monotonic", lambda: next(moments))
    log = io.StringIO()
    show = terminal.Terminal(log)
    show(protocol.Stage(number=1, name="gaussians", loaded=True))
    for step in (1, 2, 3, 4):
        show(protocol.Progress(step=step, steps=4, seconds_left=9.0, steps_per_second=1.0, memory_bytes=0))
    lines = log.getvalue().splitlines()
    assert [line.split(",")[0] for line in lines] == ["1 gaussians (done before)", "gaussians 2/4", "gaussians 4/4"]
