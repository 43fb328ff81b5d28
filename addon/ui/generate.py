"""What the buttons of a job do: generate, cancel, finish, go on, report. Scripts can call them too."""

# Blender makes its module at run time, and reads properties from annotations that are calls.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportInvalidTypeForm=false

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import bpy

from .. import api, preferences, protocol
from ..install.environment import EnvironmentMissing
from ..jobs import bug_report
from ..language.saying import say, say_error, say_report, without_stop
from ..protocol import Phrase
from ..scene import image_files, importer
from . import properties, session
from .results import importing

BUTTON = "maquette_button"  # what the context of the panel's own button has: it takes all wishes from the panel
CANNOT_START = (ValueError, EnvironmentMissing, OSError)  # ProtocolError and ImageMissing are ValueErrors


def sentence(error: Exception) -> str:
    """Return what an error says and what to do about it, in one line."""
    hint, text = getattr(error, "hint", ""), say_error(error)
    return f"{text} {say_report(hint)}".strip() if hint not in str(error) else text


def why_not(context: bpy.types.Context) -> str:
    """Return why the panel cannot start a job right now, else nothing."""
    if context.scene is None:
        return say("There is no scene")
    props = context.scene.maquette
    try:
        properties.request_of(props)
        preferences.interpreter(context)
    except (protocol.ProtocolError, EnvironmentMissing) as error:
        return without_stop(sentence(error))
    reasons = [image_files.why_not(reference.image) for reference in properties.chosen_images(props)]
    return without_stop(say(next(filter(None, reasons), "")))


def files_of(
    props: properties.MAQUETTE_PG_scene, role: str, folder: Path, number: int
) -> list[tuple[Path, dict[str, Any]]]:
    """Return the file of each reference image of a role, some of them in `folder`, and what a request says of it.

    `number` is that of the first one. Raises ImageMissing.
    """
    chosen = list(enumerate(properties.chosen_images(props, role), number))
    return [(image_files.file_of(each.image, folder, n), properties.seen_from(each, props)) for n, each in chosen]


def subject_sources(props: properties.MAQUETTE_PG_scene) -> list[Path]:
    """Return the files of the kept subject, which the request names last. Raises ProtocolError."""
    kept = properties.kept_subject(props)
    return list(protocol.subject_files(kept)[1].values()) if kept is not None else []


