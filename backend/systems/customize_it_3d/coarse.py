"""The loop that shapes the object: the image from its own side, what the prior says of all others, regularisers.

Source: Customize-It-3D (arXiv 2312.11535), section 3.3, and its code, main.py and nerf/utils.py. Its field is a hash
grid, ours a dense one, coarse to fine.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from addon.protocol.systems.customize_it_3d import CustomizeIt3DSettings
from backend.cameras import Cameras, azimuth_elevation, fields_of_view, orbit
from backend.diffusion.guidance import Contexts, Guidance
from backend.diffusion.latents import backpropagate_to_images, encode
from backend.losses import normal_alignment, opacity_entropy, pearson_depth, photometric, silhouette
from backend.regularisers import grid_variation, normal_image_smoothness, over_rays, sparsity
from backend.rendering.renderer import background_word, draw_background, resized_views, turntable_view
from backend.rendering.volume import volume_renderer
from backend.rendering.volume_shading import ALBEDO, Shading, draw_light
from backend.representations.growing_grid import GrowingGrid, nodes_for
from backend.representations.inflated import inflated_grid
from backend.representations.radiance_grid import RadianceGrid, blob_grid
from backend.runtime.checkpoint import Stateful
from backend.runtime.job import Job
from backend.schedules import draw_timestep, log_linear
from backend.systems.customize_it_3d.likeness import Likeness
from backend.systems.customize_it_3d.modalities import rendered_picture, steps_of, words_for
from backend.systems.customize_it_3d.novel_views import NovelViews
from backend.systems.customize_it_3d.perceived import Perceived, resized, resized_target
from backend.systems.customize_it_3d.sides import MISFIT, Beginning, first_nodes, hull_of, one_side
from backend.systems.guessed import one_view_loss
from backend.systems.optimisation import OptimisationState, skip_bad_step
from backend.systems.palette import palette_of
from backend.systems.reference import Target
from backend.systems.small_encoder import encoding
from backend.vision.calibration import SOLID, in_camera_axes

PAPER_FOV = 60.0  # degrees; Zero-1-to-3 was trained with 49.1
FINE_PIXELS = 128  # of the image's side, at most: more than nodes of the finest grid
PRUNE_STEPS, PRUNE_FROM = 20, 0.3  # between two prunings; share of the run before which fog may become something
REMEDY = "Try another seed, or a lower `field_rate`."


@dataclass(frozen=True)
class Look:
    """How the views of a step are looked at: which of the four images is judged, and how colours are lit."""

    kind: str
    shading: Shading


def draw_look(
    step: int, total: int, cameras: Cameras, settings: CustomizeIt3DSettings, generator: torch.Generator
) -> Look:
    """Draw how a step's views are looked at; always as many draws, so that what follows depends on no schedule.

    Normals, depth and outline are judged in their shares of the steps, where they were taught; else colours, without
    any light in the first share of the run and later now and then lit. Source: the authors' code, `shading`.
    """
    light = draw_light(cameras, generator)
    which, is_lit, is_white = torch.rand(3, generator=generator).tolist()
    taught = steps_of(settings)
    for kind in ("normal", "depth", "mask"):
        share = getattr(settings, f"{kind}_views") if kind in taught else 0.0
        if which < share:
            return Look(kind, ALBEDO)
        which -= share
    if step < settings.unlit * total or is_lit >= settings.lit:
        return Look("rgb", ALBEDO)
    return Look("rgb", Shading("textureless" if is_white < settings.textureless else "lambertian", light))


def draw_views(
    step: int, total: int, reference: Cameras, settings: CustomizeIt3DSettings, size: int, generator: torch.Generator
) -> Cameras:
    """Draw the cameras of a step: spread over a range about the reference's azimuth that widens until it is all round.

    Each has a height of its own; all have the reference's field of view.
    """
    widest = settings.first_azimuth + (180 - settings.first_azimuth) * min(1.0, step / (settings.widened * total))
    middle = float(azimuth_elevation(reference)[0][0])
    count = settings.views
    places = (torch.arange(count) + torch.rand(count, generator=generator)) / count  # one in each part of the range
    heights = torch.rand(count, generator=generator)
    elevations = settings.low_elevation + (settings.high_elevation - settings.low_elevation) * heights
    fov = PAPER_FOV if settings.paper_compat else float(fields_of_view(reference)[0])
    return orbit(middle + widest * (2 * places - 1), elevations, fov_degrees=fov, size=size)


def contexts_of(
    guidance: Guidance, words: str, negative: str, cameras: Cameras, background: str, settings: CustomizeIt3DSettings
) -> Contexts:
    """Return what the prior is told of views; with `paper_compat` nothing of their sides, as in the authors' code,
    which puts the words for the kind of image in the place of those for the back.
    """
    if not settings.paper_compat:
        return guidance.contexts(words, negative, cameras, tell_cameras=settings.camera_tokens, background=background)
    count = len(cameras)
    return Contexts(guidance.prior.embed([words] * count), guidance.prior.embed([negative] * count))


def optimise_shape(
    job: Job,
    guidance: Guidance,
    novel: NovelViews | None,
    seen: Perceived,
    settings: CustomizeIt3DSettings,
    likeness: Likeness | None = None,
    sides: Beginning | None = None,
) -> dict[str, Tensor]:
    """Shape a field until it looks like the image from its side and like the object from all others; return it.

    It begins from `sides` and is held to them, where they fit to the image; of that is warned where they do not.
    """
    prior, generator, total = guidance.prior, job.generator, settings.coarse_steps
    begun = sides.guessed if sides is not None else None
    if sides is not None and begun is None:
        begun = hull_of(first_nodes(settings), seen, sides.views)
        if begun is None:
            job.warn(*MISFIT)
    drawn = resized_target(sides.views, settings.view_size) if sides is not None and begun is not None else None
    begun = begun if begun is not None else first_shape(seen, settings)
    growing = GrowingGrid(begun.to(prior.device), settings.field_memory)
    parts: dict[str, Stateful] = {"field": growing}
    if guidance.variational_score is not None:
        parts["particle"] = guidance.variational_score
    state = OptimisationState(parts)
    shown, fine = resized(seen, settings.view_size), resized(seen, fine_pixels(seen, settings))
    palette = palette_of(seen.target) if settings.palette else None
    for step in job.steps(total, state):
        growing.grow(nodes_for(step, total, settings.nodes))
        field = growing.field
        samples = 3 * len(field) // 2
        cameras = draw_views(step, total, seen.target.camera, settings, settings.view_size, generator)
        background = draw_background(generator).to(prior.device)
        look = draw_look(step, total, cameras, settings, generator)
        t = draw_timestep((settings.low_noise, settings.high_noise), len(prior.alphas), generator)

        render = volume_renderer(field, samples=samples, generator=generator, shading=look.shading)
        rendering = render(cameras, background, geometry=True)
        judged = rendered_picture(look.kind, rendering, cameras, world_axes=settings.paper_compat)
        words = words_for(look.kind if settings.shading_aware else "rgb", settings, seen.subject, seen.prompt)
        behind = background_word(background) if look.kind == "rgb" else "white"
        contexts = contexts_of(guidance, words, job.request.negative_prompt, cameras, behind, settings)

        pictures = resized_views(judged, prior.image_size).detach().requires_grad_()
        encoder = encoding(prior, step, total)
        latents = encode(encoder, pictures, guidance.at_once)
        gradient = guidance.gradient(latents.detach(), t, contexts, generator)
        if not torch.isfinite(gradient).all():
            skip_bad_step(job, state, step, "the guidance is not a number", REMEDY)
            continue
        backpropagate_to_images(encoder, pictures, latents, gradient, settings.lambda_sds / gradient.numel())
        loss = pulled(resized_views(judged, prior.image_size), pictures)
        if novel is not None and look.shading is ALBEDO and settings.novel_views:
            colours = resized_views(rendering.rgb, prior.image_size).detach().requires_grad_()
            if not novel.pull(colours, cameras, background, t, generator, settings.novel_views, encoder):
                skip_bad_step(job, state, step, "what the 3D prior says is not a number", REMEDY)
                continue
            loss = loss + pulled(resized_views(rendering.rgb, prior.image_size), colours)
        if likeness is not None and look.kind == "rgb":
            views = resized_views(rendering.rgb, prior.image_size)
            loss = loss + likeness.loss(views, image=settings.image_features, text=settings.text_features)
        facing = over_rays(rendering.orientation, rendering.alpha)
        loss = (
            loss
            + settings.sparsity * sparsity(rendering.alpha)
            + settings.entropy * opacity_entropy(rendering.alpha)
            + (2 if settings.paper_compat else 1) * settings.orientation * facing
            + settings.distortion * rendering.distortion.mean()
            + settings.smoothness * normal_image_smoothness(rendering.normal)
            + settings.variation * grid_variation(field.values)
            + reference_loss(
                field, fine if len(field) >= settings.nodes else shown, background, settings, samples, generator
            )
        )
        if palette is not None and any(palette.weights(cameras)):
            # Of colours alone: thin parts would rather vanish than change theirs.
            painted = volume_renderer(field.with_fixed_shape(), samples=samples, generator=generator)(
                cameras, background
            )
            loss = loss + settings.palette * palette.loss(painted.rgb, painted.alpha, background, cameras)
        if drawn is not None and settings.drawn_sides:
            guess = sides.guessed if sides is not None else None
            apart = side_loss(field, guess or drawn, cameras, background, samples, generator)
            loss = loss + settings.drawn_sides * apart
        loss.backward()
        if not growing.is_finite:
            growing.optimiser.zero_grad()
            skip_bad_step(job, state, step, "a gradient is not a number", REMEDY)
            continue
        state.bad_steps = 0
        growing.step(log_linear(step, total, settings.field_rate, settings.field_rate * settings.field_rate_end))
        if step >= PRUNE_FROM * total and step % PRUNE_STEPS == 0:
            growing.field.prune()
        if job.preview_due:
            job.preview(turntable_view(volume_renderer(growing.field), prior.image_size, step))
    return growing.field.state_dict()


def fine_pixels(seen: Perceived, settings: CustomizeIt3DSettings) -> int:
    """Return how many pixels a side the image has beside the finest grid, where it counts what a single node shows.

    In fewer pixels an edge is wherever it makes the same grey of a whole one. On a robot, 40 steps on from a `bench`
    job's field, the outline at 256 px came to an IoU of .973 with 64 pixels and .990 with 128, the colours inside it to
    23.5 and 26.8 dB; with twice the nodes to .975 and .991.
    """
    return max(settings.view_size, min(seen.target.camera.width, FINE_PIXELS))


def first_shape(seen: Perceived, settings: CustomizeIt3DSettings) -> RadianceGrid:
    """Return what the shape begins as without sides: a ball, or the image's outline, blown up."""
    if settings.start == "ball":
        return blob_grid(nodes_for(0, settings.coarse_steps, settings.nodes), radius=settings.radius)
    return inflated_grid(first_nodes(settings), seen.target.camera, seen.target.rgb, seen.target.mask)


