"""Generate from many pictures at once: image empties, files or assets that are selected, or a folder."""

# Blender makes its module at run time, and reads properties from annotations that are calls.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportInvalidTypeForm=false

from __future__ import annotations

import logging
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy

from .. import api, preferences, protocol
from ..jobs import batch, store
from ..jobs.pending_imports import Place
from ..language.saying import paragraph, say, say_report
from ..protocol import Phrase
from ..scene import image_files, importer, placing
from . import auto_import, generate, properties, session
from .reference_list import nothing_beside_files
from .results import importing

WATCH_SECONDS = 1.0
MAX_NUMBER = 10_000  # of the files that are written for a moment; those of the panel's own images come after it
LABEL = "Generate from Selected Images"

Pictures = list[tuple[str, Path]]
Spots = list[Place]  # where the results of the pictures go

_batches: list[batch.Batch] = []  # that are not over
_log = logging.getLogger(__name__)


# ---- which pictures --------------------------------------------------------------------------------------------------


def selected_empties(context: bpy.types.Context) -> list[bpy.types.Image]:
    """Return the images of the selected image empties, each once, by name."""
    found = {
        item.data.name: item.data
        for item in context.selected_objects
        if item.type == "EMPTY" and item.empty_display_type == "IMAGE" and item.data is not None
    }
    return [found[name] for name in sorted(found)]


def selected_files(context: bpy.types.Context) -> list[Path]:
    """Return the picture files that are selected in the File Browser that the pointer is in."""
    space = context.space_data
    if space is None or space.type != "FILE_BROWSER" or space.browse_mode != "FILES" or space.params is None:
        return []
    folder = Path(os.fsdecode(space.params.directory))
    paths = [folder / entry.relative_path for entry in context.selected_files or ()]
    return [path for path in paths if path.suffix.lower() in batch.SUFFIXES]


def selected_assets(context: bpy.types.Context) -> Iterator[tuple[str, str, bpy.types.Image | None]]:
    """Yield name, library file and, if it is in this .blend, the image of each selected image asset."""
    for asset in getattr(context, "selected_assets", None) or ():
        if asset.id_type == "IMAGE":
            yield asset.name, asset.full_library_path, asset.local_id


def _of_images(images: list[bpy.types.Image], folder: Path) -> Pictures:
    """Return name and file of images; those that have no file of their own get one in a folder."""
    return [(Path(image.name).stem, image_files.file_of(image, folder, n)) for n, image in enumerate(images)]


def _of_assets(context: bpy.types.Context, folder: Path) -> Pictures:
    """Return name and file of the selected image assets; those of other .blend files are linked for a moment."""
    found: Pictures = []
    for number, (name, library, local) in enumerate(selected_assets(context)):
        image, is_linked = local, False
        if image is None:
            with bpy.data.libraries.load(library, link=True) as (_, wanted):
                wanted.images = [name]
            image, is_linked = wanted.images[0], True
        if image is None:
            told = "The asset {name} is not in {library}. Refresh the Asset Browser."
            raise image_files.ImageMissing(Phrase(told, name=name, library=library))
        try:
            found.append((name, image_files.file_of(image, folder, 1000 + number)))
        finally:
            if is_linked:
                bpy.data.images.remove(image)
    return found


def pictures_of(context: bpy.types.Context, directory: str, temporary: Path) -> Pictures:
    """Return name and file of the pictures in a folder, else of those that are selected. Raises ValueError."""
    if directory:
        folder = Path(bpy.path.abspath(directory))
        if not folder.is_dir():
            raise ValueError(Phrase("There is no folder {folder}. Check the path.", folder=folder))
        return [(batch.name_of(path), path) for path in batch.pictures_in(folder)]
    found = [(batch.name_of(path), path) for path in selected_files(context)]
    found += _of_assets(context, temporary) or []
    found += _of_images(selected_empties(context), temporary) if not found else []
    if not found:
        told = "No image is selected: select image empties, or pictures in a File or Asset Browser."
        raise ValueError(Phrase(told))
    return found


def plan_of(
    context: bpy.types.Context,
    pictures: Pictures,
    styles: list[tuple[Path, dict[str, Any]]],
    prompt: str,
    folder: Path,
    seen: tuple[float, ...] = (0.0, 0.0, 40.0),
) -> list[batch.Item]:
    """Return what is to be done for each picture, with the settings of the panel; the jobs lie in a folder.

    All pictures are `seen` from one place: elevation, azimuth, field of view, in degrees.
    """
    props = context.scene.maquette

    def request_of(prompt: str, image: protocol.InputImage) -> protocol.Request:
        said = {"name": image.name} | protocol.image_fields("reconstruct", *seen)
        images = protocol.input_images([(Path(image.path), said), *styles])
        return properties.request_of(props, images, prompt=prompt)

    return batch.plan(pictures, prompt, request_of, folder, session.waiting(), [source for source, _ in styles])


