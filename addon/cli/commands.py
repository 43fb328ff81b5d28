"""Maquette without a window: `blender --command maquette generate | edit | remesh | batch | import | ...`.

    blender --command maquette generate --prompt "a red mug" --image mug.png --preset draft --save mug.blend
    blender --command maquette edit JOB --prompt "a red mug with dots" --save dots.blend
    blender --command maquette remesh JOB --set texture_size=2048 --save mug.blend
    blender scene.blend --command maquette import JOB --at 1 0 0 --save scene.blend

Exit codes: 0 done, 1 failed, 2 bad input, 3 something is missing on this machine, 4 cancelled or interrupted.
Progress goes to stderr. What was made is listed on stdout, or with --json one line of JSON says everything.
"""

# Blender makes its module at run time; pyright sees an almost empty one.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import errno
import functools
import json
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import api, processes, protocol
from ..install.environment import EnvironmentMissing
from ..jobs import batch
from ..paths import ROOT
from ..scene.result_files import ImportFailed
from . import bring, farm
from .arguments import COMMAND, named, parser
from .console import Terminal

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


# Options of `generate` that make a request -> as they are typed. --threads may change while a job goes on.
OF_A_NEW_JOB = {
    "image": "--image", "prompt": "--prompt", "visual_prompts": "--visual-prompt",
    "negative_prompt": "--negative-prompt", "elevation_degrees": "--elevation",
    "azimuth_degrees": "--azimuth", "fov_degrees": "--fov", "system": "--system", "preset": "--preset",
    "subject": "--subject", "mask": "--mask", "set": "--set", "seed": "--seed", "prior": "--prior", "jobs": "--jobs",
}  # fmt: skip
# What the system refuses -> exit code and what to do.
OF_THE_SYSTEM = {
    **dict.fromkeys(protocol.DISK_FULL, (ENVIRONMENT, "Make room on the disk.")),
    **dict.fromkeys((errno.EACCES, errno.EPERM), (BAD_INPUT, "Choose another folder, or have it permitted.")),
    errno.EROFS: (BAD_INPUT, "Choose a folder that is not on a read-only disk."),
    errno.ENAMETOOLONG: (BAD_INPUT, "Choose a shorter name."),
}
AGAIN_SECONDS = 30.0  # longer than a job takes to stop
_repeats: list[threading.Timer] = []


