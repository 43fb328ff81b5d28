"""Run the backend as a child process: start it, read its events without ever blocking, cancel it, leave nothing behind.

    client = Client.start(python, [folder])        # or Client.start_queue([python], folder of job folders)
    while not client.is_done:                      # in Blender: from a timer
        for event in client.poll(): ...

Whatever the child does, it comes to an end: with the backend's last message of each job, or with a ClientError which
`poll` raises after the messages before it, when no process is left any more. A queue has no fixed number of jobs: it
ends when the backend has said Idle and then leaves.
"""

from __future__ import annotations

import contextlib
import errno
import math
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import processes, protocol
from ..paths import ROOT
from ..protocol import Phrase

LOG_TAIL = 2_000  # characters of log.txt in an error
POLL_EVENTS = 60  # at most, in one poll: 10 microseconds each, on the main thread of Blender
REINSTALL = Phrase("Install the backend again in the preferences of Maquette.")
FREE_SPACE = Phrase("Free some disk space, then start again.")
RUN_AGAIN = Phrase("Run the job again; it goes on from its last checkpoint.")


class ClientError(Exception):
    """Say what is wrong with the backend's process and in `hint` what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class NotStarted(ClientError):
    """The process could not be started."""


class WrongVersion(ClientError):
    """The backend speaks another version of the protocol."""


class Garbled(ClientError):
    """The backend sent something that is not an event."""


class Silent(ClientError):
    """The backend said nothing for too long."""


class Died(ClientError):
    """The process ended without a last message."""


class ForeignDied(ClientError):
    """The process that another Blender had started is gone."""

    def __init__(self) -> None:
        super().__init__(
            Phrase("The process that ran the queue is gone, without a last message."),
            RUN_AGAIN,
        )


@dataclass(frozen=True)
class Patience:
    """How long the client waits, in seconds, before it takes the process for stuck and ends it."""

    hello: float = 60.0  # from the start to the first Hello; the backend says it before it imports anything heavy
    event: float = 1800.0  # from one event to the next; some meshes take minutes to unwrap
    leave: float = 15.0  # from the last message, or from a Cancel, to the end of the process


class Client:
    """One backend process and the events it sends. `poll`, `cancel` and `finish` return at once."""

    def __init__(self, process: processes.Child, jobs: float, log: Path, patience: Patience) -> None:
        self.is_done = False
        self.is_idle = False  # it has said that no job waits
        self._process = process
        self._jobs_left = jobs
        self._is_queue = jobs == math.inf
        self._folder = log.parent
        self._log = log
        self._patience = patience
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()  # None: the end of the stream
        self._job = ""  # the name of the running one
        self._is_open = False  # between a Hello and its last message
        self._has_stream_ended = False
        self._heard = time.monotonic()
        self._silence = patience.hello
        self._leaving: float | None = None  # since when the process should be on its way out
        self._is_cancelled = False
        self._error: ClientError | None = None
        threading.Thread(target=self._read, name="backend events", daemon=True).start()

    @classmethod
    def start(
        cls,
        python: Path,
        folders: Sequence[Path],
        *,
        module: str = "backend",
        root: Path = ROOT,
        patience: Patience | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> Client:
        """Start `python -m backend run FOLDER... --supervised`, with these environment variables. Raises NotStarted."""
        command = [str(python), "-m", module, "run", *(str(folder.resolve()) for folder in folders), "--supervised"]
        log = folders[0] / protocol.LOG_FILE
        return cls(_start(command, root, log, variables), len(folders), log, patience or Patience())

    @classmethod
    def start_queue(
        cls,
        command: Sequence[str],
        folder: Path,
        *,
        idle_seconds: float = 300.0,
        module: str = "backend",
        root: Path = ROOT,
        patience: Patience | None = None,
        variables: Mapping[str, str] | None = None,
        worker: int = 0,
    ) -> Client:
        """Start `COMMAND -m backend queue FOLDER --supervised`, COMMAND being a Python. Raises NotStarted."""
        options = ["--supervised", "--idle-seconds", str(idle_seconds)]
        options += ["--worker", str(worker)] if worker else []
        log = folder / protocol.LOG_FILE
        process = _start([*command, "-m", module, "queue", str(folder.resolve()), *options], root, log, variables)
        return cls(process, math.inf, log, patience or Patience())

    def poll(self) -> list[protocol.Event]:
        """Return the events since the last call, waiting for none. Raises ClientError, once, when none is left."""
        events: list[protocol.Event] = []
        if not self.is_done and self._error is None:
            try:
                while len(events) < POLL_EVENTS and (line := self._next()) is not None:
                    events.append(self._understand(line))
                events += self._check_end()
            except ClientError as error:
                self._kill()
                self._error = error
        if self._error is not None and not events:
            error, self._error = self._error, None
            self.is_done = True
            raise error
        return events

    def wait(self, seconds: float) -> list[protocol.Event]:
        """Return all events until the end, for scripts. Raises ClientError, and TimeoutError when it takes longer."""
        end = time.monotonic() + seconds
        events: list[protocol.Event] = []
        while not self.is_done:
            events += self.poll()
            if time.monotonic() > end:
                raise TimeoutError(f"the backend is not done after {seconds} seconds")
            time.sleep(0.01)
        return events

    def cancel(self, job: str = "") -> None:
        """Ask the backend to give up the running job, or the one with this folder name, at its next step.

        If it was the only one left, or runs in a queue, and does not end within the patience, the process is ended.
        """
        self._send(protocol.Cancel(job=job))
        if self._jobs_left == 1 or (self._is_queue and self._is_open and job in ("", self._job)):
            self._is_cancelled = True
            self._leaving = self._leaving or time.monotonic()

    def finish(self, job: str = "") -> None:
        """Ask the backend to stop optimising at its next step and to export what there is."""
        self._send(protocol.Finish(job=job))

    def leave_alone(self) -> None:
        """Let the process go on by itself: close its pipe and forget it. Safe after `close`, which wins."""
        if not self.is_done:
            self.is_done = True
            processes.let_live(self._process)
            processes.close_stdin(self._process)

    def let_go(self) -> None:
        """Ask the process to end, and wait for nothing; `close` comes after it."""
        processes.close_stdin(self._process)

    def close(self, seconds: float = 2.0) -> None:
        """End the process and its children: let it write a checkpoint for so long, then kill it. Safe to call twice."""
        self.is_done = True
        processes.close_stdin(self._process)
        with contextlib.suppress(subprocess.TimeoutExpired):  # then the hard way
            self._process.wait(seconds)
        self._kill()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- reading -----------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        """Put the child's lines into the queue; in a thread, since pipes cannot be polled on every system."""
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            while line := stream.readline(protocol.LINE_BYTES + 1):
                if not self.is_done:  # else nobody takes them out any more
                    self._lines.put(line)
                if len(line) > protocol.LINE_BYTES:
                    break
        self._lines.put(None)

    def _next(self) -> bytes | None:
        """Return a line that has come, None if there is none now."""
        try:
            line = self._lines.get_nowait()
        except queue.Empty:
            return None
        self._has_stream_ended |= line is None
        return line

    def _understand(self, line: bytes) -> protocol.Event:
        """Return the event of a line, and note what it says about the course of the jobs."""
        try:
            event = protocol.decode(line)
        except protocol.VersionError as error:
            raise WrongVersion(f"The backend does not fit this add-on: {error}", REINSTALL) from error
        except protocol.ProtocolError as error:
            raise Garbled(f"The backend sent something unexpected. {error}", REINSTALL) from error
        is_in_turn = isinstance(event, protocol.Hello) != self._is_open and self._jobs_left > 0
        if isinstance(event, protocol.Idle):
            is_in_turn = self._is_queue and not self._is_open
        if not isinstance(event, protocol.Event) or not is_in_turn:
            raise Garbled(f"The backend sent {type(event).__name__} out of turn.", REINSTALL)
        self.is_idle = isinstance(event, protocol.Idle)
        self._is_open = not isinstance(event, (*protocol.LAST, protocol.Idle))
        self._heard, self._silence = time.monotonic(), self._patience.event
        if isinstance(event, protocol.Hello):
            self._job = event.job
            if self._is_queue:
                self._log = self._folder / event.job / protocol.LOG_FILE
        if isinstance(event, protocol.Idle):
            self._silence = max(event.seconds, 0.0) + self._patience.leave
        if isinstance(event, protocol.LAST):
            if self._is_queue and not isinstance(event, protocol.Interrupted):
                self._leaving, self._is_cancelled = None, False  # it has obeyed, and goes on
            # Interrupted ends the whole run: jobs behind it in the queue are not begun.
            self._jobs_left = 0 if isinstance(event, protocol.Interrupted) else self._jobs_left - 1
            self._silence = self._patience.hello
            if self._jobs_left == 0:
                self._leaving = time.monotonic()
        return event

    # ---- ending ------------------------------------------------------------------------------------------------------

    def _check_end(self) -> list[protocol.Event]:
        """See whether the process has ended, or must be. Returns the last message that it owes after a Cancel."""
        now = time.monotonic()
        code = self._process.poll()
        if code is not None or self._has_stream_ended:
            self._leaving = self._leaving or now
        is_overdue = self._leaving is not None and now - self._leaving > self._patience.leave
        if (code is not None and self._has_stream_ended) or is_overdue:
            self._kill()
            if self._jobs_left > 0 and not self._is_cancelled and not self.is_idle:
                raise self._died(code)
            self.is_done = True
            return [protocol.Cancelled(seconds=0.0)] if self._jobs_left > 0 and not self.is_idle else []
        if self._leaving is None and now - self._heard > self._silence:
            raise Silent(
                f"The backend has said nothing for {self._silence:.0f} seconds.{self._log_tail()}",
                RUN_AGAIN,
            )
        return []

    def _died(self, code: int | None) -> Died:
        hint = RUN_AGAIN
        if code is None:
            how = "closed its output"
        elif code >= 0:
            how = f"ended with exit code {code}"
        else:
            how = f"was ended by {_signal_name(-code)}"
            if how.endswith("SIGKILL"):
                memory = "Memory may have run out: use the preset draft, or close other programs. {more}"
                hint = Phrase(memory, more=hint)
        return Died(f"The backend {how} without a last message.{self._log_tail()}", hint)

    def _log_tail(self) -> str:
        if not protocol.is_inside(self._log.parent, self._log.name):
            return ""
        with protocol.open_file(self._log.parent, self._log.name, "rb") as file:
            file.seek(max(file.seek(0, 2) - LOG_TAIL, 0))
            text = file.read(LOG_TAIL).decode("utf-8", "replace").strip()
        return f" The end of {self._log.name}:\n{text}" if text else f" {self._log.name} is empty."

    def _send(self, command: protocol.Command) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):  # it is gone already, which poll will notice
            self._process.stdin.write(protocol.encode(command).encode())
            self._process.stdin.flush()

    def _kill(self) -> None:
        """End the process and what it started, and wait until it is gone."""
        processes.end_tree(self._process)


