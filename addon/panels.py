"""The tab "Maquette" of the sidebar: what to make, and how the job goes. Nothing here computes or waits."""

# Blender makes its module at run time, and reads properties from annotations that are calls.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any

import bpy

from . import (
    arrivals,
    background,
    cutout,
    diagnosis,
    drop,
    operators,
    preferences,
    previews,
    properties,
    protocol,
    running,
    wording,
)
from .course import Course
from .environment import EnvironmentMissing
from .preferences import paragraph
from .settings import STAGES, SYSTEMS, Group

THUMBNAIL, CUT_OUT, PICTURE = 3.2, 5.0, 8.0  # heights, in rows
TITLE_LETTERS = 40
WARNINGS_SHOWN = 3


class _Panel:
    """What all panels share."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = running.CATEGORY


# ---- what to make ----------------------------------------------------------------------------------------------------


class MAQUETTE_PT_generate(_Panel, bpy.types.Panel):
    """What to make"""

    bl_idname = "MAQUETTE_PT_generate"
    bl_label = "Generate"
    bl_order = 0

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the wishes that most jobs change, and the button."""
        layout, wish = self.layout, context.scene.maquette
        layout.use_property_split = True
        layout.use_property_decorate = False
        _draw_backend(layout, context)
        layout.prop(wish, "system")
        column = layout.column(align=True)
        column.use_property_split = False
        column.label(text="Prompt")
        column.prop(wish, "prompt", text="", placeholder="a red mug with white dots")
        column.prop(wish, "negative_prompt", text="", placeholder="but not ...")
        _draw_references(layout, wish)
        layout.separator(factor=0.5)
        layout.prop(wish, "preset")
        row = layout.row(align=True)
        row.prop(wish, "seed")
        row.prop(wish, "new_seed", text="", icon="FILE_REFRESH")
        row = layout.row(heading="Output")
        row.prop(wish, "outputs", expand=True)
        layout.separator(factor=0.5)
        row = layout.row()
        row.scale_y = 1.6
        row.context_pointer_set(operators.BUTTON, wish)
        row.operator("maquette.generate", icon="SHADERFX")


def _draw_backend(layout: Any, context: bpy.types.Context) -> None:
    """Say what is missing, with the way to it, or how far that has come."""
    try:
        preferences.interpreter(context)
    except EnvironmentMissing:
        box = layout.box()
        if task := background.task():
            box.progress(factor=task.share, text=task.text or task.command)
        else:
            preferences.draw_diagnosis(box, context, preferences.status(context))


def _draw_references(layout: Any, wish: Any) -> None:
    """Draw the list of reference images, with the selected one large."""
    if not len(wish.references):
        column = layout.column(align=True)
        column.use_property_split = False
        column.label(text="Reference Images")
        column.menu(drop.MAQUETTE_MT_add_reference.bl_idname, text="Add Image", icon="ADD")
        hint = column.row()
        hint.active = False
        hint.label(text="Optional; or drop one on the viewport")
        return
    column = layout.column(align=True)
    column.label(text="Reference Images")
    row = column.row()
    rows = {"rows": 2, "maxrows": 4}
    row.template_list(drop.MAQUETTE_UL_references.bl_idname, "", wish, "references", wish, "active_reference", **rows)
    side = row.column(align=True)
    side.menu(drop.MAQUETTE_MT_add_reference.bl_idname, text="", icon="ADD")
    side.operator("maquette.remove_reference", text="", icon="REMOVE")
    if not 0 <= wish.active_reference < len(wish.references):
        return
    selected = wish.references[wish.active_reference]
    layout.prop(selected, "role")
    row = layout.row()
    row.use_property_split = False
    if selected.image is not None:
        picture = row.column()
        picture.ui_units_x = THUMBNAIL
        picture.template_icon(layout.icon(selected.image), scale=THUMBNAIL)
    column = row.column(align=True)
    column.active = selected.role == "reconstruct"
    column.prop(selected, "elevation")
    column.prop(selected, "azimuth")
    column.prop(selected, "field_of_view")


