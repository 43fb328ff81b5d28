"""The further workers of a queue, beside its first: a process each, on a GPU or on threads of its own. No bpy.

They take turns from the same folder, each under a lock of its own. None is started before the first one runs a job,
and each ends by itself when no job has come for a while.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import protocol
from . import store
from .client import Client, ClientError, Starting

_log = logging.getLogger(__name__)


@dataclass
class _Slot:
    """One worker: its process, if there is one, and the name of the job that this runs."""

    number: int
    client: Client | None = None
    starting: Starting | None = None
    job: str = ""
    is_broken: bool = False  # it could not begin: not again before somebody says so


class Workers:
    """So many processes for the jobs of a folder, which `start(number)` starts, 1 being the first of them."""

    def __init__(self, folder: Path, count: int, start: Callable[[int], Client]) -> None:
        self._folder = folder
        self._start = start
        self._slots = [_Slot(number) for number in range(1, count + 1)]

    @property
    def running(self) -> list[str]:
        """Return the names of the jobs that they run."""
        return [slot.job for slot in self._slots if slot.job]

    def begin(self, jobs: int) -> None:
        """Let no fewer workers than so many jobs be there, as far as there are any. Returns at once."""
        idle = sum(not slot.job for slot in self._slots if slot.client or slot.starting)
        for slot in self._slots:
            if idle < jobs and not (slot.client or slot.starting or slot.is_broken):
                slot.starting = Starting(lambda number=slot.number: self._start(number))
                idle += 1

    def mend(self) -> None:
        """Let those try again that could not begin."""
        for slot in self._slots:
            slot.is_broken = False

    def client_of(self, job: str) -> Client | None:
        """Return the process that runs a job, None if none of them does."""
        return next((slot.client for slot in self._slots if job and slot.job == job), None)

    def poll(self) -> list[tuple[str, protocol.Event]]:
        """Return the events that have come, with the name of their job; waits for nothing, never raises."""
        told = []
        for slot in self._slots:
            try:
                told += self._listen(slot)
            except ClientError as error:
                told += self._failed(slot, error)
        return told

    def _listen(self, slot: _Slot) -> list[tuple[str, protocol.Event]]:
        if slot.starting is not None:
            slot.client = slot.starting.client()
            slot.starting = None if slot.client is not None else slot.starting
        told: list[tuple[str, protocol.Event]] = []
        for event in slot.client.poll() if slot.client is not None else ():
            if isinstance(event, protocol.Hello):
                slot.job = event.job
            if slot.job and not isinstance(event, protocol.Idle):
                told.append((slot.job, event))
            if isinstance(event, protocol.LAST):
                slot.job = ""
        if slot.client is not None and slot.client.is_done:
            slot.client.close(0.0)
            slot.client = None
        return told

    def _failed(self, slot: _Slot, error: ClientError) -> Sequence[tuple[str, protocol.Event]]:
        """Let the job of a process that is gone have failed; one that had none is not started again and again."""
        job, slot.job, slot.client, slot.starting = slot.job, "", None, None
        if not job:
            slot.is_broken = True
            _log.warning("Worker %d could not begin: %s %s", slot.number, error.message, error.hint)
            return []
        failed = protocol.Failed(kind=type(error).__name__, message=error.message, hint=error.hint)
        store.close_run(self._folder / job, failed)
        return [(job, failed)]

    def close(self, seconds: float, *, goes_on: bool) -> None:
        """End the processes, or leave those alone that have a job and shall go on. Safe to call twice."""
        clients = []
        for slot in self._slots:
            if slot.starting is not None:
                with contextlib.suppress(ClientError):  # then there is none
                    slot.client = slot.starting.wait()
            client, is_at_work = slot.client, bool(slot.job)
            slot.client, slot.starting, slot.job = None, None, ""
            if client is not None and is_at_work and goes_on:
                client.leave_alone()
            elif client is not None:
                client.let_go()
                clients.append(client)
        for client in clients:
            client.close(seconds)
