"""What every optimisation shares: the state of its steps, and what becomes of a step that gives no usable gradient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backend.errors import BackendError
from backend.runtime.checkpoint import Stateful, StateGroup
from backend.runtime.job import Job

MAX_BAD_STEPS = 20  # in a row


class OptimisationState(StateGroup):
    """What the steps change, for checkpoints, and how many of the last ones were left out in a row."""

    def __init__(self, parts: Mapping[str, Stateful]) -> None:
        super().__init__(parts)
        self.bad_steps = 0

    def state_dict(self) -> dict[str, Any]:
        """Return the state of all parts, and the count."""
        return super().state_dict() | {"bad_steps": self.bad_steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a state_dict."""
        super().load_state_dict(state)
        self.bad_steps = state["bad_steps"]


def skip_bad_step(job: Job, state: OptimisationState, step: int, reason: str, hint: str) -> None:
    """Report a step that was left out. Raises BackendError, with the hint, when there are too many in a row."""
    state.bad_steps += 1
    job.warn(f"Step {step} was left out: {reason}.")
    if state.bad_steps >= MAX_BAD_STEPS:
        raise BackendError(f"{state.bad_steps} steps in a row gave no usable gradient, the last one {step}.", hint)
