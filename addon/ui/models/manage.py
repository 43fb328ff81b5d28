"""The models in the preferences: what is installed and what can be had; fetch, compare, remove and import."""

# Blender makes its module at run time, and reads properties from annotations that are calls.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportInvalidTypeForm=false

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from ... import preferences, wording
from ...install import background, environment
from ...language.saying import say, say_report, without_stop
from ...protocol import Phrase, models
from .. import install

EXTENSION = ".safetensors"
OFFLINE = "Fetching a model needs Allow Online Access, in the preferences under System"


def why_not(context: bpy.types.Context, *, online: bool = False) -> str:
    """Return why no model can be changed now, else nothing."""
    if online and not bpy.app.online_access:
        return say(OFFLINE)
    if background.task() is not None:
        return say(install.WAIT)
    try:
        preferences.interpreter(context)
    except environment.EnvironmentMissing as missing:
        return without_stop(say(missing.message))
    return ""


class _OfModels(install.Setup):
    """What the operators here share. `is_online` says whether one needs the network."""

    is_online = False

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Allow it when nothing else is at work, and Blender may go online where that is needed."""
        reason = why_not(context, online=cls.is_online)
        cls.poll_message_set(reason)
        return not reason

    def more_variables(self, context: bpy.types.Context) -> dict[str, str]:
        """Return the token, which jobs are not given, and no command line shows."""
        token = preferences.chosen(context, "hub_token").strip()
        return {"HF_TOKEN": token} if token else {}

    def ask(self, context: bpy.types.Context, *words: str) -> set[str]:
        """Let the backend do something with the models, in the background."""
        return self.run(context, "models", preferences.interpreter(context), "--", *words)


class MAQUETTE_OT_fetch_model(_OfModels, bpy.types.Operator):
    """Fetch a model."""

    bl_idname = "maquette.fetch_model"
    bl_label = "Fetch Model"
    bl_description = "Fetch a model from a hub; Blender stays usable, and what was cut off goes on where it was"
    is_online = True

    name: bpy.props.StringProperty(name="Model", description="One of the catalogue", options={"SKIP_SAVE"})
    source: bpy.props.StringProperty(
        name="From", description="Another repository than the catalogue's, as OWNER/NAME", options={"SKIP_SAVE"}
    )

    def invoke(self, context: bpy.types.Context, event: Any) -> set[str]:
        """Show what it is, how big and under which licence, before anything is fetched."""
        return context.window_manager.invoke_props_dialog(self, width=420, confirm_text="Accept Licence and Fetch")

    def draw(self, context: bpy.types.Context) -> None:
        """Draw that."""
        known = models.CATALOGUE.get(self.name)
        if known is None:
            return
        free = wording.size(environment.free_bytes(preferences.models_folder(context)))
        for text in (
            say("{title}: {line}", title=Phrase(known.title), line=Phrase(known.line)),
            say("{size}; {free} are free", size=models.size_words(known), free=free),
            say("Licence: {licence}", licence=known.licence),
            say("From: {source}", source=known.source or Phrase("name a mirror that you trust")),
            say(known.note),
        ):  # fmt: skip
            if text:
                preferences.paragraph(self.layout, context, text[0].upper() + text[1:])
        self.layout.prop(self, "source")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start fetching."""
        words = ["fetch", self.name, "--yes"]
        words += ["--from", self.source.strip()] if self.source.strip() else []
        endpoint = preferences.chosen(context, "hub_endpoint").strip()
        return self.ask(context, *words, *(["--endpoint", endpoint] if endpoint else []))


class MAQUETTE_OT_verify_models(_OfModels, bpy.types.Operator):
    """Compare the models with their records."""

    bl_idname = "maquette.verify_models"
    bl_label = "Verify Models"
    bl_description = "Compare every file of every model with what was installed; takes seconds for each gigabyte"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start the comparison."""
        return self.ask(context, "verify")


class MAQUETTE_OT_remove_model(_OfModels, bpy.types.Operator):
    """Remove a model."""

    bl_idname = "maquette.remove_model"
    bl_label = "Remove Model"
    bl_description = "Delete a model's files; jobs and their results stay"

    name: bpy.props.StringProperty(name="Model", description="An installed one", options={"SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, event: Any) -> set[str]:
        """Ask first."""
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start the removal."""
        return self.ask(context, "remove", self.name)


