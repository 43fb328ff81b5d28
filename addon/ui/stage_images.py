"""Between the short and the long part of a job: look at what a stage has made, replace it, go on."""

# Blender makes its module at run time, and reads properties from annotations that are calls.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportInvalidTypeForm=false

from __future__ import annotations

import dataclasses
from pathlib import Path

import bpy

from .. import protocol
from ..language.saying import say, say_error, say_report
from ..protocol import Phrase
from ..protocol.systems import built_systems
from . import session
from .reference_list import thumbnails
from .results import sheet

MAX_STAGES = 32  # whose folders are looked for
MASK = "mask.png"  # of the pictures, the one that is painted on

_PICTURES = {  # of all systems, each file once
    picture.name: picture for system in built_systems().values() for stage in system.stages for picture in stage.leaves
}


def stage_folder(job: Path, stage: str) -> Path | None:
    """Return the folder of a stage of a job, None if it has not been made."""
    names = (f"{protocol.STAGES_FOLDER}/{number}-{stage}" for number in range(1, MAX_STAGES + 1))
    return next((job / name for name in names if protocol.is_folder_inside(job, name)), None)


def pictures(job: Path, stage: str) -> list[Path]:
    """Return the pictures that a stage has left and that may be replaced."""
    folder = stage_folder(job, stage)
    return [folder / name for name in _PICTURES if protocol.is_inside(folder, name)] if folder else []


def label(path: Path) -> str:
    """Return what a picture of a stage is called."""
    return _PICTURES[path.name].label


def replace_picture(target: Path, source: Path) -> None:
    """Put a square picture in the place of another, at its size. Raises ValueError with a sentence, and RuntimeError
    where Blender cannot read it.
    """
    old = bpy.data.images.load(str(target))
    size = tuple(old.size)
    bpy.data.images.remove(old)
    new = bpy.data.images.load(str(source))
    try:
        width, height = new.size
        if width != height or not width:
            told = "{file} has {width} x {height} pixels; it must be square. Crop it first."
            raise ValueError(Phrase(told, file=source.name, width=width, height=height))
        if (width, height) != size:
            new.scale(*size)
        temporary = target.with_suffix(".tmp.png")
        protocol.remove_inside(target.parent, temporary.name)  # a link, perhaps, through which Blender would write
        new.file_format = "PNG"
        new.filepath_raw = str(temporary)
        new.save()
        protocol.rename_inside(target.parent, temporary.name, target.name)
    finally:
        bpy.data.images.remove(new)
    sheet.close_sheet(target.parent)
    for image in bpy.data.images:
        if _file_of(image) == target:
            image.reload()


def save_painted(job: Path) -> list[str]:
    """Save the job's pictures that were painted on in Blender, and return their names."""
    painted = [image for image in bpy.data.images if image.is_dirty and job in (_file_of(image) or job.parent).parents]
    for image in painted:
        file = _file_of(image)
        if file is not None:
            protocol.check_writable(job, file.relative_to(job).as_posix())
        image.save()
    stopped = protocol.read_request(job).stop_after
    return [image.name for image in painted] + (sheet.save_sheet(pictures(job, stopped)) if stopped else [])


def _file_of(image: bpy.types.Image) -> Path | None:
    return Path(bpy.path.abspath(image.filepath)) if image.source == "FILE" and image.filepath else None


def stop_of(stage: str) -> str:
    """Return what a stage makes is called."""
    known = next((each for system in built_systems().values() for each in system.stages if each.name == stage), None)
    return known.stop if known is not None else ""


def _load_pictures(paths: list[Path]) -> bpy.types.Image:
    """Load pictures, and return the mask where there is one, else the first."""
    images = {path.name: bpy.data.images.load(str(path), check_existing=True) for path in paths}
    return images.get(MASK) or images[paths[0].name]


def _fit(context: bpy.types.Context, editor: bpy.types.Area) -> None:
    """Show the whole picture as large as the editor is: one of 64 pixels is a stamp else."""
    region = next((each for each in editor.regions if each.type == "WINDOW"), None)
    windows = context.window_manager.windows
    window = next((each for each in windows if editor in list(each.screen.areas)), None)
    if region is not None and window is not None and not bpy.app.background:
        with bpy.context.temp_override(window=window, area=editor, region=region):
            bpy.ops.image.view_all(fit_view=True)


