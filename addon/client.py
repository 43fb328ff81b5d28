"""Run the backend as a child process: start it, read its events without ever blocking, cancel it, leave nothing behind.

    client = Client.start(python, [folder])
    while not client.is_done:          # in Blender: from a timer
        for event in client.poll(): ...

Whatever the child does, it comes to an end: with the backend's last message of each job, or with a ClientError which
`poll` raises after the messages before it, when no process is left any more.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import protocol
from .paths import ROOT

LOG_TAIL = 2_000  # characters of log.txt in an error
POLL_EVENTS = 1_000  # at most, in one poll
REINSTALL = "Install the backend again in the preferences of Maquette."
NEEDLESS = ("PYTHONHOME", "PYTHONPATH", "PYTHONSAFEPATH", "PYTHONSTARTUP", "PYTHONINSPECT")  # of Blender's own Python


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


@dataclass(frozen=True)
class Patience:
    """How long the client waits, in seconds, before it takes the process for stuck and ends it."""

    hello: float = 60.0  # from the start to the first Hello; the backend says it before it imports anything heavy
    event: float = 1800.0  # from one event to the next; some meshes take minutes to unwrap
    leave: float = 15.0  # from the last message, or from a Cancel, to the end of the process


class Client:
    """One backend process and the events it sends. `poll`, `cancel` and `finish` return at once."""

    def __init__(self, process: subprocess.Popen[bytes], jobs: int, log: Path, patience: Patience) -> None:
        self.is_done = False
        self._process = process
        self._jobs_left = jobs
        self._log = log
        self._patience = patience
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()  # None: the end of the stream
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
    ) -> Client:
        """Start `python -m backend run FOLDER... --supervised`. Raises NotStarted."""
        environment = {name: value for name, value in os.environ.items() if name not in NEEDLESS}
        environment |= {"PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1", "PYTHONNOUSERSITE": "1"}
        command = [str(python), "-m", module, "run", *(str(folder.resolve()) for folder in folders), "--supervised"]
        log = folders[0] / protocol.LOG_FILE
        try:
            with log.open("ab") as log_file:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log_file,
                    cwd=root,
                    env=environment,
                    # A group of its own: Ctrl+C in Blender's terminal is not for it, and its children end with it.
                    start_new_session=sys.platform != "win32",
                    creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
                )
        except OSError as error:
            raise NotStarted(f"The backend could not be started: {error}.", REINSTALL) from error
        return cls(process, len(folders), log, patience or Patience())

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

        If it was the only one left and the process does not leave within the patience, it is ended.
        """
        self._send(protocol.Cancel(job=job))
        if self._jobs_left == 1:
            self._is_cancelled = True
            self._leaving = self._leaving or time.monotonic()

    def finish(self, job: str = "") -> None:
        """Ask the backend to stop optimising at its next step and to export what there is."""
        self._send(protocol.Finish(job=job))

    def close(self, seconds: float = 2.0) -> None:
        """End the process and its children: let it write a checkpoint for so long, then kill it. Safe to call twice."""
        self.is_done = True
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it is gone already
            self._process.stdin.close()
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
        if isinstance(event, protocol.Cancel | protocol.Finish) or not is_in_turn:
            raise Garbled(f"The backend sent {type(event).__name__} out of turn.", REINSTALL)
        self._is_open = not isinstance(event, protocol.LAST)
        self._heard, self._silence = time.monotonic(), self._patience.event
        if isinstance(event, protocol.LAST):
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
            if self._jobs_left > 0 and not self._is_cancelled:
                raise self._died(code)
            self.is_done = True
            return [protocol.Cancelled(seconds=0.0)] if self._jobs_left > 0 else []
        if self._leaving is None and now - self._heard > self._silence:
            raise Silent(
                f"The backend has said nothing for {self._silence:.0f} seconds.{self._log_tail()}",
                "Run the job again; it goes on from its last checkpoint.",
            )
        return []

    def _died(self, code: int | None) -> Died:
        hint = "Run the job again; it goes on from its last checkpoint."
        if code is None:
            how = "closed its output"
        elif code >= 0:
            how = f"ended with exit code {code}"
        else:
            how = f"was ended by {signal.Signals(-code).name}"
            if how.endswith("SIGKILL"):
                hint = "Memory may have run out: use the preset draft, or close other programs. " + hint
        return Died(f"The backend {how} without a last message.{self._log_tail()}", hint)

    def _log_tail(self) -> str:
        if not self._log.is_file():
            return ""
        text = self._log.read_bytes()[-LOG_TAIL:].decode("utf-8", "replace").strip()
        return f" The end of {self._log.name}:\n{text}" if text else f" {self._log.name} is empty."

    def _send(self, command: protocol.Command) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):  # it is gone already, which poll will notice
            self._process.stdin.write(protocol.encode(command).encode())
            self._process.stdin.flush()

    def _kill(self) -> None:
        """End the process and what it started, and wait until it is gone."""
        if sys.platform == "win32":
            self._process.kill()
        else:
            with contextlib.suppress(ProcessLookupError):  # the whole group is gone already
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
