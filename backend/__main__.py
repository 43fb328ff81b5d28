"""The backend's command line: `python -m backend generate | edit | run | queue | doctor`.

    python -m backend generate --system tv3dg --prompt "a red mug" --preset draft --seed 1 --out JOB
    python -m backend edit JOB --prompt "a red mug with dots" --out OTHER
    python -m backend run JOB... [--supervised]
    python -m backend queue DIR [--supervised]
    python -m backend doctor [--deep]

Exit codes: 0 done, 1 failed, 2 bad input, 3 something is missing on this machine, 4 cancelled or interrupted.
`run` and `queue` write one JSON event per line to stdout, `generate` and `edit` the paths of the results.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, assert_never

from addon import protocol
from backend import new_job, supervision
from backend.arguments import parser
from backend.console import Console, clock
from backend.errors import (
    BackendError,
    BadInput,
    JobCancelled,
    JobInterrupted,
    JobStopped,
    explain,
)
from backend.machine import maquette_version

if TYPE_CHECKING:
    from backend.job import Job

ORPHAN_SECONDS = 3.0  # how long a job whose parent is gone may take to come to its next step
OWNERLESS_SECONDS = 1.0  # until a program that ties itself to a queue has taken over from another one
GUARD_SECONDS = 3.5  # and how long when native code lets no thread of this process run
LEFT = 4  # the exit code of a run that was cancelled or interrupted

LOG_FORMAT = "%(asctime)s %(name)s %(levelname)s %(message)s"
REQUEST_HINT = "Correct the request, or start a new job."

_log = logging.getLogger("backend")


def run_system(job: Job) -> None:
    """Run the system that the request names; it leaves its files in the job folder's `result`."""
    match job.request.system:
        case "tv3dg":
            from backend.systems import tv3dg

            tv3dg.run(job)
        case system:
            raise BadInput(f"The system {system} is not part of this version.", "Use tv3dg.")


def main(argv: Sequence[str] | None = None, run_system: Callable[[Job], None] = run_system) -> int:
    """Run one command and return its exit code."""
    arguments = parser().parse_args(argv)
    match arguments.command:
        case "doctor":
            from backend import doctor

            text, code = doctor.report(deep=arguments.deep, as_json=arguments.json)
            print(text)
            return code
        case "run":
            watched = sys.stdout.isatty() and not arguments.supervised
            return _run(arguments.folders, run_system, supervised=arguments.supervised, for_a_person=watched)
        case "queue":
            return _run_queue(arguments.folder.resolve(), run_system, arguments.supervised, arguments.idle_seconds)
        case "generate" | "edit":
            is_new = not (arguments.out / protocol.REQUEST_FILE).exists()
            asked = new_job.asked if arguments.command == "generate" else new_job.edited
            try:
                folder = new_job.make_folder(arguments.out, *asked(arguments))
            except (protocol.ProtocolError, BackendError) as error:
                print(f"error: {error} {getattr(error, 'hint', '')}".rstrip(), file=sys.stderr)
                return 2
            code = _run([folder], run_system, supervised=False, for_a_person=True)
            if code == BadInput.exit_code and is_new and not (folder / "stages").exists():
                shutil.rmtree(folder)  # nothing was made, and the corrected command may want the same folder
            return code
        case command:
            raise AssertionError(command)


# ---- run -------------------------------------------------------------------------------------------------------------


def _run(
    folders: Sequence[Path],
    run_system: Callable[[Job], None],
    *,
    supervised: bool,
    for_a_person: bool = False,
) -> int:
    """Run job folders one after the other; return the exit code of the first that was not done."""
    process = _Process(supervised)
    return process.run(folders, run_system, for_a_person)


def _run_queue(folder: Path, run_system: Callable[[Job], None], supervised: bool, idle_seconds: float) -> int:
    """Run the jobs that wait in a folder until none is left; return the exit code of the first that was not done."""
    from backend import queue

    process = _Process(supervised, folder / protocol.STAY_FILE, folder / protocol.OWNER_FILE)
    try:
        with supervision.folder_lock(folder):
            turns = queue.Turns(folder)
            queue.read_commands(folder, process.obey, process.look_for_owner)
            code = process.run(queue.jobs_in_turn(turns, process.control, idle_seconds, process.say), run_system)
            return code or (LEFT if process.control.interrupted else 0)
    except (BackendError, OSError) as error:
        known = explain(error)
        process.say(protocol.Idle(seconds=0.0))  # no job was begun, and none will be
        print(f"error: {known.message} {known.hint}".rstrip(), file=process.streams.console)
        return known.exit_code


