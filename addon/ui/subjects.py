"""Kept subjects in the tab: which one a job begins from, keeping and deleting, recipes, several prompts at once."""

# Blender makes its module at run time, and reads properties from annotations that are calls.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportInvalidTypeForm=false

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from .. import api, preferences, protocol
from ..jobs import subject_list
from ..language.saying import paragraph, say, say_error, say_report
from ..protocol import Phrase
from ..protocol.systems.subject_prompts import RECIPES, class_word
from ..scene import importer
from . import generate, previews, properties, session
from .results import importing

FROM_PHOTOS = Phrase("From Photos")
DIALOG_WIDTH = 460  # prompts are long
PICTURE = 5.0  # height, in rows
SEPARATOR = ";"  # of prompts
TICK_SECONDS = 0.1


# ---- drawing ---------------------------------------------------------------------------------------------------------


def draw(layout: Any, context: bpy.types.Context) -> bool:
    """Draw what the subject is; return whether it is a kept one, which has its own photos."""
    props = context.scene.maquette
    if not properties.SYSTEMS[str(props.system)].keeps_subjects:
        return False
    row = layout.row(align=True)
    row.menu(MAQUETTE_MT_subjects.bl_idname, text=props.subject or say(FROM_PHOTOS), icon="USER", translate=False)
    if not props.subject:
        layout.prop(properties.settings_of(props), "subject_class")
        return False
    row.operator(MAQUETTE_OT_delete_subject.bl_idname, text="", icon="TRASH").name = props.subject
    try:
        kept = properties.kept_subject(props)
    except protocol.ProtocolError as error:
        paragraph(layout, context, say(protocol.sentence_of(error)), "ERROR")
        return True
    assert kept is not None, "the system keeps subjects, and one is named"
    box = layout.box()
    if kept.thumbnail and (picture := _picture(kept.thumbnail)):
        box.template_icon(icon_value=picture, scale=PICTURE)
    paragraph(box, context, say(protocol.subject_line(kept)), "ERROR" if kept.problem else "NONE")
    return True


def draw_prompt(layout: Any, context: bpy.types.Context) -> None:
    """Draw what helps to write prompts about a subject, and say where one does not name it."""
    props = context.scene.maquette
    if not properties.SYSTEMS[str(props.system)].keeps_subjects:
        return
    layout.menu(MAQUETTE_MT_recipes.bl_idname, text="Recipes", icon="PRESET")
    if props.subject:
        layout.operator(MAQUETTE_OT_subject_batch.bl_idname, icon="OUTLINER_OB_FONT")
    named = _class_and_token(props)[0]
    if props.prompt.strip() and named not in props.prompt.lower():
        text = say("The prompt does not say {word!r}, which will be put before it", word=named)
        paragraph(layout, context, text, "INFO")


def draw_keep(layout: Any, job: Path, request: protocol.Request | None) -> bool:
    """Draw the button that keeps the subject of a job, where that has learnt one; return whether it has."""
    if request is None or request.subject or not protocol.SYSTEMS[request.system].keeps_subjects:
        return False
    layout.operator(MAQUETTE_OT_keep_subject.bl_idname, icon="PINNED").job = str(job)
    return True


def _class_and_token(props: Any) -> tuple[str, str]:
    """Return the class of the subject, of a kept one as it was learnt, and its token."""
    try:
        kept = properties.kept_subject(props)
    except protocol.ProtocolError:  # it was deleted; the panel says so elsewhere
        kept = None
    if kept is not None and kept.record is not None:
        return kept.record.subject, kept.record.token
    settings = properties.settings_of(props)
    return class_word(props.prompt, settings.token, settings.subject_class), settings.token


def _picture(path: Path) -> int:
    """Return the icon of a picture; what is not read yet is drawn when it is."""
    icon = previews.icon(path)
    if previews.is_reading() and not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=TICK_SECONDS)
    return icon


def _tick() -> float | None:
    """Show what was read; the last time when nothing is on its way, or the add-on was disabled."""
    if previews.take():
        session.redraw()
    return TICK_SECONDS if previews.is_reading() else None


