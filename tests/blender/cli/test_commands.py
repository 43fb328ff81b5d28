"""`blender --command maquette` called as Blender calls it: exit codes, what goes where, what is refused beforehand."""

# Blender makes its module at run time; pyright sees an almost empty one.
# pyright: reportMissingImports=false

from __future__ import annotations

import errno
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from addon import protocol
from addon.cli import commands
from tests.addon.made_subjects import made_job
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
        """The job folders, less those that are being made: these have another name in a moment."""
        return sorted(path for path in (self.folder / "jobs").glob("*") if path.suffix != ".tmp")


@pytest.fixture
def run(tmp_path: Path, bpy: Any, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    monkeypatch.setenv("MAQUETTE_PYTHON", str(write_interpreter(tmp_path / "python")))
    return Runner(tmp_path, capfd)


def objects_of(bpy: Any, blend: Path) -> dict[str, list[float]]:
    """Open a file and say where what it shows stands."""
    bpy.ops.wm.open_mainfile(filepath=str(blend))
    return {item.name: list(item.location) for item in bpy.data.objects}


def interrupt_when(holds: Callable[[], bool]) -> None:
    """Send this process SIGINT as soon as something holds; after a minute, or where asking fails, all the same."""

    def wait() -> None:
        deadline = time.monotonic() + 60
        try:
            while time.monotonic() < deadline and not holds():
                time.sleep(0.02)
        finally:  # else the command would wait for its jobs for ever
            os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=wait, daemon=True).start()


# ---- generate ----


