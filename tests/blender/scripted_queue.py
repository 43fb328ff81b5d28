"""A queue without processes: a test says what happens to its jobs. It has the face of addon.jobs.queue.Queue."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from addon import protocol


class ScriptedQueue:
    """`tell(job, event, ...)` makes events that the next poll returns; `done` notes what was asked of the queue."""

    def __init__(self, jobs: Path, command: Sequence[str], *, variables: dict[str, str], **_: Any) -> None:
        self.folder, self.command, self.variables = jobs, tuple(command), [variables]
        self.others: list[Path] = []  # that further workers run
        self.is_detached = False
        self.is_held = False
        self.waiting: list[Path] = []
        self.running: Path | None = None
        self.done: list[tuple[str, Path | None]] = []
        self.events: list[tuple[Path, protocol.Event]] = []

    @property
    def all_running(self) -> list[Path]:
        return [*filter(None, [self.running]), *self.others]

    def add(self, job: Path) -> None:
        self.waiting.append(job)

    def retry(self, job: Path) -> None:
        self.waiting.insert(0, job)

    def cancel(self, job: Path) -> None:
        self.done.append(("cancel", job))

    def finish(self, job: Path) -> None:
        self.done.append(("finish", job))

    def detach(self) -> None:
        self.is_detached = True

    def attach(self) -> None:
        self.is_detached = False

    def close(self) -> None:
        self.done.append(("close", None))

    def tell(self, job: Path, *events: protocol.Event) -> None:
        for event in events:
            self.events.append((job, event))
            if isinstance(event, protocol.Hello):
                self.waiting.remove(job)
                self.running = job
            if isinstance(event, protocol.LAST):
                self.running = None

    def poll(self) -> list[tuple[Path, protocol.Event]]:
        events, self.events = self.events, []
        return events
