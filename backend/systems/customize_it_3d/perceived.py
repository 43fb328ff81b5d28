"""What is seen in the one image: its object, cut out, with depth and normals; and what it is."""

from __future__ import annotations

import re
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from addon.protocol import InputImage, Pictured
from addon.protocol.systems.customize_it_3d import CustomizeIt3DSettings
from addon.protocol.systems.subject_prompts import class_word
from backend.cameras import azimuth_elevation, orbit
from backend.diffusion.camera_search import Place, find_places
from backend.diffusion.denoiser import Prior
from backend.diffusion.sampling import sample
from backend.errors import BadInput
from backend.images import load_image, resize_cut_out, save_image
from backend.runtime.job import Job
from backend.systems.customize_it_3d.doubts import glassy, transparency
from backend.systems.customize_it_3d.modalities import (
    depth_picture,
    mask_picture,
    normal_picture,
    normals_of,
)
from backend.systems.inputs import said_of
from backend.systems.reference import Target, cut_out, cut_out_given, pictured, read_target
from backend.vision.image_encoder import load_image_text
from backend.vision.naming import propose_names
from backend.vision.normals import load_geometry
from backend.weights import network_name

LISTED = re.compile(r"(?:\b\w+, )*\b\w+,? (?:and|or) (?!(?:an?|the|its|one|two|three|some)\b)", re.IGNORECASE)
GIVE_CAMERA = "Set azimuth and elevation of the image, and Find the Camera off, if it was taken from elsewhere."
SAMPLED_ELEVATION = 15.0  # from where the prior draws an image that nobody gave


@dataclass(frozen=True)
class Perceived:
    """The reference view and its four images, in the prior's pixels, and the view in all of its own."""

    target: Target
    photo: Target
    depth: Tensor  # [1, S, S, 1], from 0 (furthest) to 1 (nearest) inside the mask
    normal: Tensor  # [1, S, S, 3], unit, camera axes
    subject: str  # its class
    prompt: str = ""  # what the artist says of it, or the image encoder
    pictured: Pictured | None = None  # where in the artist's picture it was

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
    if target.camera.width == size:
        return seen

    def smaller(layers: Tensor) -> Tensor:
        pixels = functional.interpolate(layers.permute(0, 3, 1, 2), (size, size), mode="bilinear", antialias=True)
        return pixels.permute(0, 2, 3, 1)

    weighted, cover = smaller(seen.depth * target.mask), smaller(target.mask)
    depth = weighted / cover.clamp_min(1e-3)  # what is outside must not come in
    normal = functional.normalize(smaller(seen.normal * target.mask), dim=-1, eps=1e-6)
    return replace(seen, target=resized_target(target, size), depth=depth, normal=normal)


def resized_target(target: Target, size: int) -> Target:
    """Return the same views in `size` pixels a side."""
    if target.camera.width == size:
        return target
    pairs = [resize_cut_out(rgb, mask, size) for rgb, mask in zip(target.rgb, target.mask, strict=True)]
    return Target(
        target.camera.with_width(size), torch.stack([rgb for rgb, _ in pairs]), torch.stack([mask for _, mask in pairs])
    )