class Starting:
    """A client that is being started in a thread: that takes longer than Blender may wait between two redraws."""

    def __init__(self, start: Callable[[], Client]) -> None:
        self._start = start
        self._client: Client | None = None
        self._error: ClientError | None = None
        self._thread = threading.Thread(target=self._run, name="backend start", daemon=True)
        self._thread.start()

    def client(self) -> Client | None:
        """Return the client, None while it is not there yet. Raises as its start does."""
        if self._thread.is_alive():
            return None
        if self._error is not None:
            raise self._error
        assert self._client is not None, "it is one or the other"
        return self._client

    def wait(self) -> Client:
        """Wait for the client. Raises as its start does."""
        self._thread.join()
        client = self.client()
        assert client is not None, "the thread is over"
        return client

    def _run(self) -> None:
        try:
            self._client = self._start()
        except ClientError as error:
            self._error = error


def _signal_name(number: int) -> str:
    """Return what a signal is called; most of those for programs' own use have no name."""
    return signal.Signals(number).name if number in set(signal.Signals) else f"the signal {number}"


def _start(command: Sequence[str], root: Path, log: Path, variables: Mapping[str, str] | None) -> processes.Child:
    try:
        with protocol.open_file(log.parent, log.name, "ab") as log_file:
            return processes.start(command, cwd=root, stdout=subprocess.PIPE, stderr=log_file, variables=variables)
    except OSError as error:
        hint = FREE_SPACE if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else REINSTALL
        raise NotStarted(f"The backend could not be started: {error}.", hint) from error
    except protocol.LinkInside as error:
        raise NotStarted(str(error), protocol.LINK_HINT) from error
