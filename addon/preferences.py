"""What the artist sets once for all files: where the backend is, which GPU it uses, where the jobs lie."""

# Blender makes its module at run time, and reads properties from annotations that are calls.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportInvalidTypeForm=false

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy

from . import paths, processes, protocol, wording
from .install import background, diagnosis, driver, environment, interpreters
from .language.saying import paragraph, say
from .protocol import Phrase

NAME = paths.EXTENSION or "addon"  # outside of an installed extension, the package itself
AUTOMATIC, CPU = "AUTOMATIC", "CPU"
MAX_PATH_IN_JOBS = 110  # characters of a job's name and of the longest name of a file in it
HERE = {"choose", "device", "models"}  # fixes that show the preferences
INSTALLING = {"install", "repair"}  # fixes that fetch packages
# What was chosen, among our files: Blender forgets the preferences of an add-on that is disabled.
KEPT_FILE = "preferences.json"
KEPT = (
    "existing_python", "base_python", "wheels", "environment_folder", "device_number", "jobs_folder", "keep_jobs",
    "keep_running", "threads_of_a_worker", "models_folder", "hub_endpoint", "torch_build", "compile_networks",
)  # fmt: skip
NARROW = 500  # pixels of a sidebar, in which few buttons beside each other can be read
ICONS = {True: "CHECKMARK", False: "ERROR"}

# Asked before packages are changed: each ends what uses them and returns nothing, or says why it cannot.
before_change: list[Callable[[], str]] = []
# Called when the preferences are drawn; what it does must be cheap.
when_drawn: list[Callable[[], None]] = []
# Draw more of the preferences, below what is drawn here: each takes a layout and the context.
drawn_below: list[Callable[[Any, bpy.types.Context], None]] = []
when_chosen: list[Callable[[], None]] = []  # the same for when another Python or GPU was chosen
# Called when something was chosen that a running queue goes by.
when_changed: list[Callable[[], None]] = []

_devices: list[tuple[str, str, str, int]] = []  # Blender does not keep the strings of a list that is made anew


def _list_devices(preferences: Any, context: bpy.types.Context | None) -> list[tuple[str, str, str, int]]:
    """Return what jobs may run on; the names of the GPUs are known once the backend was asked."""
    found = background.found()
    names = list(found.gpus if found else ())
    names += [f"GPU {index}" for index in range(len(names), preferences.device_number - 1)]  # a choice is not lost
    _devices[:] = [
        (AUTOMATIC, Phrase("Automatic"), Phrase("The first NVIDIA GPU, else the processor"), 0),
        (CPU, Phrase("Processor"), Phrase("Leave the GPUs to Blender; takes many times longer"), 1),
        *((str(i), f"{i}: {name}", Phrase("Jobs run on this GPU only"), i + 2) for i, name in enumerate(names)),
    ]
    return _devices


def _set_device(preferences: Any, number: int) -> None:
    preferences.device_number = number


def _changed(preferences: Any, context: bpy.types.Context) -> None:
    """Forget what was found: it was about another Python or GPU."""
    background.forget()
    for heed in when_chosen:
        heed()


def _keeping_changed(preferences: Any, context: bpy.types.Context) -> None:
    for heed in when_changed:
        heed()


