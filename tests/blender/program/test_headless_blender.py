"""A real Blender without a window: the command, the documented examples, and once the real backend from end to end."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import build
from addon import protocol
from addon.jobs import store
from tests.blender.instant_backend import write_interpreter
from tests.blender.made_results import make_result, two_colours
from tests.blender.program import real

pytestmark = pytest.mark.blender

EXAMPLES = real.CHECKOUT / "docs/examples"
LIST = """
import bpy, json
print("HELD " + json.dumps({
    item.name: {"type": item.type, "location": [round(x, 4) for x in item.location],
                "asset": item.asset_data is not None and [tag.name for tag in item.asset_data.tags],
                "kinds": {a.name: a.data_type for a in getattr(item.data, "attributes", [])}}
    for item in bpy.data.objects}))
"""
MAKE_SCENE = "import bpy; bpy.context.scene.cursor.location = (0, 0, 2); bpy.ops.wm.save_as_mainfile(filepath={!r})"


@pytest.fixture(scope="module")
def resources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder of Blender with the extension installed from its zip."""
    blender = os.environ.get("BLENDER", "")
    source, resources = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("artist") / "resources"
    for name in ("LICENSE", "blender_manifest.toml"):
        shutil.copy2(real.CHECKOUT / name, source)
    for name in ("addon", "backend"):
        shutil.copytree(real.CHECKOUT / name, source / name)
    real.install(Path(blender), resources, build.make_zip(source))
    return resources


@pytest.fixture
def instant(tmp_path: Path) -> Path:
    return write_interpreter(tmp_path / "python")


