"""The reference image: cuts the subject out, frames it as the world frames objects, and says which camera saw it."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from addon.protocol import InputImage, Phrase, Pictured
from backend.cameras import Cameras, orbit
from backend.diffusion.denoiser import Prior
from backend.diffusion.joint_views import SeenView
from backend.errors import BadInput, EmptyMask
from backend.images import MARGIN, crop_box, load_image, resize_cut_out, save_image, square_crop
from backend.runtime.job import Job
from backend.systems.inputs import Given, mask_of, named, said_of, warn_of_cut_out
from backend.vision.cutting import cut_out as find_subject
from backend.vision.mask_doubts import EMPTY, Doubt, check_thickness, thinness

MAX_PIXELS = 512  # pixels along a side of the crop: what a texture can show of it


@dataclass(frozen=True)
class Target:
    """The reference view: what one known camera sees."""

    camera: Cameras
    rgb: torch.Tensor  # [1, S, S, 3]
    mask: torch.Tensor  # [1, S, S, 1]


@dataclass(frozen=True)
class Reference:
    """The reference view in the prior's pixels, to compare renderings with, and in all of its own, for a texture."""

    target: Target
    photo: Target
    pictured: Pictured | None = None  # where in the picture it was


def perceive(job: Job, image: InputImage, size: int, *, how: str = "auto", piece: int = 0) -> Reference:
    """Run the stage `perceive`: cut the subject out of the reference image and return the view, `size` pixels a side.

    It leaves rgb.png and mask.png, which the artist may replace; what is to be doubted of them is warned of. `how` and
    `piece` are those of vision.cutting. Raises EmptyMask, BadInput.
    """

    said: list[Doubt] = []

    def make() -> dict[str, Any]:
        values = cut_out_given(job, image, job.stage_folder, size, how=how, piece=piece)
        job.preview(load_image(job.stage_folder / "rgb.png")[0])
        said.extend(values["doubts"])  # at once: the job may stop here
        warn_of_cut_out(job, image, said)
        return values

    values = job.stage("perceive", make)
    folder, place = job.stage_path("perceive"), (image.azimuth_degrees, image.elevation_degrees, values["fov_degrees"])
    with named(image):
        targets = (read_target(folder, *place, size=size), read_target(folder, *place))
    seen = Reference(*targets, pictured(image, values))
    if not said:
        is_replaced = bool(job.stages[-1]["replaced"])
        warn_of_cut_out(job, image, thinness(seen.target.mask[0]) if is_replaced else values.get("doubts", ()))
    return seen


def look(given: Given, size: int, *, how: str = "auto", piece: int = 0) -> list[Doubt]:
    """Return what is to be doubted of the cut-out of the image that a job would reconstruct; none without one.

    Nothing of it is kept. Raises EmptyMask, BadInput, as the job would.
    """
    image = next((each for each in given.request.images if each.role == "reconstruct"), None)
    if image is None:
        return []
    with tempfile.TemporaryDirectory(prefix="maquette-") as folder:
        values = cut_out_given(given, image, Path(folder), size, how=how, piece=piece)
        with named(image):
            read_target(Path(folder), 0.0, 0.0, values["fov_degrees"], size=size)
    return [(said_of(image, sentence), hint) for sentence, hint in values["doubts"]]


def cut_out_given(
    given: Given, image: InputImage, folder: Path, size: int, *, how: str = "auto", piece: int = 0
) -> dict[str, Any]:
    """Do what `cut_out` does with an image of a request, with the mask that is given for it; errors name the image."""
    mask, path = mask_of(given, image), given.input_path(image)
    with named(image):
        return cut_out(path, folder, size, image.fov_degrees, given=mask, how=how, piece=piece)


