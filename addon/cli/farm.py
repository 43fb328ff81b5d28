"""`blender --command maquette farm`: what `python -m backend farm` does, with the interpreter of the preferences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .. import api, protocol
from ..jobs import farm

if TYPE_CHECKING:
    from .commands import Outcome


def send(words: Sequence[str], outcome: Outcome) -> None:
    """Write what an engine takes, and tell of the command that submits it; `words` come after `farm`.

    Raises JobError with the backend's sentence and exit code.
    """
    try:
        answer = farm.send(api.interpreter(), [word for word in words if word != "--json"])
    except farm.NotSent as error:
        raise api.JobError(str(error), "", error.exit_code) from error
    outcome.report = answer.command
    outcome.message = protocol.plain_text(" ".join((*answer.skipped, *answer.notes)))
    for job in answer.jobs:
        entry = {"job": job, "state": "submitted" if answer.submitted else "written", "results": []}
        outcome.jobs.append(entry | {"message": "", "hint": ""})
