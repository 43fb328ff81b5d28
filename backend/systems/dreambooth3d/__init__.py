"""DreamBooth3D: a few photos of one subject and a prompt become that subject as a radiance field, then a mesh.

Stages: cutouts (the photos' subject) -> places (from where they were taken) -> classes (the prior's own pictures of the
class) -> teaching (partly and fully) -> coarse (a field under the partly taught prior) -> redrawn (its views, by the
fully taught one) -> reteaching -> refined (the final field) -> mesh. A job that begins from a kept subject has not the
first four; an edit of a result has not the fifth, either.
Source: Raj et al., DreamBooth3D (arXiv 2303.13508), section 3.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial as bound

from addon.protocol.systems.dreambooth3d import DREAMBOOTH3D, DreamBooth3DSettings
from addon.protocol.systems.subject_prompts import class_word, says_more
from backend.diffusion.denoiser import LONGEST_VIEW, Prior
from backend.diffusion.finetune import with_token
from backend.diffusion.guidance import Guidance, GuidanceOptions, guidance_for
from backend.representations.radiance_grid import RadianceGrid
from backend.runtime.job import Job
from backend.systems.base_model import base_model
from backend.systems.dreambooth3d.edit import of_edit, read_start
from backend.systems.dreambooth3d.field import first_field, optimise_field
from backend.systems.dreambooth3d.kept import asked_subject, load_subject
from backend.systems.dreambooth3d.mesh import sampled_points, textured_field
from backend.systems.dreambooth3d.photos import PHOTOGRAPH, cut_out_each, cut_out_layers, on_white, photos_of
from backend.systems.dreambooth3d.places import (
    guess_of_photos,
    photo_colours,
    photo_places,
    posed_photos,
    taught_photos,
)
from backend.systems.dreambooth3d.pseudo_views import held_to, redraw_views
from backend.systems.dreambooth3d.subject import (
    class_pictures,
    draw_class,
    imagined_examples,
    teach,
    teach_views,
)
from backend.systems.inputs import Given, read_prompt
from backend.systems.overrides import chosen_settings
from backend.systems.results import mesh_stage, write_results
from backend.systems.small_encoder import with_small_encoder
from backend.vision.mask_doubts import Doubt


def look(given: Given, settings: DreamBooth3DSettings, size: int) -> list[Doubt]:
    """Return what is to be said of the photos of a request before a job is made. Raises EmptyMask, BadInput."""
    photos = photos_of(given.request)
    lost = cut_out_each(given, photos, size, settings.matting, lambda number, rgb, mask: None) if photos else []
    return [(sentence, PHOTOGRAPH) for sentence in lost]


def run(job: Job) -> None:
    """Run the whole system in a job folder; the results lie in its `result`."""
    request = job.request
    settings = chosen_settings(DREAMBOOTH3D, request.preset, job.settings)
    settings = of_edit(settings) if request.start else settings
    record = asked_subject(job)  # before anything is loaded
    begun = read_start(job) if request.start else None
    if record is not None:
        settings = replace(settings, token=record.token, subject_class=record.subject)
    prior = with_small_encoder(job, base_model(job), settings)
    made_with = {**prior.marks, "settings": asdict(settings)}
    subject, prompt = wanted_subject(job, prior, settings)
    said = f"a {settings.token} {subject}"

    if record is None:
        layers = cut_out_layers(job, prior.image_size, settings.matting)
        places = photo_places(job, prior, on_white(layers), subject, settings, made_with)
        known = draw_class(job, prior, subject, settings, made_with)
        real = taught_photos(prior, on_white(layers), places, said, settings)
        partial, full = teach(job, prior, [*real, *known], settings, subject, made_with)
    else:
        kept = load_subject(job, record, prior)
        known = class_pictures(kept.classes, kept.class_views, subject, settings)
        layers, partial, full = kept.photos, kept.partial, kept.full
        places = kept.places if settings.photo_cameras else []
        real = taught_photos(prior, on_white(layers), places, said, settings)
        del kept

    same = not says_more(request.prompt, settings.token, subject) and not request.start
    colours = photo_colours(layers, places) if same and settings.palette else None

    guess = guess_of_photos(layers, places, settings, same) if not request.start else None

    def beginning(steps: int) -> RadianceGrid:
        return (first_field(settings, steps) if guess is None else guess).to(prior.device)

    if begun is None:
        first = bound(
            optimise_field, job, guidance_of(partial, settings, settings.scale), prompt, settings,
            beginning(settings.coarse_steps), settings.coarse_steps, colours=colours, guess=guess if same else None,
        )  # fmt: skip
        begun = RadianceGrid(**job.stage("coarse", first, depends_on=made_with))
    coarse = begun.to(prior.device)

    cameras, pictures = redraw_views(job, full, coarse, prompt, settings, made_with, colours)
    del full  # a UNet of its own: with a large base that is gigabytes
    imagined = imagined_examples(prior, pictures, cameras, prompt, settings)
    multi_view = teach_views(job, partial, [*real, imagined, *known], settings, said, made_with)

    shown = posed_photos(layers, places, coarse, settings.view_size) if same and settings.photo_weight else None
    start = coarse if settings.warm_start else beginning(settings.final_steps)
    final = bound(
        optimise_field, job, guidance_of(multi_view, settings, settings.final_scale), prompt, settings, start,
        settings.final_steps, held_to(settings, pictures), prior.shorten(request.start_prompt, LONGEST_VIEW), shown,
        colours, guess if same else None,
    )  # fmt: skip
    field = RadianceGrid(**job.stage("refined", final, depends_on=made_with)).to("cpu")
    made = mesh_stage(job, bound(textured_field, field, settings, prior.image_size))
    points = sampled_points(made[0], settings.points, request.seed, field)
    write_results(
        job, mesh=made, points=points, made_with=made_with | {"subject": said}, origin=settings.origin,
        height=settings.height, mirror=settings.mirror,
    )  # fmt: skip


def wanted_subject(job: Job, prior: Prior, settings: DreamBooth3DSettings) -> tuple[str, str]:
    """Return the class of the subject, and the prompt with the token beside it, as far as the prior reads it.

    Warns where the prompt does not name the class: the object is then of the class, and the rest beside it.
    """
    asked = job.request.prompt
    subject = class_word(asked, settings.token, settings.subject_class)
    if subject not in asked.lower():
        job.warn(
            f"The prompt does not say {subject!r}, so that is put before it.",
            "Say in the prompt what the subject is, for example 'a bear wearing a hat'.",
        )
    prompt = asked if f"{settings.token} {subject}" in asked else with_token(asked, settings.token, subject)
    return subject, read_prompt(job, prior, prompt, taught=settings.token)


def guidance_of(prior: Prior, settings: DreamBooth3DSettings, scale: float) -> Guidance:
    """Return the guidance of a taught prior."""
    return guidance_for(
        prior,
        GuidanceOptions(
            loss=settings.loss, scale=scale, delta_t=settings.delta_t, difference=1.0, perturbation=0.0,  # pyright: ignore
            weight=settings.weight, perp_neg=settings.perp_neg, views_at_once=settings.views_at_once,  # pyright: ignore
            joint_views=settings.joint_views, reuse=settings.reuse,
        ),
    )  # fmt: skip
