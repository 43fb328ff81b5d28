"""On a finished job: its colours onto a mesh of the artist's own, such as a remesh of the result."""

# Blender makes its module at run time, and reads properties from annotations that are calls.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportInvalidTypeForm=false

from __future__ import annotations

from pathlib import Path

import bpy

from ...language.saying import say, say_error, say_report
from ...scene import baking, importer
from . import importing


class MAQUETTE_OT_bake_onto(bpy.types.Operator):
    """Lay the colours of a result onto another mesh"""

    bl_idname = "maquette.bake_onto"
    bl_label = "Bake onto Mesh"
    bl_description = (
        "Lay the result's colours onto the active mesh, your own remesh of it, which stands in the same place; "
        "it gets a texture, and a UV map if it has none"
    )
    bl_options = {"REGISTER", "UNDO"}

    job: bpy.props.StringProperty(name="Job", description="Its folder", options={"SKIP_SAVE", "HIDDEN"})
    size: bpy.props.IntProperty(
        name="Texture Size", description="Pixels along one side of the texture", min=32, max=8192, default=1024
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Need Object Mode and an active mesh."""
        if context.mode != "OBJECT":
            cls.poll_message_set(say("Leave this mode first: Blender bakes in Object Mode"))
            return False
        active = context.view_layer.objects.active
        if active is None or active.type != "MESH":
            text = say("Make your own mesh the active object first: the colours are laid onto that")
            cls.poll_message_set(text)
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask how large."""
        return context.window_manager.invoke_props_dialog(self, width=importing.DIALOG_WIDTH, confirm_text="Bake")

    def draw(self, context: bpy.types.Context) -> None:
        """Draw onto which mesh, and how large."""
        layout = self.layout
        text = say("Onto {mesh}", mesh=context.view_layer.objects.active.name)
        layout.label(text=text, icon="MESH_DATA", translate=False)
        layout.prop(self, "size")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Take the colours of the mesh that stands in the scene, or else of the result, imported for as long."""
        job, target = Path(self.job), context.view_layer.objects.active
        found = next((item for item in importing.copies(job) if item.type == "MESH" and item != target), None)
        brought = None
        try:
            if found is None:
                brought = importer.import_result(job, outputs=("mesh",))
            source = found if brought is None else brought.mesh
            if source is None:
                self.report({"ERROR"}, say_report(importing.NO_MESH, job=job.name))
                return {"CANCELLED"}
            if brought is not None:  # it stands at the cursor: in the place of the mesh that was made of it
                source.matrix_world = target.matrix_world
                context.view_layer.update()
            image = baking.bake_onto(source, target, self.size)
        except (importer.ImportFailed, baking.CannotBake) as error:
            self.report({"ERROR"}, say_error(error))
            return {"CANCELLED"}
        finally:
            if brought is not None:
                _forget(brought)
        told = {"image": image.name, "size": self.size, "mesh": target.name}
        self.report({"INFO"}, say_report("{image}: {size} x {size} pixels on {mesh}", **told))
        return {"FINISHED"}


def _forget(brought: importer.Imported) -> None:
    """Take what was imported for the baking alone out of the file again."""
    mesh = brought.mesh.data if brought.mesh is not None else None
    if brought.mesh is not None:
        bpy.data.objects.remove(brought.mesh)
    bpy.data.collections.remove(brought.collection)
    if mesh is not None and not mesh.users:
        materials = list(mesh.materials)
        bpy.data.meshes.remove(mesh)
        images = [
            node.image for material in materials if material.node_tree for node in material.node_tree.nodes
            if node.type == "TEX_IMAGE" and node.image is not None
        ]  # fmt: skip
        bpy.data.batch_remove([each for each in materials if each is not None and not each.users])
        bpy.data.batch_remove([each for each in images if not each.users])


CLASSES = (MAQUETTE_OT_bake_onto,)
