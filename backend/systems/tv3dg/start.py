"""What an optimisation begins with: the Gaussians of a result, the hull of four sides, or a ball."""

from __future__ import annotations

import torch

from addon.protocol.systems.tv3dg import TV3DG, TV3DGSettings
from backend.export import read_points_ply
from backend.rendering.splats import splat_renderer
from backend.representations.gaussians import (
    Gaussians,
    ball_of_gaussians,
    check_start,
    extent,
    gaussians_from_points,
    scaled,
)
from backend.representations.radiance_grid import RadianceGrid
from backend.runtime.job import Job
from backend.systems.guessed import points_of
from backend.systems.reference import Target
from backend.systems.tv3dg.edit import Anchor, in_new_colours, with_new_parts
from backend.systems.tv3dg.multiview import MISFIT, coarse_shape
from backend.vision.calibration import Sides

MAX_STARTED = max(each.max_count for each in TV3DG.presets.values())  # Gaussians that an edit may begin with


def read_start(job: Job, settings: TV3DGSettings, device: torch.device) -> Gaussians:
    """Return the Gaussians of the result that is edited, as large as they are. Raises BadInput.

    They may be more than the preset makes: an object in `standard` can be edited in `draft`.
    """
    most = max(settings.max_count, MAX_STARTED)
    return check_start(read_points_ply(job.input_path(job.request.start)), most).to(device)


def begin(
    job: Job,
    settings: TV3DGSettings,
    sides: Sides | None,
    target: Target | None,
    device: torch.device,
    given: Gaussians | None = None,
    guessed: RadianceGrid | None = None,
) -> tuple[Gaussians, Anchor | None]:
    """Return the Gaussians to begin with, and what holds an edit to them.

    They are those `given` of a result that is edited, else points of a guessed field, else the coarse shape of the
    sides where it is wanted, else a ball of the image's median colour, or grey without one.
    """
    if given is not None:
        start = scaled(given, settings.edit_room)
        if sides is not None:
            start = with_new_parts(in_new_colours(start, sides), sides, settings.start_opacity, job.generator)
        anchor = Anchor(splat_renderer(start), extent(given), settings.anchor, settings.anchor_mask)
        return scaled(start, 1.0), anchor  # a copy changes
    if sides is not None and settings.start == "sides":
        shape = points_of(guessed, settings.count, job.generator) if guessed is not None else None
        shape = shape or coarse_shape(sides, target, settings.count, job.generator)
        if shape is not None:
            first = gaussians_from_points(*shape, opacity=settings.start_opacity, scale=settings.start_size)
            return first.to(device), None
        job.warn(*MISFIT)
    colour = target.rgb[target.mask[..., 0] > 0.5].median(0).values.cpu() if target is not None else 0.5
    return ball_of_gaussians(settings.count, settings.radius, job.generator, colour).to(device), None
