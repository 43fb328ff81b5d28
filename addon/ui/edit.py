"""Edit by Text: a finished result changes by words, in a new job that begins from it."""

# Blender makes its module at run time, and reads properties from annotations that are calls.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportInvalidTypeForm=false

from __future__ import annotations

from pathlib import Path

import bpy

from .. import api, preferences, protocol
from ..jobs import store
from ..scene import importer
from . import generate, history, session
from .results import importing

DIALOG_WIDTH = 420  # a prompt is longer than a number


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

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Say why the button of the chosen job can start nothing; scripts name their job later, and get the error."""
        entry = history.chosen(context) if hasattr(context, history.BUTTON) else None
        if entry is None:
            return True
        reason = entry.problem or (store.why_not_edit(entry.request, entry.state) if entry.request else "")
        if reason or session.is_waiting(entry.job):
            cls.poll_message_set(f"This job cannot be edited: {reason or 'it is queued'}".removesuffix("."))
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask for the prompt, beginning with the old one."""
        try:
            self.prompt = protocol.read_request(Path(self.job)).prompt
        except (protocol.ProtocolError, OSError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return context.window_manager.invoke_props_dialog(self, width=DIALOG_WIDTH, confirm_text="Edit")

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the prompt."""
        self.layout.label(text="Change the words; say all of what it is to be:")
        self.layout.prop(self, "prompt", text="")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Queue the new job; in background mode, run it to its end."""
        props = context.scene.maquette
        try:
            preferences.interpreter(context)  # or say what is missing, before anything is written
            job = store.edit_job(preferences.jobs_folder(context), Path(self.job), self.prompt)
            if bpy.app.background:
                last = api.wait(job)
                if props.import_when_done and not last.stopped_after:
                    importing.bring(job, props)
            else:
                session.enqueue(context, job, props.import_when_done)
        except (*generate.CANNOT_START, api.JobError, importer.ImportFailed) as error:
            self.report({"ERROR"}, generate.sentence(error))
            return {"CANCELLED"}
        history.refresh_now(context)
        return {"FINISHED"}


CLASSES = (MAQUETTE_OT_edit,)
