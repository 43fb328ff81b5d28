"""The loop of TV-3DG: renderings under guidance, held by regularisers, a reference view, an anchor and calibration.

Source: Yang et al., TV-3DG (arXiv 2410.21299), section III. The reference view and the anchor are additions of ours.
"""

from __future__ import annotations

import torch

from addon.protocol.systems.tv3dg import TV3DGSettings
from backend.cameras import draw_around, fields_of_view
from backend.diffusion.guidance import Guidance
from backend.diffusion.latents import backpropagate_to_images, encode
from backend.losses import (
    masked_total_variation,
    opacity_entropy,
    out_of_range,
    photometric,
    silhouette,
    total_variation,
)
from backend.rendering.renderer import background_word, draw_background, turntable_view
from backend.rendering.splats import screen_gradients, splat_renderer
from backend.representations.densify import (
    DensityControl,
    DensitySettings,
    GaussianAdam,
    Rates,
    learning_rates,
    reset_opacities,
)
from backend.representations.gaussians import Gaussians, extent, scaled
from backend.representations.radiance_grid import RadianceGrid
from backend.runtime.checkpoint import Stateful
from backend.runtime.job import Job
from backend.schedules import draw_timestep, growth_steps, timestep_window
from backend.systems.guessed import guess_loss
from backend.systems.optimisation import OptimisationState, skip_bad_step
from backend.systems.overrides import options_of
from backend.systems.palette import palette_of
from backend.systems.reference import Target, seen_view
from backend.systems.small_encoder import encoding
from backend.systems.tv3dg.edit import Anchor, side_loss
from backend.systems.tv3dg.weights import loss_units
from backend.vision.calibration import Calibration, Sides

SH_CONSTANT = 0.28209479  # the harmonic of degree 0
BAD_STEPS = "Try another seed, or lower the settings `lambda_guidance` and `mean_rate`."


