"""Install, check, verify and remove the backend from Blender, and put right what went wrong: operators and a timer."""

# Blender makes its module at run time, and reads properties from annotations that are calls.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportInvalidTypeForm=false

from __future__ import annotations

import atexit
import contextlib
import logging
import re
from pathlib import Path
from typing import Any

import bpy

from .. import paths, preferences, protocol
from ..install import background, diagnosis, environment
from ..language.saying import say, say_report, say_tip, without_stop
from ..protocol import Phrase
from ..protocol.systems import PRESETS

TICK_SECONDS = 0.2
WAIT = "Wait until the other work on the backend is done"
CHECKED_FILE = "checked"  # names the version and the Python that were found to be well
DRIVER_PAGE = "https://www.nvidia.com/drivers"
LOWER_PRESETS = dict(zip(list(PRESETS)[1:], PRESETS, strict=False))  # the next shorter one
# What Blender puts before the sentence of an operator that another one called: its kind, or which poll said no.
CALLED = re.compile(r"^(Error: |Operator bpy\.ops\.[\w.]+\(\) (failed, )?)+")

_log = logging.getLogger(__name__)
_is_noted = False  # that the preferences were drawn
_asked = ""  # what a check is about that nobody asked for


def why_not_change(context: bpy.types.Context) -> str:
    """Return why the environment cannot be changed now, else nothing."""
    if background.task() is not None:
        return say(WAIT)
    if preferences.own_python(context):
        return say("A Python of yours is used: clear Existing Python, or the variable MAQUETTE_PYTHON, first")
    return ""


def why_not_install(context: bpy.types.Context) -> str:
    """Return why nothing can be installed now, else nothing."""
    return why_not_change(context) or preferences.why_offline(context)


class Setup:
    """What the operators here share: in the background they run to the end, and raise when they fail."""

    bl_options = {"REGISTER", "INTERNAL"}
    report: Any

    def run(self, context: bpy.types.Context, command: str, *arguments: str | Path) -> set[str]:
        """Start a command of `python -m addon`."""
        variables = preferences.child_variables(context) | self.more_variables(context)
        background.start(command, *arguments, variables=variables)
        if not bpy.app.background:
            start_timer()
            return {"FINISHED"}
        while background.task() is not None:
            background.poll()
        found = background.found()
        if found is not None and not found.is_usable:
            self.report({"ERROR"}, say_report(found.sentence))
            return {"CANCELLED"}
        return {"FINISHED"}

    def more_variables(self, context: bpy.types.Context) -> dict[str, str]:
        """Return what else the environment of the command has."""
        return {}

    def is_in_use(self) -> bool:
        """End what uses the packages, or report why that cannot be."""
        reason = next((reason for end in preferences.before_change if (reason := end())), "")
        if reason:
            self.report({"ERROR"}, reason)
        return bool(reason)