class MAQUETTE_PT_options(_Panel, bpy.types.Panel):
    """What few jobs change"""

    bl_idname = "MAQUETTE_PT_options"
    bl_label = "Options"
    bl_parent_id = "MAQUETTE_PT_generate"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draw import, prior and the stage to stop after."""
        layout, wish = self.layout, context.scene.maquette
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(wish, "import_when_done")
        layout.prop(wish, "mark_asset")
        if wish.mark_asset:
            layout.prop(wish, "asset_tags")
        row = layout.row()
        row.active = wish.stop_after == "NOTHING" or properties.can_stop(wish, properties.roles_chosen(wish))
        row.prop(wish, "stop_after")
        layout.separator(factor=0.5)
        layout.prop(wish, "prior")
        if wish.prior == "folder":
            layout.prop(wish, "prior_folder")
        layout.prop(wish, "threads")


class MAQUETTE_PT_advanced(_Panel, bpy.types.Panel):
    """The settings behind the preset"""

    bl_idname = "MAQUETTE_PT_advanced"
    bl_label = "Advanced"
    bl_parent_id = "MAQUETTE_PT_generate"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Say how many settings differ from the preset, and offer the way back."""
        wish = context.scene.maquette
        changed = properties.changed_settings(wish)
        row = self.layout.row()
        row.active = bool(changed)
        row.label(text=f"{len(changed)} changed" if changed else "All as in the preset")
        row.operator("maquette.reset_settings", text="Reset", icon="LOOP_BACK")


def _group_panel(system: str, group: Group) -> type:
    """Make the sub-panel of a group of a system's settings."""

    def poll(cls: type, context: bpy.types.Context) -> bool:
        return context.scene.maquette.system == system

    def draw(self: Any, context: bpy.types.Context) -> None:
        layout, wish = self.layout, context.scene.maquette
        layout.use_property_split = True
        layout.use_property_decorate = False
        changed = properties.changed_settings(wish)
        column = layout.column(align=True)
        for setting in group.settings:
            row = column.row(align=True)
            row.prop(properties.settings_of(wish), setting.name)
            if setting.name in changed:
                row.operator("maquette.reset_settings", text="", icon="LOOP_BACK").name = setting.name

    return type(
        f"MAQUETTE_PT_{system}_{group.name}",
        (_Panel, bpy.types.Panel),
        {
            "__doc__": group.label,
            "__module__": __name__,
            "bl_idname": f"MAQUETTE_PT_{system}_{group.name}",
            "bl_label": group.label,
            "bl_parent_id": "MAQUETTE_PT_advanced",
            "bl_options": {"DEFAULT_CLOSED"},
            "poll": classmethod(poll),
            "draw": draw,
        },
    )


# ---- how it goes -----------------------------------------------------------------------------------------------------


class MAQUETTE_PT_job(_Panel, bpy.types.Panel):
    """How the job goes"""

    bl_idname = "MAQUETTE_PT_job"
    bl_label = "Job"
    bl_order = 1

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Need a job of this session."""
        return running.shown() is not None

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the running job, or how it has ended."""
        job = running.shown()
        assert job is not None, "poll has seen one"
        course = running.course(job)
        self.layout.label(text=wording.shortened(title(job), TITLE_LETTERS), translate=False)
        if job == running.running():
            _draw_progress(self.layout, job, course)
        elif course.last is not None:
            _draw_end(self.layout, context, job, course.last)
        elif running.is_waiting(job):
            self.layout.label(text="Waiting for its turn", icon="TIME")
        else:
            _draw_end(self.layout, context, job, protocol.Interrupted(reason="it was killed", seconds=0.0))
        for warning in course.warnings[-WARNINGS_SHOWN:]:
            paragraph(self.layout, context, f"{warning.message} {warning.hint}".strip(), "INFO")


@functools.lru_cache(maxsize=64)
def title(job: Path) -> str:
    """Return what a job makes, in the artist's words."""
    try:
        request = protocol.read_request(job)
    except (protocol.ProtocolError, OSError):  # the folder was deleted; it can still be named
        return job.name
    return request.prompt or job.name


