"""OpenCue: a file for `cuecmd`, one command a line, which become the frames of one layer."""

from __future__ import annotations

import shlex

from backend.farm.plan import Order, Plan, write

COMMANDS = "maquette.txt"
NO_GPU = "cuecmd cannot ask for a GPU: give the layer the tag of your machines that have one, before it starts."


def made(plan: Plan) -> Order:
    """Write the commands and say what submits them; a job that needs a GPU begins paused."""
    lines = [shlex.join(plan.command((plan.jobs / name).as_posix())) for name in plan.names]
    write(plan, {COMMANDS: "".join(f"{line}\n" for line in lines)})
    words = ["cuecmd", str(plan.out / COMMANDS), "--memory", f"{plan.needs.memory / 1024:g}"]
    words += ["--cores", str(plan.needs.threads)] if plan.needs.threads else []
    return Order([*words, "--pause"], (NO_GPU,)) if plan.needs.gpus else Order(words)
