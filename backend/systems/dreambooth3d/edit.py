"""Edits by text: the field of a result, changed under the prior that knows its subject."""

from __future__ import annotations

from dataclasses import replace

import safetensors.torch
import torch

from addon.protocol.systems.dreambooth3d import DreamBooth3DSettings
from backend.errors import BadInput
from backend.representations.radiance_grid import RadianceGrid
from backend.runtime.checkpoint import read_whole
from backend.runtime.job import Job

MOST_NODES = 256  # along a side: a stranger's file may say anything


def of_edit(settings: DreamBooth3DSettings) -> DreamBooth3DSettings:
    """Return the settings of a job that begins from a result: its own steps and strength, on that field."""
    return replace(
        settings, final_steps=settings.edit_steps, final_scale=settings.edit_scale, pseudo_noise=settings.edit_redraw,
        warm_start=True,
    )  # fmt: skip


def read_start(job: Job) -> RadianceGrid:
    """Return the field that an edit begins from. Raises BadInput for a file that holds none."""
    try:
        tensors = safetensors.torch.load(read_whole(job.input_path(job.request.start), job.folder))
        values, background = tensors["values"].float(), tensors["background_logits"].float()
        size = len(values)
        fits = values.shape == (size, size, size, 4) and background.shape == (3,) and 2 <= size <= MOST_NODES
    except (safetensors.SafetensorError, KeyError, TypeError):
        fits = False
    if not fits or not bool(torch.isfinite(values).all() & torch.isfinite(background).all()):
        raise BadInput(f"{job.request.start} holds no field to begin from.", "Edit the result again in a new job.")
    return RadianceGrid(values, background)
