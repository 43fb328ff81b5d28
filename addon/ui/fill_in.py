"""Fills in the panel by a click: with what a job was asked for, and with words that the prior knows."""

# Blender makes its module at run time, and reads properties from annotations that are calls.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportInvalidTypeForm=false

from __future__ import annotations

import filecmp
import json
import math
from pathlib import Path
from typing import Any

import bpy

from .. import paths, preferences, prior_words, protocol
from ..jobs import subject_list
from ..language import words
from ..language.saying import say, say_error, say_report
from ..protocol import Phrase
from . import properties, session
from .models import choice

UNKNOWN_SHOWN = 4  # words
CANNOT_BE_SAID = "Stop After and Processor Cores stay as they are in the panel"


def take_request(props: Any, job: Path, request: protocol.Request) -> list[str]:
    """Make a scene's properties those that ask for what a job was asked for; return what cannot be had, in sentences.

    The job's own copies of its images become reference images, unless a link or nothing lies in their place.
    """
    system = properties.SYSTEMS[request.system]
    missing = []
    props.system, props.preset = request.system, request.preset
    props.prompt, props.negative_prompt = request.prompt, request.negative_prompt
    if request.seed <= properties.MAX_SEED:
        props.seed, props.new_seed = request.seed, False
    else:
        told = "The seed {seed} is larger than {most}, the largest that Blender holds."
        missing.append(say_report(told, seed=request.seed, most=properties.MAX_SEED))
    choice.take_prior(props, request.prior)
    props.outputs = set(request.outputs)
    asked = system.present(request.settings)
    known = {name: value for name, value in asked.items() if name in system.settings}
    properties.settings_of(props).overrides = json.dumps(known) if known else ""
    told, label = "{name} is no setting of {system} any more.", Phrase(system.label)
    missing += [say_report(told, name=name, system=label) for name in asked if name not in known]
    missing += _take_images(props, job, request)
    props.subject = _name_of(request.subject) if request.subject else ""
    if request.subject and not props.subject:
        told = "The kept subject that it began from is not there any more: choose another, or photos."
        missing.append(say_report(told))
    if request.start:
        missing.append(say_report("It began from another result: use Edit by Text on that one to begin there again."))
    return missing


def _take_images(props: Any, job: Path, request: protocol.Request) -> list[str]:
    """Make the reference images those of a job; return a sentence for each that cannot be read."""
    props.references.clear()
    missing = []
    for asked in request.images:
        try:
            if not protocol.is_inside(job, asked.path):
                raise RuntimeError(say_report("it is not in the job's folder"))
            image = _at_hand(asked.name, job / asked.path)
            image = image or bpy.data.images.load(str(job / asked.path), check_existing=True)
        except RuntimeError as error:
            reason = str(error).strip()
            missing.append(say_report("The image {name} was left out: {reason}.", name=asked.called, reason=reason))
            continue
        if asked.name:
            image.name = asked.name
        reference = props.references.add()
        reference.image = image
        if asked.role in properties.roles_of(props):
            reference.role = asked.role
        reference.elevation = math.radians(asked.elevation_degrees)
        reference.azimuth = math.radians(asked.azimuth_degrees)
        reference.field_of_view = math.radians(asked.fov_degrees)
    props.active_reference = max(0, len(props.references) - 1)
    return missing


def _at_hand(name: str, copy: Path) -> bpy.types.Image | None:
    """Return the image of the .blend that a job has a copy of, where its file is still the same."""
    image = bpy.data.images.get(name) if name else None
    own = Path(bpy.path.abspath(image.filepath)) if image is not None and image.filepath else copy.parent
    return image if own.is_file() and filecmp.cmp(own, copy, shallow=False) else None


def _name_of(subject: str) -> str:
    """Return the name of the kept subject with this hash, none if there is none here."""
    kept = subject_list.listed(preferences.subjects_folder())
    return next((each.name for each in kept if not each.problem and protocol.subject_files(each)[0] == subject), "")


# ---- words -----------------------------------------------------------------------------------------------------------

_offered: list[tuple[str, str, str]] = []  # Blender does not keep the strings of a list that is made anew


