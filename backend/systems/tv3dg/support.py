"""What a prior can do of what the settings ask; the rest is left out, or done otherwise, and named in a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from addon.protocol import Request
from addon.protocol.systems.tv3dg import TV3DGSettings
from backend.diffusion.denoiser import Prior
from backend.diffusion.guidance import GuidanceOptions
from backend.runtime.job import Job
from backend.systems.overrides import options_of
from backend.systems.tv3dg.multiview import uses_calibration

NAME_THEM = "docs/companions.md says which there are; name their folder: --set companions=FOLDER."
NAME_IT = "docs/companions.md says which there are; name its file or folder: --set adapter=FOLDER."
NO_CAMERA = "This prior cannot be told where the camera is"
IN_WORDS = "Stable Diffusion takes none; --set camera_tokens=false asks for none."

Left = tuple[str, str, dict[str, Any]]  # a sentence, a hint, and the settings that take the place of those asked for


def guidance_options(request: Request, settings: TV3DGSettings) -> GuidanceOptions:
    """Return the options of the guidance; the embedded prior has an adapter of its own."""
    options = options_of(GuidanceOptions, settings)
    adapter = options.adapter or ("embedded" if request.prior == "embedded" else "")
    return replace(options, adapter=adapter, tau=wanted_prompt(request, settings)[1])


def wanted_prompt(request: Request, settings: TV3DGSettings) -> tuple[str, float]:
    """Return which image the guidance is to see in every step, and how strongly: given, reference, imagined or none.

    The artist's own comes before the image of the object; without any the prior draws one, if self-guidance is on.
    """
    roles = {image.role for image in request.images}
    if "visual_prompt" in roles:
        shown, tau = "given", settings.tau
    elif "reconstruct" in roles:
        shown, tau = "reference", settings.reference_tau
    else:
        shown, tau = "imagined", settings.tau if settings.self_guidance else 0.0
    return (shown, tau) if tau > 0 and settings.loss == "vpcsm" else ("none", 0.0)


def visual_prompt(request: Request, settings: TV3DGSettings) -> tuple[str, float]:
    """Return what `wanted_prompt` does where there is an adapter that lets the prior see it, else none."""
    return wanted_prompt(request, settings) if guidance_options(request, settings).adapter else ("none", 0.0)


def supported_settings(job: Job, prior: Prior, settings: TV3DGSettings) -> TV3DGSettings:
    """Return the settings without what this prior cannot do, and warn of each thing that was asked for.

    What a setting itself leaves out (`camera_tokens` off, in `paper`) is no warning.
    """
    if prior.sees_reference and settings.see_reference:
        settings = replace(settings, reference_tau=0.0)  # the adapter would tell it again, and less
    for message, hint, instead in _left_out(job.request, prior, settings):
        job.warn(message, hint)
        settings = replace(settings, **instead)
    if settings.multi_view == "prior" and not settings.camera_tokens and not guesses_sides(job.request, settings):
        settings = replace(settings, start="ball")
    return settings


def guesses_sides(request: Request, settings: TV3DGSettings) -> bool:
    """Say whether the sides are guessed of the image of the object, which asks for no prior."""
    seen = any(image.role == "reconstruct" for image in request.images)
    return seen and settings.guessed_sides and settings.start == "sides" and not request.start


def _left_out(request: Request, prior: Prior, settings: TV3DGSettings) -> Iterator[Left]:
    """Yield what the settings ask for and the prior cannot do, from networks that are missing to the camera."""
    has_companions = request.prior == "embedded" or bool(settings.companions)
    shown, tau = wanted_prompt(request, settings)
    if tau and not guidance_options(request, settings).adapter:
        none = {"tau": 0.0, "reference_tau": 0.0, "self_guidance": False}
        what = "The image as a visual prompt" if shown == "reference" else "The visual prompt"
        yield f"{what} and tau are left out: no image adapter is named for this prior.", NAME_IT, none
    if uses_calibration(settings) and not has_companions:
        none = {"calibration_geometry": 0.0, "calibration_semantics": 0.0, "calibration_reward": 0.0}
        yield "Calibration is left out: no companion networks are named for this prior.", NAME_THEM, none
        settings = replace(settings, **none)
    if prior.takes_cameras:
        return
    if guesses_sides(request, settings):
        settings = replace(settings, multi_view="")  # nobody is asked for them
    held = settings.calibration_geometry > 0 or settings.calibration_semantics > 0
    if settings.multi_view == "prior" and (held or settings.start == "sides"):
        if settings.companions and (Path(settings.companions) / "zero123").is_dir():
            instead = {"multi_view": "zero123"}
            yield f"{NO_CAMERA}, so Zero-1-to-3 turns the visual prompt for the four sides.", "", instead
        else:
            instead = {"start": "ball", "calibration_geometry": 0.0, "calibration_semantics": 0.0}
            lost = ", and geometry and semantics are not calibrated" if held else ""
            yield f"{NO_CAMERA}, and there is no Zero-1-to-3: the object begins from a ball{lost}.", NAME_THEM, instead
    if settings.camera_tokens:
        yield f"{NO_CAMERA}: its side is told in words alone.", IN_WORDS, {"camera_tokens": False}
