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

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from addon import protocol
from backend.cli import models, new_job, subjects
from backend.cli.arguments import PROGRESS, parser
from backend.cli.job_runner import run_folders, run_queue, run_system
from backend.errors import BackendError, BadInput, explain

if TYPE_CHECKING:
    from backend.runtime.job import Job


def main(argv: Sequence[str] | None = None, run_system: Callable[[Job], None] = run_system) -> int:
    """Run one command and return its exit code."""
    arguments = parser().parse_args(argv)
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
                if arguments.command == "farm":
                    from backend.cli import farm

                    return farm.send(arguments)
                print(protocol.plain_text(subjects.done(arguments)))
            except BackendError as error:
                return _refuse(error)
            except protocol.ProtocolError as error:
                return _refuse(BadInput(str(error)))
            except OSError as error:
                return _refuse(explain(error))
            return 0
        case "models":
            return models.run(arguments)
        case "generate" | "edit" | "remesh":
            asked = {"generate": new_job.asked, "edit": new_job.edited, "remesh": new_job.remeshed}[arguments.command]
            try:
                if arguments.command == "generate" and arguments.preflight:
                    from backend.cli import preflight

                    print(preflight.report(new_job.asked(arguments)[0]))
                    return 0
                is_new = not (arguments.out / protocol.REQUEST_FILE).exists()
                folder = new_job.make_or_resume(arguments.out, *asked(arguments))
            except protocol.ProtocolError as error:
                return _refuse(BadInput(str(error)))
            except (BackendError, ImportError, OSError) as error:
                return _refuse(explain(error))
            code = run_folders([folder], run_system, supervised=False, for_a_person=True)
            if code == BadInput.exit_code and is_new and new_job.is_untouched(folder):
                shutil.rmtree(folder)  # nothing was made, and the corrected command may want the same folder
            return code
        case command:
            raise AssertionError(command)


def _refuse(error: BackendError) -> int:
    """Say on stderr why nothing is begun, and return the exit code."""
    print(protocol.plain_text(f"error: {error.message} {error.hint}".rstrip()), file=sys.stderr)
    return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
