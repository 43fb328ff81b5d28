"""Open Job Description, which AWS Deadline Cloud runs: a bundle with one task for each job folder.

Source: OpenJobDescription/openjd-specifications, jobtemplate-2023-09.
"""

from __future__ import annotations

import json
import shlex
from typing import Any

from backend.farm.plan import Order, Plan, write

TASKS = 1024  # of a step; a longer list is refused
STEPS = 100  # of a job
NOTIFY_SECONDS = 120  # from SIGTERM to the end; a checkpoint takes less


def made(plan: Plan, timeout_seconds: int) -> Order:
    """Write the bundle and say what submits it. `timeout_seconds` of a task, 0: none."""
    parameters = {"Jobs": str(plan.jobs), "Maquette": str(plan.root), "Python": plan.python}
    files = {
        "template.json": template(plan, timeout_seconds),
        "parameter_values.json": {"parameterValues": [{"name": k, "value": v} for k, v in parameters.items()]},
        "asset_references.json": {
            "assetReferences": {
                "inputs": {"filenames": [], "directories": [str(plan.jobs / name) for name in plan.names]},
                "outputs": {"directories": [str(plan.jobs / name) for name in plan.names]},
                "referencedPaths": [],
            }
        },
    }
    write(plan, {name: json.dumps(content, indent=1, ensure_ascii=False) + "\n" for name, content in files.items()})
    return Order(["deadline", "bundle", "submit", str(plan.out)], (f"To try it on this machine: {run_here(plan)}",))


def run_here(plan: Plan) -> str:
    """Return the command that tries the first step on this machine, with the `openjd` command of openjd-cli."""
    words = ["openjd", "run", str(plan.out / "template.json"), "--step", "Jobs 1"]
    for name, value in (("Jobs", plan.jobs), ("Maquette", plan.root), ("Python", plan.python)):
        words += ["-p", f"{name}={value}"]
    return shlex.join(words)


def template(plan: Plan, timeout_seconds: int) -> dict[str, Any]:
    """Return the job template: as many steps as lists of TASKS job folders."""
    parts = [plan.names[start : start + TASKS] for start in range(0, len(plan.names), TASKS)]
    return {
        "specificationVersion": "jobtemplate-2023-09",
        "name": f"Maquette, {len(plan.names)} objects",
        "parameterDefinitions": [
            _parameter("Jobs", "PATH", "The folder of the job folders", objectType="DIRECTORY", dataFlow="NONE"),
            _parameter("Maquette", "PATH", "Maquette's own folder", objectType="DIRECTORY", dataFlow="NONE"),
            _parameter("Python", "STRING", "The Python that has the backend's packages"),
        ],
        "steps": [_step(plan, f"Jobs {number}", part, timeout_seconds) for number, part in enumerate(parts, 1)],
    }


def _parameter(name: str, kind: str, description: str, **others: str) -> dict[str, Any]:
    return {"name": name, "type": kind, "description": description, **others}


def _step(plan: Plan, name: str, part: tuple[str, ...], timeout_seconds: int) -> dict[str, Any]:
    job = "{{Param.Jobs}}/{{Task.Param.Job}}"
    python, *words = plan.command(job, "{{Param.Python}}", "{{Param.Maquette}}", "openjd")
    action: dict[str, Any] = {
        "command": python,
        "args": words,
        "cancelation": {"mode": "NOTIFY_THEN_TERMINATE", "notifyPeriodInSeconds": NOTIFY_SECONDS},
    }
    if timeout_seconds:
        action["timeout"] = timeout_seconds
    # No bound on the cores: a job takes as many threads as its request says, of those that there are.
    amounts: list[dict[str, Any]] = [{"name": "amount.worker.memory", "min": plan.needs.memory}]
    if plan.needs.gpus:
        amounts.append({"name": "amount.worker.gpu", "min": plan.needs.gpus, "max": plan.needs.gpus})
        amounts.append({"name": "amount.worker.gpu.memory", "min": plan.needs.gpu_memory})
    return {
        "name": name,
        "parameterSpace": {"taskParameterDefinitions": [{"name": "Job", "type": "STRING", "range": list(part)}]},
        "script": {"actions": {"onRun": action}},
        "hostRequirements": {"amounts": amounts},
    }