def test_a_job_that_is_being_made_is_not_among_the_jobs(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that whoever waits for a job sees and that is renamed before it is read ends the wait."""
    seen: list[tuple[list[str], list[Path]]] = []
    replace = os.replace

    def looked_at(source: Path, target: Path) -> None:
        seen.append(([path.suffix for path in (run.folder / "jobs").glob("*")], run.jobs))
        replace(source, target)

    monkeypatch.setattr(os, "replace", looked_at)
    assert run("generate", "--prompt", "a red mug", "--jobs", run.folder / "jobs").code == 0
    assert ([".tmp"], []) in seen and len(run.jobs) == 1


def test_a_wait_that_cannot_go_on_interrupts_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", said.append)

    def vanished() -> bool:
        raise FileNotFoundError("a folder that was renamed")

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run behind a shell
    try:
        with pytest.raises(KeyboardInterrupt):
            interrupt_when(vanished)
            time.sleep(30)
    finally:
        signal.signal(signal.SIGINT, before)
    while not said:  # the thread speaks after it has sent the signal
        time.sleep(0.01)
    assert said[0].exc_type is FileNotFoundError


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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
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


def test_a_job_that_goes_on_obeys_threads_and_refuses_what_makes_a_new_one(run: Runner) -> None:
    jobs = run.folder / "jobs"
    assert run("generate", "--prompt", "a red mug", "--seed", 3, "--threads", 2, "--jobs", jobs).code == 0
    (job,) = run.jobs
    for option, value in [("--seed", 0), ("--prompt", "x"), ("--preset", "draft"), ("--image", "a.png"), ("--fov", 40)]:
        refused = run("generate", "--resume", job, option, value)
        assert refused.code == 2 and f"{option} is not for a job that goes on" in refused.err, option
    refused = run("generate", "--resume", job, "--jobs", jobs, "--set", "steps=3", "--threads", 1)
    assert refused.code == 2 and protocol.read_request(job).threads == 2
    assert run("generate", "--resume", job, "--seed", 3, "--prompt", "a red mug").code == 0  # what it is anyway
    assert run("generate", "--resume", job, "--threads", 1, "--output", "mesh").code == 0
    assert protocol.read_request(job).threads == 1
    assert run("generate", "--resume", job).code == 0 and protocol.read_request(job).threads == 1


def test_what_the_system_refuses_is_a_sentence(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, code in [(errno.EROFS, 2), (errno.EACCES, 2), (errno.EPERM, 2), (errno.ENOSPC, 3), (errno.EDQUOT, 3)]:

        def refuse(*_: object, number: int = number, **__: object) -> Path:
            raise OSError(number, os.strerror(number), "/somewhere")

        monkeypatch.setattr(commands.api, "submit", refuse)
        answer = run("generate", "--prompt", "x", "--json")
        assert answer.code == code and os.strerror(number) in answer.json["message"] and answer.json["hint"]
        assert "Traceback" not in answer.err


def test_it_starts_where_the_working_directory_is_gone(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = run.folder / "gone"
    gone.mkdir()
    before = Path.cwd()
    monkeypatch.chdir(gone)
    gone.rmdir()
    try:
        assert run("generate", "--prompt", "a red mug", "--jobs", run.folder / "jobs").code == 0
        answer = run("generate", "--prompt", "a red mug", "--jobs", "jobs", "--save", "a.blend")
        assert answer.code == 2 and "The working directory is gone" in answer.err and "Traceback" not in answer.err
    finally:
        os.chdir(before)


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
    "no such setting": (["generate", "--prompt", "x", "--set", "nonsense=1"], "There is no setting 'nonsense'."),
    "a wrong value": (
        ["generate", "--prompt", "x", "--set", "steps=many"],
        "The setting steps is 'many'. Give a whole",
    ),
    "pictures alone": (["generate", "--prompt", "\U0001f43b \u2764\ufe0f!"], "The prompt is empty"),
    "half a character": (["generate", "--prompt", "a \udcff mug"], "half a character, \\udcff, which is in no text"),
    "a long name": (["generate", "--prompt", "x", "--jobs", "/tmp/" + "l" * 300], "File name too long"),
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


def test_results_are_not_put_into_what_stands_there_unless_a_place_is_named(run: Runner, bpy: Any) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.mesh.primitive_cube_add(size=1.0)
    bpy.ops.wm.save_as_mainfile(filepath=str(run.folder / "scene.blend"))
    jobs = [make_result(run.folder / "jobs" / str(number)) for number in range(6)]
    saved = run.folder / "x.blend"
    assert run("import", *jobs, "--output", "mesh", "--save", saved).code == 0
    found = [place for name, place in objects_of(bpy, saved).items() if name != "Cube"]
    x, *others = found[0]
    assert 0.8 < x < 2.5 and others == [0, 0]
    assert found[1:] == [[2.5, 0, 0], [5, 0, 0], [0, -2.5, 0], [2.5, -2.5, 0], [5, -2.5, 0]]
    bpy.ops.wm.open_mainfile(filepath=str(run.folder / "scene.blend"))
    assert run("import", jobs[0], "--at", 0, 0, 0, "--output", "mesh", "--save", saved).code == 0
    assert objects_of(bpy, saved) == {"Cube": [0, 0, 0], "red mug": [0, 0, 0]}


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


# ---- kept subjects ---------------------------------------------------------------------------------------------------


def test_subjects_are_kept_used_and_deleted(run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from addon import preferences

    monkeypatch.setattr(preferences, "subjects_folder", lambda: tmp_path / "subjects")
    assert run("subjects", "list").out == "No subject is kept yet.\n"
    kept = run("subjects", "keep", made_job(tmp_path / "learnt"), "--name", "Ted", "--json")
    assert kept.code == 0 and kept.json["report"].startswith("Ted is kept")
    asked = ("generate", "--system", "dreambooth3d", "--jobs", tmp_path / "jobs", "--prompt", "a blue bear")
    assert run(*asked, "--subject", "Ted").code == 0
    (job,) = run.jobs
    request = protocol.read_request(job)
    assert request.roles == {protocol.KEPT_SUBJECT} and protocol.is_inside(job, request.files[0])
    assert run("subjects", "list").out.startswith("Ted: a bear, ")
    assert run("subjects", "delete", "ted").code == 0
    refused = run(*asked, "--subject", "Ted")
    assert refused.code == 2 and "no subject named 'Ted'" in refused.err
    assert "No photo is given" in run(*asked).err and len(run.jobs) == 1