def perceive(job: Job, prior: Prior, settings: CustomizeIt3DSettings, prompt: str = "") -> Perceived:
    """Run the stage `modalities`: what is seen in the image, or in one that the prior draws of the prompt.

    `prompt` is as much of that as the prior reads. Where the settings want it, the stage `viewpoint` follows.

    It leaves rgb.png, mask.png, depth.png and normal.png, which the artist may replace. Raises BadInput where they do
    not fit each other; EmptyMask.
    """
    image = asked_image(job)

    def make() -> dict[str, Any]:
        folder = job.stage_folder
        doubts = []
        if image is None:
            camera = orbit([0.0], SAMPLED_ELEVATION, size=prior.image_size)
            said = prior.complete(job.request.prompt) + ", front view"
            drawn = sample(
                prior, [said], generator=job.generator, cameras=camera, negative_prompt=job.request.negative_prompt
            )
            save_image(folder / "sampled.png", drawn[0])
            values = cut_out(folder / "sampled.png", folder, prior.image_size, 40.0)
        else:
            values = cut_out_given(job, image, folder, prior.image_size, how=settings.cut_out, piece=settings.piece)
            doubts = list(values["doubts"])
            doubts += transparency(load_image(folder / "mask.png")[0][..., :1]) if values["source"] == "alpha" else []
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
        return {**values, "doubts": doubts, **subject_of(job, settings, seen)}

    chosen = [settings.companions, settings.cut_out, settings.piece, settings.subject_class]
    made = job.stage("modalities", make, depends_on={"prior": prior.fingerprint, "settings": chosen})
    for sentence, hint in made["doubts"]:
        job.warn(said_of(image, sentence) if image else sentence, hint)
    if not job.request.prompt.strip() and not settings.subject_class:
        job.warn(
            f"The object is taken for {made['caption']}.", "Say what it is in the prompt, or set the class, if not."
        )
    place = (image.azimuth_degrees, image.elevation_degrees) if image else (0.0, SAMPLED_ELEVATION)
    folder, size = job.stage_path("modalities"), prior.image_size
    words = (made["subject"], prompt or made["caption"])
    seen = read_perceived(folder, place, made["fov_degrees"], size, *words)
    if settings.find_camera:
        place = found_camera(job, prior, seen)
        seen = read_perceived(folder, place, made["fov_degrees"], size, *words)
    return seen if image is None else replace(seen, pictured=pictured(image, made, place))


def found_camera(job: Job, prior: Prior, seen: Perceived) -> tuple[float, float]:
    """Run the stage `viewpoint`: azimuth and elevation, in degrees, from where the prior takes the image to be seen.

    What the request says holds where the prior cannot be told of cameras, or is not sure. All of it is said.
    """
    asked = tuple(float(angle[0]) for angle in azimuth_elevation(seen.target.camera))

    def make() -> dict[str, Any]:
        if not prior.takes_cameras:
            return {"place": []}
        (place,) = find_places(prior, seen.picture("rgb"), seen.prompt or f"a {seen.subject}", job.generator)
        return {"place": list(astuple(place))}

    found = job.stage("viewpoint", make, depends_on={"prior": prior.fingerprint, "prompt": seen.prompt})["place"]
    if not found:
        job.warn("The camera was not looked for: this prior cannot be told where it is.", GIVE_CAMERA)
        return asked[0], asked[1]
    place = Place(*found)
    azimuth, elevation = (place.azimuth_degrees + 180) % 360 - 180, place.elevation_degrees
    where = f"azimuth {azimuth:.0f}, elevation {elevation:.0f} degrees"
    if not place.is_sure:
        job.warn(f"The prior is not sure of the camera (perhaps {where}), so it stays as given.", GIVE_CAMERA)
        return asked[0], asked[1]
    job.warn(f"The image was taken from {where}, as the prior sees it.", GIVE_CAMERA)
    return azimuth, elevation


def asked_image(job: Job) -> InputImage | None:
    """Return the image of the request, None where the prior is to draw one of the prompt. Warns of others."""
    images = [image for image in job.request.images if image.role == "reconstruct"]
    masks = [image for image in job.request.images if image.role == "mask"][: len(images)]
    if others := [image.called for image in job.request.images if image not in images[:1] + masks[:1]]:
        job.warn(
            f"{len(others)} images are not used: {', '.join(others)}.",
            "This system takes one image of one object, and a mask of it.",
        )
    return images[0] if images else None


def subject_of(job: Job, settings: CustomizeIt3DSettings, picture: Tensor) -> dict[str, str]:
    """Return the `subject`, the class of the object, from the settings or the prompt.

    Where neither says it, it is what the image encoder takes the object for, and `caption` has its colour, too.
    """
    if settings.subject_class or job.request.prompt.strip():
        subject = class_word(without_lists(job.request.prompt), settings.token, settings.subject_class)
        return {"subject": subject, "caption": ""}
    name = propose_names(load_image_text("embedded"), picture)[0]
    return {"subject": name.word, "caption": name.caption}


def without_lists(prompt: str) -> str:
    """Return a prompt with the last of words that are listed: "a red and gray robot" -> "a gray robot".

    "a robot and a ball" stays: an article begins another thing.
    """
    return LISTED.sub("", prompt)


def read_perceived(
    folder: Path, place: tuple[float, float], fov_degrees: float, size: int, subject: str, prompt: str = ""
) -> Perceived:
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
    return Perceived(target, photo, maps[0].mean(-1, keepdim=True), normals_of(maps[1]), subject, prompt)