class MAQUETTE_OT_install_backend(Setup, bpy.types.Operator):
    """Install the backend."""

    bl_idname = "maquette.install_backend"
    bl_label = "Install"
    bl_description = (
        "Make an environment for the backend and install its packages into it; fetches some gigabytes from the "
        "package index, and Blender stays usable meanwhile"
    )

    anew: bpy.props.BoolProperty(
        name="Anew", description="Make it again even if it seems whole", options={"SKIP_SAVE", "HIDDEN"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Allow it when Blender may go online and nothing else is at work."""
        reason = why_not_install(context)
        cls.poll_message_set(reason)
        return not reason

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start the installation."""
        if self.is_in_use():
            return {"CANCELLED"}
        options = ["--anew"] if self.anew else []
        base, wheels = preferences.chosen(context, "base_python"), preferences.chosen(context, "wheels")
        options += ["--python", bpy.path.abspath(base)] if base else []
        options += ["--wheels", bpy.path.abspath(wheels)] if wheels else []
        torch = preferences.chosen(context, "torch_build")
        options += ["--torch", torch.lower()] if torch in ("CUDA", "CPU") else []
        return self.run(context, "make", preferences.environment_folder(context), *options)


class MAQUETTE_OT_verify_backend(Setup, bpy.types.Operator):
    """Verify the backend."""

    bl_idname = "maquette.verify_backend"
    bl_label = "Verify"
    bl_description = "Compare every installed file with what was installed, and try each engine; takes a minute"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Allow it when nothing else is at work."""
        reason = why_not_change(context)
        cls.poll_message_set(reason)
        return not reason

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start the comparison."""
        return self.run(context, "verify", preferences.environment_folder(context))


class MAQUETTE_OT_check_backend(Setup, bpy.types.Operator):
    """Ask the backend what it can run."""

    bl_idname = "maquette.check_backend"
    bl_label = "Check"
    bl_description = "Ask the backend what this machine can run; takes seconds"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Allow it when there is a Python to ask."""
        try:
            preferences.interpreter(context)
        except environment.EnvironmentMissing as missing:
            cls.poll_message_set(without_stop(say(missing.message)))
            return False
        cls.poll_message_set(say(WAIT))
        return background.task() is None

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask."""
        return self.run(context, "diagnose", preferences.interpreter(context))


class MAQUETTE_OT_remove_backend(Setup, bpy.types.Operator):
    """Remove the backend."""

    bl_idname = "maquette.remove_backend"
    bl_label = "Remove"
    bl_description = "Delete the installed packages; jobs and their results stay"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Allow it when nothing else is at work."""
        reason = why_not_change(context)
        cls.poll_message_set(reason)
        return not reason

    def invoke(self, context: bpy.types.Context, event: Any) -> set[str]:
        """Ask first."""
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start the removal."""
        if self.is_in_use():
            return {"CANCELLED"}
        return self.run(context, "remove", preferences.environment_folder(context))


class MAQUETTE_OT_stop_setup(bpy.types.Operator):
    """Stop what is at work."""

    bl_idname = "maquette.stop_setup"
    bl_label = "Stop"
    bl_description = "Stop the installation and leave what was there before"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Allow it once, while something is at work."""
        task = background.task()
        return task is not None and not task.is_stopping

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask it to stop."""
        task = background.task()
        if task is not None:
            task.stop()
        return {"FINISHED"}


class MAQUETTE_OT_fix(bpy.types.Operator):
    """Put right what went wrong."""

    bl_idname = "maquette.fix"
    bl_label = "Fix"
    bl_description = "Put right what went wrong"
    bl_options = {"INTERNAL"}

    fix: bpy.props.EnumProperty(
        name="Fix",
        description="What to do about it",
        items=[(name, label, tooltip) for name, (label, tooltip) in diagnosis.FIXES.items()],
        options={"SKIP_SAVE"},
    )
    job: bpy.props.StringProperty(name="Job", description="The folder of the job that failed", options={"SKIP_SAVE"})

    @classmethod
    def description(cls, context: bpy.types.Context, properties: Any) -> str:
        """Return the tooltip of this fix."""
        return say_tip(diagnosis.FIXES[properties.fix][1])

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Do it; what the called operator reports becomes ours."""
        try:
            result = put_right(context, self.fix, self.job)
        except RuntimeError as error:
            self.report({"ERROR"}, CALLED.sub("", str(error).strip()))
            return {"CANCELLED"}
        if self.fix == "preset":
            preset = Phrase(PRESETS[context.scene.maquette.preset][0])
            self.report({"INFO"}, say_report("The preset is {preset} now", preset=preset))
        return result


def put_right(context: bpy.types.Context, fix: str, job: str) -> set[str]:
    """Do one of diagnosis.FIXES; `job` is the folder of the job that failed. Raises RuntimeError as operators do."""
    ours, props = bpy.ops.maquette, context.scene.maquette
    match fix:
        case "install" | "repair":
            return ours.install_backend(anew=fix == "repair")
        case "choose" | "device" | "models":
            return bpy.ops.preferences.addon_show(module=preferences.NAME)
        case "online" | "update":
            context.preferences.active_section = "SYSTEM" if fix == "online" else "EXTENSIONS"
            return bpy.ops.screen.userpref_show()
        case "driver":
            return bpy.ops.wm.url_open(url=DRIVER_PAGE)
        case "space":
            return bpy.ops.wm.path_open(filepath=str(preferences.jobs_folder(context)))
        case "folder":
            return bpy.ops.wm.path_open(filepath=job)
        case "log":
            installation = environment.log_file(preferences.environment_folder(context))
            if not job:
                return bpy.ops.wm.path_open(filepath=str(installation))
            try:
                protocol.file_size(Path(job), protocol.LOG_FILE)
            except protocol.LinkInside as error:  # another program would follow it
                raise RuntimeError(str(error)) from error
            return bpy.ops.wm.path_open(filepath=str(Path(job) / protocol.LOG_FILE))
        case "preset":
            props.preset = LOWER_PRESETS.get(str(props.preset), props.preset)
            return {"FINISHED"}
        case "seed":
            props.new_seed = True
            return ours.generate()
        case "resume":
            return ours.resume(job=job)
        case "again":
            return ours.import_result(job=job)
    raise ValueError(fix)


# ---- the timer -------------------------------------------------------------------------------------------------------


def start_timer() -> None:
    """Look after what is at work until it is done."""
    if not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=TICK_SECONDS, persistent=True)


def _tick() -> float | None:
    """Take what was said; redraw the preferences and our tab if that was anything."""
    if background.poll():
        for window in bpy.context.window_manager.windows:
            for area in window.screen.areas:
                if area.type in ("PREFERENCES", "VIEW_3D"):
                    area.tag_redraw()
    if background.task() is not None:
        return TICK_SECONDS
    _note_answer()
    return None


# ---- once after an update, and when a Python is chosen ---------------------------------------------------------------


def _note_drawing() -> None:
    """Have the backend checked a moment after the preferences were drawn for the first time."""
    global _is_noted
    if not _is_noted:
        _is_noted = True
        bpy.app.timers.register(check_after_update, first_interval=0.0, persistent=True)


def check_after_update() -> None:
    """Ask the backend what it can run, if this version of the extension has not asked this Python yet.

    That takes seconds, in a process of its own, and needs no network.
    """
    if background.task() is not None:
        return
    try:
        python = preferences.interpreter(bpy.context)
        asked = f"{paths.version()} {python}"
        record = preferences.user_folder() / CHECKED_FILE
        if record.is_file() and record.read_text(encoding="utf-8") == asked:
            return
    except (environment.EnvironmentMissing, OSError):  # the preferences say so already
        return
    _ask(python)


def _ask(python: Path) -> None:
    global _asked
    background.start("diagnose", python, variables=preferences.child_variables(bpy.context))
    _asked = f"{paths.version()} {python}"
    start_timer()


def _note_choice() -> None:
    if not bpy.app.background and not bpy.app.timers.is_registered(check_chosen):
        bpy.app.timers.register(check_chosen, first_interval=0.0, persistent=True)


def check_chosen() -> float | None:
    """Ask the Python that was chosen what it can run, so that a wrong one is told before a job; later if busy."""
    if background.task() is not None:
        return TICK_SECONDS
    if preferences.own_python(bpy.context):
        with contextlib.suppress(environment.EnvironmentMissing):  # the preferences say so already
            _ask(preferences.interpreter(bpy.context))
    return None


def _note_answer() -> None:
    """Remember that all was well with this version; else it is asked again in the next session."""
    global _asked
    found = background.found()
    if _asked and found is not None and found.is_usable:
        try:
            (preferences.user_folder() / CHECKED_FILE).write_text(_asked, encoding="utf-8")
        except OSError as error:
            _log.warning("It could not be noted that the backend was checked: %s", error)
    _asked = ""


def register_extra() -> None:
    """Heed when the preferences are drawn or a Python is chosen; end what is at work when Blender leaves."""
    preferences.when_drawn.append(_note_drawing)
    preferences.when_chosen.append(_note_choice)
    atexit.register(background.close)


def unregister_extra() -> None:
    """End what is at work and take everything back."""
    global _is_noted, _asked
    preferences.when_drawn.remove(_note_drawing)
    preferences.when_chosen.remove(_note_choice)
    atexit.unregister(background.close)
    for timer in (_tick, check_after_update, check_chosen):
        if bpy.app.timers.is_registered(timer):
            bpy.app.timers.unregister(timer)
    _is_noted, _asked = False, ""
    background.close()


CLASSES = (
    MAQUETTE_OT_install_backend,
    MAQUETTE_OT_verify_backend,
    MAQUETTE_OT_check_backend,
    MAQUETTE_OT_remove_backend,
    MAQUETTE_OT_stop_setup,
    MAQUETTE_OT_fix,
)
