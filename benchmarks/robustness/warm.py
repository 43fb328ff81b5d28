"""Imports what every job imports and loads the bundled prior: for a process that others are forked from."""

from __future__ import annotations

import os

from backend.runtime.machine import prepare_torch

os.environ["NUMBA_NUM_THREADS"] = "1"
prepare_torch(1)  # before anything is imported that reads it; threads do not outlive a fork

import numba  # noqa: E402
import torch._dynamo  # noqa: E402 - of torch.optim, when it is first used
from transformers.utils import logging  # noqa: E402

from backend.cli import job_runner  # noqa: E402
from backend.diffusion import camera_search  # noqa: E402
from backend.diffusion.denoiser import kept_prior  # noqa: E402
from backend.systems import customize_it_3d, dreambooth3d, tv3dg  # noqa: E402
from backend.systems.customize_it_3d import sides, teaching  # noqa: E402

__all__ = ["PRIOR", "customize_it_3d", "dreambooth3d", "job_runner", "torch", "tv3dg"]

logging.disable_progress_bar()  # its locks would outlive whoever is killed
# No setting says how thoroughly these draw and look; a third of the time of their jobs went into it, and into no file's
# being written.
for module, name, few in ((camera_search, "NOISES", 1), (teaching, "VARIETY_STEPS", 2), (sides, "STEPS", 2)):
    assert getattr(module, name) > few
    setattr(module, name, few)
numba.njit(lambda: 0)()  # whose first compilation learns what there is
PRIOR = kept_prior("embedded", "cpu")