class _Process:
    """What the runs of one process share: streams, wishes, and who stands for it when its parent is gone."""

    def __init__(self, supervised: bool, stay_file: Path | None = None, owner_file: Path | None = None) -> None:
        self.streams = supervision.reserve_streams()
        self.control = supervision.Control(stay_file=stay_file, owner_file=owner_file)
        self._current: _Run | None = None
        self._wanted = time.monotonic()  # when the process was last seen to be wanted without its parent
        supervision.heed_signals(self.control)
        if supervised:
            supervision.guard(self.streams.commands, GUARD_SECONDS, stay_file, owner_file)
            supervision.listen(self.streams.commands, self.obey, self._leave_orphan)

    def run(self, folders: Iterable[Path], run_system: Callable[[Job], None], for_a_person: bool = False) -> int:
        """Run job folders as they come; return the exit code of the first that was not done."""
        code = 0
        for folder in folders:
            console = Console(self.streams.console) if for_a_person else None
            run = _Run(folder.resolve(), self.control, None if for_a_person else self.streams.events, console)
            self._current = run
            last = run.to_its_end(run_system)
            code = code or _exit_code(last)
            if for_a_person and isinstance(last, protocol.Finished):
                self.streams.events.write("".join(f"{folder / path}\n" for path in last.results).encode())
                self.streams.events.flush()
            if self.control.interrupted:
                break
        return code

    def say(self, event: protocol.Event) -> None:
        """Send an event that belongs to no job."""
        supervision.Outbox(Path(os.devnull), self.streams.events, self.control).send(protocol.encode(event))

    def obey(self, line: bytes) -> None:
        """Do what a line of stdin, or of the queue's file of commands, says."""
        try:
            match protocol.decode(line):
                case protocol.Cancel(job=job):
                    self.control.cancel(job)
                case protocol.Finish(job=job):
                    self.control.finish(job)
                case message:
                    _log.warning("A %s is not a command.", type(message).__name__)
        except protocol.ProtocolError as error:
            _log.warning("A line is not a command: %s", error)

    def look_for_owner(self) -> None:
        """Leave when the program that a queue without its parent was tied to is gone as well."""
        if not self.control.is_deserted():
            self._wanted = time.monotonic()
        elif time.monotonic() > self._wanted + OWNERLESS_SECONDS:
            self.control.interrupt("the program that the queue was tied to is gone")
            self._end_orphan()

    def _leave_orphan(self) -> None:
        """Interrupt the run, unless it is to stay."""
        if not self.control.left_alone("the program that started the job is gone"):
            self._end_orphan()

    def _end_orphan(self) -> None:
        """End the process if it does not come to its next step."""
        threading.Event().wait(ORPHAN_SECONDS)
        if self._current is not None:
            self._current.emit(protocol.Interrupted(reason=self.control.interrupted, seconds=self._current.seconds))
        os._exit(LEFT)