class MAQUETTE_MT_subjects(bpy.types.Menu):
    """Which subject a job is about"""

    bl_idname = "MAQUETTE_MT_subjects"
    bl_label = "Subject"
    bl_description = "The subject of the photos, or one that an earlier job has learnt: its prompts take less time"

    def draw(self, context: bpy.types.Context) -> None:
        """List photos first, then the kept subjects."""
        name = MAQUETTE_OT_choose_subject.bl_idname
        self.layout.operator(name, text=FROM_PHOTOS, icon="IMAGE_DATA").name = ""
        for kept in subject_list.listed(preferences.subjects_folder()):
            self.layout.operator(
                name, text=kept.name, icon="ERROR" if kept.problem else "USER", translate=False
            ).name = kept.name


class MAQUETTE_MT_recipes(bpy.types.Menu):
    """Prompts to begin with"""

    bl_idname = "MAQUETTE_MT_recipes"
    bl_label = "Recipes"
    bl_description = "Fill in a prompt about the subject: another place, colour, material, pose"

    def draw(self, context: bpy.types.Context) -> None:
        """List the recipes with what they would write."""
        subject, token = _class_and_token(context.scene.maquette)
        for recipe in RECIPES.values():
            text = f"{say(recipe.label)}: {recipe.prompt(subject, token)}"
            self.layout.operator(MAQUETTE_OT_use_recipe.bl_idname, text=text, translate=False).recipe = recipe.name


# ---- operators -------------------------------------------------------------------------------------------------------


