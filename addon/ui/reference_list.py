"""The list of reference images: from files, from images of the .blend, or dropped on the viewport."""

# Blender makes its module at run time, and reads properties from annotations that are calls.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportInvalidTypeForm=false

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from .. import protocol
from ..language.saying import say, say_report
from ..protocol import sentence_of
from ..scene import image_files
from ..scene.result_files import TEXTURE_PROPERTY
from . import session

EXTENSIONS = ";".join(sorted(image_files.READABLE | {".exr", ".hdr", ".tga"}))  # the last three are written as PNG
MAX_LISTED = 24  # images in the menu


def thumbnails() -> Any:
    """Return the property by which Blender's file browser opens with pictures instead of names."""
    return bpy.props.EnumProperty(
        name="Display",
        items=[("THUMBNAIL", "Thumbnails", "Pictures of the files", "IMGDISPLAY", 3)],  # as Blender numbers it
        options={"HIDDEN", "SKIP_SAVE"},
    )


def nothing_beside_files() -> Any:
    """Return the property by which Blender's file browser opens without a region for an operator's own properties."""
    return bpy.props.BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})


class MAQUETTE_OT_add_references(bpy.types.Operator):
    """Add pictures to the reference images"""

    bl_idname = "maquette.add_references"
    bl_label = "Add to Maquette"  # what Blender shows where several can take a dropped file
    bl_description = "Add pictures of what the object looks like"
    bl_options = {"REGISTER", "UNDO"}

    name: bpy.props.StringProperty(
        name="Image", description="An image of this .blend, instead of files", options={"SKIP_SAVE", "HIDDEN"}
    )
    directory: bpy.props.StringProperty(
        subtype="DIR_PATH", options={"SKIP_SAVE", "HIDDEN", "PATH_SUPPORTS_BLEND_RELATIVE"}
    )
    files: bpy.props.CollectionProperty(type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE", "HIDDEN"})
    filter_image: bpy.props.BoolProperty(default=True, options={"SKIP_SAVE", "HIDDEN"})
    filter_folder: bpy.props.BoolProperty(default=True, options={"SKIP_SAVE", "HIDDEN"})
    display_type: thumbnails()
    hide_props_region: nothing_beside_files()

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Need room in the list."""
        if len(context.scene.maquette.references) >= protocol.IMAGES:
            cls.poll_message_set(say("There are {count} images already, and no more are used", count=protocol.IMAGES))
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask for files, unless it is known what to add."""
        if self.name or self.files:
            return self.execute(context)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Add the image of that name, or those files."""
        props = context.scene.maquette
        images = []
        if self.name:
            images = [image for image in (bpy.data.images.get(self.name),) if image is not None]
        for path in [Path(bpy.path.abspath(self.directory)) / file.name for file in self.files if file.name]:
            try:
                images.append(_readable(path))
            except image_files.ImageMissing as error:
                self.report({"ERROR"}, say_report(sentence_of(error)))
            except RuntimeError as error:
                reason = str(error).strip().removeprefix("Error: ")
                self.report({"ERROR"}, say_report("{file} cannot be read: {reason}", file=path.name, reason=reason))
        if not images:
            self.report({"WARNING"}, say_report("No image was added"))
            return {"CANCELLED"}
        for image in images[: protocol.IMAGES - len(props.references)]:
            props.references.add().image = image
        props.active_reference = len(props.references) - 1
        return {"FINISHED"}


def _readable(path: Path) -> bpy.types.Image:
    """Return the image of a file. Raises RuntimeError where Blender finds none, ImageMissing where it is damaged."""
    known = set(bpy.data.images)
    image = bpy.data.images.load(str(path), check_existing=True)
    if reason := image_files.why_not(image):
        if image not in known:
            bpy.data.images.remove(image)
        raise image_files.ImageMissing(reason)
    return image


class MAQUETTE_OT_remove_reference(bpy.types.Operator):
    """Take a picture out of the reference images"""

    bl_idname = "maquette.remove_reference"
    bl_label = "Remove Reference Image"
    bl_description = "Take the selected picture out of the list; the image stays in the .blend"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Need something to remove."""
        if not len(context.scene.maquette.references):
            cls.poll_message_set(say("The list is empty"))
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Remove the selected one."""
        props = context.scene.maquette
        props.references.remove(min(props.active_reference, len(props.references) - 1))
        props.active_reference = max(0, min(props.active_reference, len(props.references) - 1))
        return {"FINISHED"}


class MAQUETTE_MT_add_reference(bpy.types.Menu):
    """Where a reference image comes from"""

    bl_idname = "MAQUETTE_MT_add_reference"
    bl_label = "Add Reference Image"
    bl_description = "Add a picture of what the object looks like"

    def draw(self, context: bpy.types.Context) -> None:
        """List files first, then the images of this .blend."""
        layout = self.layout
        layout.operator_context = "INVOKE_DEFAULT"
        layout.operator(MAQUETTE_OT_add_references.bl_idname, text="Open Files...", icon="FILEBROWSER")
        images = [image for image in bpy.data.images if _can_be_reference(image)]
        if images:
            layout.separator()
        for image in images[:MAX_LISTED]:
            row = layout.operator(
                MAQUETTE_OT_add_references.bl_idname, text=image.name, icon_value=layout.icon(image), translate=False
            )
            row.name = image.name


def _can_be_reference(image: bpy.types.Image) -> bool:
    """Say whether an image may show an object: textures of results show its unfolded surface."""
    if image.type == "RENDER_RESULT":
        return image.has_data
    return image.source in ("FILE", "GENERATED") and TEXTURE_PROPERTY not in image


class MAQUETTE_UL_references(bpy.types.UIList):
    """Reference images"""

    bl_idname = "MAQUETTE_UL_references"

    def draw_item(self, context, layout, data, item, icon, active_data, active_property) -> None:
        """Show thumbnail and name."""
        if item.image is None:
            layout.label(text="No Image", icon="IMAGE_DATA")
        else:
            missing = bool(image_files.why_not(item.image))
            layout.prop(item.image, "name", text="", emboss=False, icon_value=layout.icon(item.image))
            if missing:
                layout.label(text="", icon="ERROR")


class MAQUETTE_FH_image(bpy.types.FileHandler):
    """Images dropped on the viewport"""

    bl_idname = "MAQUETTE_FH_image"
    bl_label = "Maquette Reference Image"
    bl_import_operator = MAQUETTE_OT_add_references.bl_idname
    bl_file_extensions = EXTENSIONS

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        """Take what falls on a viewport that shows our tab; elsewhere Blender does with images what it always does."""
        area = context.area
        return area is not None and area.type == "VIEW_3D" and any(map(session.is_our_tab, area.regions))


CLASSES = (
    MAQUETTE_OT_add_references,
    MAQUETTE_OT_remove_reference,
    MAQUETTE_MT_add_reference,
    MAQUETTE_UL_references,
    MAQUETTE_FH_image,
)
