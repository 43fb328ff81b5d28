"""Edits by text: redraws the four sides, carries over what the new words change, and anchors the rest to the start."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from addon.protocol.systems.tv3dg import TV3DGSettings
from backend.cameras import Cameras
from backend.diffusion.guidance import Guidance
from backend.diffusion.sampling import denoise, noise_for
from backend.images import save_image
from backend.losses import photometric, silhouette, two_by_two, untouched
from backend.rendering.renderer import Renderer, Rendering
from backend.rendering.splats import splat_renderer
from backend.representations.gaussians import Gaussians, concatenate, gaussians_from_points, scaled
from backend.representations.hull import hull_points, look_up, project, seen_colours
from backend.runtime.job import Job
from backend.systems.tv3dg.multiview import SIDE_STEPS, SIDES
from backend.vision.calibration import Sides, calibration_cameras
from backend.vision.matting import load_matting
from backend.weights import network_name

SEARCH = 6 / 128  # of the picture's side: how far apart a thing may be in the picture and in its redrawing
FARTHER = 0.025 * 128  # what a colour may be off, for a match that is nearer by the picture's side
UNLIKE = (0.32, 0.44)  # colours that differ by the first are one thing in two lights, by the second two things
CHANGED = (0.08, 0.2)  # likewise, of the two redrawings
SCALE, CONTRAST = 3.0, 1.0  # guidance of the redrawing, and how many times more what the old words do not say counts
CLEAR = 0.1  # the alpha below which there is nothing of the start


@torch.no_grad()
def redraw_sides(
    job: Job, guidance: Guidance, settings: TV3DGSettings, given: Gaussians, old: str, new: str
) -> dict[str, str]:
    """Leave front.png, right.png, back.png and left.png of the start as the new words want it; the artist may replace.

    The prior redraws the start's renderings twice from the same noise, with the old words and with the new ones. What
    differs is carried over to the renderings. The start is `given`, as small as it is while it is changed;
    `settings.edit_redraw` is the share of the noise levels, 1 redraws from noise alone.
    Source: Meng et al., SDEdit, 2022, section 3; Couairon et al., DiffEdit, 2022, step 1 (two prompts, compared).
    """
    prior = guidance.prior
    cameras = calibration_cameras(prior.image_size)
    matting = load_matting(network_name(settings.companions, "matting"), prior.device)
    start = scaled(given, settings.edit_room)
    shown, solid = (image.to(prior.device) for image in side_views(splat_renderer(start), prior.image_size))
    latents = prior.encode(shown)
    noise = noise_for(prior, 1, job.generator).expand_as(latents)
    first = round(settings.edit_redraw * (len(prior.alphas) - 1))
    noisy = prior.alphas[first].sqrt() * latents + (1 - prior.alphas[first]).sqrt() * noise
    said = guidance.contexts(old, job.request.negative_prompt, cameras, tell_cameras=prior.takes_cameras)
    wanted = guidance.contexts(new, job.request.negative_prompt, cameras, tell_cameras=prior.takes_cameras)

    def redrawn(context: Tensor, contrast: float) -> Tensor:
        made = denoise(
            prior.predict_noise, noisy, prior.alphas, context, said.unconditional, steps=SIDE_STEPS, scale=SCALE,
            first=first, against=said.conditional if contrast else None, contrast=contrast,
        )  # fmt: skip
        return prior.decode(made).clamp(0, 1)

    before, after = redrawn(said.conditional, 0.0), redrawn(wanted.conditional, CONTRAST)
    pictures = carried_over(shown, before, after, solid, matting(after))
    for name, picture in zip(SIDES, pictures.cpu(), strict=True):
        save_image(job.stage_folder / f"{name}.png", picture)
    job.preview(two_by_two(pictures)[0].cpu())
    return {}


@torch.no_grad()
def side_views(render: Renderer, size: int) -> tuple[Tensor, Tensor]:
    """Return an object from the four sides before white, [4, size, size, 3], and its alpha [4, size, size, 1]."""
    rendering = render(calibration_cameras(size), torch.ones(3))
    return rendering.rgb.clamp(0, 1), rendering.alpha


def carried_over(shown: Tensor, before: Tensor, after: Tensor, solid: Tensor, solid_after: Tensor) -> Tensor:
    """Return pictures [B, S, S, 3] with the change from one redrawing of them to another.

    A redrawing has lost the details and moved the edges, so each pixel of `shown` takes what has become of the place
    that is most like it in `before`, nearby. A pixel that is like nothing there is a detail, and stays. So does one of
    the object, `solid` [B, S, S, 1], that would become background, where `solid_after` is 0: edits add and recolour.
    """
    size = shown.shape[1]
    radius = max(1, round(SEARCH * size))
    edges = edginess(before)
    cost = torch.full_like(shown[..., :1], float("inf"))
    unlike, became, moved, remains = cost, after, after, solid_after
    for down in range(-radius, radius + 1):
        for right in range(-radius, radius + 1):
            there, then, edge, stays = (shifted(images, down, right) for images in (before, after, edges, solid_after))
            difference = shown - there
            shade = difference.mean(-1, keepdim=True)
            apart = (difference - shade).abs().amax(-1, keepdim=True) + shade.abs()
            gone = ((solid > 0.5) & (stays < 0.5)).to(apart)
            total = apart + edge + gone + FARTHER * (down**2 + right**2) ** 0.5 / size
            better = total < cost
            cost, unlike = torch.where(better, total, cost), torch.where(better, apart, unlike)
            became, moved = torch.where(better, then, became), torch.where(better, then - there, moved)
            remains = torch.where(better, stays, remains)
    changed = moved.abs().amax(-1, keepdim=True).permute(0, 3, 1, 2)
    changed = functional.avg_pool2d(functional.pad(changed, (1, 1, 1, 1), "replicate"), 3, 1).permute(0, 2, 3, 1)
    share = (1 - ramp(unlike, *UNLIKE)) * ramp(changed, *CHANGED) * ((remains > 0.5) | (solid < 0.5))
    return shown + share * (became - shown)


def edginess(images: Tensor) -> Tensor:
    """Return half the range of colours among each pixel's neighbours, [B, H, W, C] -> [B, H, W, 1]."""
    planes = images.permute(0, 3, 1, 2)
    most, least = functional.max_pool2d(planes, 3, 1, 1), -functional.max_pool2d(-planes, 3, 1, 1)
    return (most - least).amax(1)[..., None] / 2


