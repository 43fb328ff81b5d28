"""The tab "Maquette" of the sidebar: what to make, and how the job goes. Nothing here computes or waits."""

# Blender makes its module at run time, and reads properties from annotations that are calls.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any

import bpy

from .. import preferences, protocol, wording
from ..install import background, diagnosis
from ..install.environment import EnvironmentMissing
from ..jobs.progress import JobProgress
from ..preferences import paragraph
from ..protocol.systems import Group, Setting, built_systems, stage_of
from . import auto_import, fill_in, generate, previews, properties, reference_list, session, stage_images, subjects
from .results import importing

THUMBNAIL, CUT_OUT, PICTURE = 3.2, 5.0, 8.0  # heights, in rows
TITLE_LETTERS = 40
WARNINGS_SHOWN = 3


class _Panel:
    """What all panels share."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = session.CATEGORY


# ---- what to make ----------------------------------------------------------------------------------------------------


class MAQUETTE_PT_generate(_Panel, bpy.types.Panel):
    """What to make"""

    bl_idname = "MAQUETTE_PT_generate"
    bl_label = "Generate"
    bl_order = 0

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the wishes that most jobs change, and the button."""
        layout, props = self.layout, context.scene.maquette
        layout.use_property_split = True
        layout.use_property_decorate = False
        _draw_backend(layout, context)
        layout.prop(props, "system")
        is_kept = subjects.draw(layout, context)
        column = layout.column(align=True)
        column.use_property_split = False
        fill_in.draw_title(column, props)
        fill_in.draw_prompt(column, props)
        column.prop(props, "negative_prompt", text="", placeholder="but not ...")
        fill_in.draw_unknown(column, context)
        subjects.draw_prompt(column, context)
        if not is_kept:
            _draw_references(layout, props)
        layout.separator(factor=0.5)
        layout.prop(props, "preset")
        row = layout.row(align=True)
        row.prop(props, "seed")
        row.prop(props, "new_seed", text="", icon="FILE_REFRESH")
        row = layout.row(heading="Output")
        row.prop(props, "outputs", expand=True)
        layout.separator(factor=0.5)
        row = layout.row()
        row.scale_y = 1.6
        row.context_pointer_set(generate.BUTTON, props)
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


def _draw_references(layout: Any, props: Any) -> None:
    """Draw the list of reference images, with the selected one large."""
    if not len(props.references):
        column = layout.column(align=True)
        column.use_property_split = False
        column.label(text="Reference Images")
        column.menu(reference_list.MAQUETTE_MT_add_reference.bl_idname, text="Add Image", icon="ADD")
        hint = column.row()
        hint.active = False
        hint.label(text="Optional; or drop one on the viewport")
        return
    column = layout.column(align=True)
    column.label(text="Reference Images")
    row = column.row()
    rows = {"rows": 2, "maxrows": 4}
    row.template_list(
        reference_list.MAQUETTE_UL_references.bl_idname, "", props, "references", props, "active_reference", **rows
    )
    side = row.column(align=True)
    side.menu(reference_list.MAQUETTE_MT_add_reference.bl_idname, text="", icon="ADD")
    side.operator("maquette.remove_reference", text="", icon="REMOVE")
    if not 0 <= props.active_reference < len(props.references):
        return
    selected = props.references[props.active_reference]
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
        layout, props = self.layout, context.scene.maquette
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(props, "import_when_done")
        layout.prop(props, "mark_asset")
        if props.mark_asset:
            layout.prop(props, "asset_tags")
        row = layout.row()
        row.active = props.stop_after == "NOTHING" or properties.can_stop(props, properties.roles_chosen(props))
        row.prop(props, "stop_after")
        layout.separator(factor=0.5)
        layout.prop(props, "prior")
        if props.prior == "folder":
            layout.prop(props, "prior_folder")
        layout.prop(props, "threads")


