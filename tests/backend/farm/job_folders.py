"""Job folders for farms, without anything heavy: requests, ends of runs, and a program in the place of Python."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from addon import protocol
from backend.farm import plan
from backend.runtime.machine import ROOT

DONE = protocol.Finished(results=(), seconds=1.0)

# Writes what it was called with; when told to leave, it leaves as a job does.
RECORDER = """#!/bin/sh
trap 'echo told >> "$RECORD"; exit 4' TERM
printf '%s\\n' "$*" >> "$RECORD"
while [ -e "$RECORD.wait" ]; do sleep 0.05; done
"""


def write_jobs(folder: Path, names: Iterable[str], **fields: Any) -> list[Path]:
    """Write job folders of these names and return them."""
    jobs = [folder / name for name in names]
    for job in jobs:
        job.mkdir(parents=True)
        protocol.write_request(
            job,
            protocol.Request(
                **{"system": protocol.DEFAULT_SYSTEM, "prompt": "a mug", "threads": 1, "preset": "bench", **fields}
            ),
        )
    return jobs


def end(job: Path, last: protocol.Event) -> None:
    """Let the last run of a job have ended so."""
    (job / protocol.EVENTS_FILE).write_text(protocol.encode(last))


def made(jobs: list[Path], out: Path, python: str = "/usr/bin/python3", **options: Any) -> plan.Plan:
    """Return the plan of a farm that runs on this machine."""
    return plan.made(jobs, out, python=python, root=ROOT, **options)


def recorder(folder: Path) -> Path:
    """Return a program that stands for Python."""
    program = folder / "python"
    program.write_text(RECORDER)
    program.chmod(0o755)
    return program
