"""The loop that refines colours: neural points on the fixed surface, judged like the shape, anchored where known.

Source: Customize-It-3D (arXiv 2312.11535), section 3.4, and its code, nerf/utils.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from addon.protocol.systems.customize_it_3d import CustomizeIt3DSettings
from backend.cameras import Cameras
from backend.diffusion.guidance import Guidance
from backend.diffusion.latents import backpropagate_to_images, encode
from backend.losses import photometric
from backend.meshes.mesh import Mesh
from backend.meshes.point_colours import ColouredPoints
from backend.meshes.rasteriser import render_mesh
from backend.rendering.points.deferred import DeferredRenderer, NeuralPoints
from backend.rendering.points.network import WIDTH
from backend.rendering.renderer import background_word, draw_background, turntable_view
from backend.runtime.checkpoint import Stateful
from backend.runtime.job import Job
from backend.schedules import draw_timestep, log_linear
from backend.systems.customize_it_3d.coarse import contexts_of, draw_views, pulled
from backend.systems.customize_it_3d.likeness import Likeness
from backend.systems.customize_it_3d.modalities import words_for
from backend.systems.customize_it_3d.novel_views import NovelViews
from backend.systems.customize_it_3d.perceived import Perceived
from backend.systems.optimisation import OptimisationState, skip_bad_step
from backend.systems.small_encoder import encoding

BETAS, EPSILON_OF_ADAM = (0.9, 0.99), 1e-15  # the authors'
WIDTHS = {"small": 8, "full": 16}  # filters of the network's finest level
RATE_LEFT, FALLS = 0.1, 1 / 3  # of the rate, and in which share of the steps
REMEDY = "Try a lower `refine_rate`."


class RefinedPoints:
    """Neural points and their Adam."""

    def __init__(self, neural: NeuralPoints) -> None:
        self.neural = neural
        self._optimiser = torch.optim.Adam(neural.parameters().values(), betas=BETAS, eps=EPSILON_OF_ADAM)

    @property
    def is_finite(self) -> bool:
        """Say whether all gradients are numbers."""
        found = (value.grad for value in self.neural.parameters().values())
        return all(bool(torch.isfinite(gradient).all()) for gradient in found if gradient is not None)

    def step(self, rate: float) -> None:
        """Take one step and forget the gradients."""
        self._optimiser.param_groups[0]["lr"] = rate
        self._optimiser.step()
        self.forget()

    def forget(self) -> None:
        """Forget the gradients."""
        self._optimiser.zero_grad()

    def state_dict(self) -> dict[str, Any]:
        """Return copies of what learns, and the optimiser's state."""
        return {"points": self.neural.state_dict(), "optimiser": self._optimiser.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a state."""
        self.neural.load_state_dict(state["points"])
        self._optimiser.load_state_dict(dict(state["optimiser"]))


def mesh_cover(mesh: Mesh) -> Any:
    """Return what says how much of each pixel a mesh covers."""
    return lambda cameras: render_mesh(mesh, cameras.to("cpu")).alpha


def neural_points(coloured: ColouredPoints, seed: int, device: torch.device, width: int = WIDTH) -> NeuralPoints:
    """Return neural points that look like coloured ones; the seed alone decides their features."""
    generator = torch.Generator().manual_seed(seed)
    return NeuralPoints(coloured.points.to(device), coloured.colours.to(device), generator, width)


def refine_colours(
    job: Job,
    guidance: Guidance,
    novel: NovelViews | None,
    likeness: Likeness | None,
    seen: Perceived,
    mesh: Mesh,
    coloured: ColouredPoints,
    settings: CustomizeIt3DSettings,
) -> dict[str, Tensor]:
    """Change the points' colours and their network until all sides look like the object; return what has learnt.

    The reference view is compared inside its mask and the mesh; points are anchored to the colours that they began
    with, those that the image shows more strongly.
    """
    prior, generator, total = guidance.prior, job.generator, settings.refine_steps
    refined = RefinedPoints(neural_points(coloured, job.request.seed, prior.device, WIDTHS[settings.network]))
    neural = refined.neural
    render = DeferredRenderer(neural, mesh_cover(mesh), settings.point_radius)
    parts: dict[str, Stateful] = {"points": refined}
    if guidance.variational_score is not None:
        parts["particle"] = guidance.variational_score
    state = OptimisationState(parts)
    words = words_for("rgb", settings, seen.subject, seen.prompt)
    before, is_known = coloured.colours.to(prior.device), coloured.is_known.to(prior.device)
    for step in job.steps(total, state):
        cameras = draw_views(total, total, seen.target.camera, settings, prior.image_size, generator)
        background = draw_background(generator).to(prior.device)
        t = draw_timestep((settings.low_noise, settings.high_noise), len(prior.alphas), generator)
        contexts = contexts_of(
            guidance, words, job.request.negative_prompt, cameras, background_word(background), settings
        )
        views = render(cameras, background).rgb
        pictures = views.detach().requires_grad_()
        encoder = encoding(prior, step, total)
        latents = encode(encoder, pictures, guidance.at_once)
        gradient = guidance.gradient(latents.detach(), t, contexts, generator)
        if not torch.isfinite(gradient).all():
            skip_bad_step(job, state, step, "the guidance is not a number", REMEDY)
            continue
        backpropagate_to_images(encoder, pictures, latents, gradient, settings.refine_guidance / gradient.numel())
        if (
            novel is not None
            and settings.refine_novel_views
            and not novel.pull(pictures, cameras, background, t, generator, settings.refine_novel_views, encoder)
        ):
            skip_bad_step(job, state, step, "what the 3D prior says is not a number", REMEDY)
            continue
        loss = pulled(views, pictures)
        if likeness is not None:
            loss = loss + likeness.loss(views, image=settings.refine_image_features, details=settings.contextual)
        loss = loss + settings.reference * view_loss(render, seen, background)
        moved = (neural.colours - before).square().mean(dim=1, keepdim=True)
        loss = loss + settings.anchor_known * (moved * is_known).mean()
        loss = loss + settings.anchor_others * (moved * ~is_known).mean()
        loss.backward()
        if not refined.is_finite:
            refined.forget()
            skip_bad_step(job, state, step, "a gradient is not a number", REMEDY)
            continue
        state.bad_steps = 0
        falling = max(1, round(FALLS * total))
        refined.step(
            log_linear(min(step, falling - 1), falling, settings.refine_rate, RATE_LEFT * settings.refine_rate)
        )
        if job.preview_due:
            job.preview(turntable_view(render, prior.image_size, step))
    return neural.state_dict()


def view_loss(render: DeferredRenderer, seen: Perceived, background: Tensor) -> Tensor:
    """Return the mean absolute colour difference to the image, well inside its mask."""
    known = render(seen.target.camera, background)
    mask = seen.target.mask.to(known.rgb)
    inside = -functional.max_pool2d(-mask.permute(0, 3, 1, 2), 3, 1, 1).permute(0, 2, 3, 1) * (known.alpha > 0.99)
    return photometric(known.rgb, seen.target.rgb.to(known.rgb), inside)


@torch.no_grad()
def refined_views(render: DeferredRenderer, cameras: Cameras, together: int = 4) -> Tensor:
    """Return what cameras see of neural points before black, [B, H, W, 3]."""
    black = torch.zeros(3)
    views = [render(cameras[i : i + together], black).rgb.clamp(0, 1).cpu() for i in range(0, len(cameras), together)]
    return torch.cat(views)
