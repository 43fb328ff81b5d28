"""Send to Farm: the jobs of a batch for other machines, and the command that submits them."""

# Blender makes its module at run time, and reads properties from annotations that are calls.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportInvalidTypeForm=false

from __future__ import annotations

import tempfile
from pathlib import Path

import bpy

from ... import preferences, protocol
from ...jobs import batch, farm
from ...language.saying import say_report
from ...protocol import Phrase
from .. import batch_operators, generate

WAITING = "{count} jobs wait; the command that submits them is in the clipboard: {command}"


class MAQUETTE_OT_send_to_farm(bpy.types.Operator):
    """Make the jobs of a batch for a farm"""

    bl_idname = "maquette.send_to_farm"
    bl_label = "Send to Farm..."
    bl_description = (
        "Make one job folder for each selected image, or each picture of a folder, and what a farm takes to run them. "
        "The command that submits them goes to the clipboard"
    )
    bl_options = {"REGISTER"}

    directory: bpy.props.StringProperty(
        name="Pictures",
        description="Use each picture of this folder instead of what is selected",
        subtype="DIR_PATH",
    )
    prompt: bpy.props.StringProperty(
        name="Prompt", description="Of each job; {name} becomes the name of the image", default="{name}"
    )
    engine: bpy.props.EnumProperty(
        name="Farm",
        description="What runs the jobs",
        items=[
            ("openjd", "AWS Deadline Cloud", "And whatever else runs Open Job Description"),
            ("flamenco", "Flamenco", "Blender Studio's own"),
            ("opencue", "OpenCue", "The Academy Software Foundation's own"),
            ("slurm", "SLURM", "Of universities and laboratories"),
            ("ray", "Ray", "For machines that have no farm"),
        ],
    )
    shared_folder: bpy.props.StringProperty(
        name="Shared Folder",
        description="Where the job folders are made, as all machines of the farm see it; empty: the jobs folder of "
        "the preferences",
        subtype="DIR_PATH",
    )
    python: bpy.props.StringProperty(
        name="Python",
        description="Of the farm's machines, with the backend's packages; empty: the one that is used here",
    )
    submit: bpy.props.BoolProperty(
        name="Submit", description="Run the command, too; needs the farm's own program on this machine", default=False
    )
    same_machine: bpy.props.BoolProperty(
        name="On This Machine", description="The farm's workers run here, as you: nothing need be shared", default=False
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask for the farm."""
        return context.window_manager.invoke_props_dialog(self, width=420, title=self.bl_label, confirm_text="Send")

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the wishes."""
        layout = self.layout
        layout.use_property_split = True
        for name in ("engine", "directory", "prompt", "shared_folder", "python", "same_machine", "submit"):
            layout.prop(self, name)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Make the jobs, then the farm's files beside them; nothing runs on this machine."""
        own = bpy.path.abspath(self.shared_folder)
        folder = Path(own) if own else preferences.jobs_folder(context)
        try:
            python = preferences.interpreter(context)
            with tempfile.TemporaryDirectory(prefix="maquette-") as temporary:
                pictures = batch_operators.pictures_of(context, self.directory, Path(temporary))
                styles = generate.files_of(
                    context.scene.maquette, "visual_prompt", Path(temporary), batch_operators.MAX_NUMBER
                )
                items = batch_operators.plan_of(context, pictures, styles, self.prompt, folder)
                made = batch.begin(items, folder, lambda job, place: None, protocol.OPEN)  # workers may be other users
            if not made.jobs:
                raise ValueError(Phrase("Nothing is to be sent. {summary}", summary=batch.summary(made)))
            answer = farm.send(python, self._words(list(made.jobs), folder))
        except (ValueError, farm.NotSent, *generate.CANNOT_START) as error:
            self.report({"ERROR"}, generate.sentence(error))
            return {"CANCELLED"}
        context.window_manager.clipboard = answer.command
        told = {"count": len(answer.jobs), "command": answer.command}
        text = say_report(WAITING if not answer.submitted else "{count} jobs are submitted: {command}", **told)
        text = " ".join((text, *answer.skipped, *answer.notes))
        self.report({"WARNING" if made.problems else "INFO"}, text)
        return {"FINISHED"}

    def _words(self, jobs: list[Path], folder: Path) -> list[str]:
        out = folder / "farm" / jobs[0].name
        words = ["--engine", self.engine, "--out", str(out), *(str(job) for job in jobs)]
        words += ["--python", self.python] if self.python else []
        return words + ["--submit"] * self.submit + ["--same-machine"] * self.same_machine


CLASSES = (MAQUETTE_OT_send_to_farm,)
