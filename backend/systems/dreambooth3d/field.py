"""The loop that shapes a radiance field: guidance of rendered views, redrawn views where there are some, regularisers.

Source: Raj et al., DreamBooth3D (arXiv 2303.13508), section 3.3, eq. 6; the field is DreamFusion's in role and a dense
grid in kind, coarse to fine.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch.nn import functional

from addon.protocol.systems.dreambooth3d import DreamBooth3DSettings
from backend.cameras import Cameras, concatenate, draw_around
from backend.diffusion.guidance import Guidance
from backend.diffusion.latents import backpropagate_to_images, encode
from backend.losses import opacity_entropy, photometric
from backend.regularisers import grid_variation, normal_image_smoothness, over_rays, sparsity
from backend.rendering.renderer import (
    Renderer,
    background_word,
    draw_background,
    resized_views,
    turntable_view,
)
from backend.rendering.volume import volume_renderer
from backend.rendering.volume_shading import ALBEDO, Shading, draw_light
from backend.representations.growing_grid import GrowingGrid, nodes_for
from backend.representations.radiance_grid import RadianceGrid, blob_grid
from backend.runtime.checkpoint import Stateful
from backend.runtime.job import Job
from backend.schedules import draw_timestep, log_linear, timestep_window
from backend.systems.dreambooth3d.photo_colours import PhotoColours
from backend.systems.guessed import one_view_loss
from backend.systems.optimisation import OptimisationState, skip_bad_step
from backend.systems.small_encoder import encoding

PRUNE_EVERY, PRUNE_FROM = 20, 0.3  # steps; share of the run before which fog may still become something
BAD_STEPS = "Try another seed, or lower the setting `field_rate`."


@dataclass(frozen=True)
class PseudoViews:
    """Redrawn views of the first object, and the cameras that they were rendered from."""

    cameras: Cameras
    pictures: torch.Tensor  # [N, S, S, 3] on white, in the pixels of the cameras


def first_field(settings: DreamBooth3DSettings, total: int) -> RadianceGrid:
    """Return the soft ball that an object begins as."""
    return blob_grid(nodes_for(0, total, settings.nodes), radius=settings.radius)


def draw_shading(
    step: int, total: int, cameras: Cameras, settings: DreamBooth3DSettings, generator: torch.Generator
) -> Shading:
    """Draw how a step's views are lit: not at all in the first share of the run, later now and then.

    Always as many draws, so that what follows does not depend on the schedule. Source: threestudio's DreamFusion.
    """
    light, (is_lit, is_white) = draw_light(cameras, generator), torch.rand(2, generator=generator).tolist()
    if step < settings.unlit * total or is_lit >= settings.lit:
        return ALBEDO
    return Shading("textureless" if is_white < settings.textureless else "lambertian", light)


def optimise_field(
    job: Job,
    guidance: Guidance,
    prompt: str,
    settings: DreamBooth3DSettings,
    start: RadianceGrid,
    total: int,
    views: PseudoViews | None = None,
    against: str = "",
    photos: PseudoViews | None = None,
    colours: PhotoColours | None = None,
    guess: RadianceGrid | None = None,
) -> dict[str, torch.Tensor]:
    """Shape a field until it looks like the prompt from everywhere, and weakly like the redrawn views; return it.

    It is held to `photos`, too, where it is known from where they were taken, to their `colours`, and to the `guess` of
    one of them. Another prompt to guide `against`, of the result that is edited, lets only what the two differ in pull.
    """
    prior, generator = guidance.prior, job.generator
    white = torch.ones(3, device=prior.device)
    growing = GrowingGrid(start, settings.field_memory)
    parts: dict[str, Stateful] = {"field": growing}
    if guidance.variational_score is not None:
        parts["particle"] = guidance.variational_score
    state = OptimisationState(parts)
    heights = (settings.low_elevation, settings.high_elevation)
    for step in job.steps(total, state):
        growing.grow(nodes_for(step, total, settings.nodes))
        field = growing.field
        samples = 3 * len(field) // 2
        cameras = draw_around(settings.views, heights, size=settings.view_size, generator=generator)
        background = backdrop(field, settings, generator).to(prior.device)
        shading = draw_shading(step, total, cameras, settings, generator)
        t = draw_timestep(timestep_window(step, total, warmup=settings.warmup), len(prior.alphas), generator)
        contexts = guidance.contexts(
            prompt, job.request.negative_prompt, cameras, tell_cameras=settings.camera_tokens,
            background=background_word(background), against=against,
        )  # fmt: skip

        render = volume_renderer(field, samples=samples, generator=generator, shading=shading)
        rendering = render(cameras, background, geometry=True)
        images = resized_views(rendering.rgb, prior.image_size)
        encoder = encoding(prior, step, total)
        latents = encode(encoder, images, guidance.at_once)
        gradient = guidance.gradient(latents.detach(), t, contexts, generator)
        if not torch.isfinite(gradient).all():
            skip_bad_step(job, state, step, "the guidance is not a number", BAD_STEPS)
            continue
        # As a mean over latents, as the terms are means over pixels.
        backpropagate_to_images(encoder, images, latents, gradient, settings.lambda_sds / gradient.numel())

        loss = (
            settings.sparsity * sparsity(rendering.alpha)
            + settings.entropy * opacity_entropy(rendering.alpha)
            + settings.orientation * over_rays(rendering.orientation, rendering.alpha)
            + settings.distortion * rendering.distortion.mean()
            + settings.smoothness * normal_image_smoothness(rendering.normal)
            + settings.variation * grid_variation(field.values)
        )
        known = volume_renderer(field, samples=samples, generator=generator)
        if views is not None and settings.reconstruction:
            loss = loss + settings.reconstruction * view_loss(
                known, views, settings.reconstruction_views, white, generator
            )
        if photos is not None and settings.photo_weight:
            loss = loss + settings.photo_weight * view_loss(known, photos, 1, white, generator)
        if guess is not None and settings.imagined_sides:
            apart = one_view_loss(guess, known, cameras, background, generator)
            loss = loss + settings.imagined_sides * apart
        if colours is not None:
            # Of colours alone: thin parts would rather vanish than change theirs.
            painted = volume_renderer(field.with_fixed_shape(), samples=samples, generator=generator)(
                cameras, background
            )
            loss = loss + settings.palette * colours.loss(painted.rgb, painted.alpha, background, cameras)
        loss.backward()
        if not growing.is_finite:
            growing.optimiser.zero_grad()
            skip_bad_step(job, state, step, "a gradient is not a number", BAD_STEPS)
            continue
        state.bad_steps = 0
        growing.step(log_linear(step, total, settings.field_rate, settings.field_rate * settings.field_rate_end))
        if step >= PRUNE_FROM * total and step % PRUNE_EVERY == 0:
            growing.field.prune()
        if job.preview_due:
            job.preview(turntable_view(volume_renderer(growing.field), prior.image_size, step))
    return growing.field.state_dict()


def view_loss(
    render: Renderer, views: PseudoViews, count: int, white: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """Return a scalar: how far some views of a field, drawn at random, are from their pictures on white.

    Rays go through another place of each pixel in every step: through the same ones always, what lies between them
    would have no colour to be held to, and shows as hatching in larger views.
    """
    chosen = torch.randperm(len(views.cameras), generator=generator)[:count].tolist()
    offset = torch.rand(2, generator=generator) - 0.5
    seen = render(concatenate([off_centre(views.cameras[i], offset) for i in chosen]), white).rgb
    return photometric(seen, shifted(views.pictures[chosen], offset).to(seen), torch.ones_like(seen[..., :1]))


def off_centre(cameras: Cameras, offset: torch.Tensor) -> Cameras:
    """Return cameras whose rays go through their pixels' centres plus an offset (x, y), in pixels."""
    intrinsics = cameras.intrinsics.clone()
    intrinsics[:, :2, 2] -= offset.to(intrinsics)
    return replace(cameras, intrinsics=intrinsics)


def shifted(pictures: torch.Tensor, offset: torch.Tensor) -> torch.Tensor:
    """Return what square pictures [B, S, S, 3] show at their pixels' centres plus an offset (x, y), in pixels."""
    matrix = torch.eye(2, 3).to(pictures)
    matrix[:, 2] = 2 * offset / pictures.shape[1]
    layers = pictures.permute(0, 3, 1, 2)
    grid = functional.affine_grid(matrix.expand(len(pictures), 2, 3), list(layers.shape), align_corners=False)
    return functional.grid_sample(layers, grid, padding_mode="border", align_corners=False).permute(0, 2, 3, 1)


def backdrop(field: RadianceGrid, settings: DreamBooth3DSettings, generator: torch.Generator) -> torch.Tensor:
    """Return what is behind the object in a step, [3]; draws as often whichever it is."""
    drawn = draw_background(generator)
    return {"greys": drawn, "white": torch.ones(3), "learned": field.background}[settings.backdrop]
