"""Maquette without a window: `blender --command maquette generate | batch | import | doctor`.

    blender --command maquette generate --prompt "a red mug" --image mug.png --preset draft --save mug.blend
    blender scene.blend --command maquette import JOB --at 1 0 0 --save scene.blend

Exit codes: 0 done, 1 failed, 2 bad input, 3 something is missing on this machine, 4 cancelled or interrupted.
Progress goes to stderr. What was made is listed on stdout, or with --json one line of JSON says everything.
"""

# Blender makes its module at run time; pyright sees an almost empty one.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import subprocess
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import api, processes, protocol
from .arguments import COMMAND, parser
from .environment import EnvironmentMissing
from .paths import ROOT
from .results import ImportFailed
from .terminal import Terminal

DONE, FAILED, BAD_INPUT, ENVIRONMENT, STOPPED = 0, 1, 2, 3, 4
CLASSES = ()

_handle: Any = None


def register_extra() -> None:
    """Let `blender --command maquette` find `main`."""
    import bpy

    global _handle
    _handle = bpy.utils.register_cli_command(COMMAND, main)


def unregister_extra() -> None:
    """Take the command back."""
    import bpy

    global _handle
    bpy.utils.unregister_cli_command(_handle)
    _handle = None


@dataclass
class Outcome:
    """What a command has come to; with --json it is written as it is."""

    command: str
    exit_code: int = DONE
    jobs: list[dict[str, Any]] = field(default_factory=list)
    saved: str = ""
    report: str = ""
    message: str = ""
    hint: str = ""


