"""The bundle of Open Job Description: its lists, its needs, and what the real `openjd` says of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from addon import protocol
from backend.farm import openjd
from tests.backend.farm.job_folders import made, write_jobs


def test_a_bundle_has_one_task_for_each_job(tmp_path: Path) -> None:
    jobs = write_jobs(tmp_path, ["red mug", "blåbär"])
    plan = made(jobs, tmp_path / "out")
    order = openjd.made(plan, timeout_seconds=90)
    assert order.command == ["deadline", "bundle", "submit", str(tmp_path / "out")]
    template = json.loads((tmp_path / "out" / "template.json").read_text(encoding="utf-8"))
    (step,) = template["steps"]
    assert step["parameterSpace"]["taskParameterDefinitions"][0]["range"] == ["red mug", "blåbär"]
    action = step["script"]["actions"]["onRun"]
    assert action["command"] == "{{Param.Python}}" and action["timeout"] == 90
    assert action["args"][:4] == [
        "-u", "{{Param.Maquette}}/backend/farm/start.py", "run", "{{Param.Jobs}}/{{Task.Param.Job}}",
    ]  # fmt: skip
    values = json.loads((tmp_path / "out" / "parameter_values.json").read_text(encoding="utf-8"))["parameterValues"]
    assert {each["name"] for each in values} == {each["name"] for each in template["parameterDefinitions"]}
    assert {"name": "Jobs", "value": str(tmp_path)} in values
    assets = json.loads((tmp_path / "out" / "asset_references.json").read_text(encoding="utf-8"))["assetReferences"]
    assert assets["inputs"]["directories"] == assets["outputs"]["directories"] == list(map(str, jobs))


def test_more_jobs_than_a_list_takes_are_split_and_none_is_lost(tmp_path: Path) -> None:
    plan = made(write_jobs(tmp_path, ["a"]), tmp_path)
    names = tuple(f"job-{number}" for number in range(2 * openjd.TASKS + 1))
    steps = openjd.template(type(plan)(**{**vars(plan), "names": names}), 0)["steps"]
    lists = [step["parameterSpace"]["taskParameterDefinitions"][0]["range"] for step in steps]
    assert [len(part) for part in lists] == [1024, 1024, 1] and sum(lists, []) == list(names)
    assert len({step["name"] for step in steps}) == 3


def test_a_gpu_is_asked_for_where_one_is_needed(tmp_path: Path) -> None:
    jobs = write_jobs(tmp_path, ["a"])

    def amounts(**options: Any) -> dict[str, int]:
        step = openjd.template(made(jobs, tmp_path, **options), 0)["steps"][0]
        return {each["name"]: each["min"] for each in step["hostRequirements"]["amounts"]}

    assert amounts() == {"amount.worker.memory": 3584}
    needs = {"amount.worker.memory": 3584, "amount.worker.gpu": 1, "amount.worker.gpu.memory": 8192}
    assert amounts(gpus=1, gpu_memory_gib=8.0) == needs


BESIDE = Path(sys.executable).with_name("openjd")  # where the lock's is
OPENJD = os.environ.get("MAQUETTE_OPENJD") or (str(BESIDE) if BESIDE.is_file() else shutil.which("openjd"))


@pytest.mark.skipif(sys.platform == "win32", reason="there it needs packages that are in no lock")
@pytest.mark.skipif(
    OPENJD is None, reason="openjd-cli is not installed: pip install openjd-cli, or MAQUETTE_OPENJD=..."
)
def test_the_real_engine_takes_the_template_and_runs_the_jobs(tmp_path: Path) -> None:
    assert OPENJD is not None
    jobs = write_jobs(tmp_path, ["red mug", "two"], prompt="print", settings={"steps": 8})
    plan = made(jobs, tmp_path / "out", python=sys.executable)
    openjd.made(plan, timeout_seconds=300)
    template = tmp_path / "out" / "template.json"
    # In the place of the product's systems those of the tests, which take no time.
    template.write_text(
        template.read_text().replace(
            f'"{"{{Param.Maquette}}"}/backend/farm/start.py"', '"-m", "tests.backend.fake_system"'
        )
    )
    assert "tests.backend.fake_system" in template.read_text()
    command = [
        OPENJD,
        "run",
        str(template),
        "-p",
        f"Jobs={tmp_path}",
        "-p",
        f"Maquette={plan.root}",
        "-p",
        f"Python={sys.executable}",
    ]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(plan.root)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "openjd_progress: 100" in done.stdout
    assert all((job / protocol.RESULT_FOLDER / "points.bin").is_file() for job in jobs)
