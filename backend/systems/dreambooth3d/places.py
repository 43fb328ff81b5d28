"""From where the photos were taken, as the prior finds it: for teaching with cameras, and to hold the final field to.

The paper knows no cameras of photos, and compares none with the field.
"""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

import torch
from torch.nn import functional

from addon.protocol.systems.dreambooth3d import DreamBooth3DSettings
from backend.cameras import Cameras, concatenate, orbit
from backend.diffusion.camera_search import Place, find_places
from backend.diffusion.denoiser import Prior
from backend.diffusion.finetune import Examples
from backend.rendering.renderer import resized_views
from backend.rendering.volume import volume_renderer
from backend.representations.radiance_grid import RadianceGrid
from backend.runtime.job import Job
from backend.systems.dreambooth3d.field import PseudoViews
from backend.systems.dreambooth3d.photo_colours import PhotoColours
from backend.systems.dreambooth3d.subject import photo_examples
from backend.systems.guessed import NODES, guess_field
from backend.systems.palette import solid_colours
from backend.systems.reference import Target

ONE_SIDE = 60.0  # degrees that hold all photos which show one side
FIT = 0.6  # least IoU of a photo's silhouette with the first field's, from where it seems to be taken


def photo_places(
    job: Job, prior: Prior, photos: torch.Tensor, subject: str, settings: DreamBooth3DSettings, made_with: dict
) -> list[Place]:
    """Run the stage `places`; return where each photo [N, S, S, 3] was taken, [] where nobody asks or can be asked."""
    if not settings.photo_cameras:
        return []

    def make() -> dict[str, Any]:
        found = find_places(prior, photos, f"a {subject}", job.generator) if prior.takes_cameras else []
        return {"places": torch.tensor([astuple(place) for place in found], dtype=torch.float64).reshape(-1, 3)}

    places = listed(job.stage("places", make, depends_on=made_with)["places"])
    sure = [place.azimuth_degrees for place in places if place.is_sure]
    if len(sure) > 1 and spread(sure) < ONE_SIDE:
        job.warn(
            f"The photos seem to be taken from one side, within {spread(sure):.0f} degrees.",
            "Walk around it: the other sides will be guesses, perhaps with a second face.",
        )
    return places


def listed(rows: torch.Tensor) -> list[Place]:
    """Return places of which each has a row [azimuth, elevation, sureness]."""
    return [Place(*row) for row in rows.tolist()]


def spread(azimuths: list[float]) -> float:
    """Return the degrees of the shortest arc that holds all azimuths."""
    turns = sorted(turn % 360 for turn in azimuths)
    gaps = [after - before for before, after in zip(turns, [*turns[1:], turns[0] + 360], strict=True)]
    return 360 - max(gaps)


