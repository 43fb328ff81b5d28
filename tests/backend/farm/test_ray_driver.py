"""A task of a Ray cluster, without Ray, and with it where it is installed."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from backend.farm import ray_driver
from backend.runtime.machine import ROOT

DRIVER = ROOT / "backend" / "farm" / "ray_driver.py"


def words(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_task_tells_how_its_job_ended() -> None:
    assert ray_driver.run_job(words("print('done')")) == (0, "done")
    assert ray_driver.run_job(words("import sys; print('no image'); sys.exit(2)")) == (2, "no image")
    with pytest.raises(RuntimeError, match="interrupted"):  # so that it is tried again
        ray_driver.run_job(words("import sys; print('interrupted'); sys.exit(4)"))


def test_a_job_is_told_to_leave_with_the_process_of_its_task() -> None:
    assert ray_driver.run_job(words("import sys; print(sys.argv[1:])")) == (0, "['--supervised']")


def test_without_ray_one_sentence_says_so(tmp_path: Path) -> None:
    if importlib.util.find_spec("ray"):
        pytest.skip("ray is installed here")
    (tmp_path / "plan.json").write_text(json.dumps({"tasks": {}, "gpus": 0, "threads": 1, "memory": 1}))
    done = subprocess.run([sys.executable, DRIVER, tmp_path / "plan.json"], capture_output=True, text=True)
    assert done.returncode == 3 and done.stdout == "" and len(done.stderr.splitlines()) == 1
    assert "has no ray. Install it: pip install ray" in done.stderr


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed: pip install ray")
def test_a_cluster_of_its_own_runs_all_tasks(tmp_path: Path) -> None:
    tasks = {"good": words("print('ok')"), "bad": words("import sys; print('why'); sys.exit(2)")}
    plan = {"tasks": tasks, "gpus": 0, "threads": 1, "memory": 10}
    command = [sys.executable, DRIVER, tmp_path / "plan.json", "--address", "local"]
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    ends = sorted(line.partition(" (")[0] for line in done.stdout.splitlines() if " of 2)" in line)
    assert ends == ["bad: failed with code 2: why", "good: done"]
    (tmp_path / "plan.json").write_text(json.dumps(plan | {"gpus": 99}))
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 3 and "No machine of the cluster has 99 GPUs, 1 cores" in done.stderr