class MAQUETTE_OT_generate(bpy.types.Operator):
    """Make an object from the prompt and the reference images"""

    bl_idname = "maquette.generate"
    bl_label = "Generate"
    bl_description = "Make an object from the prompt and the reference images; Blender stays usable meanwhile"
    bl_options = {"REGISTER"}

    prompt: bpy.props.StringProperty(
        name="Prompt", description="The object in a few words; if not given, that of the panel", options={"SKIP_SAVE"}
    )
    negative_prompt: bpy.props.StringProperty(
        name="Negative Prompt",
        description="What the object must not look like; if not given, that of the panel",
        options={"SKIP_SAVE"},
    )
    image: bpy.props.StringProperty(
        name="Image",
        description="File, or name of an image of this .blend, that shows the object; if not given, those of the panel",
        subtype="FILE_PATH",
        options={"SKIP_SAVE", "PATH_SUPPORTS_BLEND_RELATIVE"},
    )
    visual_prompt: bpy.props.StringProperty(
        name="Visual Prompt",
        description="File, or name of an image of this .blend, that shows a style or a likeness; if not given, those "
        "of the panel",
        subtype="FILE_PATH",
        options={"SKIP_SAVE", "PATH_SUPPORTS_BLEND_RELATIVE"},
    )
    elevation: bpy.props.FloatProperty(
        name="Elevation", description="Height from which the image was taken, in degrees", options={"SKIP_SAVE"}
    )
    azimuth: bpy.props.FloatProperty(
        name="Azimuth", description="Side from which the image was taken, in degrees", options={"SKIP_SAVE"}
    )
    field_of_view: bpy.props.FloatProperty(
        name="Field of View", description="Of the image's camera, in degrees", default=40.0, options={"SKIP_SAVE"}
    )
    seed: bpy.props.IntProperty(
        name="Seed", description="Start of all randomness; -1 takes that of the panel", default=-1, min=-1,
        options={"SKIP_SAVE"},
    )  # fmt: skip
    preset: bpy.props.StringProperty(
        name="Preset",
        description="How much time to spend; if not given, that of the panel",
        options={"SKIP_SAVE"},
    )
    prior: bpy.props.StringProperty(
        name="Prior",
        description="'embedded', or a folder in diffusers' format; if not given, that of the panel",
        options={"SKIP_SAVE"},
    )
    settings: bpy.props.StringProperty(
        name="Settings",
        description="Values that differ from the preset, as a JSON object; if not given, those of the panel",
        options={"SKIP_SAVE"},
    )
    import_when_done: bpy.props.BoolProperty(
        name="Import When Done",
        description="Put the result at the 3D cursor; if not given, as in the panel",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Say why the panel's button can start nothing; scripts give their wishes later, and get the error then."""
        reason = why_not(context) if hasattr(context, BUTTON) else ""
        if context.scene is None:
            reason = say("There is no scene")
        if reason:
            cls.poll_message_set(reason)
        return not reason

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start a job; in background mode, run it to its end."""
        props = context.scene.maquette
        wanted = self.import_when_done if self._is_given("import_when_done") else props.import_when_done
        try:
            with tempfile.TemporaryDirectory(prefix="maquette-") as folder:
                request, sources = self._request(props, Path(folder))
                if not bpy.app.background:
                    session.submit(context, request, sources, wanted)
                    return {"FINISHED"}
                preferences.interpreter(context)  # or say what is missing, before anything is written
                job = protocol.make_job(preferences.jobs_folder(context), request, sources)
            last = api.wait(job)
            if wanted and not last.stopped_after:
                importing.bring(job, props)
        except (*CANNOT_START, api.JobError, importer.ImportFailed) as error:
            self.report({"ERROR"}, sentence(error))
            return {"CANCELLED"}
        self.report({"INFO"}, say_report("Finished: {job}", job=job))
        return {"FINISHED"}

    def _is_given(self, name: str) -> bool:
        return self.properties.is_property_set(name)

    def _request(self, props: properties.MAQUETTE_PG_scene, folder: Path) -> tuple[protocol.Request, list[Path]]:
        """Return the request and the files of its images, some of them in `folder`."""
        given = [name for name in ("prompt", "negative_prompt", "preset", "prior") if self._is_given(name)]
        changes = {name: getattr(self, name).strip() for name in given}
        if self.settings:
            changes["settings"] = self._parsed_settings()
        if self.seed < 0 and props.new_seed:
            props.seed = properties.new_seed()
        changes["seed"] = self.seed if self.seed >= 0 else props.seed
        pictures = []
        for role in properties.roles_of(props):
            given = {"visual_prompt": "visual_prompt", "mask": ""}.get(role, "image")
            if given and self._is_given(given):
                file = self._file(getattr(self, given), folder, len(pictures))
                said = protocol.image_fields(role, self.elevation, self.azimuth, self.field_of_view)
                pictures.append((file, said))
            else:
                pictures += files_of(props, role, folder, len(pictures))
        if self._is_given("image") and not changes.get("prompt", props.prompt).strip():
            changes["prompt"] = protocol.proposed_prompt(Path(self.image).name)
        request = properties.request_of(props, protocol.input_images(pictures), **changes)
        return request, [*(file for file, _ in pictures), *subject_sources(props)]

    def _file(self, name: str, folder: Path, number: int) -> Path:
        """Return the file of an image that was named. Raises ImageMissing."""
        image = bpy.data.images.get(name)
        path = image_files.file_of(image, folder, number) if image else Path(bpy.path.abspath(name)).absolute()
        if not path.is_file():
            raise image_files.ImageMissing(Phrase("There is no image {name}. Check the path.", name=name))
        return path

    def _parsed_settings(self) -> dict[str, protocol.Setting]:
        try:
            found = json.loads(self.settings)
        except ValueError as error:
            told = 'The settings are not JSON ({error}); give for example {{"steps": 40}}.'
            raise protocol.ProtocolError(Phrase(told, error=error)) from error
        if not isinstance(found, dict):
            raise protocol.ProtocolError(Phrase('The settings are no JSON object; give for example {"steps": 40}.'))
        return found


class MAQUETTE_OT_cancel(bpy.types.Operator):
    """Stop a job"""

    bl_idname = "maquette.cancel"
    bl_label = "Cancel"
    bl_description = "Stop the job at its next step; what is done so far is kept, and you can go on later"

    job: bpy.props.StringProperty(name="Job", description="Its folder; the running job if empty", options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask the backend to stop."""
        job = Path(self.job) if self.job else next(iter(session.all_running()), None)
        if job is None:
            self.report({"WARNING"}, say_report("No job is running"))
            return {"CANCELLED"}
        session.cancel(job)
        return {"FINISHED"}


class MAQUETTE_OT_finish(bpy.types.Operator):
    """Export what there is"""

    bl_idname = "maquette.finish"
    bl_label = "Finish Now"
    bl_description = "Stop optimising at the next step and make the result from what there is"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Need a running job that counts steps, which can be cut short."""
        job = next(iter(session.all_running()), None)
        if job is None or session.course(job).steps_per_second == 0.0:  # parts of the mesh have no speed
            cls.poll_message_set(say("Only the steps of the optimisation can be cut short"))
        elif session.told(job):
            cls.poll_message_set(say("The job is ending already"))
        else:
            return True
        return False

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask the backend to come to an end."""
        job = next(iter(session.all_running()), None)
        assert job is not None, "poll has seen one"
        session.finish(job)
        return {"FINISHED"}


class MAQUETTE_OT_resume(bpy.types.Operator):
    """Go on with a job"""

    bl_idname = "maquette.resume"
    bl_label = "Go On"
    bl_description = "Run the job again, as the next one; it goes on from its last checkpoint"

    job: bpy.props.StringProperty(name="Job", description="Its folder", options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Queue the folder again."""
        try:
            session.resume(context, Path(self.job), context.scene.maquette.import_when_done)
        except CANNOT_START as error:
            self.report({"ERROR"}, sentence(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class MAQUETTE_OT_copy_report(bpy.types.Operator):
    """Copy what a bug report needs"""

    bl_idname = "maquette.copy_report"
    bl_label = "Copy Report"
    bl_description = "Copy versions, settings and the end of the log to the clipboard, without prompt and home folder"

    job: bpy.props.StringProperty(name="Job", description="Its folder", options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Put the report on the clipboard."""
        programs = {"Blender": f"{bpy.app.version_string} ({bpy.app.build_platform.decode(errors='replace')})"}
        context.window_manager.clipboard = bug_report.report(Path(self.job), programs)
        self.report({"INFO"}, say_report("The report is on the clipboard"))
        return {"FINISHED"}


class MAQUETTE_OT_reset_settings(bpy.types.Operator):
    """Go back to the preset"""

    bl_idname = "maquette.reset_settings"
    bl_label = "Reset to Preset"
    bl_description = "Give the setting the value that the preset has"
    bl_options = {"REGISTER", "UNDO"}

    name: bpy.props.StringProperty(name="Setting", description="All if empty", options={"SKIP_SAVE", "HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Need a setting that differs."""
        if not properties.changed_settings(context.scene.maquette):
            cls.poll_message_set(say("All settings are those of the preset"))
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Forget what was changed."""
        properties.reset_settings(context.scene.maquette, self.name)
        return {"FINISHED"}


class MAQUETTE_OT_open_folder(bpy.types.Operator):
    """Show the files of a job"""

    bl_idname = "maquette.open_folder"
    bl_label = "Open Folder"
    bl_description = "Show the files of the job in the file manager"

    job: bpy.props.StringProperty(name="Job", description="Its folder", options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Leave it to the system."""
        if not Path(self.job).is_dir():
            self.report({"ERROR"}, say_report("The folder {folder} is gone", folder=self.job))
            return {"CANCELLED"}
        bpy.ops.wm.path_open(filepath=self.job)
        return {"FINISHED"}


CLASSES = (
    MAQUETTE_OT_generate,
    MAQUETTE_OT_cancel,
    MAQUETTE_OT_finish,
    MAQUETTE_OT_resume,
    MAQUETTE_OT_copy_report,
    MAQUETTE_OT_reset_settings,
    MAQUETTE_OT_open_folder,
)