def command(
    blender: Path, resources: Path, python: Path, *arguments: object, scene: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `blender [scene] --command maquette ...` to its end."""
    whole = [str(blender), *([str(scene)] if scene else []), "--command", "maquette", *map(str, arguments)]
    variables = real.environment(resources, MAQUETTE_PYTHON=str(python))
    return subprocess.run(
        whole, capture_output=True, text=True, timeout=300, env=variables, cwd=real.CHECKOUT, stdin=subprocess.DEVNULL
    )


def held(blender: Path, resources: Path, blend: Path) -> dict[str, Any]:
    """Open a file in Blender and say which objects it holds."""
    done = real.headless(blender, resources, blend, "--python-expr", LIST)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("HELD ")]
    return json.loads(line.removeprefix("HELD "))


@pytest.fixture
def scene(blender: Path, resources: Path, tmp_path: Path) -> Path:
    """A file of the artist: the startup scene, with the 3D cursor two units up."""
    path = tmp_path / "scene with spaces.blend"
    done = real.headless(blender, resources, "--factory-startup", "--python-expr", MAKE_SCENE.format(str(path)))
    assert done.returncode == 0, done.stderr
    return path


# ---- the command -----------------------------------------------------------------------------------------------------


def test_import_command_adds_to_the_open_file_and_ends_with_json(
    blender: Path, resources: Path, instant: Path, scene: Path, tmp_path: Path
) -> None:
    job, saved = make_result(tmp_path / "jöb 1"), tmp_path / "out.blend"
    done = command(blender, resources, instant, "import", job, "--save", saved, "--json", scene=scene)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert (said["exit_code"], said["saved"], said["jobs"][0]["state"]) == (0, str(saved), "imported")
    found = held(blender, resources, saved)
    assert {"Cube", "red mug", "red mug points"} <= found.keys()
    assert found["red mug"]["location"] == [0, 0, 2]


def test_points_are_a_point_cloud_with_blenders_splat_attributes_here(
    blender: Path, resources: Path, instant: Path, tmp_path: Path
) -> None:
    job, saved = make_result(tmp_path / "job"), tmp_path / "out.blend"
    assert command(blender, resources, instant, "import", job, "--save", saved).returncode == 0
    points = held(blender, resources, saved)["red mug points"]
    version = real.headless(blender, resources, "--version").stdout.split()[1]
    can_size_clouds = tuple(int(part) for part in version.split(".")[:2]) >= (5, 1)
    assert points["type"] == ("POINTCLOUD" if can_size_clouds else "MESH")
    assert {"radiance:base", "scale", "rotation", "Color", "radius"} <= points["kinds"].keys()
    assert points["kinds"]["scale"] == "FLOAT_VECTOR" and points["kinds"]["rotation"] == "QUATERNION"


def test_generate_command_without_a_file_saves_only_what_it_made(
    blender: Path, resources: Path, instant: Path, tmp_path: Path
) -> None:
    saved = tmp_path / "out.blend"
    wishes = ["--prompt", "a red mug", "--jobs", tmp_path / "jobs", "--save", saved, "--asset", "--tag", "clay"]
    done = command(blender, resources, instant, "generate", *wishes)
    assert done.returncode == 0, done.stderr
    (job,) = (tmp_path / "jobs").iterdir()
    assert done.stdout.splitlines()[-1] == str(saved) and str(job / "result/model.glb") in done.stdout
    assert "1 gaussians" in done.stderr
    found = held(blender, resources, saved)
    assert sorted(found) == ["red mug", "red mug points"] and found["red mug"]["asset"] == ["clay"]


def test_batch_command_goes_on_after_a_failure_and_tells_it(
    blender: Path, resources: Path, instant: Path, tmp_path: Path
) -> None:
    (tmp_path / "toys").mkdir()
    for number, name in enumerate(("car", "fail", "mug")):
        (tmp_path / "toys" / f"{name}.png").write_bytes(two_colours(16 + 2 * number))
    saved = tmp_path / "toys.blend"
    wishes = [tmp_path / "toys", "--jobs", tmp_path / "jobs", "--output", "mesh", "--save", saved]
    done = command(blender, resources, instant, "batch", *wishes)
    assert done.returncode == 1 and "fail: The mask is empty." in done.stderr, done.stderr
    assert "3 pictures: 2 finished, 1 failed. fail: The mask is empty." in done.stdout
    found = held(blender, resources, saved)
    assert {name: item["location"] for name, item in found.items()} == {"car": [0, 0, 0], "mug": [5, 0, 0]}


def test_jobs_go_where_the_extension_keeps_them(blender: Path, resources: Path, instant: Path) -> None:
    done = command(blender, resources, instant, "generate", "--prompt", "a blue mug", "--json")
    assert done.returncode == 0, done.stderr
    job = Path(json.loads(done.stdout.splitlines()[-1])["jobs"][0]["job"])
    assert job.is_relative_to(resources.resolve()) and store.state(job) == store.FINISHED


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["generate", "--promt", "x"], 2, "unrecognized arguments: --promt"),
        (["generate"], 2, "The prompt is empty"),
        (["generate", "--prompt", "fail"], 2, "The mask is empty. Use another image."),
        (["doctor"], 3, "Jobs cannot run with this interpreter"),
        (["--help"], 0, ""),
    ],
)
def test_exit_codes_reach_the_shell(
    blender: Path, resources: Path, instant: Path, arguments: list[str], code: int, sentence: str
) -> None:
    done = command(blender, resources, instant, *arguments)
    assert done.returncode == code and sentence in done.stderr and "Traceback" not in done.stderr


def test_doctor_finds_the_real_backend_able(blender: Path, resources: Path) -> None:
    done = command(blender, resources, Path(sys.executable), "doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()  # before them a library may have said something, as on a busy machine
    assert "Jobs can run." in lines and any(re.match("blender +ok ", line) for line in lines)


def test_a_command_starts_where_the_working_directory_does_not_exist(
    blender: Path, resources: Path, instant: Path, tmp_path: Path
) -> None:
    place = tmp_path / "gone"
    place.mkdir()
    whole = f'cd "{place}" && rmdir "{place}" && exec "{blender}" --command maquette doctor'
    variables = real.environment(resources, MAQUETTE_PYTHON=str(instant))
    done = subprocess.run(["sh", "-c", whole], capture_output=True, text=True, env=variables, stdin=subprocess.DEVNULL)
    assert done.returncode == 3 and "Jobs cannot run with this interpreter" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_real_backend_is_interrupted_leaves_nothing_running_and_goes_on(
    blender: Path, resources: Path, tmp_path: Path
) -> None:
    python, saved = Path(sys.executable), tmp_path / "mug.blend"
    wishes = ["--prompt", "a red mug", "--preset", "bench", "--threads", "1", "--jobs", str(tmp_path / "jobs")]
    wishes += ["--set", "steps=40", "--set", "start=ball", "--set", "views=1", "--set", "mesh_resolution=32"]
    whole = [str(blender), "--command", "maquette", "generate", *wishes, "--save", str(saved), "--json"]
    variables = real.environment(resources, MAQUETTE_PYTHON=str(python))
    running = subprocess.Popen(
        whole, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=variables, stdin=subprocess.DEVNULL
    )
    try:
        job = wait_for(lambda: next(iter(tmp_path.glob("jobs/*-*[!p]")), None), 60)
        events = wait_for(lambda: progressed(job), 300)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == 4, err
    assert json.loads(out.splitlines()[-1])["jobs"][0] | {"message": ""} == {
        "job": str(job), "state": "stopped", "results": [], "message": "", "hint": "",
    }  # fmt: skip
    (hello,) = [event for event in events if isinstance(event, protocol.Hello)]
    assert not Path(f"/proc/{hello.pid}").exists() and store.state(job) == store.INTERRUPTED
    done = command(blender, resources, python, "generate", "--resume", job, "--save", saved, "--json")
    assert done.returncode == 0, done.stderr
    found = held(blender, resources, saved)
    assert sorted(found) == ["red mug", "red mug points"]
    told = [event for event in store.read_events(job)[0] if isinstance(event, protocol.Progress)]
    steps = [event.step for event in told if event.steps == 40]  # the mesh has parts of its own
    assert steps.count(min(steps)) == 1, "it began anew instead of going on"


def wait_for(found: Callable[[], Any], seconds: float) -> Any:
    """Return the first true answer within some time."""
    end = time.monotonic() + seconds
    while not (answer := found()):
        assert time.monotonic() < end, f"nothing after {seconds} seconds"
        time.sleep(0.1)
    return answer


def progressed(job: Path) -> list[protocol.Event]:
    """Return the events once some steps are done and a checkpoint may be written."""
    events, _ = store.read_events(job)
    done = [event.step for event in events if isinstance(event, protocol.Progress)]
    return events if done and max(done) >= 4 else []


def test_edit_command_and_operator_begin_from_a_finished_job(
    blender: Path, resources: Path, instant: Path, tmp_path: Path
) -> None:
    first, saved = make_result(tmp_path / "jobs/first", prompt="a red mug"), tmp_path / "out.blend"
    wishes = ["--prompt", "a blue mug", "--jobs", tmp_path / "jobs", "--save", saved]
    done = command(blender, resources, instant, "edit", first, *wishes)
    assert done.returncode == 0, done.stderr
    assert held(blender, resources, saved).keys() == {"blue mug", "blue mug points"}
    (edited,) = (job for job in (tmp_path / "jobs").iterdir() if job != first)
    code = f"import bpy; bpy.ops.maquette.edit(job={str(edited)!r}, prompt='a blue mug with a hat')"
    done = real.headless(blender, resources, "--python-expr", code, MAQUETTE_PYTHON=str(instant))
    assert done.returncode == 0, done.stderr
    requests = [path for path in resources.rglob("request.json") if "with a hat" in path.read_text("utf-8")]
    (last,) = (path.parent for path in requests)
    request = protocol.read_request(last)
    assert (request.start_prompt, request.start) == ("a blue mug", "inputs/start.ply")
    assert (last / request.start).read_bytes() == (edited / "result/points.ply").read_bytes()


# ---- the examples of the manual --------------------------------------------------------------------------------------


def example(
    blender: Path, resources: Path, python: Path, name: str, *arguments: object, scene: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a script of the manual as the manual says."""
    options: list[str | Path] = [scene] if scene else []
    options += ["--python", EXAMPLES / name, "--", *map(str, arguments)]
    return real.headless(blender, resources, *options, MAQUETTE_PYTHON=str(python))


def test_example_generate(blender: Path, resources: Path, instant: Path, scene: Path, tmp_path: Path) -> None:
    saved = tmp_path / "with_mug.blend"
    options = ["--prompt", "a red mug", "--save", saved]
    done = example(blender, resources, instant, "generate.py", *options, scene=scene)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "red mug: 12 faces" in done.stdout and "Stage(number=1" in done.stderr
    found = held(blender, resources, saved)
    assert found["red mug"]["location"] == [0, 0, 2] and "Cube" in found
    failed = example(blender, resources, instant, "generate.py", "--prompt", "fail", "--save", tmp_path / "x.blend")
    assert failed.returncode == 1 and "JobFailed: The mask is empty." in failed.stderr
    assert not (tmp_path / "x.blend").exists()


def test_example_images_of_a_folder(blender: Path, resources: Path, instant: Path, tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    for name in ("a_car", "fail_1", "the_dog"):
        (tmp_path / "pictures" / f"{name}.png").write_bytes(two_colours())
    saved = tmp_path / "out.blend"
    done = example(blender, resources, instant, "images_of_a_folder.py", tmp_path / "pictures", saved)
    assert done.returncode == 1 and "fail_1.png: The mask is empty." in done.stderr
    found = held(blender, resources, saved)
    assert {
        name: item["location"][0] for name, item in found.items() if item["type"] == "MESH" and "points" not in name
    }
    assert (found["car"]["location"], found["dog"]["location"]) == ([0, 0, 0], [5, 0, 0])


def test_example_asset_library(blender: Path, resources: Path, instant: Path, tmp_path: Path) -> None:
    folders = [make_result(tmp_path / name) for name in ("one", "two")]
    (tmp_path / "library").mkdir()
    done = example(blender, resources, instant, "asset_library.py", tmp_path / "library", *folders, "--tag", "toy")
    assert done.returncode == 0, done.stderr
    blends = sorted((tmp_path / "library").glob("*.blend"))
    assert [path.name for path in blends] == ["red mug-one.blend", "red mug-two.blend"]
    assert held(blender, resources, blends[1]) == held(blender, resources, blends[0])
    assert held(blender, resources, blends[0])["red mug"]["asset"] == ["toy"]


def test_example_operators(blender: Path, resources: Path, instant: Path, scene: Path, tmp_path: Path) -> None:
    saved = tmp_path / "with_mug.blend"
    done = example(blender, resources, instant, "operators.py", "a red mug", saved, scene=scene)
    assert done.returncode == 0, done.stdout + done.stderr
    assert held(blender, resources, saved)["red mug"]["location"] == [0, 3, 0]
    failed = example(blender, resources, instant, "operators.py", "fail", tmp_path / "x.blend")
    assert failed.returncode == 1 and "There is no fail: Error: The mask is empty." in failed.stderr


def test_every_example_is_tested_and_in_the_manual() -> None:
    tested = {name.removeprefix("test_example_") for name in globals() if name.startswith("test_example_")}
    manual = (real.CHECKOUT / "docs/headless.md").read_text(encoding="utf-8")
    assert tested == {path.stem for path in EXAMPLES.glob("*.py")}
    assert [name for name in tested if f"examples/{name}.py" not in manual] == []
