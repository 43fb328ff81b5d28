"""SLURM: arrays of at most a thousand tasks, which are requeued when their time is over and then go on."""

from __future__ import annotations

import shlex
from pathlib import Path

from addon import protocol
from backend.farm.plan import Order, Plan, write

TASKS = 1000  # of an array: MaxArraySize is 1001 where nobody has changed it
NOTICE_SECONDS = 120  # between SIGTERM and the end of the time
SUBMIT, SCRIPT, NAMES, LOGS = "submit.sh", "maquette.sbatch", "jobs.txt", "logs"


def made(plan: Plan, timeout_seconds: int, at_once: int) -> Order:
    """Write the scripts and the list of jobs, and say what submits them.

    `timeout_seconds` of a task (0: the partition's), `at_once` tasks of an array (0: as many as there is room for).
    """
    files = {SUBMIT: _submit(len(plan.names), at_once), SCRIPT: _script(plan, timeout_seconds)}
    write(plan, files | {NAMES: "".join(f"{name}\n" for name in plan.names)}, programs=[SUBMIT])
    protocol.make_folder_in(plan.out, LOGS)
    return Order(["sh", str(plan.out / SUBMIT)])


def _submit(count: int, at_once: int) -> str:
    limit = f"%{at_once}" if at_once else ""
    lines = ["#!/bin/sh", "# Submits the jobs that are listed beside this file.", "set -e", 'cd "$(dirname "$0")"']
    lines.append('export MAQUETTE_FARM="$PWD"')
    for first in range(0, count, TASKS):
        last = min(TASKS, count - first) - 1
        lines.append(f"MAQUETTE_FIRST={first} sbatch --export=ALL --array=0-{last}{limit} {SCRIPT}")
    return "\n".join(lines) + "\n"


def _script(plan: Plan, timeout_seconds: int) -> str:
    options = [
        "--job-name=maquette", "--requeue", f"--signal=B:TERM@{NOTICE_SECONDS}", "--open-mode=append",
        f"--output={LOGS}/%A_%a.txt", f"--mem={plan.needs.memory}M",
    ]  # fmt: skip
    options += [f"--cpus-per-task={plan.needs.threads}"] if plan.needs.threads else []
    options += [f"--gres=gpu:{plan.needs.gpus}"] if plan.needs.gpus else []
    options += [f"--time={max(timeout_seconds // 60, 1)}"] if timeout_seconds else []
    words = plan.command("$JOBS/$name", "$PYTHON", "$ROOT")
    command = " ".join(f'"{word}"' if "$" in word else word for word in words)
    return "\n".join(
        [
            "#!/bin/bash",
            *(f"#SBATCH {option}" for option in options),
            "# One job folder: the line of jobs.txt that the task's number says. Variables move it to other places.",
            f"JOBS=${{MAQUETTE_JOBS:-{_quoted(plan.jobs)}}}",
            f"ROOT=${{MAQUETTE_ROOT:-{_quoted(plan.root)}}}",
            f"PYTHON=${{MAQUETTE_PYTHON:-{_quoted(plan.python)}}}",
            f'name=$(sed -n "$((MAQUETTE_FIRST + SLURM_ARRAY_TASK_ID + 1))p" "$MAQUETTE_FARM/{NAMES}")',
            "stopping=",
            "trap 'stopping=yes; kill -TERM \"$child\" 2>/dev/null' TERM  # only the shell is told",
            f"{command} &",
            "child=$!",
            'wait "$child"',
            "code=$?",
            'if [ -n "$stopping" ]; then',
            '    wait "$child"  # the first one ended with the signal: now the checkpoint is written',
            "    code=$?",
            '    scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"  # and the job goes on from it',
            "fi",
            'exit "$code"',
            "",
        ]
    )


def _quoted(value: str | Path) -> str:
    return shlex.quote(str(value))
