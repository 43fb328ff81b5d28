"""The panel "Job": how the running job goes, or how it has ended. From waiting to done it keeps its height."""

# Blender makes its module at run time, and reads properties from annotations that are calls.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy

from ... import preferences, protocol, wording
from ...install import diagnosis
from ...jobs.progress import JobProgress
from ...language.saying import paragraph, say
from ...protocol.systems import stage_of
from .. import auto_import, previews, session, stage_images, subjects
from . import importing, titles

CUT_OUT, PICTURE = 5.0, 8.0  # heights, in rows
TITLE_LETTERS = 40
WARNINGS_SHOWN = 3
SHARE = "{share:.0%} of All"


class MAQUETTE_PT_job(bpy.types.Panel):
    """How the job goes"""

    bl_idname = "MAQUETTE_PT_job"
    bl_label = "Job"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = session.CATEGORY
    bl_order = 1

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Need a job of this session."""
        return session.shown() is not None

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the running job, or how it has ended."""
        job = session.shown()
        assert job is not None, "poll has seen one"
        course = session.course(job)
        self.layout.label(text=wording.shortened(title(job), TITLE_LETTERS), translate=False)
        if job in session.all_running():
            _draw_progress(self.layout, job, course)
        elif course.last is not None:
            _draw_end(self.layout, context, job, course.last)
        elif session.is_waiting(job):
            _draw_waiting(self.layout, job)
        else:
            _draw_end(
                self.layout, context, job, protocol.Interrupted(reason=protocol.Phrase("it was killed"), seconds=0.0)
            )
        if job not in session.all_running() and not session.is_waiting(job) and _is_long(course.last):
            _draw_warnings(self.layout, context, course.warnings[-WARNINGS_SHOWN:])


class MAQUETTE_PT_warnings(bpy.types.Panel):
    """What the job warns of, behind a row of its own"""

    bl_idname = "MAQUETTE_PT_warnings"
    bl_label = "Warnings"
    bl_space_type = "VIEW_3D"
    bl_region_type = "HEADER"  # in the sidebar it would make a tab of its own, "Misc", with nothing in it
    bl_options = {"INSTANCED"}
    bl_ui_units_x = 16

    def draw(self, context: bpy.types.Context) -> None:
        """Draw all that is known."""
        if (job := session.shown()) is not None:
            _draw_warnings(self.layout, context, session.course(job).warnings)


def _draw_warnings(layout: Any, context: bpy.types.Context, warnings: Sequence[protocol.Warning]) -> None:
    for warning in warnings:
        paragraph(layout, context, f"{say(warning.message)} {say(warning.hint)}".strip(), "INFO")


def _is_long(last: protocol.Last | None) -> bool:
    """Say whether an end has more to show than the running job: pictures of a stage, or why it failed."""
    return isinstance(last, protocol.Failed) or (isinstance(last, protocol.Finished) and bool(last.stopped_after))


def _draw_rest(layout: Any, course: JobProgress, picture: int) -> None:
    """Draw a row for warnings and the picture; both have their room from the start, so that nothing below moves."""
    if warnings := list(course.warnings):
        text = say(warnings[-1].message)
        if len(warnings) > 1:
            text = say("{count} warnings: {latest}", count=len(warnings), latest=text)
        text = wording.shortened(text, TITLE_LETTERS)
        layout.popover(MAQUETTE_PT_warnings.bl_idname, text=text, icon="INFO", translate=False)
    else:
        layout.label(text="")
    layout.template_icon(picture, scale=PICTURE)


def _draw_waiting(layout: Any, job: Path) -> None:
    column = layout.column(align=True)
    column.progress(factor=0.0, text="Waiting for its turn")
    column.progress(factor=0.0, text=say(SHARE, share=0), translate=False)
    layout.label(text="")
    layout.operator("maquette.cancel", icon="X").job = str(job)
    _draw_rest(layout, JobProgress(), 0)


def title(job: Path) -> str:
    """Return what a job makes, in the artist's words."""
    request = _request(job)
    return (titles.title_of(request) if request else "") or job.name


@functools.lru_cache(maxsize=64)
def _request(job: Path) -> protocol.Request | None:
    """Return the request of a job, None where the folder was deleted; it can still be named."""
    try:
        return protocol.read_request(job)
    except (protocol.ProtocolError, OSError):
        return None


def _draw_progress(layout: Any, job: Path, course: JobProgress) -> None:
    known = stage_of(course.system, course.stage)
    stage = known.label if known else course.stage.capitalize()
    counted = dict(stage=protocol.Phrase(stage), number=course.number, stages=course.stages)
    column = layout.column(align=True)
    if not course.stage:
        column.progress(factor=0.0, text="Starting")
    elif course.compiling is not None:
        text = say("Compiling Kernels, Once ({share:.0%})", share=course.compiling)
        column.progress(factor=course.compiling, text=text, translate=False)
    else:
        text = say("{stage} ({number} of {stages})", **counted) if course.steps and course.stages else say(stage)
        column.progress(factor=course.share_of_stage, text=text, translate=False)
    column.progress(factor=course.share, text=say(SHARE, share=course.share), translate=False)
    row = layout.row()
    row.active = False
    left = say("Measuring the time left")
    if course.seconds_left is not None and course.compiling is None:  # which is in no forecast
        left = say(wording.time_left(course.seconds_left))
    told = session.told(job)
    row.label(text=told or left, icon="TIME" if told else "NONE", translate=False)
    if course.memory_bytes and not told:
        memory = row.row()
        memory.alignment = "RIGHT"
        memory.label(text=wording.size(course.memory_bytes), icon="MEMORY", translate=False)
    row = layout.row(align=True)
    row.operator("maquette.finish", icon="CHECKMARK")
    row.operator("maquette.cancel", icon="X").job = str(job)
    _draw_rest(layout, course, _icon(job, course.preview.as_posix()) if course.preview is not None else 0)


