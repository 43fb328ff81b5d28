"""Views that are made before the optimisation, as stages whose pictures the artist can look at and replace."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch

from addon.protocol.systems.tv3dg import TV3DGSettings
from backend.cameras import Cameras, azimuth_elevation, concatenate
from backend.diffusion.denoiser import Prior
from backend.diffusion.guidance import Guidance
from backend.diffusion.sampling import denoise, noise_for, sample
from backend.diffusion.zero123 import load_zero123, novel_views, relative_poses
from backend.errors import BadInput
from backend.images import load_image, save_image, square
from backend.losses import two_by_two
from backend.representations.hull import HullPoints, hull_points, project
from backend.representations.radiance_grid import RadianceGrid
from backend.runtime.job import Job
from backend.systems.guessed import pictures_of
from backend.systems.inputs import Inputs, named
from backend.systems.palette import palette_of, recoloured
from backend.systems.reference import Target, seen_view
from backend.vision.calibration import Calibration, Sides, calibration_cameras, cut_sides, load_calibration
from backend.vision.matting import load_matting
from backend.weights import network_name

SIDES = ("front", "right", "back", "left")
COVERED = 0.9  # of the reference's mask by the hull: 0.99 and more where the prior knows the object, 0.8 for a monkey
SIDE_SCALE = 4.0
SIDE_STEPS = 25  # of sampling: 50 draw the same, by eye
MISFIT = (
    "The four sides do not fit together, or not to the image, so the object begins from a ball.",
    "The prior draws them of the prompt, and knows of the image only what it is like: stop after the four sides and "
    "replace one, or try another seed or other words.",
)


def imagine(job: Job, prior: Prior, inputs: Inputs, target: Target | None) -> dict[str, Any]:
    """Leave visual.png, which the artist may replace: the visual prompt, else the reference, else a sample."""
    if "visual_prompt" in inputs.images:
        asked = inputs.images["visual_prompt"]
        path = job.input_path(asked)
        with named(asked):
            image = square(*load_image(path), prior.image_size)
    elif target is not None:
        image = target.rgb[0] * target.mask[0] + 1 - target.mask[0]
    else:  # the paper's self-guidance image
        image = sample(prior, [f"{inputs.prompt}, front view"], generator=job.generator)[0].cpu()
    save_image(job.stage_folder / "visual.png", image)
    job.preview(image)
    return {}


def imagine_sides(
    job: Job,
    guidance: Guidance,
    settings: TV3DGSettings,
    prompt: str,
    visual: torch.Tensor | None = None,
    target: Target | None = None,
    seen_from: Cameras | None = None,
) -> dict[str, Any]:
    """Leave front.png, right.png, back.png and left.png, which the artist may replace.

    The prior draws them together, else from the same noise, so that they are of one object, or zero123 turns the visual
    prompt [H, W, 3], which was seen from there, else from the front. They are turned so that the target is one of them.
    Warns whoever stops to look at them when they do not fit together, or not to the target. With `settings.palette`
    those that the target does not show take its colours. Raises BadInput where there is neither a visual prompt nor a
    prior that takes cameras.
    """
    prior = guidance.prior
    cameras = calibration_cameras(prior.image_size, side_turn(target))
    if visual is None:
        if not prior.takes_cameras:
            raise BadInput(
                "This prior cannot be told where the camera is, so it cannot draw four sides for the calibration.",
                "Set multi_view=zero123, or leave the calibration out.",
            )
        beside = target if settings.see_reference and prior.sees_reference else None
        seen = seen_view(prior, beside, torch.ones(3)) if beside else None
        contexts = guidance.contexts(prompt, job.request.negative_prompt, cameras, tell_cameras=True, seen=seen)
        if contexts.conditional.ndim == 4:  # they see each other
            noise = noise_for(prior, len(cameras), job.generator)
        else:
            noise = noise_for(prior, 1, job.generator).expand(len(cameras), -1, -1, -1)
        latents = denoise(
            prior.predict_noise, noise, prior.alphas, contexts.conditional, contexts.unconditional,
            steps=SIDE_STEPS, scale=SIDE_SCALE,
        )  # fmt: skip
        pictures = prior.decode(latents)
    else:
        model = load_zero123(network_name(settings.companions, "zero123"), prior.device)
        poses = relative_poses(seen_from or calibration_cameras(prior.image_size)[0], cameras)
        pictures = novel_views(model, visual[None], poses, SIDE_STEPS, generator=job.generator)
    if target is not None and settings.palette:  # before they are shown, so that what the artist replaces stays
        drawn = cut_sides(pictures, load_matting(network_name(settings.companions, "matting"), prior.device))
        pictures = recoloured(drawn.pictures, drawn.mask, cameras, palette_of(target))
    for name, picture in zip(SIDES, pictures.cpu(), strict=True):
        save_image(job.stage_folder / f"{name}.png", picture)
    job.preview(two_by_two(pictures)[0].cpu())
    if job.request.stop_after == "sides" and settings.start == "sides":  # there is still time to replace one
        drawn = read_sides(job.stage_folder, settings.companions, prior.device, side_turn(target))
        own = torch.Generator()
        if coarse_shape(drawn, target, settings.count, own.manual_seed(job.request.seed)) is None:
            job.warn(*MISFIT)
    return {}


def guess_sides(job: Job, guessed: RadianceGrid, size: int, turn_degrees: float) -> dict[str, Any]:
    """Leave front.png, right.png, back.png and left.png of a guessed field, which the artist may replace."""
    pictures = pictures_of(guessed, calibration_cameras(size, turn_degrees))[0]
    for name, picture in zip(SIDES, pictures, strict=True):
        save_image(job.stage_folder / f"{name}.png", picture)
    job.preview(two_by_two(pictures)[0])
    return {}


def side_turn(target: Target | None) -> float:
    """Return how far, in degrees from -45 to 45, the four sides are turned so that the reference is one of them.

    Left where they are, they would hide what it shows between two sides, or both be dropped for it.
    """
    return 0.0 if target is None else (float(azimuth_elevation(target.camera)[0][0]) + 45) % 90 - 45


def read_sides(folder: Path, companions: str, device: torch.device, turn_degrees: float = 0.0) -> Sides:
    """Return what the stage `sides` has left in its folder, cut out; `turn_degrees` as `side_turn` gives it."""
    pictures = torch.stack([load_image(folder / f"{name}.png")[0] for name in SIDES]).to(device)
    return cut_sides(pictures, load_matting(network_name(companions, "matting"), device), turn_degrees)


def calibration_towards(sides: Sides | None, prompt: str, settings: TV3DGSettings, prior: Prior) -> Calibration | None:
    """Return the calibration that the settings ask for, if any. Raises MissingModel."""
    if not uses_calibration(settings):
        return None
    return load_calibration(
        sides, prompt, geometry=settings.calibration_geometry, semantics=settings.calibration_semantics,
        reward=settings.calibration_reward, companions=settings.companions, size=prior.image_size, device=prior.device,
        look_at_renderings=not settings.rendered_geometry, printed=settings.paper_compat,
    )  # fmt: skip


def uses_calibration(settings: TV3DGSettings) -> bool:
    """Say whether any weight of the calibration is above 0."""
    return bool(settings.calibration_geometry or settings.calibration_semantics or settings.calibration_reward)


def coarse_shape(sides: Sides, target: Target | None, count: int, generator: torch.Generator) -> HullPoints | None:
    """Return points of the hull of the sides; None where they do not fit together.

    What is known of the object takes the place of what was imagined from within 45 degrees of there, and the hull must
    cover it: else the sides are of another object.
    """
    if target is None:
        return hull_points(sides.pictures, sides.mask, sides.cameras, count, generator)
    unseen = unseen_sides(sides, target)
    pictures = torch.cat([unseen.pictures, target.rgb.to(unseen.pictures)])
    masks = torch.cat([unseen.mask, target.mask.to(unseen.mask)])
    cameras = concatenate([*unseen.cameras, target.camera])
    shape = hull_points(pictures, masks, cameras, count, generator)
    return shape if shape is not None and coverage(shape[0], target) >= COVERED else None


def unseen_sides(sides: Sides, target: Target) -> Sides:
    """Return the sides from further than 45 degrees away from where the object was seen."""
    away = azimuth_elevation(sides.cameras)[0] - azimuth_elevation(target.camera)[0].to(sides.pictures.device)
    kept = ((away + 180) % 360 - 180).abs() > 45
    cameras = concatenate([camera for camera, keep in zip(sides.cameras, kept, strict=True) if keep])
    return Sides(cameras, sides.pictures[kept], sides.mask[kept])


def coverage(points: torch.Tensor, target: Target) -> float:
    """Return the share of the cells inside the reference's mask into which points [N, 3] fall, a quarter of N cells."""
    side = max(4, math.isqrt(len(points) // 4))
    places, _ = project(points, target.camera)
    cells = ((places[0] + 1) / 2 * side).long().clamp(0, side - 1)  # [N, 2], column and row
    filled = torch.zeros(side, side, dtype=torch.bool, device=points.device)
    filled[cells[:, 1], cells[:, 0]] = True
    mask = torch.nn.functional.adaptive_avg_pool2d(target.mask.permute(0, 3, 1, 2), side)[0, 0].to(points) > 0.5
    return float((filled & mask).sum() / mask.sum().clamp_min(1))
