"""Bring finished jobs into the open file: in a row or a grid, at once or as they come home from a farm."""

# Blender makes its module at run time; pyright sees an almost empty one.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .. import api, protocol
from ..jobs import store
from ..scene import as_pictured, placing
from ..scene.result_files import ImportFailed

if TYPE_CHECKING:
    import bpy

    from ..scene.importer import Imported
    from .commands import Outcome

LOOK_AGAIN_SECONDS = 1.0  # between two looks at the folders
OVER = (store.FINISHED, store.FAILED, store.CANCELLED)  # what is interrupted is tried again by the farm

Problems = list[tuple[str, str]]


def check_target(save: Path | None) -> None:
    """Refuse before the work what could not be saved after it."""
    if save is not None and save.suffix != ".blend":
        raise protocol.ProtocolError(f"{save} does not end in .blend. Choose another --save.")
    if save is not None and not save.resolve().parent.is_dir():
        raise protocol.ProtocolError(f"There is no folder {save.resolve().parent}. Make it, or choose another --save.")


def bring(
    placed: Sequence[tuple[int, tuple[Path, ...]]],
    arguments: argparse.Namespace,
    outcome: Outcome,
    problems: Problems | None = None,
    count: int = 0,
) -> None:
    """Import finished jobs, each at its place in a row or grid, not into what stands there unless --at says so.

    At one place come the different things of one picture, which stand there as in the picture. The file is saved under
    another name. `count` is how many places there are, where more jobs may come. Jobs that cannot be imported go into
    `problems`, else the first is raised.
    """
    import bpy

    if arguments.save is None or not placed:
        return
    if not bpy.data.filepath:  # no file was named before --command: nothing of the startup file is wanted
        bpy.ops.wm.read_homefile(use_empty=True)
    count = max(count, 1 + max(place for place, _ in placed))
    first = arguments.at or bpy.context.scene.cursor.location
    spots = placing.around(first, count, arguments.apart, arguments.columns)
    is_wide = any(len(jobs) > 1 for _, jobs in placed)  # things of one picture reach further than their place
    brought: list[bpy.types.Object] = []
    for place, jobs in placed:
        made: list[tuple[Path, Imported]] = []
        for job in jobs:
            try:
                made.append((job, _import(job, spots[place], arguments)))
            except ImportFailed as error:
                if problems is None:
                    raise
                problems.append((job.name, str(error)))
        strangers = as_pictured.arrange(made) if len(jobs) > 1 else []
        groups = [[each for _, each in made if each not in strangers], *([each] for each in strangers)]
        for group in filter(None, groups):
            if arguments.at is None:
                placing.place_beside(*group)
            elif is_wide:
                placing.place_beside(*group, among=brought)
            brought += [item for each in group for item in each.objects]
    try:
        bpy.ops.wm.save_as_mainfile(filepath=str(arguments.save.resolve()), compress=True)
    except RuntimeError as error:  # how an operator reports what went wrong
        raise OSError(str(error).strip().removesuffix(".")) from error
    outcome.saved = str(arguments.save.resolve())


def _import(job: Path, spot: placing.Corner, arguments: argparse.Namespace) -> Imported:
    return api.import_result(
        job,
        location=spot,
        name=arguments.name,
        outputs=tuple(arguments.output) or protocol.OUTPUTS,
        as_asset=arguments.asset,
        tags=arguments.tag,
    )


def jobs_in(folders: Sequence[Path]) -> list[Path]:
    """Return the job folders that are named, and those in the folders of job folders that are named, by name.

    A folder that is neither stays, and its import says what is wrong with it.
    """
    found: list[Path] = []
    for folder in folders:
        is_job = protocol.is_inside(folder, protocol.REQUEST_FILE)
        found += [folder] if is_job else sorted(store.list_jobs(folder)) or [folder]
    return list(dict.fromkeys(found))


def bring_home(arguments: argparse.Namespace, outcome: Outcome) -> Problems:
    """Import what is finished of the folders, and with --watch the rest as it ends; return what could not be.

    Raises ImportFailed for a job that was named itself and has no result, unless it is waited for.
    """
    problems: Problems = []
    done: set[Path] = set()
    while True:
        jobs = jobs_in(arguments.folders)
        states = {job: _state(job) for job in jobs}
        named = set(arguments.folders) if not arguments.watch else set()
        groups = as_pictured.together(jobs)
        ready = [
            (place, tuple(job for job in group if job not in done and (states[job] == store.FINISHED or job in named)))
            for place, group in enumerate(groups)
            if not arguments.watch or all(states[job] in OVER for job in group)  # things of one picture come together
        ]
        ready = [(place, group) for place, group in ready if group]
        if ready:
            bring(ready, arguments, outcome, None if named else problems, len(groups))
            failed = {name for name, _ in problems}
            brought = [job for _, group in ready for job in group]
            done |= set(brought)
            for job in brought:
                if job.name not in failed:
                    text = protocol.plain_text(f"{job.name} is imported ({len(done)} of {len(jobs)})")
                    sys.stderr.write(f"{text}\n")
        left = [job for job in jobs if states[job] not in OVER]
        if not (arguments.watch and left):
            break
        time.sleep(LOOK_AGAIN_SECONDS)
    if arguments.watch:
        problems += [(job.name, f"the job is {states[job]}.") for job in jobs if job not in done]
    failed = dict(problems)
    for job in jobs:
        state = "imported" if job in done and job.name not in failed else states[job]
        message = failed.get(job.name, "")
        outcome.jobs.append({"job": str(job.resolve()), "state": state, "results": [], "message": message, "hint": ""})
    return problems


def _state(job: Path) -> str:
    try:
        return store.state(job)
    except (protocol.ProtocolError, OSError):  # its import says what is wrong
        return store.FINISHED