def main(argv: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    try:
        arguments = parser().parse_args(argv)
        arguments.named = named(argv)
    except SystemExit as end:  # argparse has said why; Blender would take it for its own end
        return end.code if isinstance(end.code, int) else BAD_INPUT
    outcome = Outcome(arguments.command)
    before = {number: signal.signal(number, _interrupt) for number in _ending_signals()}
    try:
        commands = {"generate": _generate, "edit": _edit, "remesh": _remesh, "batch": _batch, "import": _import}
        commands |= {"doctor": _doctor, "subjects": _subjects, "farm": lambda _, outcome: farm.send(argv[1:], outcome)}
        run = commands[arguments.command]
        with contextlib.redirect_stdout(sys.stderr):  # Blender's importers tell there what they do
            run(arguments, outcome)
    except KeyboardInterrupt:
        outcome.exit_code, outcome.message = STOPPED, "Interrupted."
        if arguments.command == "batch":
            outcome.hint = "The same command goes on."
        elif arguments.command in ("generate", "edit", "remesh") and outcome.jobs:
            outcome.hint = f"Go on with: generate --resume {outcome.jobs[-1]['job']}"
    except (api.JobError, EnvironmentMissing) as error:
        outcome.exit_code = getattr(error, "exit_code", ENVIRONMENT)
        outcome.message, outcome.hint = error.message, error.hint
    except (protocol.ProtocolError, ImportFailed) as error:
        outcome.exit_code, outcome.message = BAD_INPUT, str(error)
    except OSError as error:
        outcome.exit_code, outcome.hint = OF_THE_SYSTEM.get(error.errno or 0, (FAILED, ""))
        outcome.message = f"{error}."
        if error.filename is None and error.errno == errno.ENOENT:  # as os.getcwd has it
            outcome.exit_code, outcome.hint = BAD_INPUT, "Change to another one, or give whole paths."
            outcome.message = "The working directory is gone."
    except Exception as error:  # noqa: BLE001 - whatever goes wrong, a script that called gets its line and its code
        traceback.print_exc()
        outcome.exit_code, outcome.message = FAILED, f"{type(error).__name__}: {error}"
    finally:
        while _repeats:
            _repeats.pop().cancel()
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
    with contextlib.suppress(BrokenPipeError):  # whoever reads the output has had enough of it, as `head` has
        _tell(outcome, as_json=arguments.json)
    return outcome.exit_code


def _ending_signals() -> list[signal.Signals]:
    """Return the signals that ask to leave: a terminal's end, too, unless it was started to ignore that."""
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    numbers = [signal.Signals[name] for name in names if name in signal.Signals.__members__]
    return [number for number in numbers if number.name != "SIGHUP" or signal.getsignal(number) != signal.SIG_IGN]


def _interrupt(number: int, frame: object) -> None:
    """Raise KeyboardInterrupt, and once more if nobody heard it: inside a callback it is printed and lost."""
    again = threading.Timer(AGAIN_SECONDS, signal.raise_signal, (number,))
    again.daemon = True
    _repeats.append(again)
    again.start()
    raise KeyboardInterrupt


def _tell(outcome: Outcome, *, as_json: bool) -> None:
    if outcome.message:
        print(protocol.plain_text(f"{outcome.message} {outcome.hint}".rstrip()), file=sys.stderr)
    if as_json:
        print(json.dumps(vars(outcome)))
    else:
        paths = [path for job in outcome.jobs for path in job["results"]]
        for line in filter(None, (outcome.report, *paths, outcome.saved)):
            print(protocol.plain_text(line) if sys.stdout.isatty() else line)
    sys.stdout.flush()


# ---- the commands ----------------------------------------------------------------------------------------------------


def _generate(arguments: argparse.Namespace, outcome: Outcome) -> None:
    bring.check_target(arguments.save)
    job = arguments.resume
    if job is None:
        wishes = _wishes(arguments) | {"prompt": arguments.prompt}
        if arguments.subject:
            wishes["subject"] = api.subject(arguments.subject)
        request, sources = api.describe(arguments.image, mask=arguments.mask, **wishes)
        _check_settings(request)
        api.interpreter()  # or say what is missing, before anything is written
        job = api.submit(request, sources, jobs=arguments.jobs)
    else:
        _change(job, arguments)
    _run(job, arguments, outcome)


def _subjects(arguments: argparse.Namespace, outcome: Outcome) -> None:
    """List, keep or delete subjects."""
    match arguments.action:
        case "keep":
            made = api.keep_subject(arguments.job, arguments.name)
            outcome.report = f"{made.name} is kept: {protocol.megabytes(made.size)}"
        case "delete":
            doomed = api.subject(arguments.name)
            protocol.delete_subject(doomed)
            outcome.report = f"{doomed.name} is deleted: {protocol.megabytes(doomed.size)}"
        case _:
            outcome.report = "\n".join(map(protocol.subject_line, api.subjects())) or "No subject is kept yet."


def _change(job: Path, arguments: argparse.Namespace) -> None:
    """Let a job that goes on have another number of threads; refuse every other option of a new job.

    Raises ProtocolError for one that says something else than the job's request.
    """
    request = protocol.read_request(job)
    asked = arguments.named & OF_A_NEW_JOB.keys()
    for name in sorted(asked):
        if getattr(arguments, name) != getattr(request, name, None):
            option = OF_A_NEW_JOB[name]
            raise protocol.ProtocolError(f"{option} is not for a job that goes on: leave it away, or --resume.")
    if "threads" in arguments.named and arguments.threads != request.threads:
        if protocol.is_running(job):
            raise protocol.ProtocolError(f"{job} is running: its threads cannot be changed. Leave --threads away.")
        protocol.write_request(job, dataclasses.replace(request, threads=arguments.threads))


def _edit(arguments: argparse.Namespace, outcome: Outcome) -> None:
    bring.check_target(arguments.save)
    named = ("preset", "seed", "threads")
    changes = {name: getattr(arguments, name) for name in named if getattr(arguments, name) is not None}
    asked = protocol.read_request(arguments.folder).edited(arguments.prompt, settings=dict(arguments.set), **changes)
    _check_settings(asked)
    api.interpreter()  # or say what is missing, before anything is written
    job = api.edit(arguments.folder, arguments.prompt, jobs=arguments.jobs, settings=dict(arguments.set), **changes)
    _run(job, arguments, outcome)


def _remesh(arguments: argparse.Namespace, outcome: Outcome) -> None:
    bring.check_target(arguments.save)
    _check_settings(protocol.describe_remesh(arguments.folder, dict(arguments.set))[0])
    api.interpreter()  # or say what is missing, before anything is written
    _run(api.remesh(arguments.folder, jobs=arguments.jobs, **dict(arguments.set)), arguments, outcome)


def _run(job: Path, arguments: argparse.Namespace, outcome: Outcome) -> None:
    """Run one job to its end and bring what it made."""
    entry = _entry(job, "stopped")
    outcome.jobs.append(entry)
    try:
        _note(entry, job, api.wait(job, on_event=Terminal(sys.stderr, job=job)))
    except (api.JobError, EnvironmentMissing) as error:
        _note(entry, job, error)
        raise
    bring.bring([(0, (job,))], arguments, outcome)


def _batch(arguments: argparse.Namespace, outcome: Outcome) -> None:
    """Make one object of each picture; jobs of an earlier run of the same command are not made again."""
    bring.check_target(arguments.save)
    folder = arguments.jobs or api.jobs_folder()
    _check_settings(_request(arguments, "it", protocol.InputImage(path="it.png")))  # or say what is wrong with all
    api.interpreter()  # or say what is missing, before anything is written
    pictures = [(batch.name_of(path), path) for path in _pictures(arguments.inputs)]
    try:
        asked = functools.partial(_request, arguments)
        items = batch.plan(pictures, arguments.prompt, asked, folder, (), arguments.visual_prompts, arguments.pieces)
    except ValueError as error:
        raise protocol.ProtocolError(str(error)) from error
    made = batch.begin(items, folder, lambda job, place: None)
    busy = {item.job for item in items if item.verdict == batch.BUSY}
    places = {job: place for job, place in made.places.items() if job not in busy}
    entries = {job: _entry(job, "waiting" if job in made.jobs else "finished") for job in places}
    outcome.jobs += entries.values()
    shown: dict[Path, Terminal] = {}

    def show(job: Path, event: protocol.Event) -> None:
        shown.setdefault(job, Terminal(sys.stderr, name=made.jobs[job], job=job))(event)

    with contextlib.closing(api.wait_each(list(made.jobs), on_event=show)) as outcomes:
        for job, result in outcomes:
            if made.leave_out(job):
                outcome.jobs.remove(entries.pop(job))
                continue
            _note(entries[job], job, result)
            if isinstance(result, api.JobError):
                failed = protocol.Failed(kind=type(result).__name__, message=result.message, hint=result.hint)
                made.ends[job] = failed
                print(protocol.plain_text(f"{made.jobs[job]}: {result}"), file=sys.stderr)
            else:
                made.ends[job] = result
    finished: dict[int, list[Path]] = {}  # by their pictures
    for job, place in sorted(places.items(), key=lambda each: each[1]):
        if entries.get(job, {}).get("state") == "finished":
            finished.setdefault(place // max(1, arguments.pieces), []).append(job)
    placed = [(place, tuple(jobs)) for place, jobs in finished.items()]
    bring.bring(placed, arguments, outcome, made.problems)
    outcome.report = batch.summary(made)
    outcome.exit_code = FAILED if made.problems or any(entry["state"] != "finished" for entry in outcome.jobs) else DONE


def _import(arguments: argparse.Namespace, outcome: Outcome) -> None:
    bring.check_target(arguments.save)
    problems = bring.bring_home(arguments, outcome)
    if problems:
        outcome.exit_code, outcome.message = FAILED, " ".join(f"{name}: {sentence}" for name, sentence in problems)


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
    """Return the keywords of api.describe, but for the prompt and the images."""
    names = ("system", "negative_prompt", "seed", "preset", "prior", "threads")
    names += ("elevation_degrees", "azimuth_degrees", "fov_degrees", "visual_prompts")
    wishes = {name: getattr(arguments, name) for name in names} | {"settings": dict(arguments.set)}
    return wishes | ({"outputs": tuple(arguments.output)} if arguments.output else {})


def _check_settings(request: protocol.Request) -> None:
    """Refuse settings that the backend would refuse when the job has begun. Raises ProtocolError."""
    protocol.check_fits(request)


def _request(arguments: argparse.Namespace, prompt: str, image: protocol.InputImage) -> protocol.Request:
    """Return the request of a batch for one of its pictures."""
    request, styles = api.describe(**_wishes(arguments), prompt=prompt)
    angles = {name: getattr(arguments, name) for name in ("elevation_degrees", "azimuth_degrees", "fov_degrees")}
    said = protocol.image_fields(protocol.first_role(request.system), **angles)
    pictures = [(Path(image.path), said | {"name": image.name})]
    pictures += [(style, protocol.image_fields("visual_prompt")) for style in styles]
    return dataclasses.replace(request, images=protocol.input_images(pictures))


def _pictures(inputs: Sequence[Path]) -> list[Path]:
    """Return the files that are named, and those in the folders that are named."""
    found: list[Path] = []
    for path in inputs:
        if not path.exists():
            raise protocol.ProtocolError(f"There is no image or folder {path}. Check the path.")
        try:
            found += batch.pictures_in(path) if path.is_dir() else [path]
        except ValueError as error:
            raise protocol.ProtocolError(str(error)) from error
    return found


def _entry(job: Path, state: str) -> dict[str, Any]:
    return {"job": str(job.resolve()), "state": state, "results": [], "message": "", "hint": ""}


def _note(entry: dict[str, Any], job: Path, result: protocol.Finished | api.JobError | EnvironmentMissing) -> None:
    """Put down what a job has come to."""
    if isinstance(result, protocol.Finished):
        entry["state"] = f"stopped after {result.stopped_after}" if result.stopped_after else "finished"
        entry["results"] = [str(job.resolve() / path) for path in result.results]
    else:
        entry["state"] = "stopped" if isinstance(result, api.JobStopped) else "failed"
        entry["message"], entry["hint"] = result.message, result.hint