# ---- the operators ---------------------------------------------------------------------------------------------------


class MAQUETTE_OT_batch(properties.SeenFrom, bpy.types.Operator):
    """Make one object from each picture"""

    bl_idname = "maquette.batch"
    bl_label = LABEL
    bl_description = (
        "Queue one job for each selected image empty, each image selected in this File or Asset Browser, or each "
        "picture of a folder, with the settings of the panel"
    )
    bl_options = {"REGISTER"}

    directory: bpy.props.StringProperty(
        name="Folder",
        description="Use each picture of this folder instead of what is selected",
        subtype="DIR_PATH",
        options={"SKIP_SAVE"},
    )
    prompt: bpy.props.StringProperty(
        name="Prompt", description="Of each job; {name} becomes the name of the image", default="{name}"
    )
    import_when_done: bpy.props.BoolProperty(
        name="Import When Done",
        description="Put the results into a row or square at the 3D cursor, each when it is done",
        default=False,
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Need a scene, whose settings are used."""
        if context.scene is None:
            cls.poll_message_set(say("There is no scene"))
        return context.scene is not None

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask for the prompt and the camera, and show what would be done."""
        if not self.properties.is_property_set("import_when_done"):
            self.import_when_done = context.scene.maquette.import_when_done
        title = MAQUETTE_OT_batch_folder.bl_label if self.directory else LABEL
        return context.window_manager.invoke_props_dialog(self, width=420, title=title, confirm_text="Generate")

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the wishes; what is selected is counted, and judged when the artist has decided."""
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "prompt")
        column = layout.column(align=True)
        for name in properties.ANGLES:
            column.prop(self, name)
        layout.prop(self, "import_when_done")
        count = len(selected_empties(context)) + len(selected_files(context)) + sum(1 for _ in selected_assets(context))
        if styles := len(properties.chosen_images(context.scene.maquette, "visual_prompt")):
            text = say("Each with the panel's images of style or likeness: {count}", count=styles)
            layout.label(text=text, icon="COLOR", translate=False)
        if self.directory:
            text = say("Each picture of {folder}", folder=self.directory)
            layout.label(text=text, icon="FILE_FOLDER", translate=False)
        else:
            text = say("{count} images are selected", count=count)
            layout.label(text=text, icon="INFO" if count else "ERROR", translate=False)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Make the jobs; in background mode, run each to its end."""
        props = context.scene.maquette
        try:
            with tempfile.TemporaryDirectory(prefix="maquette-") as temporary:
                pictures = pictures_of(context, self.directory, Path(temporary))
                styles = generate.files_of(context.scene.maquette, "visual_prompt", Path(temporary), MAX_NUMBER)
                preferences.interpreter(context)  # or say what is missing, before anything is written
                items = plan_of(context, pictures, styles, self.prompt, preferences.jobs_folder(context), self.degrees)
                made, spots = self._begin(context, items)
        except (ValueError, *generate.CANNOT_START) as error:
            self.report({"ERROR"}, generate.sentence(error))
            return {"CANCELLED"}
        if bpy.app.background:
            _run_to_the_end(made, self.import_when_done, props, spots)
            is_bad = made.problems or any(isinstance(last, protocol.Failed) for last in made.ends.values())
            self.report({"ERROR" if is_bad else "INFO"}, say_report(batch.summary(made)))
            return {"CANCELLED" if is_bad else "FINISHED"}
        _batches.append(made)
        if not bpy.app.timers.is_registered(_watch):
            bpy.app.timers.register(_watch, first_interval=WATCH_SECONDS, persistent=True)
        self.report({"WARNING" if made.problems else "INFO"}, say_report(batch.summary(made)))
        return {"FINISHED"}

    def _begin(self, context: bpy.types.Context, items: list[batch.Item]) -> tuple[batch.Batch, Spots]:
        """Make the jobs; return them, and the place of each picture's result around the 3D cursor."""
        height = float(properties.changed_settings(context.scene.maquette).get("height", 0.0))
        spots = placing.around(context.scene.cursor.location, len(items), placing.apart_at(height))

        def enqueue(job: Path, place: int) -> None:
            if not bpy.app.background:
                session.enqueue(context, job, self.import_when_done, spots[place])

        made = batch.begin(items, preferences.jobs_folder(context), enqueue)
        if self.import_when_done and not bpy.app.background:
            for job in made.places.keys() - made.jobs.keys():  # done or queued already
                if not any(importing.copies(job)):
                    auto_import.want(job, spots[made.places[job]])
            session.start_timer()
        return made, spots


class MAQUETTE_OT_batch_folder(bpy.types.Operator):
    """Choose a folder of pictures"""

    bl_idname = "maquette.batch_folder"
    bl_label = "Generate from a Folder"
    bl_description = "Queue one job for each picture of a folder, with the settings of the panel"

    directory: bpy.props.StringProperty(
        name="Folder", description="Its pictures are used", subtype="DIR_PATH", options={"SKIP_SAVE"}
    )
    filter_folder: bpy.props.BoolProperty(
        name="Show Folders", description="Show folders", default=True, options={"HIDDEN", "SKIP_SAVE"}
    )
    filter_image: bpy.props.BoolProperty(
        name="Show Images", description="Show pictures", default=True, options={"HIDDEN", "SKIP_SAVE"}
    )
    hide_props_region: nothing_beside_files()

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Let the artist choose."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask for the prompt, then go on as with what is selected."""
        how = "EXEC_DEFAULT" if bpy.app.background else "INVOKE_DEFAULT"
        return bpy.ops.maquette.batch(how, directory=self.directory)


class MAQUETTE_PT_batch(bpy.types.Panel):
    """Many at once"""

    bl_idname = "MAQUETTE_PT_batch"
    bl_label = "Batch"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = session.CATEGORY
    bl_order = 4
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the two ways in, and how the batches on their way stand."""
        layout = self.layout
        column = layout.column(align=True)
        column.operator(MAQUETTE_OT_batch.bl_idname, icon="OUTLINER_OB_IMAGE")
        column.operator(MAQUETTE_OT_batch_folder.bl_idname, icon="FILE_FOLDER")
        column.operator("maquette.send_to_farm", icon="NETWORK_DRIVE")
        for made in _batches:
            paragraph(layout, context, say(batch.summary(made)), "TIME")


def _run_to_the_end(made: batch.Batch, is_imported: bool, props: Any, spots: Spots) -> None:
    """Run the jobs one after the other, each going on when another has failed; import also what was done already."""
    for job, place in list(made.places.items()):
        try:
            is_done = job not in made.jobs
            last = store.last_message(job) if is_done else api.wait(job)
            if not is_done:
                made.ends[job] = last
            is_there = is_done and any(importing.copies(job))
            if is_imported and not is_there and isinstance(last, protocol.Finished) and not last.stopped_after:
                importing.bring(job, props, spots[place])
        except api.JobError as error:
            made.ends[job] = protocol.Failed(kind=type(error).__name__, message=error.message, hint=error.hint)
            if made.leave_out(job):
                del made.ends[job]
        except importer.ImportFailed as error:
            made.problems.append((made.jobs.get(job, job.name), protocol.sentence_of(error)))


# ---- the summary at the end ------------------------------------------------------------------------------------------


def _watch() -> float | None:
    """Note which jobs have ended; when a batch is over, say so."""
    for made in list(_batches):
        for job in made.jobs.keys() - made.ends.keys():
            last = session.course(job).last
            is_there = session.is_waiting(job) or job in session.all_running()
            if not is_there and (last is not None or not session.is_busy() or not job.is_dir()):
                made.ends[job] = last
        if made.is_over:
            _batches.remove(made)
            _tell(batch.summary(made))
    return WATCH_SECONDS if _batches else None


def _tell(text: str) -> None:
    """Show the summary over the first window, and keep it in the log."""
    _log.info("%s", text)
    manager = bpy.context.window_manager
    if not bpy.app.background and len(manager.windows):
        with bpy.context.temp_override(window=manager.windows[0]):
            manager.popup_menu(lambda menu, _: _draw_summary(menu.layout, say(text)), title="Maquette", icon="INFO")


def _draw_summary(layout: Any, text: str) -> None:
    for line in re.split(r"\. |(?<=。) ?", text):
        layout.label(text=line, translate=False)


def _draw_menu(menu: bpy.types.Menu, context: bpy.types.Context) -> None:
    menu.layout.separator()
    menu.layout.operator_context = "INVOKE_DEFAULT"
    menu.layout.operator(MAQUETTE_OT_batch.bl_idname, icon="SHADERFX")


MENUS = ("FILEBROWSER_MT_context_menu", "ASSETBROWSER_MT_context_menu", "VIEW3D_MT_object_context_menu")


def register_extra() -> None:
    """Offer it where pictures are selected."""
    for name in MENUS:
        getattr(bpy.types, name).append(_draw_menu)


def unregister_extra() -> None:
    """Take the menu entries back; jobs of a batch are in the queue and in the history."""
    for name in MENUS:
        getattr(bpy.types, name).remove(_draw_menu)
    if bpy.app.timers.is_registered(_watch):
        bpy.app.timers.unregister(_watch)
    _batches.clear()


CLASSES = (MAQUETTE_OT_batch, MAQUETTE_OT_batch_folder, MAQUETTE_PT_batch)