class MAQUETTE_OT_open_stage(bpy.types.Operator):
    """Show the pictures of a stage in an Image Editor"""

    bl_idname = "maquette.open_stage"
    bl_label = "Open Cut-Out"
    bl_description = "Show the pictures in an Image Editor, ready to paint; what you paint is used when you go on"

    job: bpy.props.StringProperty(name="Job", description="Its folder", options={"SKIP_SAVE"})
    stage: bpy.props.StringProperty(name="Stage", description="Its name", options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Load the pictures; show the first where there is a window."""
        found = pictures(Path(self.job), self.stage)
        if not found:
            told = "The stage {stage} has left no pictures in {job}"
            self.report({"ERROR"}, say_report(told, stage=self.stage, job=self.job))
            return {"CANCELLED"}
        try:
            label = say("{made} sheet", made=Phrase(stop_of(self.stage))).strip()
            first = (
                sheet.open_sheet(found, label) if len(found) >= sheet.FEWEST
                else _load_pictures(found)
            )  # fmt: skip
        except (ValueError, RuntimeError) as error:
            self.report({"ERROR"}, say_error(error).strip())
            return {"CANCELLED"}
        editors = [] if context.screen is None else [a for a in context.screen.areas if a.type == "IMAGE_EDITOR"]
        if not editors and context.window is not None and not bpy.app.background:
            bpy.ops.wm.window_new()
            area = context.window_manager.windows[-1].screen.areas[0]
            area.type = "IMAGE_EDITOR"
            editors = [area]
        for editor in editors[:1]:
            editor.spaces.active.image = first
            editor.spaces.active.ui_mode = "PAINT"
            _fit(context, editor)
        return {"FINISHED"}


class MAQUETTE_OT_replace_stage(bpy.types.Operator):
    """Use another picture"""

    bl_idname = "maquette.replace_stage"
    bl_label = "Replace"
    bl_description = "Use a picture of your own instead; it must be square"

    job: bpy.props.StringProperty(name="Job", description="Its folder", options={"SKIP_SAVE", "HIDDEN"})
    stage: bpy.props.StringProperty(name="Stage", description="Its name", options={"SKIP_SAVE", "HIDDEN"})
    part: bpy.props.EnumProperty(
        name="Replace",
        description="Which picture to replace",
        items=[(each.name, each.label, each.tooltip) for each in _PICTURES.values()],
    )
    filepath: bpy.props.StringProperty(
        subtype="FILE_PATH", options={"SKIP_SAVE", "HIDDEN", "PATH_SUPPORTS_BLEND_RELATIVE"}
    )
    filter_image: bpy.props.BoolProperty(default=True, options={"SKIP_SAVE", "HIDDEN"})
    filter_folder: bpy.props.BoolProperty(default=True, options={"SKIP_SAVE", "HIDDEN"})
    display_type: thumbnails()

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask for the file, and which of the stage's pictures it replaces."""
        names = [path.name for path in pictures(Path(self.job), self.stage)]
        if names and self.part not in names:
            self.part = names[0]
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draw a choice of the pictures that are there."""
        column = self.layout.column()
        for path in pictures(Path(self.job), self.stage):
            column.prop_enum(self, "part", path.name)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Put it in the place of the old one."""
        folder = stage_folder(Path(self.job), self.stage)
        if folder is None or not protocol.is_inside(folder, self.part):
            told = "The stage {stage} has left no {part} in {job}"
            self.report({"ERROR"}, say_report(told, stage=self.stage, part=self.part, job=self.job))
            return {"CANCELLED"}
        try:
            replace_picture(folder / self.part, Path(bpy.path.abspath(self.filepath)))
        except (ValueError, RuntimeError, OSError) as error:
            self.report({"ERROR"}, say_error(error).strip())
            return {"CANCELLED"}
        session.redraw()
        return {"FINISHED"}


class MAQUETTE_OT_go_on(bpy.types.Operator):
    """Do the rest of a job that was stopped after a stage"""

    bl_idname = "maquette.go_on"
    bl_label = "Go On"
    bl_description = "Do the rest of the job with the pictures as they are now"

    job: bpy.props.StringProperty(name="Job", description="Its folder", options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Clear the props to stop and queue the folder again."""
        job = Path(self.job)
        try:
            save_painted(job)
            protocol.write_request(job, dataclasses.replace(protocol.read_request(job), stop_after=""))
        except (protocol.ProtocolError, RuntimeError, OSError) as error:
            self.report({"ERROR"}, say_error(error).strip())
            return {"CANCELLED"}
        return bpy.ops.maquette.resume(job=self.job)


CLASSES = (MAQUETTE_OT_open_stage, MAQUETTE_OT_replace_stage, MAQUETTE_OT_go_on)
