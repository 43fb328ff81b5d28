"""Mesh Again: the mesh of a finished job with other settings, in a new job that optimises nothing."""

# Blender makes its module at run time, and reads properties from annotations that are calls.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportInvalidTypeForm=false

from __future__ import annotations

from pathlib import Path

import bpy

from ... import api, preferences, protocol
from ...jobs import store
from ...language.saying import say_error
from ...protocol.systems.shared_settings import MIRRORS
from ...scene import importer
from .. import generate, history, session
from . import importing

# Of what the last stage knows, what an artist asks for when the mesh is there.
ASKED = ("max_faces", "texture_size", "mesh_resolution", "origin", "height", "mirror", "splats_glb")
ORIGINS = [("centre", "Centre", "The middle of what the object was made in"), ("base", "Base", "Where it stands")]


class MAQUETTE_OT_remesh(bpy.types.Operator):
    """Make the mesh of a result again"""

    bl_idname = "maquette.remesh"
    bl_label = "Mesh Again"
    bl_description = "Make the mesh again with other settings: a new job, in which nothing is optimised again"

    job: bpy.props.StringProperty(name="Job", description="Its folder", options={"SKIP_SAVE", "HIDDEN"})
    max_faces: bpy.props.IntProperty(
        name="Faces at Most", description="The mesh is simplified to this many triangles", min=100, max=1_000_000
    )
    texture_size: bpy.props.IntProperty(
        name="Texture Size", description="Pixels along one side of the texture", min=32, max=8192
    )
    mesh_resolution: bpy.props.IntProperty(
        name="Resolution", description="Cells along one side of the grid that the mesh is made from", min=16, max=512
    )
    origin: bpy.props.EnumProperty(name="Origin", description="Where the mesh has its origin", items=ORIGINS)
    height: bpy.props.FloatProperty(
        name="Height", description="How high it is in the real world; 0 leaves it as it was made", min=0, unit="LENGTH"
    )
    mirror: bpy.props.EnumProperty(
        name="Mirror", description="Which half of it becomes both, as you see it from the front", items=list(MIRRORS)
    )

    splats_glb: bpy.props.BoolProperty(
        name="Splats as glTF",
        description="Write splats.glb as well: the Gaussians, for viewers of glTF that know KHR_gaussian_splatting",
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask, beginning with what the mesh was made with."""
        try:
            request = protocol.read_request(Path(self.job))
        except (protocol.ProtocolError, OSError) as error:
            self.report({"ERROR"}, say_error(error))
            return {"CANCELLED"}
        system = protocol.SYSTEMS[request.system]
        before = vars(system.presets[request.preset]) | system.present(request.settings)
        for name in asked_of(request.system):
            setattr(self, name, before[name])
        return context.window_manager.invoke_props_dialog(self, width=importing.DIALOG_WIDTH, confirm_text="Make")

    def draw(self, context: bpy.types.Context) -> None:
        """Draw what the job's system can change afterwards."""
        self.layout.use_property_split = True
        for name in asked_of(protocol.read_request(Path(self.job)).system):
            self.layout.prop(self, name)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Queue the new job; in background mode, run it to its end."""
        props = context.scene.maquette
        try:
            preferences.interpreter(context)  # or say what is missing, before anything is written
            job = store.remesh_job(preferences.jobs_folder(context), Path(self.job), self._wanted())
            if bpy.app.background:
                api.wait(job)
                if props.import_when_done:
                    importing.bring(job, props)
            else:
                session.enqueue(context, job, props.import_when_done)
        except (*generate.CANNOT_START, api.JobError, importer.ImportFailed) as error:
            self.report({"ERROR"}, generate.sentence(error))
            return {"CANCELLED"}
        history.refresh_now(context)
        return {"FINISHED"}

    def _wanted(self) -> dict[str, protocol.Setting]:
        """Return what is asked for: all of the dialog, or what a script has named."""
        known = asked_of(protocol.read_request(Path(self.job)).system)
        asked = {name: getattr(self, name) for name in known if self.properties.is_property_set(name)}
        return {name: round(value, 6) if isinstance(value, float) else value for name, value in asked.items()}


def asked_of(system: str) -> tuple[str, ...]:
    """Return the settings of the dialog for the jobs of a system; none where its meshes cannot be made again."""
    return tuple(name for name in ASKED if name in protocol.SYSTEMS[system].mesh_settings)


CLASSES = (MAQUETTE_OT_remesh,)