class MAQUETTE_OT_import_model(_OfModels, bpy.types.Operator):
    """Import a model that is on this computer."""

    bl_idname = "maquette.import_model"
    bl_label = "Import Model"
    bl_description = (
        "Take a folder in diffusers' format, a checkpoint of Stable Diffusion 1.x or a LoRA that you have; no network"
    )

    filepath: bpy.props.StringProperty(
        name="Path", description="The file or folder", subtype="FILE_PATH", options={"SKIP_SAVE"}
    )
    filter_glob: bpy.props.StringProperty(default=f"*{EXTENSION}", options={"HIDDEN"})
    base: bpy.props.StringProperty(name="Base", description="The base that a LoRA changes; empty if only one is there")
    strength: bpy.props.FloatProperty(
        name="Strength", description="Of a LoRA; 1 is as it was trained", default=1.0, min=-4.0, max=4.0
    )

    is_dropped = False

    def invoke(self, context: bpy.types.Context, event: Any) -> set[str]:
        """Ask for what a file that was dropped does not say; else let the artist choose one, or stand in a folder."""
        self.is_dropped = bool(self.filepath)
        if self.is_dropped:
            return context.window_manager.invoke_props_dialog(self, width=420, confirm_text="Import")
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draw that, below the dropped file's name."""
        if self.is_dropped:
            self.layout.label(text=Path(self.filepath).name, icon="FILE", translate=False)
            text = say("A checkpoint of Stable Diffusion 1.x, or a LoRA: which one, Maquette sees itself.")
            preferences.paragraph(self.layout, context, text)
        self.layout.prop(self, "base")
        self.layout.prop(self, "strength")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start the import."""
        if self.is_dropped:  # on a window, maybe, that shows nothing of it
            name = Path(self.filepath).name
            self.report(
                {"INFO"}, say_report("{name} is imported: the add-on's preferences show how far it is", name=name)
            )
        words = ["import", bpy.path.abspath(self.filepath), "--strength", f"{self.strength:g}"]
        return self.ask(context, *words, *(["--base", self.base] if self.base else []))


class MAQUETTE_FH_model(bpy.types.FileHandler):
    """Checkpoints and LoRAs dropped on the viewport or the preferences"""

    bl_idname = "MAQUETTE_FH_model"
    bl_label = "Maquette Model"
    bl_import_operator = MAQUETTE_OT_import_model.bl_idname
    bl_file_extensions = EXTENSION

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        """Take what falls on a viewport, or on the preferences where they show add-ons."""
        area = context.area
        if area is None or area.type != "PREFERENCES":
            return area is not None and area.type == "VIEW_3D"
        return context.preferences.active_section in ("ADDONS", "EXTENSIONS")


def draw_models(layout: Any, context: bpy.types.Context) -> None:
    """Draw the models that are there and those that can be had, in the preferences."""
    box = layout.box()
    box.label(text="Models")
    folder = preferences.models_folder(context)
    installed = models.list_installed(folder)
    for each in installed:
        row = box.row()
        text = f"{say(each.title)}: {models.gigabytes(each.size)}"
        row.label(text=text, icon="ERROR" if each.problem else "CHECKMARK", translate=False)
        row.operator("maquette.remove_model", text="", icon="TRASH").name = each.name
        if each.problem:
            preferences.paragraph(box, context, each.problem)
    there = {each.name for each in installed}
    for model in models.CATALOGUE.values():
        if model.name not in there and model.role != models.EVALUATION:
            row = box.row()
            text = say("{title}: {line}", title=Phrase(model.title), line=Phrase(model.line))
            row.label(text=text, translate=False)
            row.operator(
                "maquette.fetch_model", text=say(models.size_words(model)), icon="IMPORT", translate=False
            ).name = model.name
    row = box.row(align=True)
    row.operator("maquette.import_model", text="Import...", icon="FILE_FOLDER")
    if installed:
        row.operator("maquette.verify_models", text="Verify")
    if not bpy.app.online_access:
        preferences.paragraph(box, context, say(OFFLINE), "INFO")
    own = preferences.of(context)
    if own is not None:
        column = box.column()
        for name in ("models_folder", "hub_endpoint", "hub_token"):
            column.prop(own, name)


def register_extra() -> None:
    """Draw in the preferences."""
    preferences.drawn_below.append(draw_models)


def unregister_extra() -> None:
    """Take that back."""
    preferences.drawn_below.remove(draw_models)


CLASSES = (
    MAQUETTE_OT_fetch_model,
    MAQUETTE_OT_verify_models,
    MAQUETTE_OT_remove_model,
    MAQUETTE_OT_import_model,
    MAQUETTE_FH_model,
)