def _draw_progress(layout: Any, job: Path, course: Course) -> None:
    stage = STAGES.get(course.stage, course.stage.capitalize())
    count = f" ({course.number} of {course.stages})" if course.stages else ""
    column = layout.column(align=True)
    if not course.stage:
        column.progress(factor=0.0, text="Starting")
    else:
        column.progress(factor=course.share_of_stage, text=f"{stage}{count}" if course.steps else stage)
    column.progress(factor=course.share, text=f"{course.share:.0%} of All")
    row = layout.row()
    row.active = False
    left = "Measuring the time left" if course.seconds_left is None else wording.time_left(course.seconds_left)
    row.label(text=left, translate=False)
    if course.memory_bytes:
        memory = row.row()
        memory.alignment = "RIGHT"
        memory.label(text=wording.size(course.memory_bytes), icon="MEMORY", translate=False)
    if told := running.told(job):
        layout.label(text=told, icon="TIME")
    row = layout.row(align=True)
    row.operator("maquette.finish", icon="CHECKMARK")
    row.operator("maquette.cancel", icon="X")
    if course.preview is not None and (picture := previews.icon(job / course.preview)):
        layout.template_icon(picture, scale=PICTURE)


def _draw_end(layout: Any, context: bpy.types.Context, job: Path, last: protocol.Last) -> None:
    match last:
        case protocol.Finished(stopped_after=""):
            layout.label(text=f"Done in {wording.duration(last.seconds)}", icon="CHECKMARK", translate=False)
            if error := arrivals.error(job):
                paragraph(layout.box(), context, error, "ERROR")
            elif file := arrivals.wanted_by(job):
                text = f"Will be imported when {Path(file).name} is opened"
                paragraph(layout, context, text, "TIME")
            elif arrivals.is_wanted(job):
                layout.label(text=arrivals.hindrance() or "Importing...", icon="TIME")
            row = layout.row(align=True)
            row.operator("maquette.import_result", icon="IMPORT").job = str(job)
            row.operator("maquette.open_folder", text="", icon="FILE_FOLDER").job = str(job)
            if picture := previews.icon(job / protocol.RESULT_FOLDER / "preview.png"):
                layout.template_icon(picture, scale=PICTURE)
        case protocol.Finished(stopped_after=stage):
            _draw_stop(layout, job, stage)
        case protocol.Failed():
            found = diagnosis.of_failure(dataclasses.replace(last, message=wording.first_line(last.message)))
            preferences.draw_diagnosis(layout.box(), context, found, job)
            row = layout.row(align=True)
            if "resume" not in found.fixes:
                row.operator("maquette.resume", text="Try Again", icon="FILE_REFRESH").job = str(job)
            row.operator("maquette.copy_report", icon="COPYDOWN").job = str(job)
            row.operator("maquette.open_folder", text="", icon="FILE_FOLDER").job = str(job)
        case protocol.Cancelled():
            layout.label(text="Cancelled", icon="X")
            layout.operator("maquette.resume", icon="PLAY").job = str(job)
        case protocol.Interrupted():
            paragraph(layout, context, f"Interrupted: {last.reason}", "PAUSE")
            layout.operator("maquette.resume", icon="PLAY").job = str(job)


def _draw_stop(layout: Any, job: Path, stage: str) -> None:
    """Draw what a stage has made before the long part begins."""
    made = next((system.stops[stage] for system in SYSTEMS.values() if stage in system.stops), stage)
    layout.label(text=f"Stopped after the {made}", icon="PAUSE")
    grid = layout.grid_flow(row_major=True, columns=2, even_columns=True)  # four sides in two rows
    for path in cutout.pictures(job, stage):
        column = grid.column(align=True)
        column.template_icon(previews.icon(path), scale=CUT_OUT)
        column.label(text=cutout.label(path))
    row = layout.row(align=True)
    buttons = ("open_stage", f"Open {made}", "IMAGE_DATA"), ("replace_stage", "Replace...", "FILE_IMAGE")
    for name, text, icon in buttons:
        button = row.operator(f"maquette.{name}", text=text, icon=icon)
        button.job, button.stage = str(job), stage
    row = layout.row()
    row.scale_y = 1.4
    row.operator("maquette.go_on", icon="PLAY").job = str(job)


CLASSES = (
    MAQUETTE_PT_generate,
    MAQUETTE_PT_options,
    MAQUETTE_PT_advanced,
    *(_group_panel(name, group) for name, system in SYSTEMS.items() for group in system.groups),
    MAQUETTE_PT_job,
)