class MAQUETTE_OT_choose_subject(bpy.types.Operator):
    """Choose the subject"""

    bl_idname = "maquette.choose_subject"
    bl_label = "Choose Subject"
    bl_description = "Let the next jobs be about this subject"
    bl_options = {"REGISTER", "UNDO"}

    name: bpy.props.StringProperty(name="Subject", description="A kept one; empty for photos", options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Choose it, if it is there."""
        try:
            found = subject_list.find(preferences.subjects_folder(), self.name) if self.name else None
        except protocol.ProtocolError as error:
            self.report({"ERROR"}, say_error(error))
            return {"CANCELLED"}
        context.scene.maquette.subject = found.name if found else ""
        return {"FINISHED"}


class MAQUETTE_OT_keep_subject(bpy.types.Operator):
    """Keep what a job has learnt"""

    bl_idname = "maquette.keep_subject"
    bl_label = "Keep Subject..."
    bl_description = "Keep the subject that this job has learnt: other prompts about it need not learn it again"

    job: bpy.props.StringProperty(name="Job", description="Its folder", options={"SKIP_SAVE", "HIDDEN"})
    name: bpy.props.StringProperty(name="Name", description="What to call the subject", options={"SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask for the name."""
        return context.window_manager.invoke_props_dialog(self, title="Keep Subject", confirm_text="Keep")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Copy it among the kept ones, and choose it."""
        try:
            kept = protocol.keep_subject(preferences.subjects_folder(), Path(self.job), self.name)
        except (ValueError, OSError) as error:
            self.report({"ERROR"}, say_error(error))
            return {"CANCELLED"}
        if properties.SYSTEMS[str(context.scene.maquette.system)].keeps_subjects:
            context.scene.maquette.subject = kept.name
        size = protocol.megabytes(kept.size)
        self.report({"INFO"}, say_report("{name} is kept: {size}", name=kept.name, size=size))
        return {"FINISHED"}


class MAQUETTE_OT_delete_subject(bpy.types.Operator):
    """Delete a kept subject"""

    bl_idname = "maquette.delete_subject"
    bl_label = "Delete Subject"
    bl_description = "Delete the kept subject; jobs that were made with it, and their results, stay"

    name: bpy.props.StringProperty(name="Subject", description="A kept one", options={"SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask first: it cannot be undone."""
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Delete it; the panel goes back to photos."""
        props = context.scene.maquette
        try:
            protocol.delete_subject(subject_list.find(preferences.subjects_folder(), self.name))
        except (protocol.ProtocolError, OSError) as error:
            self.report({"ERROR"}, say_error(error))
            return {"CANCELLED"}
        finally:
            if props.subject == self.name:
                props.subject = ""
        return {"FINISHED"}


class MAQUETTE_OT_use_recipe(bpy.types.Operator):
    """Fill in a prompt"""

    bl_idname = "maquette.use_recipe"
    bl_label = "Use Recipe"
    bl_description = "Write this prompt about the subject, to be changed as you like"
    bl_options = {"REGISTER", "UNDO"}

    recipe: bpy.props.EnumProperty(
        name="Recipe",
        description="What is to be different about the subject",
        items=[(each.name, each.label, each.tooltip) for each in RECIPES.values()],
        options={"SKIP_SAVE"},
    )
    word: bpy.props.StringProperty(
        name="Word", description="The place, colour, material, thing, style or pose", options={"SKIP_SAVE"}
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Write the prompt."""
        props = context.scene.maquette
        props.prompt = RECIPES[str(self.recipe)].prompt(*_class_and_token(props), self.word)
        return {"FINISHED"}


class MAQUETTE_OT_subject_batch(bpy.types.Operator):
    """Make a kept subject by several prompts"""

    bl_idname = "maquette.subject_batch"
    bl_label = "Several Prompts..."
    bl_description = "Queue one job for each of several prompts about the kept subject, with the panel's settings"

    prompts: bpy.props.StringProperty(
        name="Prompts", description=f"With {SEPARATOR} between them", options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Need a kept subject: each job would learn that of photos anew."""
        props = context.scene.maquette
        is_kept = bool(props.subject) and properties.SYSTEMS[str(props.system)].keeps_subjects
        if not is_kept:
            text = say("Choose a kept subject first: each of these jobs would learn that of photos anew")
            cls.poll_message_set(text)
        return is_kept

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask for the prompts, beginning with that of the panel."""
        self.prompts = context.scene.maquette.prompt
        return context.window_manager.invoke_props_dialog(self, width=DIALOG_WIDTH, confirm_text="Generate")

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the line of prompts, and how many they are."""
        about = context.scene.maquette.subject
        text = say("Prompts about {subject}, with {separator} between them:", subject=about, separator=SEPARATOR)
        self.layout.label(text=text, translate=False)
        self.layout.prop(self, "prompts", text="")
        self.layout.label(text=say("{count} jobs", count=len(self._split())), icon="INFO", translate=False)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Make the jobs, none if one of the prompts is refused; in background mode, run each to its end."""
        props = context.scene.maquette
        try:
            prompts = self._split()
            if not prompts:
                raise protocol.ProtocolError(Phrase("There is no prompt: write some, with ; between them."))
            if props.new_seed:
                props.seed = properties.new_seed()
            requests = [properties.request_of(props, prompt=prompt, seed=props.seed) for prompt in prompts]
            sources = generate.subject_sources(props)
            preferences.interpreter(context)  # or say what is missing, before anything is written
            for request in requests:
                if not bpy.app.background:
                    session.submit(context, request, sources, props.import_when_done)
                    continue
                job = protocol.make_job(preferences.jobs_folder(context), request, sources)
                if not api.wait(job).stopped_after and props.import_when_done:
                    importing.bring(job, props)
        except (*generate.CANNOT_START, api.JobError, importer.ImportFailed) as error:
            self.report({"ERROR"}, generate.sentence(error))
            return {"CANCELLED"}
        text = say_report("{count} jobs about {subject}", count=len(requests), subject=props.subject)
        self.report({"INFO"}, text)
        return {"FINISHED"}

    def _split(self) -> list[str]:
        return [prompt.strip() for prompt in self.prompts.split(SEPARATOR) if prompt.strip()]


CLASSES = (
    MAQUETTE_MT_subjects,
    MAQUETTE_MT_recipes,
    MAQUETTE_OT_choose_subject,
    MAQUETTE_OT_keep_subject,
    MAQUETTE_OT_delete_subject,
    MAQUETTE_OT_use_recipe,
    MAQUETTE_OT_subject_batch,
)
