"""Customize-It-3D: one image of an object becomes the object as a textured mesh and coloured points.

Stages: modalities (the four images) -> viewpoint (from where it was taken, where that is asked) -> classes (the prior's
own pictures of the class) -> teaching (the prior learns the four images) -> sides (three, drawn by it) -> coarse (a
field under the taught prior and one of turned views) -> surface (its mesh) -> enhanced (its views, redrawn) -> refined
(neural points in their colours) -> mesh (their views on the mesh).
Source: Customize-It-3D (arXiv 2312.11535), section 3; its authors' code.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial as bound
from typing import Any

import torch

from addon.protocol.systems.customize_it_3d import CUSTOMIZE_IT_3D, CustomizeIt3DSettings
from backend.diffusion.denoiser import Prior
from backend.diffusion.guidance import guidance_for
from backend.errors import BadInput
from backend.meshes.mesh import Mesh
from backend.rendering.points.deferred import DeferredRenderer
from backend.rendering.volume import volume_renderer
from backend.representations.radiance_grid import RadianceGrid
from backend.runtime.job import Job
from backend.systems.base_model import base_model, with_companions
from backend.systems.customize_it_3d.asset import baked_mesh, result_points, textured_points
from backend.systems.customize_it_3d.coarse import optimise_shape
from backend.systems.customize_it_3d.likeness import load_likeness
from backend.systems.customize_it_3d.novel_views import guidance_options, load_novel_views
from backend.systems.customize_it_3d.perceived import Perceived, perceive
from backend.systems.customize_it_3d.refine import WIDTHS, mesh_cover, neural_points, refine_colours
from backend.systems.customize_it_3d.sides import draw_sides
from backend.systems.customize_it_3d.surface import coloured_points, enhance_views, find_surface
from backend.systems.customize_it_3d.teaching import draw_class, teach
from backend.systems.inputs import Given, read_prompt
from backend.systems.overrides import chosen_settings
from backend.systems.reference import look as look_at_image
from backend.systems.results import Points, mesh_stage, write_results
from backend.systems.small_encoder import with_small_encoder
from backend.vision.mask_doubts import Doubt


def look(given: Given, settings: CustomizeIt3DSettings, size: int) -> list[Doubt]:
    """Return what is to be doubted of the image of a request before a job is made. Raises EmptyMask, BadInput."""
    return look_at_image(given, size, how=settings.cut_out, piece=settings.piece)


def run(job: Job) -> None:
    """Run the whole system in a job folder; the results lie in its `result`. Raises BadInput, NoSurface and others."""
    request = job.request
    settings = with_companions(job, chosen_settings(CUSTOMIZE_IT_3D, request.preset, job.settings))
    if settings.low_noise > settings.high_noise:
        raise BadInput(
            f"The least noise is {settings.low_noise}, the most {settings.high_noise}.",
            "Set low_noise below high_noise.",
        )
    prior = with_small_encoder(job, base_model(job), settings)
    made_with: dict[str, Any] = {**prior.marks, "settings": asdict(settings)}
    asked = read_prompt(job, prior, request.prompt, taught=settings.token) if request.prompt.strip() else ""

    seen = perceive(job, prior, settings, asked)
    caption = seen.prompt or f"a {seen.subject}"
    known = draw_class(job, prior, seen.subject, settings, made_with)
    taught = teach(job, prior, seen, known, settings, made_with)
    sides = draw_sides(job, taught, seen, settings, made_with)
    novel = load_novel_views(prior, seen.target, caption, settings)

    def shape() -> dict[str, Any]:
        likeness = load_likeness(
            seen, caption, settings.companions, prior.device, image=settings.image_features > 0,
            text=settings.text_features > 0, details=False,
        )  # fmt: skip
        return optimise_shape(
            job, guidance_for(taught, guidance_options(settings)), novel, seen, settings, likeness, sides
        )

    field = RadianceGrid(**job.stage("coarse", shape, depends_on=made_with)).to("cpu")
    mesh, facts = surface_stage(job, field, seen, settings, prior, made_with)
    views = enhance_views(job, taught, mesh, seen, settings, made_with)
    coloured = coloured_points(mesh, seen, views, settings, torch.Generator().manual_seed(request.seed))

    def colours() -> dict[str, Any]:
        likeness = load_likeness(
            seen, caption, settings.companions, prior.device, image=settings.refine_image_features > 0, text=False,
            details=settings.contextual > 0,
        )  # fmt: skip
        options = replace(guidance_options(settings), perp_neg=0.0)
        return refine_colours(job, guidance_for(taught, options), novel, likeness, seen, mesh, coloured, settings)

    learnt = job.stage("refined", colours, depends_on=made_with)
    neural = neural_points(coloured, request.seed, prior.device, WIDTHS[settings.network])
    neural.load_state_dict({name: value.to(prior.device) for name, value in learnt.items()})
    render = DeferredRenderer(neural, mesh_cover(mesh), settings.point_radius)
    made, more = mesh_stage(job, bound(baked_mesh, mesh, render, seen.photo, settings, prior.image_size))
    points = result_points(textured_points(made, coloured, prior.image_size), render)
    write_results(
        job,
        mesh=(made, facts | more),
        points=points,
        made_with=made_with | {"subject": f"{settings.token} {seen.subject}", "class": seen.subject},
        origin=settings.origin, height=settings.height, mirror=settings.mirror,
    )  # fmt: skip


def surface_stage(
    job: Job, field: RadianceGrid, seen: Perceived, settings: CustomizeIt3DSettings, prior: Prior, made_with: dict
) -> tuple[Mesh, dict[str, float]]:
    """Run the stage `surface`; return the shape's textured mesh and what there is to say of it, as read back.

    A job that stops there leaves that mesh as its result, to be imported; one that goes on leaves another.
    """

    def make() -> dict[str, Any]:
        mesh, facts = find_surface(field, settings, seen.photo, prior.image_size)
        if job.request.stop_after == "surface":
            none = Points("none", 0, lambda path: None, volume_renderer(field), 1.0)
            write_results(
                job, mesh=(mesh, dict(facts)), points=none, made_with=made_with | {"class": seen.subject},
                origin=settings.origin, height=settings.height, mirror=settings.mirror,
            )  # fmt: skip
        return {"vertices": mesh.vertices, "faces": mesh.faces, "uv": mesh.uv, "texture": mesh.texture} | facts

    values = job.stage("surface", make, depends_on=made_with)
    mesh = Mesh(**{name: values.pop(name) for name in ("vertices", "faces", "uv", "texture")})
    return mesh, values
