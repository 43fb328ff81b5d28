"""TV-3DG: a prompt, and if you like an image, become 3D Gaussians under score distillation, then a mesh.

Stages: perceive (the reference image's subject and mask) -> imagine (the visual prompt) -> sides (what calibration
holds the object to) -> gaussians (the optimisation) -> mesh -> export.
Source: Yang et al., TV-3DG (arXiv 2410.21299). The reference view, which holds the object to a given image, is an
addition of ours: the paper knows a visual prompt only.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial

import torch

from addon.protocol import Request
from addon.protocol.systems.tv3dg import TV3DG, TV3DGSettings
from backend.diffusion.guidance import guidance_for
from backend.export import write_points_ply
from backend.gltf.splats import write_splats_glb
from backend.images import load_image
from backend.rendering.splats import splat_renderer
from backend.representations.gaussians import Gaussians, extent
from backend.runtime.job import Job
from backend.systems.base_model import base_model, with_companions
from backend.systems.guessed import guess_field
from backend.systems.inputs import Given, choose_inputs
from backend.systems.overrides import chosen_settings
from backend.systems.reference import look as look_at_image
from backend.systems.reference import perceive
from backend.systems.results import Points, write_results
from backend.systems.small_encoder import with_small_encoder
from backend.systems.textured_mesh import textured_gaussians
from backend.systems.tv3dg.edit import redraw_sides
from backend.systems.tv3dg.edit_settings import of_edit
from backend.systems.tv3dg.multiview import (
    calibration_towards,
    guess_sides,
    imagine,
    imagine_sides,
    read_sides,
    side_turn,
    unseen_sides,
)
from backend.systems.tv3dg.optimise import optimise
from backend.systems.tv3dg.start import begin, read_start
from backend.systems.tv3dg.support import (
    guesses_sides,
    guidance_options,
    supported_settings,
    visual_prompt,
    wanted_prompt,
)
from backend.vision.mask_doubts import Doubt

UNUSED = (
    "This system takes one image of what the object looks like, and one visual prompt where the loss is vpcsm, tau is "
    "above 0 and there is an adapter for the prior."
)


def look(given: Given, settings: TV3DGSettings, size: int) -> list[Doubt]:
    """Return what is to be doubted of the image of a request before a job is made. Raises EmptyMask, BadInput."""
    return look_at_image(given, size, how=settings.cut_out, piece=settings.piece)


def run(job: Job) -> None:
    """Run the whole system in a job folder; the results lie in its `result`."""
    request = job.request
    settings = with_companions(job, chosen_settings(TV3DG, request.preset, job.settings))
    settings = of_edit(settings) if request.start else settings
    prior = with_small_encoder(job, base_model(job), settings)
    asked, settings = settings, supported_settings(job, prior, settings)
    stages = planned_stages(request, settings)
    job.total_stages = len(stages)
    shown, tau = visual_prompt(request, settings)
    made_with = {**prior.marks, "settings": asdict(settings), "visual_prompt": shown, "tau": tau}
    made_with["told"] = prior.complete(request.prompt)  # with the clauses that the artist left out

    told = wanted_prompt(request, asked)[1] > 0 and not tau  # that it is not used
    roles = ("reconstruct", "visual_prompt") if "imagine" in stages or told else ("reconstruct",)
    inputs = choose_inputs(job, prior, (*roles, "mask") if "perceive" in stages else roles, UNUSED)
    seen = partial(perceive, size=prior.image_size, how=settings.cut_out, piece=settings.piece)
    reference = seen(job, inputs.images["reconstruct"]) if "perceive" in stages else None
    target, photo = (reference.target, reference.photo) if reference else (None, None)
    image = None
    if "imagine" in stages:
        job.stage("imagine", partial(imagine, job, prior, inputs, target), depends_on={"prior": prior.fingerprint})
        image = load_image(job.stage_path("imagine") / "visual.png")[0]
    guidance = guidance_for(prior, guidance_options(request, settings), image if tau else None)

    start = read_start(job, settings, prior.device) if request.start else None
    sides, turn = None, 0.0
    guessed = guess_field(target, settings.companions) if target and guesses_sides(request, settings) else None
    if "sides" in stages:
        turned = image if settings.multi_view == "zero123" else None
        seen_from = target.camera if target is not None and "visual_prompt" not in inputs.images else None
        draw = partial(imagine_sides, job, guidance, settings, inputs.prompt, turned, target, seen_from)
        turn = side_turn(target) if start is None else 0.0
        if start is not None:
            draw = partial(redraw_sides, job, guidance, settings, start, inputs.start_prompt, inputs.prompt)
        elif guessed is not None:
            draw = partial(guess_sides, job, guessed, prior.image_size, turn)
        job.stage("sides", draw, depends_on=made_with)
        if job.stages[-1]["replaced"]:
            guessed = None  # the artist knows better
        sides = read_sides(job.stage_path("sides"), settings.companions, prior.device, turn)
    calibration = calibration_towards(sides, inputs.prompt, settings, prior)
    if start is not None:
        settings = replace(settings, max_count=max(settings.max_count, len(start)))

    def make() -> dict[str, torch.Tensor]:
        first, anchor = begin(job, settings, sides, target, prior.device, start, guessed)
        held = sides if start is not None else None
        know_it = guesses_sides(request, settings) or (prior.sees_reference and settings.see_reference)
        if start is None and guessed is None and sides is not None and target is not None and know_it:
            held = unseen_sides(sides, target) if settings.imagined_sides else None
        return optimise(job, guidance, inputs.prompt, settings, first, target, calibration, anchor, held, guessed)

    gaussians = Gaussians(**job.stage("gaussians", make, depends_on=made_with))
    to_mesh = partial(
        textured_gaussians, gaussians, resolution=settings.mesh_resolution, max_faces=settings.max_faces,
        texture_size=settings.texture_size, texture_steps=settings.texture_steps, view_size=prior.image_size,
        photo=photo, remove_light=settings.remove_light, mirror=settings.mirror, tell=job.part,
    )  # fmt: skip
    write = partial(write_points_ply, gaussians=gaussians)
    splats = partial(write_splats_glb, gaussians=gaussians) if settings.splats_glb else None
    points = Points("gaussians", len(gaussians), write, splat_renderer(gaussians), extent(gaussians, 0.999), splats)
    write_results(
        job, mesh=to_mesh, points=points, made_with=made_with, origin=settings.origin, height=settings.height,
        mirror=settings.mirror,
    )  # fmt: skip


def planned_stages(request: Request, settings: TV3DGSettings) -> tuple[str, ...]:
    """Return the names of the stages of a request, in order."""
    held = settings.calibration_geometry > 0 or settings.calibration_semantics > 0 or settings.start == "sides"
    redrawn = bool(request.start) and settings.edit_redraw > 0
    wanted = {
        "perceive": has_role(request, "reconstruct"),
        "imagine": visual_prompt(request, settings)[1] > 0 or (held and settings.multi_view == "zero123"),
        "sides": held or redrawn,
        "gaussians": True,
        "mesh": "mesh" in request.outputs,
    }
    return tuple(name for name, is_wanted in wanted.items() if is_wanted)


def has_role(request: Request, role: str) -> bool:
    """Say whether an image of the request has a role."""
    return any(image.role == role for image in request.images)
