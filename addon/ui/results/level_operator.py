"""On a finished job, without optimising again: another number of faces, levels of detail, quads."""

# Blender makes its module at run time, and reads properties from annotations that are calls.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportInvalidTypeForm=false

from __future__ import annotations

from pathlib import Path

import bpy

from ...language.saying import say, say_error, say_report
from ...scene import importer, levels
from . import importing


class MAQUETTE_OT_make_levels(bpy.types.Operator):
    """Make coarser copies of a result"""

    bl_idname = "maquette.make_levels"
    bl_label = "Levels of Detail"
    bl_description = "Make copies of the mesh with fewer faces and the same texture, in one collection"
    bl_options = {"REGISTER", "UNDO"}

    job: bpy.props.StringProperty(name="Job", description="Its folder", options={"SKIP_SAVE", "HIDDEN"})
    faces: bpy.props.IntProperty(
        name="Faces", description="Triangles of the finest copy at most; 0 takes those of the mesh", min=0, default=0
    )
    count: bpy.props.IntProperty(
        name="Levels",
        description="How many copies, each with half the faces of the one before",
        min=1,
        max=8,
        default=3,
    )
    quads: bpy.props.BoolProperty(
        name="Quads", description="Join triangles to quads where they are flat and lie together in the texture"
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Need Object Mode, as the import does."""
        if context.mode != "OBJECT":
            cls.poll_message_set(say("Leave this mode first: copies are made in Object Mode"))
        return context.mode == "OBJECT"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask how many."""
        return context.window_manager.invoke_props_dialog(self, width=importing.DIALOG_WIDTH, confirm_text="Make")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Take the mesh that stands in the scene, with what the artist has done to it, or else import the result."""
        job = Path(self.job)
        found = next((item for item in importing.copies(job) if item.type == "MESH"), None)
        try:
            mesh = found or importing.bring(job, context.scene.maquette).mesh
        except importer.ImportFailed as error:
            self.report({"ERROR"}, say_error(error))
            return {"CANCELLED"}
        if mesh is None:
            self.report({"ERROR"}, say_report(importing.NO_MESH, job=job.name))
            return {"CANCELLED"}
        made = levels.make_levels(mesh, self.count, f"{mesh.name} LOD", faces=self.faces, quads=self.quads)
        sizes = ", ".join(str(len(item.data.polygons)) for item in made.objects)
        for item in context.selected_objects:
            item.select_set(False)
        finest = made.objects[0]
        finest.select_set(True)
        context.view_layer.objects.active = finest
        mesh.hide_render = True  # it stands in the same place, and would flicker through its copy
        mesh.hide_set(True)
        told = "{name}: {sizes} faces; the mesh that they are made of is hidden"
        self.report({"INFO"}, say_report(told, name=made.name, sizes=sizes))
        return {"FINISHED"}


CLASSES = (MAQUETTE_OT_make_levels,)
