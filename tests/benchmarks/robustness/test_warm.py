"""What the processes are forked from has the bundled prior, which they take over."""

from __future__ import annotations

import sys

import torch

from backend.diffusion.denoiser import kept_prior
from backend.runtime.machine import compute_device


def test_the_prior_is_loaded_where_a_job_looks_for_it() -> None:
    import benchmarks.robustness.warm as warm

    assert {"backend.systems.tv3dg", "torch._dynamo"} <= sys.modules.keys() and torch.get_num_threads() == 1
    if compute_device() == "cpu":
        assert kept_prior("embedded", compute_device()) is warm.PRIOR