def unknown_words(props: Any) -> list[str]:
    """Return the words of the scene's prompts that mean nothing to its prior, in their order.

    Of a Stable Diffusion folder nothing is said: it knows nearly every word. The word for a subject is taught.
    """
    if props.prior != "embedded":
        return []
    taught = {str(getattr(properties.settings_of(props), "token", "")).lower()}
    kept = subject_list.listed(preferences.subjects_folder()) if props.subject else ()
    taught |= {each.record.token.lower() for each in kept if each.record is not None and each.name == props.subject}
    known = prior_words.known_words(paths.EMBEDDED_PRIOR)
    prompt = props.prompt.strip() or properties.proposed_prompt(props)
    found = prior_words.unknown_words(f"{prompt} {props.negative_prompt}", known)
    return [word for word in found if word not in taught]


def draw_title(layout: Any, props: Any) -> None:
    """Draw what is over the prompt, with a search among the words that the prior knows."""
    row = layout.row()
    row.label(text="Prompt", text_ctxt=words.OWN)
    if props.prior == "embedded":
        row.operator(MAQUETTE_OT_insert_word.bl_idname, text="", icon="VIEWZOOM")


def draw_prompt(layout: Any, props: Any) -> None:
    """Draw the prompt; while it is empty, what the image's name proposes, with a button that makes it the prompt."""
    proposed = "" if props.prompt.strip() else properties.proposed_prompt(props)
    row = layout.row(align=True)
    needs_words = properties.SYSTEMS[str(props.system)].needs_prompt
    empty = "a red mug with white dots" if needs_words else "no words are needed"
    row.prop(props, "prompt", text="", placeholder=proposed or empty)
    if proposed:
        row.operator(MAQUETTE_OT_use_name.bl_idname, text="", icon="GREASEPENCIL")


def draw_unknown(layout: Any, context: bpy.types.Context) -> None:
    """Name the words that mean nothing to the prior."""
    if found := unknown_words(context.scene.maquette):
        more = ", ..." if len(found) > UNKNOWN_SHOWN else ""
        told = ", ".join(f"'{word}'" for word in found[:UNKNOWN_SHOWN]) + more
        preferences.paragraph(layout, context, say("The embedded prior does not know {words}.", words=told), "ERROR")


def _list_words(operator: Any, context: bpy.types.Context | None) -> list[tuple[str, str, str]]:
    if not _offered:
        words = prior_words.words_to_offer(prior_words.known_words(paths.EMBEDDED_PRIOR))
        _offered[:] = [(word, word, "") for word in words]
    return _offered


class MAQUETTE_OT_insert_word(bpy.types.Operator):
    """Add a word to the prompt"""

    bl_idname = "maquette.insert_word"
    bl_label = "Known Words"
    bl_description = "Search the words that the embedded prior knows, and add one to the prompt"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}
    bl_property = "word"

    word: bpy.props.EnumProperty(name="Word", description="One that the prior knows", items=_list_words)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Let the artist search."""
        context.window_manager.invoke_search_popup(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Put it behind what is there."""
        props = context.scene.maquette
        props.prompt = f"{props.prompt.rstrip()} {self.word}".strip()
        session.redraw()
        return {"FINISHED"}


class MAQUETTE_OT_use_name(bpy.types.Operator):
    """Make the image's name the prompt"""

    bl_idname = "maquette.use_name"
    bl_label = "Name of the Image"
    bl_description = "An image alone needs no prompt: its name is taken for one. Put it into the field, to change it"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Write it into the field."""
        props = context.scene.maquette
        props.prompt = properties.proposed_prompt(props) or props.prompt
        session.redraw()
        return {"FINISHED"}


# ---- a job's settings ------------------------------------------------------------------------------------------------


class MAQUETTE_OT_use_settings(bpy.types.Operator):
    """Ask for the same again"""

    bl_idname = "maquette.use_settings"
    bl_label = "Use These Settings"
    bl_description = f"Show in the panel what the job was asked for, with its images and seed. {CANNOT_BE_SAID}"
    bl_options = {"REGISTER", "UNDO"}

    job: bpy.props.StringProperty(name="Job", description="Its folder", options={"SKIP_SAVE", "HIDDEN"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Take the request of the job folder into the scene."""
        try:
            request = protocol.read_request(Path(self.job))
        except (protocol.ProtocolError, OSError) as error:
            self.report({"ERROR"}, say_error(error).strip())
            return {"CANCELLED"}
        missing = take_request(context.scene.maquette, Path(self.job), request)
        if missing:
            self.report({"WARNING"}, " ".join(missing))
        else:
            told = "Generate shows what {job} was asked for"
            self.report({"INFO"}, say_report(told, job=request.title or Path(self.job).name))
        session.redraw()
        return {"FINISHED"}


CLASSES = (MAQUETTE_OT_insert_word, MAQUETTE_OT_use_name, MAQUETTE_OT_use_settings)
