"""The backend's command line: `python -m backend generate | edit | remesh | run | queue | farm | doctor`.

    python -m backend generate --system tv3dg --prompt "a red mug" --preset draft --seed 1 --out JOB
    python -m backend edit JOB --prompt "a red mug with dots" --out OTHER
    python -m backend remesh JOB --set texture_size=2048 --out OTHER
    python -m backend run JOB... [--supervised]
    python -m backend queue DIR [--supervised]
    python -m backend farm --engine openjd | flamenco | opencue | slurm | ray JOB... --out FOLDER
    python -m backend subjects list | keep JOB --name NAME | delete NAME
    python -m backend models list | fetch NAME | verify [NAME] | remove NAME | import PATH
    python -m backend doctor [--deep]

Exit codes: 0 done, 1 failed, 2 bad input, 3 something is missing on this machine, 4 cancelled or interrupted.
`run` and `queue` write one JSON event per line to stdout, `generate`, `edit` and `remesh` the paths of the results.
"""

from __future__ import annotations

import sys

from backend.runtime.leaving import LEFT, end_process, interruptible, leave_when_told

if __name__ == "__main__":
    leave_when_told()

# What follows takes a busy machine seconds, and the process can be told to leave meanwhile.
import argparse
import os
import shutil
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from addon import protocol
from backend.cli import models, new_job, subjects
from backend.cli.arguments import PROGRESS, parser
from backend.cli.job_runner import run_folders, run_queue, run_system
from backend.errors import BackendError, BadInput, UnfitEnvironment, explain

if TYPE_CHECKING:
    from backend.runtime.job import Job


def main(argv: Sequence[str] | None = None, run_system: Callable[[Job], None] = run_system) -> int:
    """Run one command and return its exit code."""
    try:
        return _run(parser().parse_args(argv), run_system)
    except KeyboardInterrupt:  # where something was half-made, and is cleared away; a job says so itself
        print("interrupted", file=sys.stderr)
        return LEFT


def _run(arguments: argparse.Namespace, run_system: Callable[[Job], None]) -> int:
    match arguments.command:
        case "doctor":
            from backend.cli import doctor

            text, code = doctor.report(deep=arguments.deep, as_json=arguments.json)
            print(text)
            return code
        case "run":
            is_watched = sys.stdout.isatty() and not arguments.supervised
            shown = arguments.progress or os.environ.get("MAQUETTE_PROGRESS") or ("text" if is_watched else "events")
            if shown not in PROGRESS:
                return _refuse(BadInput(f"MAQUETTE_PROGRESS is {shown!r}.", f"It may be {', '.join(PROGRESS)}."))
            return run_folders(
                arguments.folders,
                run_system,
                supervised=arguments.supervised,
                for_a_person=shown == "text",
                for_openjd=shown == "openjd",
                patience_seconds=arguments.patience,
            )
        case "queue":
            folder, idle_seconds = arguments.folder.resolve(), arguments.idle_seconds
            return run_queue(folder, run_system, arguments.supervised, idle_seconds, arguments.worker)
        case "farm" | "subjects":
            try:
                with interruptible():
                    if arguments.command == "farm":
                        from backend.cli import farm

                        return farm.send(arguments)
                    print(protocol.plain_text(subjects.done(arguments)))
            except BrokenPipeError:
                raise
            except BackendError as error:
                return _refuse(error)
            except protocol.ProtocolError as error:
                return _refuse(BadInput(str(error)))
            except OSError as error:
                return _refuse(explain(error))
            return 0
        case "models":
            with interruptible():
                return models.run(arguments)
        case "generate" | "edit" | "remesh":
            asked = {"generate": new_job.asked, "edit": new_job.edited, "remesh": new_job.remeshed}[arguments.command]
            try:
                if arguments.command == "generate" and arguments.preflight:
                    from backend.cli import preflight

                    print(preflight.report(*new_job.asked(arguments)))
                    return 0
                is_new = not (arguments.out / protocol.REQUEST_FILE).exists()
                wanted = asked(arguments)
                with interruptible():
                    folder = new_job.make_or_resume(arguments.out, *wanted)
                before = new_job.made_so_far(folder)
            except protocol.ProtocolError as error:
                return _refuse(BadInput(str(error)))
            except (BackendError, ImportError, OSError) as error:
                return _refuse(explain(error))
            code = run_folders([folder], run_system, supervised=False, for_a_person=True)
            is_refused = code in (BadInput.exit_code, UnfitEnvironment.exit_code)
            if is_refused and is_new and new_job.made_so_far(folder) <= before:
                # Nothing was made, and the corrected command may want the same folder; a link to one stays.
                shutil.rmtree(folder.resolve(), ignore_errors=True)
            return code
        case command:
            raise AssertionError(command)


def _refuse(error: BackendError) -> int:
    """Say on stderr why nothing is begun, and return the exit code."""
    print(protocol.plain_text(f"error: {error.message} {error.hint}".rstrip()), file=sys.stderr)
    return error.exit_code


if __name__ == "__main__":
    try:
        try:
            code = main()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # whoever reads the output has had enough of it, as `head` has
        end_process(0)
    if code == LEFT:
        end_process(code)
    sys.exit(code)