def optimise(
    job: Job,
    guidance: Guidance,
    prompt: str,
    settings: TV3DGSettings,
    gaussians: Gaussians,
    target: Target | None = None,
    calibration: Calibration | None = None,
    anchor: Anchor | None = None,
    pictured: Sides | None = None,
    guessed: RadianceGrid | None = None,
) -> dict[str, torch.Tensor]:
    """Optimise Gaussians until they look like the prompt from everywhere; return their parameters.

    `pictured` are sides that an edit has redrawn, or that were imagined where the image does not see. `guessed` is what
    a network guesses behind the image: it holds each view of a step.
    """
    prior = guidance.prior
    generator = job.generator
    gaussians.requires_grad_()
    render = splat_renderer(gaussians)
    old = prior.shorten(job.request.start_prompt, ", overhead view") if settings.edit_contrast else ""
    optimiser = GaussianAdam(gaussians, betas=(0.9, settings.memory))
    growth = DensitySettings(
        grow_gradient=settings.grow_gradient, max_count=settings.max_count, prune_size=settings.prune_size
    )
    control, rates = DensityControl(gaussians, growth), options_of(Rates, settings)
    parts: dict[str, Stateful] = {"gaussians": gaussians, "optimiser": optimiser, "control": control}
    if guidance.variational_score is not None:
        parts["particle"] = guidance.variational_score  # as checkpoints name it
    state = OptimisationState(parts)
    beside = target if settings.see_reference and prior.sees_reference else None
    palette = palette_of(target) if target is not None and settings.palette else None
    fov = (
        float(fields_of_view(beside.camera)[0]) if beside else None
    )  # as the views of one object were seen in training
    total = settings.steps
    growing = growth_steps(total, settings.growth_rounds)
    for step in job.steps(total, state):
        heights = (settings.low_elevation, settings.high_elevation)
        cameras = draw_around(settings.views, heights, size=prior.image_size, generator=generator, fov_degrees=fov)
        background = draw_background(generator).to(prior.device)
        contexts = guidance.contexts(
            prompt, job.request.negative_prompt, cameras, tell_cameras=settings.camera_tokens, against=old,
            background=background_word(background),
            seen=seen_view(prior, beside, background) if beside else None,
        )  # fmt: skip
        t = draw_timestep(timestep_window(step, total, warmup=settings.warmup), len(prior.alphas), generator)

        rendering = render(cameras, background, geometry=True)
        encoder = encoding(prior, step, total)
        latents = encode(encoder, rendering.rgb, guidance.at_once)
        gradient = guidance.gradient(latents.detach(), t, contexts, generator)
        if not torch.isfinite(gradient).all():
            skip_bad_step(job, state, step, "the guidance is not a number", BAD_STEPS)
            continue
        backpropagate_to_images(encoder, rendering.rgb, latents, gradient, settings.lambda_guidance)
        units = loss_units(latents, against_sum=settings.against_sum)
        movement = screen_gradients(rendering, cameras) / units.growth  # of the guidance alone

        terms = (
            settings.variation * total_variation(rendering.rgb)
            + settings.smoothness * masked_total_variation(rendering.normal, rendering.alpha)
            + settings.smoothness * masked_total_variation(rendering.depth, rendering.alpha)
            + settings.size_penalty * gaussians.scales.mean()
            + settings.entropy * opacity_entropy(rendering.alpha)
            + settings.colour_range * out_of_range(0.5 + SH_CONSTANT * gaussians.sh[:, 0])  # before the clamp at 0
        )
        held = rendering.rgb.new_zeros(())  # by what is known of the object; none of it is the paper's
        if target is not None:
            known = render(target.camera, background)
            mask = target.mask.to(prior.device)
            wanted = target.rgb.to(prior.device) * mask + background * (1 - mask)
            held = held + settings.reference * photometric(known.rgb, wanted, torch.ones_like(mask))
            held = held + settings.reference_mask * silhouette(known.alpha, mask)
        if palette is not None:
            # Of colours alone: thin parts would rather vanish than change theirs.
            painted = splat_renderer(gaussians.with_fixed_shape())(cameras, background)
            held = held + settings.palette * palette.loss(painted.rgb, painted.alpha, background, cameras)
        if anchor is not None:
            held = held + anchor.loss(rendering, cameras, background, gradient)
        if pictured is not None:
            weight = settings.imagined_sides if anchor is None else settings.edit_sides
            held = held + weight * side_loss(render, pictured, background)
        if guessed is not None and settings.imagined_sides:
            held = held + settings.imagined_sides * guess_loss(guessed, rendering.rgb, cameras, background)
        loss = units.terms * terms + units.average * held
        if calibration is not None and step % settings.calibrate_every == 0:
            white, judged = torch.ones(3, device=prior.device), None
            sides = render(calibration.cameras, white, geometry=True)
            if calibration.reward_weight and not settings.reward_shapes:
                judged = splat_renderer(gaussians.with_fixed_shape())(calibration.cameras, white).rgb.clamp(0, 1)
            loss = loss + calibration.loss(sides.rgb.clamp(0, 1), sides.alpha, sides.depth, sides.normal, judged)
        loss.backward()
        if not all(torch.isfinite(p.grad).all() for p in gaussians.parameters().values() if p.grad is not None):
            gaussians.requires_grad_()
            skip_bad_step(job, state, step, "a gradient is not a number", BAD_STEPS)
            continue
        state.bad_steps = 0
        control.observe(movement, rendering.visible, rendering.radii.amax(-1) / prior.image_size)
        optimiser.step(learning_rates(step, total, rates))
        if step in growing:
            control.adapt(gaussians, optimiser, generator)
        if settings.reset_every and 0 < step < 0.8 * total and step % settings.reset_every == 0:
            reset_opacities(gaussians, optimiser)
        if job.preview_due:
            job.preview(turntable_view(render, prior.image_size, step))
    if anchor is not None:  # as large as the start, whatever has grown
        gaussians = scaled(gaussians, anchor.extent / extent(gaussians))
    return {name: value.detach() for name, value in gaussians.parameters().items()}
