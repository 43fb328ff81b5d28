"""Let the backend write what a farm takes of job folders: a process that answers in JSON, within a second. No bpy."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import processes, protocol
from ..paths import ROOT

SECONDS = 120.0  # that submitting may take


class NotSent(Exception):
    """Say in one sentence why nothing was sent, and in `exit_code` of which kind that is."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True)
class Answer:
    """The command that submits the jobs, where its files are, and what is to be known of it."""

    command: str
    out: str
    jobs: tuple[str, ...]
    skipped: tuple[str, ...]
    notes: tuple[str, ...]
    submitted: bool


def send(python: Path, words: Sequence[str], root: Path = ROOT) -> Answer:
    """Run `python -m backend farm WORDS` and return what it answers. Raises NotSent."""
    environment = processes.child_environment()
    try:
        with tempfile.TemporaryDirectory(prefix="maquette-") as temporary:
            file = Path(temporary) / "words.txt"  # Windows has room for some five hundred jobs on a command line
            file.write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
            command = [str(python), "-m", "backend", "farm", f"@{file}", "--json"]
            done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired as error:
        raise NotSent(f"The farm did not answer in {SECONDS:.0f} seconds. Run the command by hand.", 1) from error
    except OSError as error:
        raise NotSent(f"{python} cannot be started: {error}.", 3) from error
    if done.returncode != 0:
        lines = [line.removeprefix("error: ") for line in done.stderr.splitlines() if line.strip()]
        raise NotSent(protocol.plain_text(lines[-1] if lines else "The backend said nothing."), done.returncode)
    content = json.loads(done.stdout.splitlines()[-1])
    lists = {name: tuple(content[name]) for name in ("jobs", "skipped", "notes")}
    return Answer(command=content["command"], out=content["out"], submitted=content["submitted"], **lists)