def main(argv: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    try:
        arguments = parser().parse_args(argv)
    except SystemExit as end:  # argparse has said why; Blender would take it for its own end
        return end.code if isinstance(end.code, int) else BAD_INPUT
    outcome = Outcome(arguments.command)
    before = {number: signal.signal(number, _interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        run = {"generate": _generate, "batch": _batch, "import": _import, "doctor": _doctor}[arguments.command]
        with contextlib.redirect_stdout(sys.stderr):  # Blender's importers tell there what they do
            run(arguments, outcome)
    except KeyboardInterrupt:
        outcome.exit_code, outcome.message = STOPPED, "Interrupted."
        running = [job["job"] for job in outcome.jobs if job["state"] == "stopped"]
        outcome.hint = f"Go on with: generate --resume {running[-1]}" if running else ""
    except (api.JobError, EnvironmentMissing) as error:
        outcome.exit_code = getattr(error, "exit_code", ENVIRONMENT)
        outcome.message, outcome.hint = error.message, error.hint
    except (protocol.ProtocolError, ImportFailed) as error:
        outcome.exit_code, outcome.message = BAD_INPUT, str(error)
    except OSError as error:
        outcome.exit_code, outcome.message = FAILED, f"{error}."
    except Exception as error:  # noqa: BLE001 - whatever goes wrong, a script that called gets its line and its code
        traceback.print_exc()
        outcome.exit_code, outcome.message = FAILED, f"{type(error).__name__}: {error}"
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
    _tell(outcome, as_json=arguments.json)
    return outcome.exit_code


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _tell(outcome: Outcome, *, as_json: bool) -> None:
    if outcome.message:
        print(f"{outcome.message} {outcome.hint}".rstrip(), file=sys.stderr)
    if as_json:
        print(json.dumps(vars(outcome)))
    else:
        paths = [path for job in outcome.jobs for path in job["results"]]
        for line in filter(None, (outcome.report, *paths, outcome.saved)):
            print(line)
    sys.stdout.flush()


# ---- the commands ----------------------------------------------------------------------------------------------------


def _generate(arguments: argparse.Namespace, outcome: Outcome) -> None:
    _check_target(arguments.save)
    job = arguments.resume
    if job is None:
        job = api.submit(*api.describe(arguments.image, **_wishes(arguments)), jobs=arguments.jobs)
    _wait(job, outcome, name="")
    _bring([job], arguments, outcome)


def _batch(arguments: argparse.Namespace, outcome: Outcome) -> None:
    raise protocol.ProtocolError("This version has no batch.")


def _import(arguments: argparse.Namespace, outcome: Outcome) -> None:
    _check_target(arguments.save)
    for job in arguments.folders:
        outcome.jobs.append({"job": str(job.resolve()), "state": "", "results": [], "message": "", "hint": ""})
    _bring(arguments.folders, arguments, outcome)
    for entry in outcome.jobs:
        entry["state"] = "imported"


def _doctor(arguments: argparse.Namespace, outcome: Outcome) -> None:
    import bpy

    python = api.interpreter()
    command = [str(python), "-m", "backend", "doctor", *(["--deep"] if arguments.deep else [])]
    done = subprocess.run(command, cwd=ROOT, env=processes.child_environment(), stdout=subprocess.PIPE, text=True)
    ours = f"{'blender':22} ok       {bpy.app.version_string}\n{'interpreter':22} ok       {python}\n"
    outcome.report = ours + done.stdout.rstrip()
    if done.returncode != DONE:
        outcome.exit_code = ENVIRONMENT
        outcome.message = "Jobs cannot run with this interpreter."
        outcome.hint = "Repair the backend in the preferences of Maquette."


# ---- what they share -------------------------------------------------------------------------------------------------


def _wishes(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the keywords of api.describe but for the images."""
    names = ("visual_prompts", "system", "prompt", "negative_prompt", "seed", "preset", "prior", "threads")
    names += ("elevation_degrees", "azimuth_degrees", "fov_degrees")
    wishes = {name: getattr(arguments, name) for name in names} | {"settings": dict(arguments.set)}
    return wishes | ({"outputs": tuple(arguments.output)} if arguments.output else {})


def _wait(job: Path, outcome: Outcome, *, name: str) -> None:
    """Run a job to its end and put down what it came to; raises as api.wait does."""
    entry: dict[str, Any] = {"job": str(job.resolve()), "state": "failed", "results": [], "message": "", "hint": ""}
    outcome.jobs.append(entry)
    try:
        last = api.wait(job, on_event=Terminal(sys.stderr, name=name))
    except (api.JobError, EnvironmentMissing) as error:
        entry["message"], entry["hint"] = error.message, error.hint
        entry["state"] = "stopped" if isinstance(error, api.JobStopped) else "failed"
        raise
    except KeyboardInterrupt:
        entry["state"] = "stopped"
        raise
    entry["state"] = f"stopped after {last.stopped_after}" if last.stopped_after else "finished"
    entry["results"] = [str(job.resolve() / path) for path in last.results]


def _check_target(save: Path | None) -> None:
    """Refuse before the work what could not be saved after it."""
    if save is not None and save.suffix != ".blend":
        raise protocol.ProtocolError(f"{save} does not end in .blend. Choose another --save.")
    if save is not None and not save.resolve().parent.is_dir():
        raise protocol.ProtocolError(f"There is no folder {save.resolve().parent}. Make it, or choose another --save.")


def _bring(folders: Sequence[Path], arguments: argparse.Namespace, outcome: Outcome) -> None:
    """Import finished jobs into the open file, one beside the other, and save it under another name."""
    import bpy

    if arguments.save is None:
        return
    if not bpy.data.filepath:  # no file was named before --command: nothing of the startup file is wanted
        bpy.ops.wm.read_homefile(use_empty=True)
    x, y, z = arguments.at or bpy.context.scene.cursor.location
    for number, folder in enumerate(folders):
        api.import_result(
            folder,
            location=(x + number * arguments.apart, y, z),
            name=arguments.name,
            outputs=tuple(arguments.output) or protocol.OUTPUTS,
            as_asset=arguments.asset,
            tags=arguments.tag,
        )
    try:
        bpy.ops.wm.save_as_mainfile(filepath=str(arguments.save.resolve()), compress=True)
    except RuntimeError as error:  # how an operator reports what went wrong
        raise OSError(str(error).strip().removesuffix(".")) from error
    outcome.saved = str(arguments.save.resolve())
