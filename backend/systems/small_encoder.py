"""The small encoder, where a job asks for it: found, held against the base's own, and when a step encodes with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from addon.protocol import models
from addon.protocol.systems.evaluations import small_steps
from backend.diffusion.denoiser import Prior
from backend.diffusion.latents import SMALL_ENCODER_ROLE, load_small_encoder, strangeness, through_small
from backend.errors import BadInput, MissingModel
from backend.models import store
from backend.runtime.job import Job
from backend.systems.base_model import how_to_get
from backend.weights import network_name

STRANGE = 1.0  # variances of the latents, from which the small encoder's say nothing of the base's


def with_small_encoder(job: Job, prior: Prior, settings: Any) -> Prior:
    """Return a job's prior with the small encoder beside its own, if the settings ask for that.

    Warns where it speaks of something else than the base. Raises MissingModel, BadInput.
    """
    name = wanted_small_encoder(job.request.prior, settings)
    if not name:
        return prior
    prior = replace(prior, small_encoder=load_small_encoder(name, prior))
    found = strangeness(prior)
    if found > STRANGE:
        job.warn(
            f"What the small encoder says of a picture is {found:.1f} variances away from what the base's own says: "
            "it seems to be made for another base.",
            "Turn small_encoder off, or fetch the one that was made for this base.",
        )
    return prior


def wanted_small_encoder(base: str, settings: Any) -> str:
    """Return what to load the small encoder by, empty where the settings ask for none.

    It lies among the companions that are named, else among those that are installed. Raises MissingModel, and BadInput
    for the embedded base, of whose latents no small encoder knows.
    """
    if not getattr(settings, "small_encoder", False):
        return ""
    if base == "embedded":
        raise BadInput(
            "The small encoder knows the latents of Stable Diffusion, and the embedded base has others.",
            "Turn small_encoder off: the embedded base's own is small.",
        )
    named, installed = getattr(settings, "companions", ""), str(models.companions_folder(store.models_folder()))
    for companions in filter(None, (named, installed)):
        name = network_name(companions, SMALL_ENCODER_ROLE)
        if (Path(name) / "config.json").is_file():
            return name
    model = next(each for each in models.CATALOGUE.values() if each.role == SMALL_ENCODER_ROLE)
    raise MissingModel(
        f"small_encoder asks for {model.title} ({models.size_words(model)}), which is not on this machine.",
        how_to_get(model.name),
    )


def encoding(prior: Prior, step: int, total: int) -> Prior:
    """Return what encodes the views of a step of a distillation: the small encoder, where there is one, in most steps,
    and the base's own in the last of them, which decide what the object looks like.

    It depends on the step alone, so that a run that goes on does the same.
    """
    return through_small(prior) if step < small_steps(total) else prior