def taught_photos(
    prior: Prior, photos: torch.Tensor, places: list[Place], said: str, settings: DreamBooth3DSettings
) -> list[Examples]:
    """Return photos as examples: half of a step from nowhere, half from where they surely were taken, if any were."""
    sure = [number for number, place in enumerate(places) if place.is_sure]
    batch = settings.tuning_batch
    if not sure or batch < 2 or not settings.camera_tokens:
        return [photo_examples(prior, photos, said, batch)]
    alone = photo_examples(prior, photos, said, batch - batch // 2)
    cameras = concatenate([camera_of(places[number], photos.shape[1]) for number in sure])
    return [alone, photo_examples(prior, photos[sure], said, batch // 2, cameras)]


def camera_of(place: Place, size: int) -> Cameras:
    """Return the camera of a place, in whose view an object's sphere fits."""
    return orbit([place.azimuth_degrees], place.elevation_degrees, size=size)


def guess_of_photos(
    layers: torch.Tensor, places: list[Place], settings: DreamBooth3DSettings, same: bool = True
) -> RadianceGrid | None:
    """Return what is guessed behind one of the cut-outs [N, S, S, 4]: of those surely taken from somewhere, the one

    nearest to the front; grey, unless it is to be the `same`. None where there is none, or nobody asks. Not of several:
    each is framed by its own outline, so that they do not agree in size.
    """
    sure = [number for number, place in enumerate(places) if place.is_sure]
    if not sure or not settings.guessed_sides:
        return None
    first = min(sure, key=lambda number: abs((places[number].azimuth_degrees + 180) % 360 - 180))
    layer = layers[first : first + 1]
    target = Target(camera_of(places[first], layers.shape[1]), layer[..., :3], layer[..., 3:])
    field = guess_field(target, "embedded", min(settings.nodes, NODES))
    if field is not None and not same:
        field.values[..., 1:] = 0.0  # logits: other words may want another colour
    return field


@torch.no_grad()
def posed_photos(layers: torch.Tensor, places: list[Place], field: RadianceGrid, size: int) -> PseudoViews | None:
    """Return the cut-outs [N, S, S, 4] that surely were taken from somewhere as views to hold a field to.

    Each is moved and scaled until its outline's box is that of the first field from there: how far away it was taken,
    nobody knows. What then covers something else than the field does is left out; None where nothing is left.
    """
    kept: list[tuple[Cameras, torch.Tensor]] = []
    render = volume_renderer(field, samples=3 * len(field) // 2)
    for layer, place in zip(layers, places, strict=False):  # a list without places is none
        if not place.is_sure:
            continue
        camera = camera_of(place, size)
        alpha = render(camera, torch.ones(3, device=field.values.device)).alpha[0, ..., 0].cpu()
        if not bool((alpha > 0.5).any()) or not bool((layer[..., 3] > 0.5).any()):
            continue
        moved = moved_onto(layer, alpha)
        ours, theirs = moved[..., 3] > 0.5, alpha > 0.5
        if float((ours & theirs).sum()) >= FIT * float((ours | theirs).sum()):
            kept.append((camera, moved[..., :3] + 1 - moved[..., 3:]))
    if not kept:
        return None
    return PseudoViews(concatenate([camera for camera, _ in kept]), torch.stack([picture for _, picture in kept]))


def photo_colours(layers: torch.Tensor, places: list[Place]) -> PhotoColours:
    """Return the colours of cut-outs [N, S, S, 4]: of those that surely were taken from somewhere, else of all."""
    sure = [number for number, place in enumerate(places) if place.is_sure]
    chosen = sure or list(range(len(layers)))
    palettes = [
        solid_colours(layers[number, ..., :3] * layers[number, ..., 3:], layers[number, ..., 3:], torch.zeros(3))
        for number in chosen
    ]
    cameras = concatenate([camera_of(places[number], layers.shape[1]) for number in sure]) if sure else None
    return PhotoColours(palettes, cameras)


def moved_onto(layer: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
    """Return a cut-out [S, S, 4], its colours times its alpha, moved and scaled so that its box has the middle and the
    size (the mean of both sides) of that of alpha [s, s], in the pixels of that: [s, s, 4].
    """
    middle, sides = box(layer[..., 3])
    wanted, reach = box(alpha)
    scale = (sides.prod() / reach.prod()).sqrt()
    matrix = torch.zeros(1, 2, 3)
    matrix[0, 0, 0] = matrix[0, 1, 1] = scale
    matrix[0, :, 2] = middle - scale * wanted
    grid = functional.affine_grid(matrix, [1, 4, *alpha.shape], align_corners=False)
    planes = torch.cat([layer[..., :3] * layer[..., 3:], layer[..., 3:]], -1).permute(2, 0, 1)[None]
    size = max(len(alpha), round(len(layer) / float(scale)))
    planes = resized_views(planes.permute(0, 2, 3, 1), size).permute(0, 3, 1, 2)
    return functional.grid_sample(planes, grid, align_corners=False)[0].permute(1, 2, 0)


def box(alpha: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the middle and the size, (x, y) each in [-1, 1] over the picture, of what is solid in alpha [S, S]."""
    solid = alpha > 0.5
    ends = []
    for axis in (0, 1):  # columns, rows
        places = torch.nonzero(solid.any(axis)).flatten()
        ends.append((2 * places[0] / len(alpha) - 1, 2 * (places[-1] + 1) / len(alpha) - 1))
    low, high = (torch.stack([pair[end] for pair in ends]).float() for end in (0, 1))
    return (low + high) / 2, high - low
