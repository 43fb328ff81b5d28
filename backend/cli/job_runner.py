"""Runs job folders, one after the other or as a queue says, and turns whatever happens into their last message."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from addon import protocol
from backend.cli.console import Console, show
from backend.cli.openjd_lines import OpenJDLines
from backend.errors import BackendError, BadInput, JobCancelled, JobInterrupted, JobStopped, OutOfMemory, explain
from backend.runtime import cores, thrift
from backend.runtime.control import Control, install_signal_handlers, leave_native_code, read_commands
from backend.runtime.folder_lock import folder_lock, identity
from backend.runtime.leaving import LEFT
from backend.runtime.machine import available_threads, maquette_version
from backend.runtime.streams import Outbox, Sink, output_to, reserve_streams
from backend.runtime.watchdog import start_watchdog
from backend.systems.overrides import chosen_settings

if TYPE_CHECKING:
    from backend.runtime.job import Job

ORPHAN_SECONDS = 3.0  # how long a job whose parent is gone may take to come to its next step
OWNERLESS_SECONDS = 1.0  # until a program that ties itself to a queue has taken over from another one
WATCHDOG_SECONDS = 3.5  # and how long when native code lets no thread of this process run

LOG_FORMAT = "%(asctime)s %(name)s %(levelname)s %(message)s"
REQUEST_HINT = "Correct the request, or start a new job."

_log = logging.getLogger("backend")


def run_system(job: Job) -> None:
    """Run the system that the request names; it leaves its files in the job folder's `result`.

    Its package has the name that the table of systems gives it, and a function `run`.
    """
    request = job.request
    system = protocol.built_systems().get(request.system)
    if system is None:
        names = " or ".join(protocol.built_systems())
        raise BadInput(f"The system {request.system} is not part of this version.", f"Use {names}.")
    settings = chosen_settings(system, request.preset, job.settings)
    job.total_stages = len(system.stages_of(request.roles, settings, request.outputs))
    importlib.import_module(f"backend.systems.{system.name}").run(job)


def run_folders(
    folders: Sequence[Path],
    run_system: Callable[[Job], None],
    *,
    supervised: bool,
    for_a_person: bool = False,
    for_openjd: bool = False,
    patience_seconds: float = 1.0,
) -> int:
    """Run job folders one after the other; return the exit code of the first that was not done.

    `patience_seconds` is how long to wait for a folder that another process holds.
    """
    process = _Process(supervised)
    process.patience_seconds = patience_seconds
    if for_openjd:
        process.events = OpenJDLines(process.streams.events)
    process.to_come = len(folders)
    code = process.run(folders, run_system, for_a_person)
    return code or (LEFT if process.to_come else 0)


def run_queue(
    folder: Path, run_system: Callable[[Job], None], supervised: bool, idle_seconds: float, worker: int = 0
) -> int:
    """Run the jobs that wait in a folder until none is left; return the exit code of the first that was not done.

    Workers of other numbers may do so at the same time.
    """
    from backend.runtime import queue

    process = _Process(supervised, folder / protocol.STAY_FILE, folder / protocol.OWNER_FILE)
    try:
        if not folder.is_dir():
            raise BadInput(f"There is no folder {folder}.", "Give the folder of a queue's job folders.")
        if not 0 <= worker < protocol.MOST_WORKERS:
            raise BadInput(f"There is no worker {worker}.", f"Give a number from 0 to {protocol.MOST_WORKERS - 1}.")
        with folder_lock(folder, name=protocol.worker_lock(worker)):
            turns = queue.Turns(folder, worker)
            queue.read_commands(folder, process.handle_command, process.look_for_owner)
            code = process.run(queue.jobs_in_turn(turns, process.control, idle_seconds, process.say), run_system)
            if not (process.begun or supervised or process.control.interrupted):
                process.tell(f"No job waits in the queue of {folder}. A job is run by its name: run JOB")
            return code or (LEFT if process.control.interrupted else 0)
    except (BackendError, OSError, protocol.LinkInside) as error:
        known = BadInput(str(error), protocol.LINK_HINT) if isinstance(error, protocol.LinkInside) else explain(error)
        process.say(protocol.Idle(seconds=0.0))  # no job was begun, and none will be
        process.tell(f"error: {known.message} {known.hint}".rstrip())
        return known.exit_code


class _Process:
    """What the runs of one process share: its streams, its commands, and the end of whoever started it."""

    def __init__(self, supervised: bool, stay_file: Path | None = None, owner_file: Path | None = None) -> None:
        self.streams = reserve_streams()
        self.events: Sink = self.streams.events
        self.patience_seconds = 1.0
        self.control = Control(stay_file=stay_file, owner_file=owner_file)
        self.begun = 0  # jobs
        self.to_come = 0  # of those that were named
        self._current: _JobRun | None = None
        self._wanted = time.monotonic()  # when the process was last seen to be wanted without its parent
        install_signal_handlers(self.control)
        if supervised:
            start_watchdog(self.streams.commands, WATCHDOG_SECONDS, stay_file, owner_file)
            read_commands(self.streams.commands, self.handle_command, self._leave_orphan)
        leave_native_code(self.control, self._leave_now)  # behind the watchdog, which is forked

    def run(self, folders: Iterable[Path], run_system: Callable[[Job], None], for_a_person: bool = False) -> int:
        """Run job folders as they come; return the exit code of the first that was not done."""
        code = 0
        for folder in folders:
            console = Console(self.streams.console) if for_a_person else None
            run = _JobRun(folder.resolve(), self.control, None if for_a_person else self.events, console)
            run.patience_seconds = self.patience_seconds
            self._current = run
            self.begun, self.to_come = self.begun + 1, max(self.to_come - 1, 0)
            with console.sign_of_life() if console else contextlib.nullcontext():
                last = run.run(run_system)
            code = code or _exit_code(last)
            if for_a_person and isinstance(last, protocol.Finished):
                paths = "".join(f"{folder / path}\n" for path in last.results)
                # A program wants the very names.
                shown = protocol.plain_text(paths) if self.streams.events.isatty() else paths
                self.streams.events.write(shown.encode())
                self.streams.events.flush()
            if self.control.interrupted:
                self._tell_of_the_others()
                break
        return code

    def tell(self, sentence: str) -> None:
        """Write a sentence for a person."""
        with contextlib.suppress(OSError):  # nobody reads any more
            print(protocol.plain_text(sentence), file=self.streams.console, flush=True)

    def _tell_of_the_others(self) -> None:
        if self.to_come:
            others = "1 other job was" if self.to_come == 1 else f"{self.to_come} other jobs were"
            self.tell(f"interrupted: {others} not run; the same command goes on")

    def say(self, event: protocol.Event) -> None:
        """Send an event that belongs to no job."""
        Outbox(None, self.streams.events, self.control).send(protocol.encode(event))

    def handle_command(self, line: bytes) -> None:
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
        self._leave_now()

    def _leave_now(self) -> None:
        """Say the last message and end the process, whatever its main thread does."""
        self.control.may_leave_at_once = False
        try:
            if self._current is not None:
                self._current.leave()
            self._tell_of_the_others()
        finally:
            os._exit(LEFT)


class _JobRun:
    """One job folder on its way from Hello to its last message."""

    def __init__(self, folder: Path, control: Control, stream: Sink | None, console: Console | None) -> None:
        self.folder = folder
        self.patience_seconds = 1.0
        self._control = control
        self._stream = stream
        self._console = console
        self._outbox: Outbox | None = None
        self._started = time.monotonic()
        self._job: Job | None = None  # once there is one
        self._less: list[str] = []  # what was said when memory ran out
        self._identity: tuple[int, int] | None = None  # of the folder, once it runs

    def run(self, run_system: Callable[[Job], None]) -> protocol.Last:
        """Run the job and return its last message, which was sent."""
        self._control.begin(self.folder.name)
        try:
            if protocol.file_size(self.folder, protocol.REQUEST_FILE) is None:
                raise BadInput(
                    f"{self.folder} is not a job folder: it has no {protocol.REQUEST_FILE}.", "Check the path."
                )
            lock = folder_lock(self.folder, self.patience_seconds, is_over=lambda: bool(self._control.interrupted))
            with lock, output_to(self.folder / protocol.LOG_FILE):
                logging.basicConfig(level=logging.INFO, format=LOG_FORMAT, force=True)
                return self._with_events(self.folder / protocol.EVENTS_FILE, lambda: self._execute(run_system))
        except (BackendError, OSError, protocol.LinkInside) as error:  # the folder is not ours to write in
            last = self._interrupted() if self._control.interrupted else self._failed(error)
            return self._with_events(None, lambda: last)

    def leave(self) -> None:
        """Say the last message of a job that its process is about to leave, from any thread."""
        self.emit(self._if_there(self._interrupted()))

    def _with_events(self, events: Path | None, execute: Callable[[], protocol.Last]) -> protocol.Last:
        self._outbox = Outbox(events, self._stream, self._control)
        self.emit(protocol.Hello(job=self.folder.name, backend=maquette_version(), pid=os.getpid()))
        last = execute()
        self._control.end()  # a command that answers the last message is about the next job
        self.emit(last)
        return last

    def _execute(self, run_system: Callable[[Job], None]) -> protocol.Last:
        self._identity = identity(self.folder)
        try:
            last = self._attempt(run_system)
        except KeyboardInterrupt:
            last = self._interrupted()
        except JobCancelled:
            last = protocol.Cancelled(seconds=self.seconds)
        return self._if_there(last)

    def _interrupted(self) -> protocol.Interrupted:
        return protocol.Interrupted(reason=self._control.interrupted or "interrupted", seconds=self.seconds)

    def _if_there(self, last: protocol.Last) -> protocol.Last:
        """Return a last message, or another one where the folder that the job began in is not there any more."""
        if self._identity is None or identity(self.folder) == self._identity:
            return last
        if self._outbox is not None:
            self._outbox.close_file()  # what lies there now is another's
        self.emit(protocol.Warning(message="The job's folder was removed while it ran: the job is given up."))
        return protocol.Cancelled(seconds=self.seconds)

    def _attempt(self, run_system: Callable[[Job], None]) -> protocol.Last:
        """Run the job; from here on a signal may leave at once, unless steps say otherwise."""
        try:
            self._control.may_leave_at_once = True
            self._control.leave_if_told()
            request = protocol.read_request(self.folder)
            from backend.rendering.compiled import telling_of_compilation
            from backend.runtime.job import Job
            from backend.runtime.machine import is_busy, prepare_torch

            threads = cores.threads_of(self.folder, request.threads)
            prepare_torch(threads)
            thrift.begin_anew()
            self._job = job = Job(self.folder, request, self.emit, self._control)
            if not request.threads and threads < available_threads():
                job.warn(*cores.fewer(threads))
            if is_busy() and threads > 1:
                told = "Other programs keep the processor busy: a job with several threads may take ten times as long."
                hint = "Start it with one thread (on the command line --threads 1); it goes on from where it is."
                job.warn(protocol.Phrase(told), protocol.Phrase(hint))
            with telling_of_compilation(lambda done, most: self.emit(protocol.Compiling(done=done, most=most))):
                while not self._has_room(run_system, job):
                    self._job = job = Job(self.folder, request, self.emit, self._control)
                    job.warnings += self._less  # the results say what was changed
            job.check_stop_after()
            return self._finished("")
        except JobStopped as stop:
            return self._finished(str(stop))
        except JobInterrupted as interruption:
            return protocol.Interrupted(reason=str(interruption), seconds=self.seconds)
        except Exception as error:  # noqa: BLE001 - the one place where whatever goes wrong becomes the last message
            _log.exception("The job %s failed.", self.folder.name)
            return self._failed(error)
        finally:
            self._control.may_leave_at_once = False

    def _has_room(self, run_system: Callable[[Job], None], job: Job) -> bool:
        """Run the job to its end; where memory runs out, step down and return False, unless there is no lower step."""
        try:
            run_system(job)
            return True
        except Exception as error:
            if not isinstance(explain(error), OutOfMemory):
                raise
            _log.warning("Memory ran out.", exc_info=True)
            traceback.clear_frames(error.__traceback__)  # what the step held
            reason = explain(error).message
        if not thrift.step_down():
            told = "Memory ran out, with {words}: {reason}"
            said = protocol.Phrase(told, words=thrift.level().words, reason=reason)
            raise OutOfMemory(said, smaller(job.request))
        told = "Memory ran out: the job goes on from its checkpoint, with {words}, which is slower."
        sentence = protocol.Phrase(told, words=thrift.level().words)
        hint = protocol.Phrase("Close other programs that use the GPU, or choose a lower preset.")
        job.warn(sentence, hint)
        self._less.append(sentence)
        return False

    @property
    def seconds(self) -> float:
        """Return how long this run has taken."""
        return round(time.monotonic() - self._started, 3)

    def emit(self, event: protocol.Event) -> None:
        """Send an event to everybody who wants to know."""
        with self._control.undisturbed():
            if self._outbox is not None:
                self._outbox.send(protocol.encode(event), last=isinstance(event, protocol.LAST))
            if self._console is not None:
                show(event, self._console, self.folder)

    def _failed(self, error: Exception) -> protocol.Failed:
        known = error if isinstance(error, BackendError) else explain(error)
        if isinstance(error, protocol.ProtocolError):
            known = BadInput(str(error), protocol.LINK_HINT if isinstance(error, protocol.LinkInside) else REQUEST_HINT)
        return protocol.Failed(
            kind=type(known).__name__, message=known.message, hint=known.hint, exit_code=known.exit_code
        )

    def _finished(self, stopped_after: str) -> protocol.Finished:
        paths = protocol.files_inside(self.folder, protocol.RESULT_FOLDER)
        before = self._job.seconds_before if self._job is not None else 0.0
        seconds = round(before + self.seconds, 3)  # of all runs
        return protocol.Finished(results=tuple(sorted(paths)), seconds=seconds, stopped_after=stopped_after)


def smaller(request: protocol.Request) -> protocol.Phrase:
    """Return what to do about a job that takes more memory than there is: the next smaller preset, by its name."""
    presets = list(protocol.PRESETS)  # the smallest first
    place = presets.index(request.preset)
    if not place:
        return protocol.Phrase("Use a smaller base, or close other programs that use the memory.")
    told = "Use the preset {preset}, or close other programs that use the memory."
    return protocol.Phrase(told, preset=presets[place - 1])


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
