"""What an optimisation looks at, made before it as stages of their own, so that the artist can look and replace."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch

from backend.cameras import azimuth_elevation, joined
from backend.diffusion.denoiser import Prior
from backend.diffusion.guidance import Guidance
from backend.diffusion.sampling import denoise, noise_for, sample
from backend.diffusion.zero123 import load_zero123, novel_views, relative_poses
from backend.errors import BadInput
from backend.images import load_image, save_image, square
from backend.job import Job
from backend.losses import two_by_two
from backend.representations.hull import hull_points, project
from backend.vision.calibration import Sides, calibration_cameras, cut_sides
from backend.vision.matting import load_matting
from backend.vision.reference import Target, cut_out
from backend.weights import network_name

SIDES = ("front", "right", "back", "left")
COVERED = 0.9  # of the reference's mask by the hull: 0.99 and more where the prior knows the object, 0.8 for a monkey
SIDE_STEPS = 25  # of sampling: 50 draw the same, by eye


def perceive(job: Job, path: Path, size: int, fov_degrees: float) -> dict[str, Any]:
    """Cut the subject out of the reference image; leave rgb.png and mask.png, which the artist may replace."""
    values = cut_out(path, job.stage_folder, size, fov_degrees)
    job.preview(load_image(job.stage_folder / "rgb.png")[0])
    return values


def imagine(job: Job, prior: Prior, prompt: str, path: Path | None, target: Target | None) -> dict[str, Any]:
    """Leave visual.png, which the artist may replace: the visual prompt, else the reference, else a sample."""
    if path is not None:
        image = square(*load_image(path), prior.image_size)
    elif target is not None:
        image = target.rgb[0] * target.mask[0] + 1 - target.mask[0]
    else:  # the paper's self-guidance image
        image = sample(prior, [f"{prompt}, front view"], generator=job.generator)[0].cpu()
    save_image(job.stage_folder / "visual.png", image)
    job.preview(image)
    return {}


def imagine_sides(
    job: Job, guidance: Guidance, prompt: str, companions: str, visual: torch.Tensor | None
) -> dict[str, Any]:
    """Leave front.png, right.png, back.png and left.png, which the artist may replace.

    The prior draws them from the same noise, so that they are of one object, or zero123 turns the visual prompt
    [H, W, 3], which it takes for a front. Raises BadInput where there is neither that nor a prior that takes cameras.
    """
    prior = guidance.prior
    cameras = calibration_cameras(prior.image_size)
    if visual is None:
        if not prior.takes_cameras:
            raise BadInput(
                "This prior cannot be told where the camera is, so it cannot draw four sides for the calibration.",
                "Set multi_view=zero123, or leave the calibration out.",
            )
        contexts = guidance.contexts(prompt, job.request.negative_prompt, cameras, tell_cameras=True)
        told = (contexts.conditional, contexts.unconditional)
        noise = noise_for(prior, 1, job.generator).expand(len(cameras), -1, -1, -1)
        latents = denoise(prior.predict_noise, noise, prior.alphas, *told, steps=SIDE_STEPS, scale=4.0)
        pictures = prior.decode(latents)
    else:
        model = load_zero123(network_name(companions, "zero123"), prior.device)
        poses = relative_poses(cameras[0], cameras)
        pictures = novel_views(model, visual[None], poses, SIDE_STEPS, generator=job.generator)
    for name, picture in zip(SIDES, pictures.cpu(), strict=True):
        save_image(job.stage_folder / f"{name}.png", picture)
    job.preview(two_by_two(pictures)[0].cpu())
    return {}


def read_sides(folder: Path, companions: str, device: torch.device) -> Sides:
    """Return what the stage `sides` has left in its folder, cut out."""
    pictures = torch.stack([load_image(folder / f"{name}.png")[0] for name in SIDES]).to(device)
    return cut_sides(pictures, load_matting(network_name(companions, "matting"), device))


def coarse_shape(
    sides: Sides, target: Target | None, count: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Return points [N, 3] of the hull of the sides and their colours [N, 3]; None where they do not fit together.

    What is known of the object takes the place of what was imagined from within 45 degrees of there, and the hull must
    cover it: else the sides are of another object.
    """
    pictures, masks, cameras = sides.pictures, sides.mask, sides.cameras
    if target is None:
        return hull_points(pictures, masks, cameras, count, generator)
    away = azimuth_elevation(cameras)[0] - azimuth_elevation(target.camera)[0].to(pictures.device)
    kept = ((away + 180) % 360 - 180).abs() > 45
    pictures = torch.cat([pictures[kept], target.rgb.to(pictures)])
    masks = torch.cat([masks[kept], target.mask.to(masks)])
    cameras = joined([*(camera for camera, keep in zip(cameras, kept, strict=True) if keep), target.camera])
    shape = hull_points(pictures, masks, cameras, count, generator)
    return shape if shape is not None and coverage(shape[0], target) >= COVERED else None


def coverage(points: torch.Tensor, target: Target) -> float:
    """Return the share of the cells inside the reference's mask into which points [N, 3] fall, a quarter of N cells."""
    side = max(4, math.isqrt(len(points) // 4))
    places, _ = project(points, target.camera)
    cells = ((places[0] + 1) / 2 * side).long().clamp(0, side - 1)  # [N, 2], column and row
    filled = torch.zeros(side, side, dtype=torch.bool, device=points.device)
    filled[cells[:, 1], cells[:, 0]] = True
    mask = torch.nn.functional.adaptive_avg_pool2d(target.mask.permute(0, 3, 1, 2), side)[0, 0].to(points) > 0.5
    return float((filled & mask).sum() / mask.sum().clamp_min(1))
