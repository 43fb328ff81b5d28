"""The panel "History": every job folder with its picture, prompt, state and size, and what can be done with it.

Drawing looks at a catalogue only; a timer keeps that fresh while the panel is seen, a few milliseconds at a time.
"""

# Blender makes its module at run time, and reads properties from annotations that are calls.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportInvalidTypeForm=false

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import bpy

from .. import preferences, protocol
from ..jobs import store
from ..jobs.index import Entry, JobIndex
from ..language.saying import paragraph, say, say_error, say_report
from ..protocol import Phrase
from ..protocol.systems import PRESETS
from . import generate, previews, session, subjects
from .results import titles

TICK_SECONDS, BUSY_SECONDS, WORK_SECONDS = 0.25, 0.02, 0.003
DELETED = "{count} jobs were deleted"
UNSEEN_SECONDS = 3.0  # after the last drawing, until the timer stops
BUTTON = "maquette_history_button"  # what the context of a button has that is about the chosen job
WAITING = "queued"  # what the queue knows better than the folder
ICONS = {
    WAITING: "TIME",
    store.WAITING: "FILE",
    store.RUNNING: "PLAY",
    store.FINISHED: "CHECKMARK",
    store.CANCELLED: "CANCEL",
    store.FAILED: "ERROR",
    store.INTERRUPTED: "PAUSE",
}
LABELS = {
    WAITING: Phrase("Queued"),
    store.WAITING: Phrase("Not Started"),
    store.RUNNING: Phrase("Running"),
    store.FINISHED: Phrase("Finished"),
    store.CANCELLED: Phrase("Cancelled"),
    store.FAILED: Phrase("Failed"),
    store.INTERRUPTED: Phrase("Interrupted"),
}

_catalogue: JobIndex | None = None
_seen = 0.0  # when the panel was drawn last
_wanted: set[Path] = set()  # pictures of rows that were drawn


def catalogue(context: bpy.types.Context) -> JobIndex:
    """Return what is known of the jobs in the folder of the preferences; nothing is read here."""
    global _catalogue
    folder = preferences.jobs_folder(context)
    if _catalogue is None or _catalogue.folder != folder:
        _catalogue = JobIndex(folder)
    return _catalogue


def state_of(entry: Entry) -> str:
    """Return the state of a job; one that waits in the queue is that, whatever it was before."""
    return WAITING if session.is_waiting(entry.job) else entry.state


def _icon(entry: Entry) -> str:
    """Return the icon of a job's state; one that stopped after a stage is no finished one."""
    state = state_of(entry)
    return "PAUSE" if state == store.FINISHED and entry.outcome else ICONS[state]


def chosen(context: bpy.types.Context) -> Entry | None:
    """Return the job that is chosen in the list."""
    manager = context.window_manager
    rows, row = manager.maquette_history, manager.maquette_history_row
    return catalogue(context).find(rows[row].job) if 0 <= row < len(rows) else None


# ---- keeping it fresh ------------------------------------------------------------------------------------------------


def _tick() -> float | None:
    """Work a little; return the seconds to the next time, None when nobody looks any more."""
    known, manager = catalogue(bpy.context), bpy.context.window_manager
    if known.refresh(WORK_SECONDS) or len(manager.maquette_history) != len(known.entries):  # another file is open
        show(manager, known)
    elif time.monotonic() - _seen > UNSEEN_SECONDS and not known.is_busy:  # a slow start is no reason to show nothing
        return None
    elif _wanted:
        previews.icon(_wanted.pop())
    if previews.take():
        session.redraw()
    return BUSY_SECONDS if known.is_busy or previews.is_reading() else TICK_SECONDS


def show(manager: bpy.types.WindowManager, known: JobIndex) -> None:
    """Make the rows of the list those of the catalogue; the same job stays chosen."""
    rows = manager.maquette_history
    row = manager.maquette_history_row
    job = rows[row].job if 0 <= row < len(rows) else ""
    rows.clear()
    for entry in known.entries:
        item = rows.add()
        item.job = entry.name
        item.name = titles.title_of(entry.request) if entry.request else entry.name  # what the list's filter looks at
    names = [entry.name for entry in known.entries]
    manager.maquette_history_row = names.index(job) if job in names else min(row, max(len(names) - 1, 0))
    session.redraw()


def refresh_now(context: bpy.types.Context) -> None:
    """Read what has changed and show it, now."""
    known = catalogue(context)
    known.refresh_all()
    show(context.window_manager, known)


def _note_drawing() -> None:
    global _seen
    _seen = time.monotonic()
    if not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=0.0, persistent=True)


# ---- the panel -------------------------------------------------------------------------------------------------------


class MAQUETTE_PG_job(bpy.types.PropertyGroup):
    """One row of the history."""

    job: bpy.props.StringProperty(name="Job", description="Name of the job's folder")


