"""Which base a scene's jobs draw with: the embedded one, an installed one, or a folder; and one line on it."""

# Blender makes its module at run time, and reads properties from annotations that are calls.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportInvalidTypeForm=false

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy

from ... import paths, preferences
from ...language.saying import say
from ...protocol import Phrase, models

# A .blend keeps the place in here.
PRIORS = [
    ("embedded", "Embedded", "The small prior that comes with Maquette: works offline, knows few kinds of objects"),
    ("folder", "Folder", "A Stable Diffusion model on this computer, in diffusers' format"),
    (
        "installed",
        "Installed Model",
        "Stable Diffusion or another base, fetched or imported in the preferences",
    ),
]
FIRST = "sd15"


def chosen_prior(props: Any) -> str:
    """Return what a request says of its prior."""
    if props.prior == "folder":
        return bpy.path.abspath(props.prior_folder)
    return props.prior_model.strip() if props.prior == "installed" else props.prior


def take_prior(props: Any, prior: str) -> None:
    """Make a scene's properties those that ask for a request's prior."""
    if models.is_name(prior):
        props.prior, props.prior_model = "installed", prior
    else:
        props.prior = "embedded" if prior == "embedded" else "folder"
        if prior != "embedded":
            props.prior_folder = prior


def base_folder(props: Any, context: bpy.types.Context) -> Path:
    """Return the folder of the chosen base's networks; of that below where it is a LoRA. Raises ProtocolError."""
    if props.prior == "embedded":
        return paths.EMBEDDED_PRIOR
    if props.prior == "folder":
        return Path(bpy.path.abspath(props.prior_folder))
    return models.networks_folder(preferences.models_folder(context), props.prior_model.strip())


def bases(context: bpy.types.Context) -> list[models.Installed]:
    """Return the bases that are installed."""
    found = models.list_installed(preferences.models_folder(context))
    return [each for each in found if each.record is not None and each.record.role == models.BASE]


def suggest(props: Any, context: bpy.types.Context, text: str) -> Iterator[tuple[str, str]]:
    """Yield what can be chosen for a name that is typed: (name, what it is)."""
    there = {each.name: each.title for each in bases(context)}
    for name, title in ({FIRST: models.CATALOGUE[FIRST].title} | there).items():
        if text.lower() in f"{name} {title}".lower():
            yield name, title if name in there else say("{title}, not installed", title=title)


def draw_prior(layout: Any, context: bpy.types.Context, props: Any) -> None:
    """Draw the choice and one line on what is chosen; where it is missing, how big it is, and the button."""
    layout.prop(props, "prior")
    if props.prior == "embedded":
        text = say("Comes with Maquette: simple toy-like objects, minutes on two processor cores, 4 GB of memory")
        preferences.paragraph(layout, context, text)
    elif props.prior == "folder":
        layout.prop(props, "prior_folder")
    else:
        layout.prop(props, "prior_model")
        _draw_model(layout, context, props.prior_model.strip())


def _draw_model(layout: Any, context: bpy.types.Context, name: str) -> None:
    there = next((each for each in bases(context) if each.name == name), None)
    if there is not None:
        told = {"title": there.title, "line": Phrase(there.line), "size": models.gigabytes(there.size)}
        preferences.paragraph(layout, context, say("{title}: {line}. {size}", **told))
        return
    known = models.CATALOGUE.get(name)
    if known is None or known.role != models.BASE:
        preferences.paragraph(layout, context, say("No base named {name!r} is installed", name=name), "ERROR")
    else:
        told = {"title": known.title, "size": models.size_words(known)}
        preferences.paragraph(layout, context, say("{title} is not installed: {size}", **told), "ERROR")
        layout.operator("maquette.fetch_model", text="Fetch...", icon="IMPORT").name = name
