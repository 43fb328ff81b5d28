"""Views of the first object at known cameras, redrawn by the fully taught prior: what the final object is held to.

Each is noised to one level and denoised by itself, so that they contradict each other a little; where the prior takes
views, some of them see each other.
Source: Raj et al., DreamBooth3D (arXiv 2303.13508), section 3.3, stage 2.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from addon.protocol.systems.dreambooth3d import DreamBooth3DSettings
from backend.cameras import Cameras, orbit, view_words
from backend.diffusion.denoiser import Prior
from backend.diffusion.sampling import image_to_image
from backend.errors import BadInput
from backend.images import load_image, save_image
from backend.rendering.renderer import resized_views
from backend.rendering.volume import volume_renderer
from backend.representations.radiance_grid import RadianceGrid
from backend.runtime.job import Job
from backend.systems.dreambooth3d.field import PseudoViews
from backend.systems.dreambooth3d.photo_colours import PhotoColours
from backend.systems.dreambooth3d.subject import TOGETHER

GOLDEN = 0.381966  # of the range of heights from one view to the next: spread evenly, however many there are
ROOM = 1 / 8  # of a picture: how far beyond the first object's outline a redrawn one may reach


def around(settings: DreamBooth3DSettings, size: int) -> Cameras:
    """Return the cameras of the redrawn views: evenly around, at heights spread over the range, one distance."""
    count, low, high = settings.pseudo_views, settings.low_elevation, settings.high_elevation
    azimuths = [360.0 * view / count for view in range(count)]
    return orbit(azimuths, [low + (high - low) * ((0.5 + GOLDEN * view) % 1) for view in range(count)], size=size)


def sides_apart(count: int) -> list[slice]:
    """Return which of so many views around are redrawn at once: TOGETHER at most, far from each other."""
    apart = -(-count // TOGETHER)
    return [slice(first, None, apart) for first in range(apart)]


def redraw_views(
    job: Job, full: Prior, field: RadianceGrid, prompt: str, settings: DreamBooth3DSettings, made_with: dict,
    colours: PhotoColours | None = None,
) -> tuple[Cameras, torch.Tensor]:  # fmt: skip
    """Run the stage `redrawn`; return the cameras and pictures [N, S, S, 3], in the prior's pixels, on white.

    They are carried over to the `colours` of photos where they disagree. It leaves view-NN.png, which the artist may
    replace by pictures of the same size.
    """
    size = full.image_size
    cameras = around(settings, size)

    @torch.no_grad()
    def make() -> dict[str, Any]:
        render = volume_renderer(field, samples=3 * len(field) // 2)
        joint = settings.joint_views and settings.camera_tokens and full.takes_views
        for places in sides_apart(len(cameras)):
            some = cameras[places]
            seen = render(some, torch.ones(3, device=full.device))
            drawn = image_to_image(
                full, seen.rgb.clamp(0, 1), [f"{prompt}, {word} view" for word in view_words(some)],
                strength=settings.pseudo_noise, steps=settings.pseudo_steps, scale=settings.pseudo_scale,
                cameras=some if settings.camera_tokens else None, negative_prompt=job.request.negative_prompt,
                generator=job.generator, together=joint,
            )  # fmt: skip
            drawn = on_white(drawn, seen.alpha)
            if colours is not None:
                drawn = colours.recoloured(drawn.cpu(), seen.alpha.cpu(), some).to(drawn)
            for number, picture in zip(range(len(cameras))[places], drawn, strict=True):
                save_image(job.stage_folder / f"view-{number + 1:02}.png", picture)
            job.preview(drawn[0])
        return {}

    job.stage("redrawn", make, depends_on=made_with)
    pictures = []
    for number in range(1, len(cameras) + 1):
        rgb, alpha = load_image(job.stage_path("redrawn") / f"view-{number:02}.png")
        if rgb.shape[0] != rgb.shape[1]:
            raise BadInput(f"view-{number:02}.png has {rgb.shape[1]} x {rgb.shape[0]} pixels.", "Make it square.")
        pictures.append(resized_views((rgb if alpha is None else rgb * alpha + 1 - alpha)[None], size))
    return cameras, torch.cat(pictures)


def held_to(settings: DreamBooth3DSettings, pictures: torch.Tensor) -> PseudoViews:
    """Return redrawn views in the pixels that the field is rendered in, with their cameras."""
    return PseudoViews(around(settings, settings.view_size), resized_views(pictures, settings.view_size))


def on_white(drawn: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
    """Return redrawn views [B, S, S, 3] with white where the first object [B, S, S, 1] is not near: a background that
    was invented there would be built.
    """
    reach = max(1, round(ROOM * drawn.shape[1]))
    near = functional.max_pool2d(alpha.permute(0, 3, 1, 2), 2 * reach + 1, 1, reach)
    blur = reach // 2
    near = functional.avg_pool2d(near, 2 * blur + 1, 1, blur, count_include_pad=False).permute(0, 2, 3, 1)
    return drawn * near + 1 - near
