"""Jobs that wait and the one that runs, one after the other in one warm backend process. No bpy.

    queue = Queue(folder of job folders, [python], root=ROOT)
    queue.add(job)
    for job, event in queue.poll(): ...        # in Blender: from a timer

The order lies in the folder (`protocol.QUEUE_FILE`), not here: it outlives Blender, and the process reads it before
each job. A process that another Blender has left behind, or still holds, is not disturbed: its jobs are followed
through their events, and it is told of wishes through a file. One that was left behind is tied to this Blender: it ends
when this one does, unless the queue is detached.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .. import protocol
from ..paths import ROOT
from . import store
from .client import Client, ClientError, ForeignDied, Patience, Starting
from .workers import Workers

LOOK_SECONDS = 0.5  # between two looks at files that another process may have changed
MAX_CRASHES = 3  # in a row; then the queue is held
IDLE_SECONDS = 300.0  # that the process stays warm, with its memory

_log = logging.getLogger(__name__)

Told = list[tuple[Path, protocol.Event]]


class Queue:
    """The queue of one folder. All but `close` return at once; all that has to do with the process happens in `poll`.

    `running` is the job that runs, `waiting` those to come in order. With `further` workers, each with variables of its
    own, `all_running` are theirs as well. While `is_held` no process is started: as it is made with jobs that wait from
    before, after MAX_CRASHES crashes in a row, and when told; `problem` says why.
    `is_foreign` tells that a process of another Blender, or one that was detached, runs the jobs.
    """

    def __init__(
        self,
        folder: Path,
        command: Sequence[str],
        *,
        root: Path = ROOT,
        module: str = "backend",
        patience: Patience | None = None,
        idle_seconds: float = IDLE_SECONDS,
        variables: Mapping[str, str] | None = None,
        further: Sequence[Mapping[str, str]] = (),
    ) -> None:
        folder.mkdir(protocol.PRIVATE, parents=True, exist_ok=True)
        self.folder = folder
        self.command = tuple(command)
        self.variables = [dict(each) for each in (variables or {}, *further)]  # of each worker's environment
        self.running: Path | None = None
        self.waiting: list[Path] = []
        self.problem: protocol.Failed | None = None
        self.is_foreign = protocol.is_running(self.folder)
        self._root, self._module, self._patience, self._idle_seconds = root, module, patience, idle_seconds
        self._client: Client | None = None
        self._starting: Starting | None = None
        self._workers = Workers(self.folder, len(further), self._start_worker)
        self._events: Told = []  # that were not told yet
        self._crashes = 0
        self._unwanted: set[str] = set()  # names of jobs that were removed, perhaps a moment too late
        self._offset = 0  # in the events of the job that a foreign process runs
        self._begun: set[str] = set()  # tickets of turns that were told of, or are over
        self._looked = -math.inf
        self._tie = protocol.Tie(folder)
        if self.is_foreign:
            self._begin_to_follow()
        else:
            self.attach()
            self._take_back()
            self._begun = {turn.ticket for turn in self._taken()}
        self._read_turns()
        self.is_held = (self.folder / protocol.HOLD_FILE).exists() if self.is_foreign else bool(self.waiting)

    # ---- the order ---------------------------------------------------------------------------------------------------

    def add(self, job: Path) -> None:
        """Put a job at the end, unless it waits or runs already.

        Raises ValueError for a folder that is no job of this queue's folder, and OSError where that cannot be written.
        """
        turn = self._turn(job)
        if job not in (*self.waiting, *self.all_running):
            self._change(lambda turns: [*turns, turn])
        self.resume()

    def remove(self, job: Path) -> None:
        """Take a job out of the ones that wait; its folder stays."""
        if job.name in (other.name for other in self.waiting):
            self._unwanted.add(job.name)
        self._change(lambda turns: [turn for turn in turns if turn.job != job.name])

    def move(self, job: Path, places: int) -> None:
        """Let a job that waits come sooner (places < 0) or later."""

        def moved(turns: list[protocol.Turn]) -> list[protocol.Turn]:
            found = next((n for n, turn in enumerate(turns) if turn.job == job.name), None)
            if found is not None:
                turns.insert(min(max(found + places, 0), len(turns) - 1), turns.pop(found))
            return turns

        self._change(moved)

    def retry(self, job: Path) -> None:
        """Let a job that has ended run again, next; it goes on from its last checkpoint. Raises as `add` does."""
        turn = self._turn(job)
        self._change(lambda turns: [turn, *(other for other in turns if other.job != job.name)])
        self.resume()

    def hold(self) -> None:
        """Begin no further job; the running one goes on. A process that stays warm is left to end by itself."""
        self.is_held = True
        protocol.open_file(self.folder, protocol.HOLD_FILE, "ab").close()

    def resume(self) -> None:
        """Go on after `hold`, or after crashes."""
        self.is_held, self.problem, self._crashes = False, None, 0
        self._workers.mend()
        protocol.remove_inside(self.folder, protocol.HOLD_FILE)

    # ---- the running jobs --------------------------------------------------------------------------------------------

    @property
    def all_running(self) -> list[Path]:
        """Return the jobs that run, that of the first worker before those of the others."""
        return [*filter(None, [self.running]), *(self.folder / name for name in self._workers.running)]

    def cancel(self, job: Path) -> None:
        """Give a job up: at its next step if it runs, and it does not begin if it waits."""
        self.remove(job)
        if job in self.all_running:
            self._tell(protocol.Cancel(job=job.name))

    def finish(self, job: Path) -> None:
        """Let the running job end its steps and export what there is."""
        if job in self.all_running:
            self._tell(protocol.Finish(job=job.name))

    def detach(self) -> None:
        """Let the process go on when this program ends, however that happens, until no job waits."""
        protocol.open_file(self.folder, protocol.STAY_FILE, "ab").close()

    def attach(self) -> None:
        """Take `detach` back: the process ends with this program."""
        protocol.remove_inside(self.folder, protocol.STAY_FILE)

    @property
    def is_detached(self) -> bool:
        """Say whether the process would go on without this program."""
        return (self.folder / protocol.STAY_FILE).exists()

    # ---- what happens ------------------------------------------------------------------------------------------------

    def poll(self) -> Told:
        """Return the jobs' events since the last call. Never waits for the process, never raises.

        A process that fails shows as the Failed of its job, or of the next one if it did not come to one.
        """
        try:
            self._step()
        except (OSError, protocol.ProtocolError) as error:
            self._stop(type(error).__name__, f"The queue in {self.folder} cannot go on: {error}", "Look at its files.")
        told, self._events = self._events, []
        return told

    def _step(self) -> None:
        if self._starting is not None:
            self._receive(self._starting)
        if self._client is not None:
            self._listen(self._client)
        for name, event in self._workers.poll():
            self._note(self.folder / name, event)
        if time.monotonic() - self._looked >= LOOK_SECONDS:
            self._looked = time.monotonic()
            if self.is_foreign:
                self._follow()
            self._read_turns()
        if self.waiting and not self.is_held and self._client is not None and self.running is not None:
            self._workers.begin(len(self.waiting))
        is_alone = self._client is None and self._starting is None and not self.is_foreign
        if self.waiting and not self.is_held and is_alone:
            self.is_foreign = protocol.is_running(self.folder)  # another Blender was quicker
            if self.is_foreign:
                self._begin_to_follow()
            else:
                self._start()

    def close(self, seconds: float = 2.0) -> None:
        """End the process, or let it go on if `detach` was called. Safe to call twice.

        One that another Blender had started, and that is tied to this one, leaves by itself within seconds.
        """
        self._tie.cut()
        if self._starting is not None:
            with contextlib.suppress(ClientError):  # then there is none
                self._client = self._starting.wait()
            self._starting = None
        self._workers.close(seconds, goes_on=self.is_detached)
        client, self._client = self._client, None
        if client is None:
            return
        if self.is_detached and (self.running or self.waiting):
            client.leave_alone()
        else:
            client.close(seconds)
        self.is_held = bool(self.waiting)

    def _start(self) -> None:
        taken = {turn.ticket for turn in self._taken()}
        is_none_taken = not any(turn.ticket in taken for turn in self._read_turns())
        if not (is_none_taken or self._workers.running):  # by a process that ended before it said Hello
            self._change(lambda turns: [protocol.new_turn(turn.job) for turn in turns])
        self._starting = Starting(functools.partial(self._start_worker, 0))

    def _start_worker(self, number: int) -> Client:
        """Start a process for the queue, the first of which has the number 0. Raises ClientError."""
        return Client.start_queue(
            self.command,
            self.folder,
            idle_seconds=self._idle_seconds,
            module=self._module,
            root=self._root,
            patience=self._patience,
            variables=self.variables[number],
            worker=number,
        )

    def _receive(self, starting: Starting) -> None:
        """Take the process over when it has been started."""
        try:
            self._client = starting.client()
            if self._client is not None:
                self._starting = None
        except ClientError as error:
            self._starting = None
            self._stop(type(error).__name__, error.message, error.hint)

    def _listen(self, client: Client) -> None:
        """Take the events of our own process; when it is gone, see to its job."""
        try:
            for event in client.poll():
                self._take(event)
        except ClientError as error:
            self._crashed(error)
        if client.is_done:
            client.close(0.0)
            self._client = None

    def _take(self, event: protocol.Event) -> None:
        if isinstance(event, protocol.Hello):
            self.running = self.folder / event.job
        if self.running is not None and not isinstance(event, protocol.Idle):
            job = self.running
            if isinstance(event, protocol.LAST):
                self.running, self._crashes = None, 0
            self._note(job, event)

    def _note(self, job: Path, event: protocol.Event) -> None:
        """Take an event of a job that one of our processes runs."""
        if isinstance(event, protocol.Hello):
            self._begun |= {turn.ticket for turn in self._taken() if turn.job == job.name}
            self._read_turns()
            if job.name in self._unwanted:
                self._unwanted.discard(job.name)
                self._tell(protocol.Cancel(job=job.name))
        self._events.append((job, event))
        if isinstance(event, protocol.LAST):
            if isinstance(event, protocol.Cancelled):
                store.close_run(job, event)  # of a process that was ended because it did not obey
            if not isinstance(event, protocol.Interrupted):
                self._tidy()

    def _crashed(self, error: ClientError) -> None:
        """Let the running job have failed with its process, and the others go on in a new one, but not endlessly."""
        failed = protocol.Failed(kind=type(error).__name__, message=error.message, hint=error.hint)
        self._crashes += 1
        if self.running is not None:
            job, self.running = self.running, None
            self._events.append((job, failed))
            self._client = None
            store.close_run(job, failed)
            self._tidy()
            if self._crashes >= MAX_CRASHES:
                self.is_held, self.problem = True, failed
        elif not protocol.is_running(self.folder):  # else another process was quicker
            self._stop(failed.kind, failed.message, failed.hint)

    def _stop(self, kind: str, message: str, hint: str) -> None:
        """Hold the queue because no process could be started; the job whose turn it was is told, and waits."""
        if self.is_held:
            return
        self.is_held, self.problem = True, protocol.Failed(kind=kind, message=message, hint=hint, exit_code=3)
        if self.waiting:
            self._events.append((self.waiting[0], self.problem))

    # ---- a process of somebody else ----------------------------------------------------------------------------------

    def _begin_to_follow(self) -> None:
        self._tie.take()
        self._begun |= {turn.ticket for turn in self._taken()[:-1]}

    def _follow(self) -> None:
        """Read on what the jobs of a process say that is not our child."""
        self._tie.take()  # if the Blender that had it is gone
        is_there = protocol.is_running(self.folder)  # asked before reading, so that the last look sees everything
        if self.running is not None:
            events, self._offset = store.read_events(self.running, self._offset)
            self._tell_of(self.running, events)
        for turn in self._taken():
            job = self.folder / turn.job
            if turn.ticket in self._begun or self.running is not None or not protocol.has_begun(job, turn):
                continue
            self._begun.add(turn.ticket)
            self.running = job
            events, self._offset = store.latest_run(job)
            self._tell_of(job, events)
        if not is_there:
            self.is_foreign = False
            self._tie.cut()
            if self.running is not None:
                self._crashed(ForeignDied())

    def _tell_of(self, job: Path, events: list[protocol.Event]) -> None:
        self._events += [(job, event) for event in events]
        if events and isinstance(events[-1], protocol.LAST):
            self.running = None

    def _tell(self, command: protocol.Cancel | protocol.Finish) -> None:
        """Send a command to the process, by its pipe if it is ours."""
        client = self._workers.client_of(command.job) or self._client
        if client is None:
            with protocol.open_file(self.folder, protocol.COMMANDS_FILE, "ab") as file:
                file.write(protocol.encode(command).encode())
        elif isinstance(command, protocol.Cancel):
            client.cancel(command.job)
        else:
            client.finish(command.job)

    # ---- the files ---------------------------------------------------------------------------------------------------

    def _turn(self, job: Path) -> protocol.Turn:
        """Return a new turn for a job of this folder."""
        if job.is_symlink() or job.parent.resolve() != self.folder.resolve():
            raise ValueError(f"{job} does not lie in {self.folder}: a queue runs the jobs of one folder.")
        if not protocol.is_inside(job, protocol.REQUEST_FILE):
            raise ValueError(f"{job} is not a job folder: it has no {protocol.REQUEST_FILE}.")
        self._unwanted.discard(job.name)
        return protocol.new_turn(job.name)

    def _taken(self) -> list[protocol.Turn]:
        return protocol.read_turns(self.folder / protocol.TAKEN_FILE)

    def _read_turns(self) -> list[protocol.Turn]:
        """Read which jobs wait: all that have not begun as far as was told, so that none is neither here nor there."""
        turns = protocol.read_turns(self.folder / protocol.QUEUE_FILE)
        waiting = [turn for turn in turns if turn.ticket not in self._begun]
        self.waiting = [self.folder / turn.job for turn in waiting]
        return waiting

    def _change(self, change: Callable[[list[protocol.Turn]], list[protocol.Turn]]) -> None:
        """Replace the turns that wait. That of the running job stays in the file, as a sign that it was not done."""
        kept = [
            turn
            for turn in protocol.read_turns(self.folder / protocol.QUEUE_FILE)
            if self.folder / turn.job in self.all_running
        ]
        waiting = self._read_turns()
        turns = change(waiting)
        protocol.write_turns(self.folder / protocol.QUEUE_FILE, [turn for turn in kept if turn not in turns] + turns)
        self._read_turns()

    def _tidy(self) -> None:
        """Drop the turns of jobs that are over. They do no harm where the disk is full."""
        try:
            self._change(lambda turns: turns)
        except OSError as error:
            _log.warning("The order of the queue in %s could not be written: %s", self.folder, error)

    def _take_back(self) -> None:
        """Let jobs wait again whose process ended with the Blender that had them run."""
        taken = {turn.ticket: turn for turn in self._taken()}
        turns = protocol.read_turns(self.folder / protocol.QUEUE_FILE)
        begun = [t for t in turns if t.ticket in taken and store.came_to_no_end(self.folder / t.job, taken[t.ticket])]
        if begun:
            fresh = [protocol.new_turn(turn.job) for turn in begun]
            others = [turn for turn in turns if turn.ticket not in taken]
            protocol.write_turns(self.folder / protocol.QUEUE_FILE, fresh + others)
