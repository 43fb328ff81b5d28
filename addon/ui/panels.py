"""The tab "Maquette" of the sidebar: what to make. Nothing here computes or waits."""

# Blender makes its module at run time, and reads properties from annotations that are calls.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

from typing import Any

import bpy

from .. import preferences, wording
from ..install import background
from ..install.diagnosis import FIXES
from ..install.environment import EnvironmentMissing
from ..language.saying import say
from ..protocol import Phrase, ProtocolError, preflight
from ..protocol.systems import ROLES, Group, Setting, built_systems
from . import fill_in, generate, properties, reference_list, session, subjects
from .models import choice

THUMBNAIL = 3.2  # height, in rows


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
        layout.prop(props, "system", text="")  # their names need the whole width
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
        _draw_time(layout, context, props)


def _draw_backend(layout: Any, context: bpy.types.Context) -> None:
    """Say what is missing or cannot run, with the way to it, or how far that has come."""
    found = preferences.status(context)
    if found.is_usable:
        return
    box = layout.box()
    if task := background.task():
        box.progress(factor=task.share, text=say(task.text or task.command), translate=False)
    else:
        preferences.draw_diagnosis(box, context, found)


def _draw_time(layout: Any, context: bpy.types.Context, props: Any) -> None:
    """Say how far the running job is, which a small screen has no room for below; else what the next one would take,
    and whether this machine has the memory.
    """
    fit = None
    if running := session.running():
        course = session.course(running)
        is_known = course.seconds_left is not None and course.compiling is None
        left = wording.time_left(course.seconds_left or 0.0) if is_known else Phrase("Running")
        text = Phrase("{share:.0%}: {left}", share=course.share, left=left)
    else:
        try:
            environment = preferences.interpreter(context).parent.parent
            asked = properties.request_of(props), choice.base_folder(props, context), environment
            text, fit = preflight.panel_line(*asked), preflight.panel_fit(*asked)
        except (ProtocolError, EnvironmentMissing):
            text = ""
    if text:
        row = layout.row()
        row.active = False
        row.label(text=say(text), icon="TIME", translate=False)
    if fit is not None and fit.words:
        column = layout.column(align=True)
        preferences.paragraph(column, context, say(fit.words), "INFO" if fit.is_enough else "ERROR")
        if fit.preset not in ("", props.preset):
            column.operator("maquette.fix", text=FIXES["preset"][0]).fix = "preset"


def _draw_references(layout: Any, props: Any) -> None:
    """Draw the list of reference images, with the selected one large."""
    if not len(props.references):
        column = layout.column(align=True)
        column.use_property_split = False
        column.label(text="Reference Images")
        column.menu(reference_list.MAQUETTE_MT_add_reference.bl_idname, text="Add Image", icon="ADD")
        hint = column.row()
        hint.active = False
        if properties.roles_of(props)[0] == "subject":
            hint.label(text="Three to six; or drop them on the viewport")
        else:
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
    roles = properties.roles_of(props)
    role = properties.role_of(selected, props)
    if selected.role in roles:
        layout.prop(selected, "role")
    elif len(roles) > 1:  # it was something to another system
        layout.prop_menu_enum(selected, "role", text=say(ROLES[role][0]), translate=False)
    row = layout.row()
    row.use_property_split = False
    if selected.image is not None:
        picture = row.column()
        picture.ui_units_x = THUMBNAIL
        picture.template_icon(layout.icon(selected.image), scale=THUMBNAIL)
    if "reconstruct" not in roles:
        return  # nobody says from where photos were taken
    column = row.column(align=True)
    column.active = role == "reconstruct"
    for name in properties.ANGLES:
        column.prop(selected, name)


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
        choice.draw_prior(layout, context, props)
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
        row.label(
            text=say("{count} changed", count=len(changed)) if changed else say("All as in the preset"), translate=False
        )
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


CLASSES = (
    MAQUETTE_PT_generate,
    MAQUETTE_PT_options,
    MAQUETTE_PT_advanced,
    *(_group_panel(name, *group) for name, system in built_systems().items() for group in system.groups.items()),
)