class _Run:
    """One job folder on its way from Hello to its last message."""

    def __init__(
        self, folder: Path, control: supervision.Control, stream: BinaryIO | None, console: Console | None
    ) -> None:
        self.folder = folder
        self._control = control
        self._stream = stream
        self._console = console
        self._outbox: supervision.Outbox | None = None
        self._started = time.monotonic()

    def to_its_end(self, run_system: Callable[[Job], None]) -> protocol.Last:
        """Run the job and return its last message, which was sent."""
        self._control.begin(self.folder.name)
        nowhere = Path(os.devnull)
        try:
            if not (self.folder / protocol.REQUEST_FILE).is_file():
                raise BadInput(
                    f"{self.folder} is not a job folder: it has no {protocol.REQUEST_FILE}.", "Check the path."
                )
            with supervision.folder_lock(self.folder), supervision.output_to(self.folder / protocol.LOG_FILE):
                logging.basicConfig(level=logging.INFO, format=LOG_FORMAT, force=True)
                return self._from_hello_to_last(self.folder / protocol.EVENTS_FILE, lambda: self._execute(run_system))
        except (BackendError, OSError) as error:  # the folder is not ours to write in
            failure = self._failed(error)
            return self._from_hello_to_last(nowhere, lambda: failure)

    def _from_hello_to_last(self, events: Path, execute: Callable[[], protocol.Last]) -> protocol.Last:
        self._outbox = supervision.Outbox(events, self._stream, self._control)
        self.emit(protocol.Hello(job=self.folder.name, backend=maquette_version(), pid=os.getpid()))
        last = execute()
        self._control.end()  # a wish that answers the last message is about the next job
        self.emit(last)
        return last

    def _execute(self, run_system: Callable[[Job], None]) -> protocol.Last:
        try:
            request = protocol.read_request(self.folder)
            from backend.job import Job
            from backend.machine import available_threads, is_busy, prepare_torch

            prepare_torch(request.threads)
            job = Job(self.folder, request, self.emit, self._control)
            if is_busy() and (request.threads or available_threads()) > 1:
                job.warn(
                    "Other programs keep the processor busy: a job with several threads may take ten times as long.",
                    "Start it with one thread (on the command line --threads 1); it goes on from where it is.",
                )
            run_system(job)
            job.check_stop_after()
            return self._finished("")
        except JobStopped as stop:
            return self._finished(str(stop))
        except JobCancelled:
            return protocol.Cancelled(seconds=self.seconds)
        except JobInterrupted as interruption:
            return protocol.Interrupted(reason=str(interruption), seconds=self.seconds)
        except KeyboardInterrupt:
            return protocol.Interrupted(reason=self._control.interrupted or "interrupted", seconds=self.seconds)
        except Exception as error:  # noqa: BLE001 - the one place where whatever goes wrong becomes the last message
            _log.exception("The job %s failed.", self.folder.name)
            return self._failed(error)

    @property
    def seconds(self) -> float:
        """Return how long this run has taken."""
        return round(time.monotonic() - self._started, 3)

    def emit(self, event: protocol.Event) -> None:
        """Send an event to everybody who wants to know."""
        if self._outbox is not None:
            self._outbox.send(protocol.encode(event), last=isinstance(event, protocol.LAST))
        if self._console is not None:
            _show(event, self._console, self.folder)

    def _failed(self, error: Exception) -> protocol.Failed:
        known = BadInput(str(error), REQUEST_HINT) if isinstance(error, protocol.ProtocolError) else explain(error)
        return protocol.Failed(
            kind=type(known).__name__, message=known.message, hint=known.hint, exit_code=known.exit_code
        )

    def _finished(self, stopped_after: str) -> protocol.Finished:
        result = self.folder / protocol.RESULT_FOLDER
        paths = sorted(path.relative_to(self.folder).as_posix() for path in result.rglob("*") if path.is_file())
        return protocol.Finished(results=tuple(paths), seconds=self.seconds, stopped_after=stopped_after)


def _exit_code(last: protocol.Last) -> int:
    match last:
        case protocol.Finished():
            return 0
        case protocol.Failed(exit_code=code):
            return code
        case protocol.Cancelled() | protocol.Interrupted():
            return LEFT
        case _:
            assert_never(last)


def _show(event: protocol.Event, console: Console, folder: Path) -> None:
    match event:
        case protocol.Hello() | protocol.Preview() | protocol.Idle():
            pass
        case protocol.Stage():
            console.stage(event.number, event.name, event.loaded)
        case protocol.Progress():
            console.progress(event.step, event.steps, event.seconds_left, event.steps_per_second)
        case protocol.Warning():
            console.say(f"warning: {event.message} {event.hint}".rstrip())
        case protocol.Finished(stopped_after=""):
            console.say(f"done in {clock(event.seconds)}")
        case protocol.Finished():
            console.say(f"stopped after {event.stopped_after}; go on with: python -m backend run {folder}")
        case protocol.Cancelled():
            console.say("cancelled")
        case protocol.Failed():
            console.say(f"error: {event.message} {event.hint}".rstrip())
        case protocol.Interrupted():
            console.say(f"interrupted ({event.reason}); go on with: python -m backend run {folder}")
        case _:
            assert_never(event)


if __name__ == "__main__":
    sys.exit(main())
