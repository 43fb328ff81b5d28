"""What sees to the backend's environment while Blender goes on: one `python -m addon` at a time, asked now and then.

start("make", folder)
while task() is not None:      # in Blender: from a timer
    poll()
found()                        # a Diagnosis
"""

from __future__ import annotations

import functools
import json
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from .. import processes
from ..paths import ROOT
from ..protocol import LINE_BYTES, Phrase, unpacked
from .diagnosis import Diagnosis, unanswered

STOP_SECONDS = 20.0  # for clearing away what is half-made, before the process is ended


class Task:
    """A process of ours: how far it is (`share` from 0 to 1, `text`), and in the end what it has found.

    A thread starts it, which takes longer than Blender may wait, and reads what it says.
    """

    def __init__(self, command: str, start: Callable[[], processes.Child]) -> None:
        self.command = command
        self.share = 0.0
        self.text = ""
        self.found: Diagnosis | None = None
        self.is_stopping = False
        self._start = start
        self._child: processes.Child | None = None
        self._is_started = threading.Event()  # or could not be
        self._printed = ""
        self._deadline = 0.0
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, name="backend setup", daemon=True).start()

    def poll(self) -> bool:
        """Take what it has said, without waiting; return whether that was anything. At its end `found` is there."""
        is_new = False
        while self.found is None and not self._lines.empty():
            is_new = True
            line = self._lines.get()
            if line is None:
                self.close()
                if self.is_stopping:
                    self.found = Diagnosis("missing", Phrase("The installation was stopped."))
                elif self._child is None:
                    self.found = Diagnosis("missing", self._printed)
                else:
                    self.found = unanswered(self._child.returncode, self._printed)
            else:
                self._understand(line)
        if self.is_stopping and self.found is None and time.monotonic() > self._deadline:
            self.close()
        return is_new

    def stop(self) -> None:
        """Ask it to leave things as they were, and go. It has STOP_SECONDS for that."""
        self.is_stopping = True
        self._deadline = time.monotonic() + STOP_SECONDS
        self.text = Phrase("stopping")
        self._is_started.wait()
        if self._child is not None:
            processes.close_stdin(self._child)

    def close(self) -> None:
        """End it at once, with all that it has started."""
        self._is_started.wait()
        if self._child is not None:
            processes.end_tree(self._child)

    def _read(self) -> None:
        """Start it and move lines from its pipe to the queue; in a thread that never touches bpy."""
        try:
            self._child = self._start()
        except OSError as error:
            self._printed = Phrase("No Python here can run it: {error}", error=error)
            self._lines.put(None)
            return
        finally:
            self._is_started.set()
        assert self._child.stdout is not None
        with self._child.stdout as stream:
            while line := stream.readline(LINE_BYTES):
                self._lines.put(line)
        self._lines.put(None)

    def _understand(self, line: bytes) -> None:
        try:
            said = json.loads(line)
            said |= {str(name): unpacked(phrase) for name, phrase in said.pop("phrases", {}).items()}
            if "share" in said:
                self.share = max(self.share, min(float(said["share"]), 1.0))  # one bar that never goes back
                if not self.is_stopping:
                    self.text = said["text"] if isinstance(said["text"], Phrase) else str(said["text"])
            else:
                facts = tuple((str(name), str(text)) for name, text in said.pop("facts"))
                self.found = Diagnosis(**said | {"facts": facts, "gpus": tuple(map(str, said["gpus"]))})
        except (ValueError, TypeError, KeyError, AttributeError, IndexError):  # a traceback, say
            self._printed = (self._printed + line.decode("utf-8", "replace"))[-LINE_BYTES:]


_task: Task | None = None
_found: Diagnosis | None = None


def start(command: str, *arguments: str | Path, variables: Mapping[str, str] | None = None) -> Task:
    """Start a command of `python -m addon`, without waiting for that. Raises RuntimeError while one runs."""
    global _task
    if _task is not None:
        raise RuntimeError(f"{_task.command} is not done yet")
    options = [helper(), "-m", "addon", "--supervised", command, *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    _task = Task(command, functools.partial(processes.start, options, cwd=ROOT, variables=variables, **pipes))
    return _task


def task() -> Task | None:
    """Return what runs."""
    return _task


def found() -> Diagnosis | None:
    """Return what the last one has found; None before the first, or when that does not hold any more."""
    return _found


def forget() -> None:
    """Let what was found not hold any more: another Python, another GPU was chosen."""
    global _found
    _found = None


def poll() -> bool:
    """Take what the running one has said, without waiting; return whether there is anything new to show."""
    global _task, _found
    if _task is None:
        return False
    is_new = _task.poll()
    if _task.found is not None:
        _task.close()
        _task, _found = None, _task.found
        return True
    return is_new


def close() -> None:
    """End what runs at once: Blender leaves, or the add-on is disabled. What is half-made is cleared away next time."""
    global _task
    if _task is not None:
        _task.close()
        _task = None
    forget()


def helper() -> Path:
    """Return a Python from 3.11 on that can run `python -m addon`: Blender's own, else one on the path."""
    own = Path(sys.executable)
    if own.name.lower().startswith("python") and own.is_file():
        return own
    return Path(shutil.which("python3") or shutil.which("python") or own)
