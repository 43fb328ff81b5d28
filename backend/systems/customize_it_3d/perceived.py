"""What is seen in the one image: its object, cut out, with depth and normals; and what it is."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from addon.protocol import InputImage
from addon.protocol.systems.customize_it_3d import CustomizeIt3DSettings
from addon.protocol.systems.subject_prompts import class_word
from backend.cameras import Cameras, orbit
from backend.diffusion.denoiser import Prior
from backend.diffusion.sampling import sample
from backend.errors import BadInput
from backend.images import load_image, resize_cut_out, save_image
from backend.runtime.job import Job
from backend.systems.customize_it_3d.doubts import doubts_about, glassy
from backend.systems.customize_it_3d.modalities import (
    depth_picture,
    mask_picture,
    normal_picture,
    normals_of,
)
from backend.systems.inputs import named
from backend.systems.reference import Target, cut_out, read_target
from backend.vision.image_encoder import load_image_text
from backend.vision.naming import propose_names
from backend.vision.normals import load_geometry
from backend.weights import network_name

LISTED = re.compile(r"(?:\b\w+, )*\b\w+,? (?:and|or) (?!(?:an?|the|its|one|two|three|some)\b)", re.IGNORECASE)
SAMPLED_ELEVATION = 15.0  # from where the prior draws an image that nobody gave


@dataclass(frozen=True)
class Perceived:
    """The reference view and its four images, in the prior's pixels, and the view in all of its own."""

    target: Target
    photo: Target
    depth: Tensor  # [1, S, S, 1], from 0 (furthest) to 1 (nearest) inside the mask
    normal: Tensor  # [1, S, S, 3], unit, camera axes
    subject: str  # its class

    def picture(self, kind: str) -> Tensor:
        """Return one of the images as the prior learns it, [1, S, S, 3]."""
        mask = self.target.mask
        pictures = {
            "rgb": lambda: self.target.rgb * mask + 1 - mask,
            "mask": lambda: mask_picture(mask),
            "depth": lambda: depth_picture(self.depth, mask),
            "normal": lambda: normal_picture(self.normal, mask),
        }
        return pictures[kind]()


def resized(seen: Perceived, size: int) -> Perceived:
    """Return the same view, and its depth and normals, in `size` pixels a side."""
    target = seen.target
    own = target.camera.width
    if own == size:
        return seen
    rgb, mask = resize_cut_out(target.rgb[0], target.mask[0], size)
    intrinsics = target.camera.intrinsics.clone()
    intrinsics[:, :2] *= size / own
    camera = Cameras(target.camera.camera_to_world, intrinsics, size, size)

    def smaller(layers: Tensor) -> Tensor:
        pixels = functional.interpolate(layers.permute(0, 3, 1, 2), (size, size), mode="bilinear", antialias=True)
        return pixels.permute(0, 2, 3, 1)

    weighted, cover = smaller(seen.depth * target.mask), smaller(target.mask)
    depth = weighted / cover.clamp_min(1e-3)  # what is outside must not come in
    normal = functional.normalize(smaller(seen.normal * target.mask), dim=-1, eps=1e-6)
    return replace(seen, target=Target(camera, rgb[None], mask[None]), depth=depth, normal=normal)


