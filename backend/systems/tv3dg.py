"""TV-3DG: a prompt, and if you like an image, become 3D Gaussians under score distillation, then a mesh.

Stages: perceive (the reference image's subject and mask) -> imagine (the visual prompt) -> sides (what calibration
holds the object to) -> gaussians (the optimisation) -> mesh -> export.
Source: Yang et al., TV-3DG (arXiv 2410.21299). The reference view, which holds the object to a given image, is an
addition of ours: the paper knows a visual prompt only.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import torch

from backend.cameras import draw_around, orbit
from backend.delivery import deliver
from backend.diffusion.denoiser import Prior, kept_prior
from backend.diffusion.encoding import encode, pull
from backend.diffusion.guidance import Guidance, guidance_for
from backend.diffusion.particle import Particle
from backend.errors import BackendError, BadInput
from backend.export import read_points_ply
from backend.images import load_image
from backend.job import Job
from backend.losses import (
    masked_total_variation,
    opacity_entropy,
    out_of_range,
    photometric,
    silhouette,
    total_variation,
)
from backend.preparation import coarse_shape, imagine, imagine_sides, perceive, read_sides
from backend.presets.overrides import overridden
from backend.presets.tv3dg import LEAST, PRESETS, Settings, of_edit
from backend.redrawing import in_new_colours, redraw_sides, side_loss, with_new_parts
from backend.rendering.anchor import Anchor
from backend.rendering.splats import Renderer, renderer_for, screen_gradients
from backend.representations.densify import DensityControl, DensitySettings, GaussianAdam, learning_rates
from backend.representations.gaussians import (
    Gaussians,
    ball_of_gaussians,
    check_start,
    gaussians_from_points,
    reach,
    scaled,
)
from backend.schedules import draw_timestep, timestep_window
from backend.vision.calibration import Calibration, Sides, load_calibration
from backend.vision.reference import Target, read_target

MOST_BAD_STEPS = 20  # in a row
MOST_STARTED = 20_000  # Gaussians that an edit may begin with, as many as any preset makes
MISFIT = (
    "The four sides do not fit together, or not to the image, so the object begins from a ball.",
    "The prior draws them of the prompt, without seeing the image: stop after the four sides and replace one, or try "
    "another seed or other words.",
)
SH_CONSTANT = 0.28209479  # the harmonic of degree 0


def run(job: Job) -> None:
    """Run the whole system in a job folder; the results lie in its `result`."""
    request = job.request
    settings = overridden(PRESETS[request.preset], job.settings, LEAST)
    settings = of_edit(settings) if request.start else settings
    reference = next((image for image in request.images if image.role == "reconstruct"), None)
    visual = next((image for image in request.images if image.role == "visual_prompt"), None)
    adapter = settings.adapter or ("embedded" if request.prior == "embedded" else "")
    sees = settings.loss == "vpcsm" and settings.tau > 0 and bool(adapter)
    sees = sees and (visual is not None or settings.self_guidance)
    prior = kept_prior(request.prior, "cuda" if torch.cuda.is_available() else "cpu")
    settings = within_reach(job, prior, settings)
    turns = settings.multi_view == "zero123"
    redraws = bool(request.start) and settings.edit_redraw > 0
    holds_sides = settings.calibration_geometry > 0 or settings.calibration_semantics > 0 or settings.start == "sides"
    imagines = sees or (holds_sides and turns)
    holds_sides = holds_sides or redraws
    job.total_stages = (reference is not None) + imagines + holds_sides + 1 + ("mesh" in request.outputs)
    used = (reference, visual if imagines else None)
    if ignored := [image.path for image in request.images if image not in used]:
        job.warn(
            f"{len(ignored)} of {len(request.images)} images are not used: {', '.join(ignored)}.",
            "This system takes one image of what the object looks like, and one visual prompt where the loss is vpcsm, "
            "tau is above 0 and there is an adapter for the prior.",
        )
    if unknown := prior.unknown_words(f"{request.prompt} {request.negative_prompt}"):
        job.warn(
            f"The prior does not know {', '.join(repr(word) for word in unknown)}.",
            "It draws what it can of the other words; docs/embedded-prior.md lists what the embedded prior knows.",
        )
    prompt = prior.shorten(request.prompt, ", overhead view")
    if prompt != request.prompt:
        job.warn(f"The prior reads {prior.most_tokens} tokens, so the prompt ends after {prompt!r}.", "Say it shorter.")
    target = photo = image = None
    if reference is not None:
        seen = job.stage(
            "perceive", lambda: perceive(job, job.input_path(reference), prior.image_size, reference.fov_degrees)
        )
        folder = job.stage_path("perceive")
        place = (reference.azimuth_degrees, reference.elevation_degrees, seen["fov_degrees"])
        target, photo = read_target(folder, *place, size=prior.image_size), read_target(folder, *place)
    if imagines:
        imagined = {"prior": prior.fingerprint}
        path = job.input_path(visual) if visual is not None else None
        job.stage("imagine", lambda: imagine(job, prior, prompt, path, target), depends_on=imagined)
        image = load_image(job.stage_path("imagine") / "visual.png")[0]
    guidance = guide(prior, settings, image if sees else None, adapter)
    made_with = {"prior": prior.fingerprint, "settings": asdict(settings)}
    sides = None
    start = read_start(job, settings, prior) if request.start else None
    settings = replace(settings, max_count=max(settings.max_count, len(start))) if start is not None else settings
    old = prior.shorten(request.start_prompt, ", overhead view")
    if holds_sides:
        shown = image if turns else None

        def draw_sides() -> dict[str, Any]:
            if start is not None:
                smaller = scaled(start, settings.edit_room)
                return redraw_sides(
                    job, guidance, smaller, old, prompt, strength=settings.edit_redraw, companions=settings.companions
                )
            imagine_sides(job, guidance, prompt, settings.companions, shown)
            if job.request.stop_after == "sides" and settings.start == "sides":  # there is still time to replace one
                drawn, own = read_sides(job.stage_folder, settings.companions, prior.device), torch.Generator()
                if coarse_shape(drawn, target, settings.count, own.manual_seed(job.request.seed)) is None:
                    job.warn(*MISFIT)
            return {}

        job.stage("sides", draw_sides, depends_on=made_with)
        sides = read_sides(job.stage_path("sides"), settings.companions, prior.device)
    calibration = load_calibration(
        sides, prompt, geometry=settings.calibration_geometry, semantics=settings.calibration_semantics,
        reward=settings.calibration_reward, companions=settings.companions, size=prior.image_size, device=prior.device,
        look_at_renderings=not settings.rendered_geometry, printed=settings.paper_compat,
    ) if calibrates(settings) else None  # fmt: skip

    def make() -> dict[str, torch.Tensor]:
        first, anchor = begin(job, settings, sides, target, prior.device, start)
        return optimise(job, guidance, prompt, settings, first, target, calibration, anchor, sides if redraws else None)

    made = job.stage("gaussians", make, depends_on=made_with)
    deliver(
        job,
        Gaussians(**made),
        mesh_resolution=settings.mesh_resolution,
        max_faces=settings.max_faces,
        texture_size=settings.texture_size,
        made_with=made_with,
        photo=photo,
    )


def within_reach(job: Job, prior: Prior, settings: Settings) -> Settings:
    """Return the settings without what nobody can do for this prior. Raises BadInput for words it cannot choose from.

    Without cameras a prior cannot draw the sides to begin from; calibration needs networks beside the prior.
    """
    for name, choices in (("start", ("ball", "sides")), ("multi_view", ("prior", "zero123"))):
        if getattr(settings, name) not in choices:
            raise BadInput(
                f"The setting {name} is {getattr(settings, name)!r}.", f"The choices are: {', '.join(choices)}."
            )
    if job.request.prior != "embedded" and not settings.companions and calibrates(settings):
        job.warn(
            "Calibration is left out: no companion networks are named for this prior.",
            "docs/companions.md says which there are; name their folder: --set companions=FOLDER.",
        )
        settings = replace(settings, calibration_geometry=0.0, calibration_semantics=0.0, calibration_reward=0.0)
    if settings.multi_view == "prior" and not (settings.camera_tokens and prior.takes_cameras):
        settings = replace(settings, start="ball")
    return settings


def calibrates(settings: Settings) -> bool:
    """Say whether any weight of the calibration is above 0."""
    return bool(settings.calibration_geometry or settings.calibration_semantics or settings.calibration_reward)


def guide(
    prior: Prior, settings: Settings, visual_prompt: torch.Tensor | None = None, adapter: str = "embedded"
) -> Guidance:
    """Return the guidance that the settings ask for; the visual prompt is [H, W, 3]."""
    return guidance_for(
        prior, settings.loss, scale=settings.scale, delta_t=settings.delta_t, difference=settings.difference,
        perturbation=settings.perturbation, perturbed_layers=settings.perturbed_layers.split(","),
        visual_prompt=visual_prompt, strength=settings.tau, adapter=adapter, particle_rank=settings.particle_rank,
        particle_rate=settings.particle_rate, perp_neg=settings.perp_neg, at_once=settings.views_at_once,
        paper_compat=settings.paper_compat,
    )  # fmt: skip


# ---- the optimisation ------------------------------------------------------------------------------------------------


class _State:
    """What the steps change, for checkpoints."""

    def __init__(
        self, gaussians: Gaussians, optimiser: GaussianAdam, control: DensityControl, particle: Particle | None
    ) -> None:
        self.parts: dict[str, Any] = {"gaussians": gaussians, "optimiser": optimiser, "control": control}
        if particle is not None:
            self.parts["particle"] = particle
        self.bad_steps = 0

    def state_dict(self) -> dict[str, Any]:
        state = {f"{name}/{key}": v for name, part in self.parts.items() for key, v in part.state_dict().items()}
        return state | {"bad_steps": self.bad_steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name, part in self.parts.items():
            part.load_state_dict({key[len(name) + 1 :]: v for key, v in state.items() if key.startswith(f"{name}/")})
        self.bad_steps = state["bad_steps"]


def optimise(
    job: Job,
    guidance: Guidance,
    prompt: str,
    settings: Settings,
    gaussians: Gaussians,
    target: Target | None = None,
    calibration: Calibration | None = None,
    anchor: Anchor | None = None,
    redrawn: Sides | None = None,
) -> dict[str, torch.Tensor]:
    """Optimise Gaussians until they look like the prompt from everywhere; return their parameters."""
    prior = guidance.prior
    render = renderer_for(prior.device)
    generator = job.generator
    gaussians.requires_grad_()
    old = prior.shorten(job.request.start_prompt, ", overhead view") if settings.edit_contrast else ""
    optimiser = GaussianAdam(gaussians, betas=(0.9, 0.99))
    control = DensityControl(
        gaussians, DensitySettings(grow_gradient=settings.grow_gradient, max_count=settings.max_count)
    )
    state = _State(gaussians, optimiser, control, guidance.particle)
    total = settings.steps
    for step in job.steps(total, state):
        heights = (settings.low_elevation, settings.high_elevation)
        cameras = draw_around(settings.views, heights, size=prior.image_size, generator=generator)
        background = draw_background(generator).to(prior.device)
        negative, told = job.request.negative_prompt, settings.camera_tokens
        contexts = guidance.contexts(prompt, negative, cameras, tell_cameras=told, against=old)
        t = draw_timestep(timestep_window(step, total, warmup=settings.warmup), len(prior.alphas), generator)

        seen = render(gaussians, cameras, background, geometry=True)
        latents = encode(prior, seen.rgb, guidance.at_once)
        gradient = guidance.gradient(latents.detach(), t, contexts, generator)
        if not torch.isfinite(gradient).all():
            skip_bad_step(job, state, step, "the guidance is not a number")
            continue
        pull(prior, seen.rgb, latents, gradient, settings.guidance / latents[0].numel())
        movement = screen_gradients(seen, cameras)  # of the guidance alone

        loss = (
            settings.variation * total_variation(seen.rgb)
            + settings.smoothness * masked_total_variation(seen.normal, seen.alpha)
            + settings.smoothness * masked_total_variation(seen.depth, seen.alpha)
            + settings.size_penalty * gaussians.scales.mean()
            + settings.entropy * opacity_entropy(seen.alpha)
            + settings.colour_range * out_of_range(0.5 + SH_CONSTANT * gaussians.sh[:, 0])  # before the clamp at 0
        )
        if target is not None:
            known = render(gaussians, target.camera, background)
            mask = target.mask.to(prior.device)
            wanted = target.rgb.to(prior.device) * mask + background * (1 - mask)
            loss = loss + settings.reference * photometric(known.rgb, wanted, torch.ones_like(mask))
            loss = loss + settings.reference_mask * silhouette(known.alpha, mask)
        if anchor is not None:
            loss = loss + anchor.loss(render, seen, cameras, background, gradient)
        if redrawn is not None:
            loss = loss + settings.edit_sides * side_loss(render, gaussians, redrawn, background)
        if calibration is not None and step % settings.calibrate_every == 0:
            white, judged = torch.ones(3, device=prior.device), None
            sides = render(gaussians, calibration.cameras, white, geometry=True)
            if calibration.reward_weight and not settings.reward_shapes:
                judged = render(gaussians.with_fixed_shape(), calibration.cameras, white).rgb.clamp(0, 1)
            loss = loss + calibration.loss(sides.rgb.clamp(0, 1), sides.alpha, sides.depth, sides.normal, judged)
        loss.backward()
        if not all(torch.isfinite(p.grad).all() for p in gaussians.parameters().values() if p.grad is not None):
            gaussians.requires_grad_()
            skip_bad_step(job, state, step, "a gradient is not a number")
            continue
        state.bad_steps = 0
        control.observe(movement, seen.visible)
        optimiser.step(learning_rates(step, total, means=settings.mean_rate, colours=settings.colour_rate))
        if settings.densify_every <= step < 0.8 * total and step % settings.densify_every == 0:
            control.adapt(gaussians, optimiser, generator)
        if job.preview_due:
            job.preview(look(render, gaussians, prior.image_size, step))
    if anchor is not None:  # as large as the start, whatever has grown
        gaussians = scaled(gaussians, anchor.reach / reach(gaussians))
    return {name: value.detach() for name, value in gaussians.parameters().items()}


def read_start(job: Job, settings: Settings, prior: Prior) -> Gaussians:
    """Return the Gaussians of the result that is edited, as large as they are. Raises BadInput.

    They may be more than the preset makes: an object in `standard` can be edited in `draft`.
    """
    most = max(settings.max_count, MOST_STARTED)
    return check_start(read_points_ply(job.input_path(job.request.start)), most).to(prior.device)


def begin(
    job: Job,
    settings: Settings,
    sides: Sides | None,
    target: Target | None,
    device: torch.device,
    given: Gaussians | None = None,
) -> tuple[Gaussians, Anchor | None]:
    """Return the Gaussians to begin with, and what holds an edit to them.

    They are those `given` of a result that is edited, else the coarse shape of the sides where it is wanted, else a
    ball of the image's median colour, or grey without one.
    """
    if given is not None:
        start = scaled(given, settings.edit_room)
        if sides is not None:
            start = with_new_parts(in_new_colours(start, sides), sides, settings.start_opacity, job.generator)
        return scaled(start, 1.0), Anchor(start, reach(given), settings.anchor, settings.anchor_mask)  # a copy changes
    if sides is not None and settings.start == "sides":
        if (shape := coarse_shape(sides, target, settings.count, job.generator)) is not None:
            return gaussians_from_points(*shape, opacity=settings.start_opacity).to(device), None
        job.warn(*MISFIT)
    colour = target.rgb[target.mask[..., 0] > 0.5].median(0).values.cpu() if target is not None else 0.5
    return ball_of_gaussians(settings.count, settings.radius, job.generator, colour).to(device), None


def draw_background(generator: torch.Generator) -> torch.Tensor:
    """Draw white or a light grey, [3]: a fixed one would be painted onto the object."""
    choice, grey = torch.rand(2, generator=generator).tolist()
    return torch.full((3,), 1.0 if choice < 0.4 else 0.45 + 0.55 * grey)


def skip_bad_step(job: Job, state: _State, step: int, reason: str) -> None:
    """Report a step that was left out. Raises BackendError when there are too many."""
    state.bad_steps += 1
    job.warn(f"Step {step} was left out: {reason}.")
    if state.bad_steps >= MOST_BAD_STEPS:
        raise BackendError(
            f"{state.bad_steps} steps in a row gave no usable gradient, the last one {step}.",
            "Try another seed, or lower the settings `guidance` and `mean_rate`.",
        )


@torch.no_grad()
def look(render: Renderer, gaussians: Gaussians, size: int, step: int) -> torch.Tensor:
    """Return a picture [S, S, 3] of how it stands, turning slowly."""
    camera = orbit([step * 3.0], 15.0, size=size)
    return render(gaussians, camera, torch.ones(3)).rgb[0].clamp(0, 1)
