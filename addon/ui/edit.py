"""Edit by Text: a finished result changes by words, in a new job that begins from it."""

# Blender makes its module at run time, and reads properties from annotations that are calls.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportInvalidTypeForm=false

from __future__ import annotations

from pathlib import Path

import bpy

from .. import api, preferences, protocol
from ..jobs import store
from ..language.saying import say, say_report, without_stop
from ..protocol import Phrase, sentence_of
from ..scene import importer
from . import generate, history, properties, session
from .results import importing

DIALOG_WIDTH = 420  # a prompt is longer than a number
CANNOT = "This job cannot be edited: {reason}"


class MAQUETTE_OT_edit(bpy.types.Operator):
    """Change a result by words"""

    bl_idname = "maquette.edit"
    bl_label = "Edit by Text"
    bl_description = "Change the result by another prompt: a new job begins from it, with the same seed and settings"

    job: bpy.props.StringProperty(name="Job", description="Its folder", options={"SKIP_SAVE", "HIDDEN"})
    prompt: bpy.props.StringProperty(
        name="Prompt",
        description="What the object is to be: the old words, with those changed or added that shall differ",
        maxlen=protocol.PROMPT_CHARACTERS,
        options={"SKIP_SAVE"},
    )
    problem: bpy.props.StringProperty(
        name="Problem", description="Why the dialog is here again", options={"SKIP_SAVE", "HIDDEN"}
    )
    refused: bpy.props.StringProperty(
        name="Refused", description="The prompt that it is about", options={"SKIP_SAVE", "HIDDEN"}
    )
    is_asked: bpy.props.BoolProperty(
        name="In a Dialog", description="The prompt comes from a dialog", options={"SKIP_SAVE", "HIDDEN"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Say why the button of the chosen job can start nothing; scripts name their job later, and get the error."""
        entry = history.chosen(context) if hasattr(context, history.BUTTON) else None
        if entry is None:
            return True
        reason = entry.problem or (store.why_not_edit(entry.request, entry.state) if entry.request else "")
        if reason or session.is_waiting(entry.job):
            cls.poll_message_set(without_stop(say(CANNOT, reason=reason or Phrase("it is queued"))))
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask for the prompt, beginning with the old one, or with that which was refused."""
        try:
            request, state = protocol.read_request(Path(self.job)), store.state(Path(self.job))
            reason = store.why_not_edit(request, state) or store.lacking(Path(self.job), request)
        except (protocol.ProtocolError, OSError) as error:
            reason = sentence_of(error)
        if reason:
            self.report({"ERROR"}, say_report(CANNOT, reason=reason))
            return {"CANCELLED"}
        if not self.problem:
            self.prompt = request.prompt
        self.is_asked = True
        return context.window_manager.invoke_props_dialog(self, width=DIALOG_WIDTH, confirm_text="Edit")

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the prompt, what was wrong with it, and what to expect."""
        layout = self.layout
        layout.label(text=say("Change the words; say all of what it is to be:"), translate=False)
        layout.prop(self, "prompt", text="")
        if self.problem and self.prompt == self.refused:  # not any more when it was changed
            layout.label(text=self.problem, icon="ERROR", translate=False)
        if _is_rough(Path(self.job)):
            text = say("It begins from a Quick Test, which is rough: a Draft changes better")
            layout.label(text=text, icon="INFO", translate=False)
        if changed := _edit_settings(context.scene.maquette, Path(self.job)):
            text = say("With what is changed under Advanced > Edit by Text: {names}", names=", ".join(changed))
            layout.label(text=text, icon="PREFERENCES", translate=False)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Queue the new job; in background mode, run it to its end."""
        props = context.scene.maquette
        try:
            preferences.interpreter(context)  # or say what is missing, before anything is written
            changed = _edit_settings(props, Path(self.job))
            job = store.edit_job(preferences.jobs_folder(context), Path(self.job), self.prompt, settings=changed)
            if bpy.app.background:
                last = api.wait(job)
                if props.import_when_done and not last.stopped_after:
                    importing.bring(job, props)
            else:
                session.enqueue(context, job, props.import_when_done)
        except (*generate.CANNOT_START, api.JobError, importer.ImportFailed) as error:
            if self.is_asked:  # the dialog is there again, with what was typed
                again = {"job": self.job, "prompt": self.prompt, "refused": self.prompt}
                bpy.ops.maquette.edit("INVOKE_DEFAULT", problem=generate.sentence(error), **again)
                return {"CANCELLED"}
            self.report({"ERROR"}, generate.sentence(error))
            return {"CANCELLED"}
        history.refresh_now(context)
        return {"FINISHED"}


def _is_rough(job: Path) -> bool:
    """Say whether a job's result is hardly enough to begin from."""
    try:
        return protocol.read_request(job).preset == "bench"
    except (protocol.ProtocolError, OSError):
        return False


def _edit_settings(props: properties.MAQUETTE_PG_scene, job: Path) -> dict[str, protocol.Setting]:
    """Return what the artist has changed of the settings of edits, where the job is of the panel's system."""
    try:
        is_same = protocol.read_request(job).system == props.system
    except (protocol.ProtocolError, OSError):  # what the operator itself says
        return {}
    if not is_same:
        return {}
    known = properties.SYSTEMS[str(props.system)].settings
    of_edits = {name for name, each in known.items() if each.group.label == MAQUETTE_OT_edit.bl_label}
    return {name: value for name, value in properties.changed_settings(props).items() if name in of_edits}


CLASSES = (MAQUETTE_OT_edit,)