def cut_out(
    path: Path,
    folder: Path,
    size: int,
    fov_degrees: float,
    *,
    given: torch.Tensor | None = None,
    how: str = "auto",
    piece: int = 0,
) -> dict[str, Any]:
    """Write the subject's rgb.png and mask.png, and return the crop's field of view and coverage, and what to doubt.

    And `crop`: where its middle is, right and down from the picture's, and its side, in shares of the picture's longer
    side. They are squares of as many pixels as the crop has, `size` at least and MAX_PIXELS at most. `fov_degrees` is
    that of the image's longer side; a crop of half the side sees half the tangent. `given` is the artist's mask. Raises
    EmptyMask, BadInput.
    """
    rgb, alpha = load_image(path)
    found = find_subject(rgb, alpha, given=given, how=how, piece=piece)
    mask, longer = found.mask, max(rgb.shape[:2])
    left, top, side = crop_box(mask, MARGIN, enclose="circle")
    across, down = left + (side - rgb.shape[1]) / 2, top + (side - rgb.shape[0]) / 2  # between the middles
    tangent = math.tan(math.radians(fov_degrees) / 2) * side / longer
    rgb, mask = square_crop(rgb, mask, max(size, min(MAX_PIXELS, round(side))), MARGIN, enclose="circle")
    save_image(folder / "rgb.png", rgb)
    save_image(folder / "mask.png", mask.expand(-1, -1, 3))
    return {
        "fov_degrees": math.degrees(2 * math.atan(tangent)),
        "foreground": float((mask > 0.5).float().mean()),
        "crop": [across / longer, down / longer, side / longer],
        "source": found.source,
        "doubts": [list(doubt) for doubt in (*found.doubts, *thinness(resize_cut_out(rgb, mask, size)[1]))],
    }


def pictured(image: InputImage, values: Mapping[str, Any], place: tuple[float, float] | None = None) -> Pictured | None:
    """Return where an object was in its picture, given what `cut_out` has said; None where it has not said it.

    `place` is the camera's azimuth and elevation, where it is not the request's.
    """
    if "crop" not in values:  # of a stage that was made before there were any
        return None
    azimuth, elevation = place or (image.azimuth_degrees, image.elevation_degrees)
    across, down, side = values["crop"]
    return Pictured(across, down, side, azimuth, elevation, image.fov_degrees)


def read_target(
    folder: Path, azimuth_degrees: float, elevation_degrees: float, fov_degrees: float, size: int | None = None
) -> Target:
    """Read rgb.png and mask.png back, which the artist may have replaced, with the camera that saw them.

    They come in as many pixels as they have, or as [size, size].
    Raises BadInput where their sizes do not fit, EmptyMask where the mask is black, or too thin for `size`.
    """
    rgb, mask = load_image(folder / "rgb.png")[0], load_image(folder / "mask.png")[0][..., :1]
    if rgb.shape[:2] != mask.shape[:2] or rgb.shape[0] != rgb.shape[1]:
        raise BadInput(
            f"The picture that was cut out has {rgb.shape[1]} x {rgb.shape[0]} pixels, "
            f"and its mask {mask.shape[1]} x {mask.shape[0]}.",
            "Replace them by square pictures of one size.",
        )
    if not bool((mask > 0.5).any()):
        raise EmptyMask(Phrase(EMPTY, pixels=mask.numel()), Phrase("Paint the object white."))
    if size is not None and size != rgb.shape[0]:
        rgb, mask = resize_cut_out(rgb, mask, size)
        check_thickness(mask)
    camera = orbit([azimuth_degrees], elevation_degrees, fov_degrees=fov_degrees, size=rgb.shape[0])
    return Target(camera, rgb[None], mask[None])


def seen_view(prior: Prior, target: Target, background: torch.Tensor) -> SeenView:
    """Return the reference view before a background [3], as a prior sees it beside other views of the object."""
    rgb, mask = target.rgb.to(prior.device), target.mask.to(prior.device)
    if rgb.shape[1] != prior.image_size:
        raise ValueError(f"a reference of {rgb.shape[1]} pixels for a prior of {prior.image_size}")
    with torch.no_grad():
        return SeenView(prior.encode(rgb * mask + background.to(rgb) * (1 - mask)), target.camera)
