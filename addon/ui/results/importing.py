"""Results come into the scene: where they stand, what is selected, and whether one is there already."""

# Blender makes its module at run time, and reads properties from annotations that are calls.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportInvalidTypeForm=false

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bpy

from ...jobs.pending_imports import Place
from ...language.saying import say, say_error
from ...scene import importer, placing
from ...scene.result_files import PROPERTY_PREFIX
from .. import auto_import, properties

DIALOG_WIDTH = 320  # of what a finished job asks for
NO_MESH = "{job} has made points only: generate with the output Mesh first"
JOB_PROPERTY, FOLDER_PROPERTY = f"{PROPERTY_PREFIX}job", f"{PROPERTY_PREFIX}folder"


def bring(job: Path, props: properties.MAQUETTE_PG_scene, at: Place | None = None) -> importer.Imported:
    """Import a result at a place, or beside its copy, or at the 3D cursor; as an asset if the scene says so.

    Where something stands already, it goes to the right of that. Raises ImportFailed.
    """
    tags = [tag.strip() for tag in props.asset_tags.split(",") if tag.strip()]
    copy = next(copies(job), None)
    if at is None and copy is not None:
        at = tuple(copy.matrix_world.translation)
    made = importer.import_result(job, location=at, as_asset=props.mark_asset, tags=tags)
    placing.place_beside(made)
    return made


def copies(job: Path) -> Iterator[bpy.types.Object]:
    """Yield what stands in the open scene of a job's result, one object of each import."""
    folder = str(job.resolve())
    for collection in bpy.data.collections:
        if collection.get(JOB_PROPERTY) == job.name and collection.get(FOLDER_PROPERTY) == folder:
            found = [item for item in collection.objects if item.get(JOB_PROPERTY) == job.name]
            yield from [item for item in found if item.name in bpy.context.scene.objects][:1]


class MAQUETTE_OT_import_result(bpy.types.Operator):
    """Bring a result into the scene"""

    bl_idname = "maquette.import_result"
    bl_label = "Import"
    bl_description = "Put the result at the 3D cursor, or beside what stands there or a copy of it, in a new collection"
    bl_options = {"REGISTER", "UNDO"}

    job: bpy.props.StringProperty(name="Job", description="Its folder", options={"SKIP_SAVE", "HIDDEN"})
    select: bpy.props.BoolProperty(
        name="Select", description="Select what is imported, and nothing else", default=True, options={"SKIP_SAVE"}
    )
    location: bpy.props.FloatVectorProperty(
        name="Location",
        description="Where; if not given, beside a copy that is there, else at the 3D cursor",
        subtype="TRANSLATION",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Need Object Mode: the importer would leave another one without asking."""
        if context.mode != "OBJECT":
            cls.poll_message_set(say("Leave this mode first: results are imported in Object Mode"))
        return context.mode == "OBJECT"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Import it."""
        job = Path(self.job)
        at = tuple(self.location) if self.properties.is_property_set("location") else None
        try:
            made = bring(job, context.scene.maquette, at)
        except importer.ImportFailed as error:
            self.report({"ERROR"}, say_error(error))
            return {"CANCELLED"}
        if auto_import.is_wanted(job):
            auto_import.forget(job)  # it is here
        main = made.mesh or made.points
        if self.select and main is not None:
            for item in context.selected_objects:
                item.select_set(False)
            main.select_set(True)
            context.view_layer.objects.active = main
        return {"FINISHED"}


CLASSES = (MAQUETTE_OT_import_result,)