class MAQUETTE_AP_preferences(bpy.types.AddonPreferences):
    """Where the backend is, what it runs on, and where its files lie."""

    bl_idname = NAME

    base_python: bpy.props.StringProperty(
        name="Python",
        description="The Python 3.11 or 3.13 that the environment is made from; empty for the first that is found: "
        "one on the path, else Blender's own",
        subtype="FILE_PATH",
        update=_changed,
    )
    wheels: bpy.props.StringProperty(
        name="Wheels Folder",
        description="Install from the packages in this folder, without the network; empty to fetch them",
        subtype="DIR_PATH",
    )
    torch_build: bpy.props.EnumProperty(name="Torch", description="Which torch Install fetches", items=driver.CHOICES)
    environment_folder: bpy.props.StringProperty(
        name="Environment Folder",
        description="Where the backend's packages are installed; empty for a folder among Blender's user files",
        subtype="DIR_PATH",
        update=_changed,
    )
    existing_python: bpy.props.StringProperty(
        name="Existing Python",
        description="A Python that has the backend's packages already, such as a studio's; nothing is installed",
        subtype="FILE_PATH",
        update=_changed,
    )
    device: bpy.props.EnumProperty(
        name="Device",
        description="What the backend's jobs run on; Blender itself goes on with what its own preferences say",
        items=_list_devices,
        get=lambda preferences: preferences.device_number,
        set=_set_device,
    )
    device_number: bpy.props.IntProperty(options={"HIDDEN"}, min=0, update=_changed)  # 0 automatic, 1 none, 2 GPU 0
    threads_of_a_worker: bpy.props.IntProperty(
        name="Threads of a Worker",
        description="Without a GPU, run several jobs of the queue at once, each with so many threads; 0 runs one job "
        "on all cores. With the device Automatic each GPU of the machine takes a job of its own",
        min=0,
        soft_max=64,
    )
    compile_networks: bpy.props.BoolProperty(
        name="Compile Networks",
        description="Let torch compile networks: faster steps on a graphics card, after minutes of waiting in each job",
    )
    jobs_folder: bpy.props.StringProperty(
        name="Jobs Folder",
        description="Where the folders of the jobs are made; empty for a folder among Blender's user files",
        subtype="DIR_PATH",
    )
    keep_jobs: bpy.props.IntProperty(
        name="Keep Jobs",
        description="How many jobs Keep the Newest Jobs proposes to leave; nothing is deleted by itself",
        default=20,
        min=0,
        soft_max=1000,
    )
    keep_running: bpy.props.BoolProperty(
        name="Keep Running When Blender Closes",
        description="Let the jobs of the queue go on by themselves; the next Blender shows them again",
        update=_keeping_changed,
    )
    models_folder: bpy.props.StringProperty(
        name="Models Folder",
        description="Where fetched and imported models are; empty for a folder among Blender's user files",
        subtype="DIR_PATH",
    )
    hub_endpoint: bpy.props.StringProperty(
        name="Hub", description="Another address to fetch models from, such as a mirror's; empty for the public hub"
    )
    hub_token: bpy.props.StringProperty(
        name="Token",
        description="Your token at the hub, for models that are given to those only who accept their terms",
        subtype="PASSWORD",
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the status of the backend and what can be done about it, the choices, and the way to the manual."""
        for note in when_drawn:
            note()
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        _draw_status(layout.box(), context)
        column = layout.column()
        for name in ("device", "threads_of_a_worker", "compile_networks", "existing_python"):
            column.prop(self, name)
        install = column.column()
        install.active = not self.existing_python
        for name in ("base_python", "torch_build", "wheels", "environment_folder"):
            install.prop(self, name)
        column = layout.column()
        for name in ("jobs_folder", "keep_jobs", "keep_running"):
            column.prop(self, name)
        for draw in drawn_below:
            draw(layout, context)
        layout.operator("maquette.open_manual", text="Manual", icon="HELP")


# ---- what others ask -------------------------------------------------------------------------------------------------


def of(context: bpy.types.Context) -> Any | None:
    """Return the preferences, None where the add-on was registered without being enabled."""
    entry = context.preferences.addons.get(NAME)
    return entry.preferences if entry is not None else None


def chosen(context: bpy.types.Context, name: str, default: Any = "") -> Any:
    """Return one of the preferences, the default where there are none."""
    own = of(context)
    return getattr(own, name) if own is not None else default


def interpreter(context: bpy.types.Context) -> Path:
    """Return the Python that runs the backend: the artist's own, MAQUETTE_PYTHON's, or the installed one.

    Cheap, for drawing. Raises EnvironmentMissing, with a sentence and what to do.
    """
    own = own_python(context)
    if own:
        path = _absolute(own)
        if not path.is_file():
            raise environment.EnvironmentMissing(
                Phrase("There is no Python at {path}.", path=path), interpreters.CHOOSE_ANOTHER
            )
        return path
    folder = environment_folder(context)
    state = diagnosis.glance(folder)
    if not state.is_usable:
        hint = Phrase("Install it in the preferences of Maquette.")
        if bpy.app.background:
            hint = "Install it in the preferences of Maquette, or name a Python that has it in MAQUETTE_PYTHON."
        raise environment.EnvironmentMissing(state.sentence, hint)
    return paths.backend_python(folder)


def own_python(context: bpy.types.Context) -> str:
    """Return the Python with the backend's packages that the artist has, empty if we installed one ourselves."""
    return chosen(context, "existing_python") or os.environ.get("MAQUETTE_PYTHON", "")


def child_variables(context: bpy.types.Context) -> dict[str, str]:
    """Return the variables by which the backend finds its models, keeps to the chosen GPU or to none, and compiles."""
    compiled = {"MAQUETTE_COMPILE": "on"} if chosen(context, "compile_networks", False) else {}
    found = {"MAQUETTE_MODELS": str(models_folder(context))} | compiled
    device = chosen(context, "device", AUTOMATIC)
    if device == AUTOMATIC:
        return found
    visible = "-1" if device == CPU else device
    return found | {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": visible}


def workers(context: bpy.types.Context) -> list[dict[str, str]]:
    """Return the environment variables of each worker of the queue: one a GPU, or one for so many threads."""
    device, found = chosen(context, "device", AUTOMATIC), background.found()
    gpus = len(found.gpus) if found else 0
    if device == AUTOMATIC and gpus > 1:
        each = [{"CUDA_VISIBLE_DEVICES": str(index)} for index in range(min(gpus, protocol.MOST_WORKERS))]
        return [child_variables(context) | {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", **variables} for variables in each]
    threads = int(chosen(context, "threads_of_a_worker", 0))
    if threads < 1 or not (device == CPU or (device == AUTOMATIC and found and gpus == 0)):
        return [child_variables(context)]
    count = min(max((os.cpu_count() or 1) // threads, 1), protocol.MOST_WORKERS)
    return [child_variables(context) | {"MAQUETTE_THREADS": str(threads)}] * count


def why_offline(context: bpy.types.Context) -> str:
    """Return why no packages can be had, else nothing."""
    if bpy.app.online_access or chosen(context, "wheels"):
        return ""
    return say("Blender may not go online: allow that in the preferences under System, or choose a wheels folder")


def environment_folder(context: bpy.types.Context) -> Path:
    """Return where the backend's environment is, or will be."""
    own = chosen(context, "environment_folder")
    return _absolute(own) if own else user_folder() / "environment"


def jobs_folder(context: bpy.types.Context) -> Path:
    """Return where the job folders are."""
    own = chosen(context, "jobs_folder")
    return processes.long_path(_absolute(own) if own else paths.jobs_folder(user_folder()), MAX_PATH_IN_JOBS)


def models_folder(context: bpy.types.Context) -> Path:
    """Return where fetched and imported models are: as chosen, MAQUETTE_MODELS, or among Blender's user files."""
    own = chosen(context, "models_folder") or os.environ.get("MAQUETTE_MODELS", "")
    return _absolute(own) if own else paths.models_folder(user_folder())


def subjects_folder() -> Path:
    """Return where kept subjects are."""
    return processes.long_path(paths.subjects_folder(user_folder()), MAX_PATH_IN_JOBS)


def keeps_running(context: bpy.types.Context) -> bool:
    """Say whether the queue goes on when Blender closes."""
    return bool(chosen(context, "keep_running", False))


def user_folder() -> Path:
    """Return Blender's folder for our files, and make it."""
    if paths.EXTENSION:
        return paths.user_folder()
    return Path(bpy.utils.user_resource("DATAFILES", path="maquette", create=True))


def _absolute(path: str) -> Path:
    return Path(bpy.path.abspath(path)).absolute()


# ---- disabled and enabled again --------------------------------------------------------------------------------------


def register_extra() -> None:
    """Take back what was chosen before the add-on was disabled, where Blender itself knows nothing of it."""
    own = of(bpy.context)
    if own is None:
        return
    try:
        kept = json.loads((user_folder() / KEPT_FILE).read_text(encoding="utf-8"))
        for name in KEPT:
            if name in kept and not own.is_property_set(name):
                setattr(own, name, kept[name])
    except (OSError, ValueError, TypeError):  # never written, or by another hand: then the defaults hold
        return


def unregister_extra() -> None:
    """Keep what was chosen for the day when the add-on is enabled again."""
    own = of(bpy.context)
    if own is None:
        return
    chosen_now = {name: getattr(own, name) for name in KEPT if own.is_property_set(name)}
    with contextlib.suppress(OSError):  # a full disk is no reason to stay enabled
        (user_folder() / KEPT_FILE).write_text(json.dumps(chosen_now, indent=2) + "\n", encoding="utf-8")


# ---- drawing ---------------------------------------------------------------------------------------------------------


def status(context: bpy.types.Context) -> diagnosis.Diagnosis:
    """Return what is known of the backend now: what was found last, else what a glance shows."""
    found = background.found()
    if found is not None:
        return found
    try:
        interpreter(context)
    except environment.EnvironmentMissing as missing:
        own = diagnosis.Diagnosis("python", missing.message, missing.hint)
        return own if own_python(context) else diagnosis.glance(environment_folder(context))
    sentence = Phrase("The backend is there; Check says what it can run.")
    return diagnosis.Diagnosis("fine", sentence, is_usable=True)


def draw_diagnosis(
    layout: Any,
    context: bpy.types.Context,
    found: diagnosis.Diagnosis,
    job: Path | None = None,
    *,
    is_here: bool = False,
) -> None:
    """Draw a sentence and a button for each thing that may put it right.

    `job` is the one that failed, if one did. `is_here`: these are the preferences, and need not be shown.
    """
    text = say(found.sentence)
    if found.hint not in found.sentence:
        text = f"{text} {say(found.hint)}"
    paragraph(layout, context, text, ICONS[found.is_usable])
    useless = (HERE if is_here else set()) | (INSTALLING if own_python(context) else set())
    useless |= {"log"} if own_python(context) and job is None else set()  # it tells of what Install has made
    shown = [name for name in found.fixes if name not in useless]
    reason = why_offline(context) if INSTALLING & set(shown) else ""
    if reason:
        paragraph(layout, context, reason, "INFO")
        shown.append("online")
    is_wide = context.region is None or context.region.width >= NARROW * context.preferences.system.ui_scale
    row = layout.row(align=True) if is_wide else layout.column(align=True)
    row.scale_y = 1.3
    for name in dict.fromkeys(shown):
        place = row.row(align=True)
        place.enabled = not (reason and name in INSTALLING)
        button = place.operator("maquette.fix", text=diagnosis.FIXES[name][0])
        button.fix, button.job = name, str(job or "")


def _draw_status(box: Any, context: bpy.types.Context) -> None:
    """Draw what is at work, else what is known of the backend and what can be done with it."""
    task = background.task()
    if task is not None:
        row = box.row()
        row.progress(factor=task.share, text=say(task.text or task.command), type="BAR", translate=False)
        row.operator("maquette.stop_setup", text="", icon="CANCEL")
        return
    found = status(context)
    draw_diagnosis(box, context, found, is_here=True)
    folder = environment_folder(context)
    is_ours = not own_python(context)
    if is_ours:
        told = {"free": wording.size(environment.free_bytes(folder)), "folder": folder}
        text = say("{free} are free at {folder}", **told)
        if size := environment.read_record(folder).get("bytes"):
            text = say("It takes {taken}; {free} are free at {folder}", taken=wording.size(int(size)), **told)
        paragraph(box, context, text, "DISK_DRIVE")
    row = box.row(align=True)
    if found.kind != "missing":
        row.operator("maquette.check_backend")
    if is_ours and folder.is_dir():
        row.operator("maquette.verify_backend")
        if "repair" not in found.fixes:
            row.operator("maquette.install_backend", text="Repair").anew = True
        row.operator("maquette.remove_backend")


CLASSES = (MAQUETTE_AP_preferences,)