def side_loss(
    field: RadianceGrid,
    known: Target | RadianceGrid,
    cameras: Cameras,
    background: Tensor,
    samples: int,
    generator: torch.Generator,
) -> Tensor:
    """Return how far a field's rendering is from one of the drawn sides, in colour and outline.

    Or, from one of the step's cameras, from a guessed field, which knows every side.
    """
    render = volume_renderer(field, samples=samples, generator=generator)
    if isinstance(known, RadianceGrid):
        return one_view_loss(known, render, cameras, background, generator)
    camera, rgb, mask = one_side(known, generator)
    rgb, mask = rgb.to(background), mask.to(background)
    seen = render(camera, background)
    wanted = rgb * mask + background * (1 - mask)
    return photometric(seen.rgb, wanted, torch.ones_like(mask)) + silhouette(seen.alpha, mask)


def reference_loss(
    field: RadianceGrid,
    seen: Perceived,
    background: Tensor,
    settings: CustomizeIt3DSettings,
    samples: int,
    generator: torch.Generator,
) -> Tensor:
    """Return how far a field's rendering from the image's camera is from the four images, weighted and summed."""
    render = volume_renderer(field, samples=samples, generator=generator)
    known = render(seen.target.camera, background, geometry=True)
    mask = seen.target.mask.to(known.alpha)
    wanted = seen.target.rgb.to(mask) * mask + background * (1 - mask)
    loss = settings.reference * photometric(known.rgb, wanted, torch.ones_like(mask))
    loss = loss + settings.reference_mask * silhouette(known.alpha, mask)
    inside = -functional.max_pool2d(-mask.permute(0, 3, 1, 2), 3, 1, 1).permute(0, 2, 3, 1)
    inside = ((inside > SOLID) & (known.alpha.detach() > SOLID)).to(mask)
    if settings.reference_depth:
        loss = loss + settings.reference_depth * pearson_depth(-known.depth, seen.depth.to(mask), inside)
    if settings.reference_normal:
        normal = in_camera_axes(known.normal, seen.target.camera)
        loss = loss + settings.reference_normal * normal_alignment(normal, seen.normal.to(mask), inside)
    return loss


def pulled(pictures: Tensor, leaves: Tensor) -> Tensor:
    """Return a scalar whose gradient with respect to pictures is what their copies, `leaves`, have collected."""
    return pictures.new_zeros(()) if leaves.grad is None else (pictures * leaves.grad).sum()
