"""What the processes are forked from has the bundled prior, which they take over, and runs no second thread."""

from __future__ import annotations

import subprocess
import sys

import pytest

from backend.runtime.machine import ROOT

CODE = """
import sys
import benchmarks.robustness.warm as warm
import numba
from backend.diffusion.denoiser import kept_prior
assert {"torch._dynamo", "backend.systems.tv3dg"} <= sys.modules.keys()
assert warm.torch.get_num_threads() == numba.config.NUMBA_NUM_THREADS == 1
assert kept_prior("embedded", "cpu") is warm.PRIOR
"""


@pytest.mark.slow
def test_the_prior_is_loaded_where_a_job_looks_for_it() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
