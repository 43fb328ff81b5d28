"""Steps that give no gradient: reported, counted also through a checkpoint, and an end when there are too many."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from backend.errors import BackendError
from backend.systems.optimisation import MAX_BAD_STEPS, OptimisationState, skip_bad_step


def test_too_many_bad_steps_in_a_row_end_the_job_with_the_hint() -> None:
    warnings: list[str] = []
    job: Any = SimpleNamespace(warn=warnings.append)
    state = OptimisationState({})
    for step in range(MAX_BAD_STEPS - 1):
        skip_bad_step(job, state, step, "the loss is nan", "Use another prior.")
    assert (
        state.bad_steps == len(warnings) == MAX_BAD_STEPS - 1 and warnings[3] == "Step 3 was left out: the loss is nan."
    )
    resumed = OptimisationState({})
    resumed.load_state_dict(state.state_dict())
    with pytest.raises(
        BackendError, match=f"{MAX_BAD_STEPS} steps in a row gave no usable gradient, the last one 19"
    ) as e:
        skip_bad_step(job, resumed, 19, "the loss is nan", "Use another prior.")
    assert e.value.hint == "Use another prior."
    state.bad_steps = 0  # a good one
    skip_bad_step(job, state, 30, "the loss is nan", "")
    assert state.bad_steps == 1


def test_the_state_is_that_of_all_parts() -> None:
    def new(value: float) -> tuple[torch.nn.Linear, OptimisationState]:
        network = torch.nn.Linear(2, 1)
        torch.nn.init.constant_(network.weight, value)
        return network, OptimisationState({"network": network})  # pyright: ignore[reportArgumentType]

    (network, state), (other, resumed) = new(1.0), new(2.0)
    resumed.load_state_dict(state.state_dict())
    assert torch.equal(network.weight, other.weight) and torch.equal(network.bias, other.bias)
