"""Write what a farm takes beside the job folders, print the one command that submits it, and submit it if asked to."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys

from addon import protocol
from backend.errors import BackendError, BadInput, UnfitEnvironment
from backend.farm import flamenco, on_ray, opencue, openjd, plan, slurm
from backend.runtime.machine import ROOT

OTHER_USERS = ("flamenco", "opencue")  # whose workers run as a user of their own
COPIED = ("openjd",)  # which can carry the folders to machines that do not see them
CANNOT_SUBMIT = "Run the command on a machine that has it."


def send(arguments: argparse.Namespace) -> int:
    """Write the files of an engine and return the exit code. Raises BackendError, ProtocolError, OSError."""
    _check_options(arguments)
    made = plan.made(
        arguments.jobs,
        arguments.out,
        python=arguments.python or sys.executable,
        root=ROOT,
        gpus=arguments.gpus,
        memory_gib=arguments.memory_gib,
        gpu_memory_gib=arguments.gpu_memory_gib,
        is_shared=arguments.engine not in COPIED and not arguments.same_machine,
        is_other_user=arguments.engine in OTHER_USERS and not (arguments.same_user or arguments.same_machine),
    )
    order = _order(arguments, made)
    notes = (*made.notes, *order.notes)
    submitted = False
    if not arguments.json:
        for note in (*made.skipped, *notes):
            print(protocol.plain_text(note), file=sys.stderr)
        print(_typed(order.command), flush=True)
    if arguments.submit:
        _submit(order.command, as_json=arguments.json)
        submitted = True
    if arguments.json:
        names = [str(made.jobs / name) for name in made.names]
        answer = {"jobs": names, "skipped": made.skipped, "notes": notes, "submitted": submitted}
        print(json.dumps({"command": _typed(order.command), "out": str(made.out), **answer}))
    return 0


def _check_options(arguments: argparse.Namespace) -> None:
    """Raise BadInput for an option that the engine cannot take, rather than pass it over."""
    for name, (engines, default) in protocol.FARM_OPTIONS.items():
        if getattr(arguments, name) != default and arguments.engine not in engines:
            option = f"--{name.replace('_', '-')}"
            raise BadInput(
                f"{option} is of no effect with {arguments.engine}: only {' and '.join(engines)} can take it.",
                f"Leave it away, or set it in {arguments.engine} itself.",
            )


def client(order: plan.Order) -> str:
    """Return the program that must be there to submit: for a script of ours, what that calls."""
    return "sbatch" if order.command[0] == "sh" else order.command[0]


def _order(arguments: argparse.Namespace, made: plan.Plan) -> plan.Order:
    match arguments.engine:
        case "openjd":
            return openjd.made(made, arguments.timeout)
        case "flamenco":
            return flamenco.made(made, arguments.manager, arguments.import_into, arguments.worker_tag)
        case "opencue":
            return opencue.made(made)
        case "slurm":
            return slurm.made(made, arguments.timeout, arguments.at_once)
        case "ray":
            return on_ray.made(made, arguments.address)
        case engine:
            raise AssertionError(engine)


def _submit(command: list[str], *, as_json: bool) -> None:
    program = client(plan.Order(command))
    if shutil.which(program) is None:
        raise UnfitEnvironment(f"{program} is not installed here, so nothing is submitted.", CANNOT_SUBMIT)
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr if as_json else None)
    if done.returncode != 0:
        raise BackendError(f"{program} ended with code {done.returncode}: the jobs may not be submitted.", "See above.")


def _typed(command: list[str]) -> str:
    return subprocess.list2cmdline(command) if os.name == "nt" else shlex.join(command)
