"""The panel "Queue": the jobs that wait, in order, and how the queue goes on. It draws what `running` knows."""

# Blender makes its module at run time, and reads properties from annotations that are calls.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportInvalidTypeForm=false

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from .. import wording
from ..language.saying import paragraph, say
from . import generate, session
from .results.job_panel import TITLE_LETTERS, title

ROWS = 8  # that are drawn; of the others their number


class MAQUETTE_PT_queue(bpy.types.Panel):
    """Jobs that wait"""

    bl_idname = "MAQUETTE_PT_queue"
    bl_label = "Queue"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = session.CATEGORY
    bl_order = 3  # below the history, which keeps its place when jobs begin to wait

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Show only when there is something to see."""
        return bool(session.waiting() or session.all_running()[1:])

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the jobs, each with its buttons."""
        layout, waiting, problem = self.layout, session.waiting(), session.problem()
        if problem is not None:
            paragraph(layout, context, f"{say(problem.message)} {say(problem.hint)}".strip(), "ERROR")
        row = layout.row(align=True)
        if session.is_held():
            row.operator("maquette.hold_queue", text="Start the Queue", icon="PLAY").hold = False
        else:
            row.operator("maquette.hold_queue", text="Hold the Queue", icon="PAUSE").hold = True
        column = layout.column(align=True)
        for job in session.all_running()[1:]:  # the first one has a panel of its own
            _draw_running(column, job)
        for number, job in enumerate(waiting[:ROWS]):
            _draw_row(column, job, number, len(waiting))
        if len(waiting) > ROWS:
            column.label(text=say("... and {count} more", count=len(waiting) - ROWS), translate=False)


def _draw_running(layout: Any, job: Path) -> None:
    """Draw the job of a further worker: how far it is, and a button that stops it."""
    row, name = layout.row(align=True), session.told(job) or wording.shortened(title(job), TITLE_LETTERS)
    share = session.course(job).share
    row.progress(factor=share, text=f"{name}: {share:.0%}", translate=False)
    row.operator("maquette.cancel", text="", icon="X").job = str(job)


def _draw_row(layout: Any, job: Path, number: int, count: int) -> None:
    row = layout.row(align=True)
    row.label(text=wording.shortened(title(job), TITLE_LETTERS), icon="TIME", translate=False)
    for places, icon, is_possible in ((-1, "TRIA_UP", number > 0), (1, "TRIA_DOWN", number < count - 1)):
        button = row.row(align=True)
        button.enabled = is_possible
        change = button.operator("maquette.move_job", text="", icon=icon)
        change.job, change.places = str(job), places
    row.operator("maquette.cancel", text="", icon="X").job = str(job)


class MAQUETTE_OT_move_job(bpy.types.Operator):
    """Change the order"""

    bl_idname = "maquette.move_job"
    bl_label = "Move Job"
    bl_description = "Let the job run sooner or later than its neighbour"

    job: bpy.props.StringProperty(name="Job", description="Its folder", options={"SKIP_SAVE"})
    places: bpy.props.IntProperty(
        name="Places", description="How much later; negative is sooner", default=-1, options={"SKIP_SAVE"}
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Move it."""
        try:
            session.queue(context).move(Path(self.job), self.places)
        except generate.CANNOT_START as error:
            self.report({"ERROR"}, generate.sentence(error))
            return {"CANCELLED"}
        session.redraw()
        return {"FINISHED"}


class MAQUETTE_OT_hold_queue(bpy.types.Operator):
    """Stop after the running job, or go on"""

    bl_idname = "maquette.hold_queue"
    bl_label = "Hold the Queue"
    bl_description = "Begin no further job after the running one, or go on with the jobs that wait"

    hold: bpy.props.BoolProperty(
        name="Hold", description="Begin no further job; else go on", default=True, options={"SKIP_SAVE"}
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Hold, or go on."""
        try:
            queue = session.queue(context)
        except generate.CANNOT_START as error:
            self.report({"ERROR"}, generate.sentence(error))
            return {"CANCELLED"}
        if self.hold:
            queue.hold()
        else:
            queue.resume()
            session.start_timer()
        session.redraw()
        return {"FINISHED"}


CLASSES = (MAQUETTE_PT_queue, MAQUETTE_OT_move_job, MAQUETTE_OT_hold_queue)