def shifted(images: Tensor, down: int, right: int) -> Tensor:
    """Return images [B, H, W, C] in which each pixel shows what lies so far from it; the border goes on outside."""
    height, width = images.shape[1:3]
    rows = (torch.arange(height, device=images.device) + down).clamp(0, height - 1)
    columns = (torch.arange(width, device=images.device) + right).clamp(0, width - 1)
    return images[:, rows][:, :, columns]


def ramp(values: Tensor, low: float, high: float) -> Tensor:
    """Return 0 below `low`, 1 above `high`, and a straight line between."""
    return ((values - low) / (high - low)).clamp(0, 1)


def in_new_colours(start: Gaussians, sides: Sides) -> Gaussians:
    """Return the Gaussians in the colours of the sides: what is seen in one changes as the picture does there."""
    change = sides.pictures - side_views(splat_renderer(start), sides.pictures.shape[1])[0]
    colours = start.base_colours + seen_colours(change, *project(start.means, sides.cameras))
    return replace(start, sh=gaussians_from_points(start.means, colours).sh)


def with_new_parts(start: Gaussians, sides: Sides, opacity: float, generator: torch.Generator) -> Gaussians:
    """Return the Gaussians and those of the sides' hull that lie beside the start in some picture."""
    shape = hull_points(sides.pictures, sides.mask, sides.cameras, len(start), generator)
    if shape is None:
        return start
    alpha = side_views(splat_renderer(start), sides.mask.shape[1])[1]
    outside = look_up(alpha, project(shape.points, sides.cameras)[0]).amin(0)[:, 0] < CLEAR
    if int(outside.sum()) < 4:
        return start
    return concatenate(start, gaussians_from_points(*(values[outside] for values in shape), opacity=opacity))


def side_loss(render: Renderer, sides: Sides, background: Tensor) -> Tensor:
    """Return a scalar: how far the four sides of an object are from their pictures, in colour and alpha, inside them.

    What grows beyond the redrawn outlines is left to the guidance, which may know more of a hat than they show.
    """
    mask = sides.mask
    rendering = render(sides.cameras, background)
    return photometric(rendering.rgb, sides.pictures, mask) + silhouette(rendering.alpha * mask, mask)


@dataclass(frozen=True)
class Anchor:
    """What an edit begins from, and how strongly its renderings hold those of the edit where nothing is to change."""

    render: Renderer  # of the start
    extent: float  # of the result, which is to be as large as the start
    colour: float
    alpha: float

    def loss(
        self, rendering: Rendering, cameras: Cameras, background: torch.Tensor, gradient: torch.Tensor
    ) -> torch.Tensor:
        """Return a scalar: how far a rendering is from that of the start, where the guidance does not pull.

        `gradient` is d(guidance) / d(latents of the rendering), [B, C, h, w]: where it is strong, the words want
        something else. Source of the map: Couairon et al., DiffEdit, 2022, step 1.
        """
        with torch.no_grad():
            start = self.render(cameras, background)
            kept = untouched(gradient, rendering.rgb.shape[1])  # [B, S, S, 1]
        colour = photometric(rendering.rgb, start.rgb, kept)
        return self.colour * colour + self.alpha * silhouette(rendering.alpha * kept, start.alpha * kept)
