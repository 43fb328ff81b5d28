"""Lets the backend do something with its models, and passes on how far it is: `python -m backend models ... --json`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .. import processes
from ..paths import ROOT
from .diagnosis import Diagnosis, unanswered

KIND = "model"


def ask(python: Path, words: Sequence[str], say: Callable[[dict[str, object]], None], root: Path = ROOT) -> Diagnosis:
    """Run a command on the models with a backend's Python; `say` hears each {"share", "text"}, and the end is returned.

    It ends with this process: nothing of it is detached.
    """
    command = [str(python), "-m", "backend", "models", *words, "--json"]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    last: dict[str, Any] = {}
    try:
        child = subprocess.Popen(
            command, cwd=root, env=processes.child_environment(), **pipes, **processes.hidden_options()
        )
    except OSError as error:
        return Diagnosis("broken", f"The backend could not be started: {error}.")
    with child:
        assert child.stdout is not None and child.stderr is not None
        for line in child.stdout:
            try:
                said = json.loads(line)
            except ValueError:  # a library of somebody else printed it
                continue
            if "share" in said:
                say({"share": said["share"], "text": said["text"]})
            else:
                last = said
        printed = child.stderr.read().decode("utf-8", "replace")
    if "done" in last:
        answer = last["done"]
        return Diagnosis("fine", f"{answer}." if isinstance(answer, str) else json.dumps(answer), is_usable=True)
    if "error" in last:
        return Diagnosis(KIND, str(last["error"]), str(last["hint"]))
    return unanswered(child.returncode, printed)
