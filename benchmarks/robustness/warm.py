"""Imports what every job imports and loads the bundled prior: for a process that others are forked from."""

from __future__ import annotations

from backend.runtime.machine import prepare_torch

prepare_torch(1)  # before anything is imported that reads it; threads do not outlive a fork

import numba  # noqa: E402
import torch._dynamo  # noqa: E402 - of torch.optim, when it is first used
from transformers.utils import logging  # noqa: E402

from backend.cli import job_runner  # noqa: E402
from backend.diffusion.denoiser import kept_prior  # noqa: E402
from backend.systems import dreambooth3d, tv3dg  # noqa: E402

__all__ = ["PRIOR", "dreambooth3d", "job_runner", "torch", "tv3dg"]

logging.disable_progress_bar()  # its locks would outlive whoever is killed
numba.njit(lambda: 0)()  # whose first compilation learns what there is
PRIOR = kept_prior("embedded", "cpu")
