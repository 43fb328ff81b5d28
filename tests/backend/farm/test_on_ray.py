"""The list of tasks for a Ray cluster."""

from __future__ import annotations

import json
from pathlib import Path

from backend.farm import on_ray
from tests.backend.farm.job_folders import made, write_jobs


def test_the_plan_has_a_command_for_each_job_and_what_it_needs(tmp_path: Path) -> None:
    plan = made(write_jobs(tmp_path, ["red mug", "two"], threads=2), tmp_path / "out", gpus=1)
    order = on_ray.made(plan, "10.0.0.1:6379")
    file = tmp_path / "out" / "ray.json"
    assert order.command[2:] == [str(file), "--address", "10.0.0.1:6379"] and Path(order.command[1]).is_file()
    content = json.loads(file.read_text())
    assert list(content["tasks"]) == ["red mug", "two"] and content["gpus"] == 1 and content["threads"] == 2
    start = f"{plan.root.as_posix()}/backend/farm/start.py"
    said = ["-u", start, "run", str(tmp_path / "two"), "--progress", "events", "--patience", "30"]
    assert content["tasks"]["two"] == [plan.python, *said]