def perceive(job: Job, prior: Prior, settings: CustomizeIt3DSettings) -> Perceived:
    """Run the stage `modalities`: what is seen in the image, or in one that the prior draws of the prompt.

    It leaves rgb.png, mask.png, depth.png and normal.png, which the artist may replace. Raises BadInput where they do
    not fit each other; EmptyMask.
    """
    image = asked_image(job)

    def make() -> dict[str, Any]:
        folder = job.stage_folder
        path, doubts = folder / "sampled.png", []
        if image is None:
            camera = orbit([0.0], SAMPLED_ELEVATION, size=prior.image_size)
            said = prior.complete(job.request.prompt) + ", front view"
            drawn = sample(
                prior, [said], generator=job.generator, cameras=camera, negative_prompt=job.request.negative_prompt
            )
            save_image(path, drawn[0])
            values = cut_out(path, folder, prior.image_size, 40.0)
        else:
            path = job.input_path(image)
            with named(image):
                values = cut_out(path, folder, prior.image_size, image.fov_degrees)
                doubts = doubts_about(path)
        geometry = load_geometry(
            network_name(settings.companions, "depth"), network_name(settings.companions, "normals"), prior.device
        )
        rgb, mask = load_image(folder / "rgb.png")[0], load_image(folder / "mask.png")[0][..., :1]
        seen = rgb * mask + 1 - mask
        with torch.no_grad():
            nearness, normal = geometry(seen[None].to(prior.device))
        doubts += glassy(geometry, seen.to(prior.device), nearness, mask)
        save_image(folder / "depth.png", depth_picture(nearness.cpu(), mask[None])[0])
        save_image(folder / "normal.png", normal_picture(normal.cpu(), mask[None])[0])
        job.preview(seen)
        return {**values, "doubts": doubts, "subject": subject_of(job, settings, seen)}

    made = job.stage("modalities", make, depends_on={"prior": prior.fingerprint, "settings": settings.companions})
    for sentence, hint in made["doubts"]:
        job.warn(sentence, hint)
    if not job.request.prompt.strip() and not settings.subject_class:
        job.warn(
            f"The object is taken for a {made['subject']}.", "Say what it is in the prompt, or set the class, if not."
        )
    place = (image.azimuth_degrees, image.elevation_degrees) if image else (0.0, SAMPLED_ELEVATION)
    return read_perceived(job.stage_path("modalities"), place, made["fov_degrees"], prior.image_size, made["subject"])


def asked_image(job: Job) -> InputImage | None:
    """Return the image of the request, None where the prior is to draw one of the prompt. Warns of others."""
    images = [image for image in job.request.images if image.role == "reconstruct"]
    if others := [image.called for image in job.request.images if image not in images[:1]]:
        job.warn(
            f"{len(others)} images are not used: {', '.join(others)}.", "This system takes one image of one object."
        )
    return images[0] if images else None


def subject_of(job: Job, settings: CustomizeIt3DSettings, picture: Tensor) -> str:
    """Return the class of the object: from the settings, the prompt, or what the image encoder takes it for."""
    if settings.subject_class or job.request.prompt.strip():
        return class_word(without_lists(job.request.prompt), settings.token, settings.subject_class)
    return propose_names(load_image_text("embedded"), picture)[0].word


def without_lists(prompt: str) -> str:
    """Return a prompt with the last of words that are listed: "a red and gray robot" -> "a gray robot".

    "a robot and a ball" stays: an article begins another thing.
    """
    return LISTED.sub("", prompt)


def read_perceived(folder: Path, place: tuple[float, float], fov_degrees: float, size: int, subject: str) -> Perceived:
    """Read the four images back, which the artist may have replaced. Raises BadInput where their sizes do not fit."""
    photo = read_target(folder, *place, fov_degrees)
    target = read_target(folder, *place, fov_degrees, size=size)
    own = photo.rgb.shape[1]
    maps = []
    for name in ("depth.png", "normal.png"):
        picture = load_image(folder / name)[0]
        if picture.shape[:2] != (own, own):
            raise BadInput(
                f"In {folder.name}, {name} has {picture.shape[1]} x {picture.shape[0]} pixels, rgb.png {own} x {own}.",
                "Replace them by square pictures of one size.",
            )
        layers = functional.interpolate(picture.permute(2, 0, 1)[None], (size, size), mode="bilinear", antialias=True)
        maps.append(layers.permute(0, 2, 3, 1))
    return Perceived(target, photo, maps[0].mean(-1, keepdim=True), normals_of(maps[1]), subject)