def _icon(job: Path, name: str) -> int:
    """Return the icon of a picture of a job, 0 if there is none, or a link in its place."""
    try:
        protocol.file_size(job, name)
    except protocol.LinkInside:
        return 0
    return previews.icon(job / name)


def _draw_end(layout: Any, context: bpy.types.Context, job: Path, last: protocol.Last) -> None:
    match last:
        case protocol.Finished(stopped_after=""):
            column = layout.column(align=True)  # as high as the two bars
            text = say("Done in {time}", time=wording.duration(last.seconds))
            column.label(text=text, icon="CHECKMARK", translate=False)
            if error := auto_import.error(job):
                paragraph(layout.box(), context, error, "ERROR")
            elif file := auto_import.wanted_by(job):
                text = say("Will be imported when {file} is opened", file=Path(file).name)
                column.label(text=text, icon="TIME", translate=False)
            elif auto_import.is_wanted(job):
                column.label(text=auto_import.hindrance() or say("Importing..."), icon="TIME", translate=False)
            else:
                column.label(text="")
            if not subjects.draw_keep(layout, job, _request(job)):
                layout.label(text="")
            row = _end_row(layout, job)
            text = "Import Again" if any(importing.copies(job)) else "Import"
            row.operator("maquette.import_result", text=text, icon="IMPORT").job = str(job)
            row.operator("maquette.open_folder", text="", icon="FILE_FOLDER").job = str(job)
            _draw_rest(layout, session.course(job), _icon(job, protocol.PICTURE_FILE))
        case protocol.Finished(stopped_after=stage):
            _draw_stop(layout, job, stage, has_mesh=protocol.MESH_FILE in last.results)
        case protocol.Failed():
            found = diagnosis.of_failure(dataclasses.replace(last, message=wording.first_line(say(last.message))))
            preferences.draw_diagnosis(layout.box(), context, found, job)
            row = layout.row(align=True)
            if "resume" not in found.fixes:
                row.operator("maquette.resume", text="Try Again", icon="FILE_REFRESH").job = str(job)
            row.operator("maquette.copy_report", icon="COPYDOWN").job = str(job)
            row.operator("maquette.open_folder", text="", icon="FILE_FOLDER").job = str(job)
        case protocol.Cancelled():
            _draw_left(layout, context, job, say("Cancelled"), "X")
        case protocol.Interrupted():
            _draw_left(layout, context, job, say("Interrupted: {reason}", reason=protocol.Phrase(last.reason)), "PAUSE")


def _draw_left(layout: Any, context: bpy.types.Context, job: Path, text: str, icon: str) -> None:
    """Draw a job that was left and can go on, as high as a running one: two lines where that has its bars."""
    column = layout.column(align=True)
    lines = [*wording.wrapped(text, context.region.width if context.region is not None else 300), "", ""]
    column.label(text=lines[0], icon=icon, translate=False)
    column.label(text=lines[1], icon="BLANK1", translate=False)
    layout.label(text="")
    _end_row(layout, job).operator("maquette.resume", icon="PLAY").job = str(job)
    course = session.course(job)
    _draw_rest(layout, course, _icon(job, course.preview.as_posix()) if course.preview is not None else 0)


def _end_row(layout: Any, job: Path) -> Any:
    """Return the row for what can be done with a job that has ended; Cancel was in its place a moment ago."""
    row = layout.row(align=True)
    row.enabled = not session.has_just_ended(job)
    return row


def _draw_stop(layout: Any, job: Path, stage: str, *, has_mesh: bool) -> None:
    """Draw what a stage has made before the long part begins: its pictures, and a mesh that can be imported."""
    known = stage_of(session.course(job).system, stage)
    made = protocol.Phrase(known.stop if known and known.stop else stage)
    layout.label(text=say("Stopped after the {made}", made=made), icon="PAUSE", translate=False)
    grid = layout.grid_flow(row_major=True, columns=2, even_columns=True)  # four sides in two rows
    for path in stage_images.pictures(job, stage):
        column = grid.column(align=True)
        column.template_icon(previews.icon(path), scale=CUT_OUT)
        column.label(text=stage_images.label(path))
    if has_mesh:
        layout.operator("maquette.import_result", icon="IMPORT").job = str(job)
    row = layout.row(align=True)
    opening, replacing = say("Open {made}", made=made), say("Replace...")
    buttons = ("open_stage", opening, "IMAGE_DATA"), ("replace_stage", replacing, "FILE_IMAGE")
    for name, text, icon in buttons if known is None or known.leaves else ():
        button = row.operator(f"maquette.{name}", text=text, icon=icon, translate=False)
        button.job, button.stage = str(job), stage
    row = layout.row()
    row.scale_y = 1.4
    row.operator("maquette.go_on", icon="PLAY").job = str(job)


CLASSES = (MAQUETTE_PT_job, MAQUETTE_PT_warnings)