class MAQUETTE_UL_history(bpy.types.UIList):
    """The jobs, the newest first."""

    bl_idname = "MAQUETTE_UL_history"

    def draw_item(
        self, context: bpy.types.Context, layout: Any, data: Any, item: Any, icon: int, active: Any, name: str
    ) -> None:
        """Draw one row from what is known of the job."""
        entry = catalogue(context).find(item.job)
        if entry is None:  # removed since
            layout.label(text=item.name, translate=False)
            return
        row = layout.row(align=True)
        picture = 0
        if entry.thumbnail is not None:
            _wanted.add(entry.thumbnail)
            picture = previews.loaded(entry.thumbnail)
        row.label(text="", icon=_icon(entry))
        title = item.name or item.job
        if picture:
            row.label(text=title, icon_value=picture, translate=False)
        else:
            row.label(text=title, icon="MESH_DATA", translate=False)
        side = row.row()
        side.alignment = "RIGHT"
        side.label(text=protocol.megabytes(entry.size), translate=False)


class MAQUETTE_PT_history(bpy.types.Panel):
    """Every job that was ever made and not removed"""

    bl_idname = "MAQUETTE_PT_history"
    bl_label = "History"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = session.CATEGORY
    bl_order = 2
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the list, and more about the chosen job."""
        _note_drawing()
        layout, known = self.layout, catalogue(context)
        manager = context.window_manager
        layout.template_list(
            MAQUETTE_UL_history.bl_idname, "", manager, "maquette_history", manager, "maquette_history_row", rows=4
        )
        row = layout.row(align=True)
        count, size = len(known.entries), protocol.megabytes(known.size)
        text = say("1 job, {size}", size=size) if count == 1 else say("{count} jobs, {size}", count=count, size=size)
        row.label(text=text, translate=False)
        row.operator("maquette.keep_newest", text="", icon="TRASH")
        row.operator("maquette.refresh_history", text="", icon="FILE_REFRESH")
        entry = chosen(context)
        if entry is not None:
            _draw_job(layout, context, entry)


def _draw_job(layout: Any, context: bpy.types.Context, entry: Entry) -> None:
    """Draw what is known of a job, and its buttons."""
    box, state, job = layout.box(), state_of(entry), str(entry.job)
    stopped = state == store.FINISHED and entry.outcome  # after a stage: there is more to do
    picture = previews.loaded(entry.thumbnail) if entry.thumbnail else 0
    if picture:
        box.template_icon(icon_value=picture, scale=6.0)
    if entry.request is not None:
        paragraph(box, context, titles.title_of(entry.request) or entry.job.name)
        preset = Phrase(PRESETS[entry.request.preset][0])
        box.label(text=say("Seed {seed}, {preset}", seed=entry.request.seed, preset=preset), translate=False)
    row = box.row()
    row.label(text="Stopped" if stopped else LABELS[state], icon=_icon(entry))
    row.label(text=protocol.megabytes(entry.size), translate=False)
    if sentence := entry.problem or entry.outcome:
        paragraph(box, context, say(sentence), "ERROR" if entry.problem or state == store.FAILED else "INFO")
    if entry.is_odd:  # no button could say which folder it is about
        return
    column = box.column(align=True)
    if state == store.FINISHED and entry.has_results:
        column.operator("maquette.import_result", text="Import Again", icon="IMPORT").job = job
        row = column.row(align=True)
        row.context_pointer_set(BUTTON, context.scene.maquette)
        row.operator("maquette.edit", text="Edit by Text...", icon="GREASEPENCIL").job = job
        column.operator("maquette.remesh", text="Mesh Again...", icon="MOD_REMESH").job = job
        column.operator("maquette.make_levels", text="Levels of Detail...", icon="MOD_DECIM").job = job
        column.operator("maquette.bake_onto", text="Bake onto Mesh...", icon="RENDER_STILL").job = job
        subjects.draw_keep(column, entry.job, entry.request)
    if state in (WAITING, store.RUNNING):
        column.operator("maquette.cancel", icon="X").job = job
    elif not entry.problem and (state != store.FINISHED or stopped):
        column.operator("maquette.resume", text="Start" if state == store.WAITING else "Go On", icon="PLAY").job = job
    row = column.row(align=True)
    if not entry.problem:
        row.operator("maquette.repeat", icon="DUPLICATE").job = job
        if entry.request is not None:
            row.operator("maquette.use_settings", text="Use Settings", icon="COPYDOWN").job = job
    row = column.row(align=True)  # two in a row can be read in a sidebar as wide as Blender makes it
    row.operator("maquette.open_folder", icon="FILE_FOLDER").job = job
    row.operator("maquette.remove_job", icon="TRASH").job = job


# ---- operators -------------------------------------------------------------------------------------------------------


class MAQUETTE_OT_repeat(bpy.types.Operator):
    """Make the same again"""

    bl_idname = "maquette.repeat"
    bl_label = "Run Again"
    bl_description = "Make a new job with the same images, prompt, seed and settings"

    job: bpy.props.StringProperty(name="Job", description="Its folder", options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Copy the job folder's request and inputs into a new job, which is queued."""
        try:
            session.enqueue(context, store.repeat_job(Path(self.job)), context.scene.maquette.import_when_done)
        except (ValueError, *generate.CANNOT_START) as error:
            self.report({"ERROR"}, generate.sentence(error))
            return {"CANCELLED"}
        refresh_now(context)
        return {"FINISHED"}