class MAQUETTE_PT_advanced(_Panel, bpy.types.Panel):
    """The settings behind the preset"""

    bl_idname = "MAQUETTE_PT_advanced"
    bl_label = "Advanced"
    bl_parent_id = "MAQUETTE_PT_generate"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Say how many settings differ from the preset, and offer the way back."""
        props = context.scene.maquette
        changed = properties.changed_settings(props)
        row = self.layout.row()
        row.active = bool(changed)
        row.label(text=f"{len(changed)} changed" if changed else "All as in the preset")
        row.operator("maquette.reset_settings", text="Reset", icon="LOOP_BACK")


def _group_panel(system: str, group: Group, settings: tuple[Setting, ...]) -> type:
    """Make the sub-panel of a group of a system's settings."""

    def poll(cls: type, context: bpy.types.Context) -> bool:
        return context.scene.maquette.system == system

    def draw(self: Any, context: bpy.types.Context) -> None:
        layout, props = self.layout, context.scene.maquette
        layout.use_property_split = True
        layout.use_property_decorate = False
        changed = properties.changed_settings(props)
        column = layout.column(align=True)
        for setting in settings:
            row = column.row(align=True)
            row.prop(properties.settings_of(props), setting.name)
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
        return session.shown() is not None

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the running job, or how it has ended."""
        job = session.shown()
        assert job is not None, "poll has seen one"
        course = session.course(job)
        self.layout.label(text=wording.shortened(title(job), TITLE_LETTERS), translate=False)
        if job == session.running():
            _draw_progress(self.layout, job, course)
        elif course.last is not None:
            _draw_end(self.layout, context, job, course.last)
        elif session.is_waiting(job):
            self.layout.label(text="Waiting for its turn", icon="TIME")
        else:
            _draw_end(self.layout, context, job, protocol.Interrupted(reason="it was killed", seconds=0.0))
        for warning in course.warnings[-WARNINGS_SHOWN:]:
            paragraph(self.layout, context, f"{warning.message} {warning.hint}".strip(), "INFO")


def title(job: Path) -> str:
    """Return what a job makes, in the artist's words."""
    request = _request(job)
    return request.prompt if request and request.prompt else job.name


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
    if told := session.told(job):
        layout.label(text=told, icon="TIME")
    row = layout.row(align=True)
    row.operator("maquette.finish", icon="CHECKMARK")
    row.operator("maquette.cancel", icon="X")
    if course.preview is not None and (picture := _icon(job, course.preview.as_posix())):
        layout.template_icon(picture, scale=PICTURE)


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
            layout.label(text=f"Done in {wording.duration(last.seconds)}", icon="CHECKMARK", translate=False)
            if error := auto_import.error(job):
                paragraph(layout.box(), context, error, "ERROR")
            elif file := auto_import.wanted_by(job):
                text = f"Will be imported when {Path(file).name} is opened"
                paragraph(layout, context, text, "TIME")
            elif auto_import.is_wanted(job):
                layout.label(text=auto_import.hindrance() or "Importing...", icon="TIME")
            row = layout.row(align=True)
            text = "Import Again" if any(importing.copies(job)) else "Import"
            row.operator("maquette.import_result", text=text, icon="IMPORT").job = str(job)
            row.operator("maquette.open_folder", text="", icon="FILE_FOLDER").job = str(job)
            subjects.draw_keep(layout, job, _request(job))
            if picture := _icon(job, protocol.PICTURE_FILE):
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
    known = stage_of(session.course(job).system, stage)
    made = known.stop if known and known.stop else stage
    layout.label(text=f"Stopped after the {made}", icon="PAUSE")
    grid = layout.grid_flow(row_major=True, columns=2, even_columns=True)  # four sides in two rows
    for path in stage_images.pictures(job, stage):
        column = grid.column(align=True)
        column.template_icon(previews.icon(path), scale=CUT_OUT)
        column.label(text=stage_images.label(path))
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
    *(_group_panel(name, *group) for name, system in built_systems().items() for group in system.groups.items()),
    MAQUETTE_PT_job,
)
