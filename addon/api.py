"""Make 3D objects from scripts: describe a job, run it, bring what it made into the open file.

    from bl_ext.user_default.maquette.addon import api

    job = api.submit(prompt="a red mug", images=["mug.png"], preset="draft", seed=1)
    api.wait(job)
    api.import_result(job)
    api.wait(api.edit(job, "a red mug with blue dots"))

The same in `blender -b`, in a window and in Blender as a Python module; nothing here is printed or needs a window.
"""

# Blender makes its module at run time; pyright sees an almost empty one.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import protocol
from .install.environment import EnvironmentMissing
from .jobs import client
from .jobs.event_log import last_message, latest_run, read_events
from .jobs.store import edit_job, remesh_job
from .protocol import describe
from .scene.importer import Imported, import_result
from .scene.result_files import ImportFailed

__all__ = ["EnvironmentMissing", "ImportFailed", "Imported", "JobError", "JobFailed", "JobStopped"]
__all__ += ["describe", "edit", "import_result", "interpreter", "jobs_folder", "keep_subject", "subject", "subjects"]
__all__ += ["remesh", "submit", "wait", "wait_each"]

POLL_SECONDS = 0.05
LEAVE_SECONDS = 20.0  # for a checkpoint, when the script that waits is interrupted
FAILED, ENVIRONMENT, STOPPED = 1, 3, 4  # exit codes, as of `python -m backend`
AGAIN = "Run it again to go on with it."
WATCHED = "Look into its log.txt, then run it again; it goes on from its last checkpoint."

OnEvent = Callable[[protocol.Event], object]


class JobError(Exception):
    """Say why there is no result, in `hint` what to do, and in `exit_code` what a command would end with."""

    def __init__(self, message: str, hint: str, exit_code: int = FAILED) -> None:
        super().__init__(f"{message} {hint}".rstrip())
        self.message = message
        self.hint = hint
        self.exit_code = exit_code


class JobFailed(JobError):
    """The job could not be done, or its process could not."""


class JobStopped(JobError):
    """The job was cancelled or interrupted; waiting for it again goes on with it."""


def submit(
    request: protocol.Request | None = None,
    sources: Sequence[Path] = (),
    *,
    jobs: Path | None = None,
    **wishes: Any,
) -> Path:
    """Write a new job folder below `jobs`, by default the one of the preferences, and return it; nothing is started.

    Takes a request with the files of its images, or instead the keywords of `describe`. Raises ProtocolError for what
    cannot be asked for, OSError where the folder cannot be written.
    """
    if request is None:
        request, sources = describe(**wishes)
    elif wishes:
        raise TypeError(f"a request says everything by itself: leave {', '.join(wishes)} away")
    protocol.check_fits(request)
    try:
        return protocol.make_job(Path(jobs) if jobs else jobs_folder(), request, sources)
    except ValueError as error:  # an image that is too large
        raise protocol.ProtocolError(str(error)) from error


def edit(job: Path, prompt: str, *, jobs: Path | None = None, **changes: Any) -> Path:
    """Write a new job that changes the result of a finished one by words, and return it; nothing is started.

    It begins from that job's points, with its visual prompts, seed and settings; `changes` are fields of the request
    that shall be others (of the settings, those named). `jobs` is as in `submit`. Raises ProtocolError for what cannot
    be asked for, OSError where the folder cannot be written.
    """
    try:
        return edit_job(Path(jobs) if jobs else jobs_folder(), Path(job), prompt, **changes)
    except protocol.ProtocolError:
        raise
    except ValueError as error:  # the job has no result, or not of that kind
        raise protocol.ProtocolError(str(error)) from error


def remesh(job: Path, *, jobs: Path | None = None, **settings: protocol.Setting) -> Path:
    """Write a new job that makes the mesh of a finished one again, and return it; nothing is started.

    `settings` are of the mesh alone, such as max_faces=5_000; `jobs` is as in `submit`. Raises ProtocolError for what
    cannot be asked for, OSError where the folder cannot be written.
    """
    try:
        return remesh_job(Path(jobs) if jobs else jobs_folder(), Path(job), settings)
    except protocol.ProtocolError:
        raise
    except ValueError as error:  # a file that is too large, or a link
        raise protocol.ProtocolError(str(error)) from error


def wait(
    job: Path, *, python: Path | None = None, on_event: OnEvent | None = None, patience: client.Patience | None = None
) -> protocol.Finished:
    """Run a job to its end and return its last message; one that is done already is not run again.

    A job that stopped goes on where it was, one that another process runs is watched. `python` is the backend's
    interpreter, by default the one of the preferences. `on_event` gets every event of this run; whatever it raises, and
    Ctrl+C, lets the backend write a checkpoint and goes on to the caller. Raises JobFailed, JobStopped,
    EnvironmentMissing where there is no backend, and ProtocolError where the folder is no job.
    """
    tell = on_event or (lambda event: None)
    with contextlib.closing(
        wait_each([job], python=python, on_event=lambda _, event: tell(event), patience=patience)
    ) as outcomes:
        _, outcome = next(outcomes)
    if isinstance(outcome, JobError):
        raise outcome
    return outcome