class MAQUETTE_OT_remove_job(bpy.types.Operator):
    """Delete a job"""

    bl_idname = "maquette.remove_job"
    bl_label = "Delete"
    bl_description = "Delete the folder of the job with its results; what was imported stays in the scene"

    job: bpy.props.StringProperty(name="Job", description="Its folder", options={"SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask first: it cannot be undone."""
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Delete the folder; a job that waits leaves the queue."""
        job = Path(self.job)
        try:
            if job.parent != preferences.jobs_folder(context):
                raise ValueError(Phrase("{job} is not in the jobs folder: it was not removed.", job=job))
            if session.is_waiting(job):
                session.cancel(job)
            store.remove(job)
            store.remove_leftovers(job.parent)
        except (ValueError, OSError) as error:
            self.report({"ERROR"}, say_error(error))
            return {"CANCELLED"}
        refresh_now(context)
        return {"FINISHED"}


class MAQUETTE_OT_keep_newest(bpy.types.Operator):
    """Delete old jobs"""

    bl_idname = "maquette.keep_newest"
    bl_label = "Keep the Newest Jobs"
    bl_description = "Delete the folders of all older jobs; what was imported stays in the scenes"

    keep: bpy.props.IntProperty(
        name="Keep", description="How many jobs stay; those that run or wait stay besides", default=20, min=0
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask how many."""
        self.keep = preferences.chosen(context, "keep_jobs", self.keep)
        return context.window_manager.invoke_props_dialog(self, title="Keep the Newest Jobs", confirm_text="Delete")

    def draw(self, context: bpy.types.Context) -> None:
        """Say what would go."""
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "keep")
        old = [entry for entry in catalogue(context).entries[self.keep :] if _is_over(entry)]
        size = protocol.megabytes(sum(entry.size for entry in old) + catalogue(context).left_bytes)
        text = say("{count} jobs are deleted: {size}", count=len(old), size=size)
        layout.label(text=text, icon="ERROR" if old else "INFO", translate=False)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Delete them."""
        waiting = [job for job in store.list_jobs(preferences.jobs_folder(context)) if session.is_waiting(job)]
        try:
            left = store.remove_leftovers(preferences.jobs_folder(context))
            removed = store.remove_old(preferences.jobs_folder(context), self.keep, waiting)
        except (ValueError, OSError) as error:
            refresh_now(context)
            self.report({"ERROR"}, say_error(error))
            return {"CANCELLED"}
        refresh_now(context)
        text = "{count} jobs were deleted, and {left} folders that were left of others"
        text = say_report(text, count=len(removed), left=left) if left else say_report(DELETED, count=len(removed))
        self.report({"INFO"}, text)
        return {"FINISHED"}


class MAQUETTE_OT_refresh_history(bpy.types.Operator):
    """Look at the job folders again"""

    bl_idname = "maquette.refresh_history"
    bl_label = "Refresh"
    bl_description = "Read the job folders again, which happens by itself every few seconds"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Read what has changed."""
        refresh_now(context)
        return {"FINISHED"}


def _is_over(entry: Entry) -> bool:
    return state_of(entry) not in (WAITING, store.RUNNING)


def register_extra() -> None:
    """Keep the rows of the list for this session."""
    manager = bpy.types.WindowManager
    manager.maquette_history = bpy.props.CollectionProperty(type=MAQUETTE_PG_job)
    manager.maquette_history_row = bpy.props.IntProperty(name="Job", description="The job that is chosen", min=0)


def unregister_extra() -> None:
    """Forget what was read; it is in the job folders."""
    global _catalogue
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    del bpy.types.WindowManager.maquette_history
    del bpy.types.WindowManager.maquette_history_row
    _catalogue = None
    _wanted.clear()


CLASSES = (
    MAQUETTE_PG_job,
    MAQUETTE_UL_history,
    MAQUETTE_PT_history,
    MAQUETTE_OT_repeat,
    MAQUETTE_OT_remove_job,
    MAQUETTE_OT_keep_newest,
    MAQUETTE_OT_refresh_history,
)