def wait_each(
    jobs: Sequence[Path],
    *,
    python: Path | None = None,
    on_event: Callable[[Path, protocol.Event], object] | None = None,
    patience: client.Patience | None = None,
) -> Generator[tuple[Path, protocol.Finished | JobError]]:
    """Run jobs one after the other, in one process of the backend, and yield each with what it has come to.

    As `wait`, but an error of one job is yielded, and the next one begins meanwhile. Only what concerns them all is
    raised: no backend, one that does not start, a folder that is no job. Closing the generator stops the process.
    """
    tell, jobs = on_event or (lambda job, event: None), [Path(job) for job in jobs]
    requests = [protocol.read_request(job) for job in jobs]
    waiting: list[Path] = []
    for job, request in zip(jobs, requests, strict=True):
        last = last_message(job)
        if isinstance(last, protocol.Finished) and last.stopped_after in ("", request.stop_after):
            yield job, last
        elif protocol.is_running(job):
            yield job, _outcome(job, _watch(job, tell))
        else:
            waiting.append(job)
    if waiting:
        own, variables = (python, None) if python else (interpreter(), _variables())
        while waiting:
            yield from _run(waiting, own, variables, tell, patience)


def interpreter() -> Path:
    """Return the backend's Python that the preferences name. Only inside Blender. Raises EnvironmentMissing."""
    import bpy

    from . import preferences

    return preferences.interpreter(bpy.context)


def jobs_folder() -> Path:
    """Return the folder of job folders that the preferences name. Only inside Blender."""
    import bpy

    from . import preferences

    return preferences.jobs_folder(bpy.context)


def keep_subject(job: Path, name: str) -> protocol.Subject:
    """Keep what a job has learnt of its subject under a name, for other prompts. Only inside Blender.

    `submit(system="dreambooth3d", subject=subject("Ted"), prompt=...)` begins from it. Raises ProtocolError for a name
    that is taken or a job that has learnt none, OSError where the files cannot be copied.
    """
    from . import preferences

    return protocol.keep_subject(preferences.subjects_folder(), job, name)


def subject(name: str) -> protocol.Subject:
    """Return the kept subject of a name. Only inside Blender. Raises ProtocolError that names those that there are."""
    from . import preferences

    return protocol.find_subject(preferences.subjects_folder(), name)


def subjects() -> list[protocol.Subject]:
    """Return the kept subjects, by name. Only inside Blender."""
    from . import preferences

    return protocol.list_subjects(preferences.subjects_folder())


def _variables() -> Mapping[str, str]:
    """Return what the preferences add to the backend's environment: the GPU that was chosen."""
    import bpy

    from . import preferences

    return preferences.child_variables(bpy.context)


def _run(
    waiting: list[Path],
    python: Path,
    variables: Mapping[str, str] | None,
    tell: Callable[[Path, protocol.Event], object],
    patience: client.Patience | None,
) -> Generator[tuple[Path, protocol.Finished | JobError]]:
    """Run jobs in one process, yield each when it has ended and take it out of the list; a crash ends with its job."""
    has_begun = False
    process: client.Client | None = None
    try:
        process = client.Client.start(python, waiting, patience=patience, variables=variables)
        while not process.is_done:
            for event in process.poll():
                has_begun = True
                tell(waiting[0], event)
                if last := _as_last(event):
                    job = waiting.pop(0)
                    yield job, _outcome(job, last)
            time.sleep(POLL_SECONDS)
    except client.ClientError as error:
        is_unfit = isinstance(error, client.NotStarted | client.WrongVersion)
        failed = JobFailed(error.message, error.hint, ENVIRONMENT if is_unfit else FAILED)
        if not has_begun:
            raise failed from error
        yield waiting.pop(0), failed
    finally:
        if process is not None:
            process.close(0.0 if process.is_done else LEAVE_SECONDS)


def _outcome(job: Path, last: protocol.Last | None) -> protocol.Finished | JobError:
    """Return a last message, as an error if it is not a good one; None stands for none."""
    match last:
        case protocol.Finished():
            return last
        case protocol.Failed():
            return JobFailed(last.message, last.hint, last.exit_code)
        case protocol.Cancelled():
            return JobStopped(f"The job {job.name} was cancelled.", AGAIN, STOPPED)
        case protocol.Interrupted():
            return JobStopped(f"The job {job.name} was interrupted: {last.reason}.", AGAIN, STOPPED)
        case None:
            return JobFailed(f"The process that ran {job.name} ended without a last message.", WATCHED)


def _watch(job: Path, tell: Callable[[Path, protocol.Event], object]) -> protocol.Last | None:
    """Follow a job that another process runs, through the events that it writes into the folder."""
    run, offset = latest_run(job)
    for event in run:
        tell(job, event)
    has_ended, events = False, run
    while events or not has_ended:
        has_ended = not protocol.is_running(job)  # asked before reading, so that the last look sees everything
        events, offset = read_events(job, offset)
        for event in events:
            tell(job, event)
        run += events
        if not (events or has_ended):
            time.sleep(POLL_SECONDS)
    return _as_last(run[-1]) if run else None


def _as_last(event: protocol.Event) -> protocol.Last | None:
    match event:
        case protocol.Finished() | protocol.Cancelled() | protocol.Failed() | protocol.Interrupted():
            return event
        case _:
            return None
