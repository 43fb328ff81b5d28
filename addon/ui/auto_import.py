"""Results that the open .blend wants: which they are, when they may come, and the import as one undo step.

Who wants what lies beside the job folders (`jobs.pending_imports`), so that it outlives Blender;
here is what this one knows of it.
"""

# Blender makes its module at run time; pyright sees an almost empty one.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import bpy

from .. import protocol
from ..jobs import pending_imports
from ..jobs.progress import JobProgress
from ..language.saying import say

TOLD_SECONDS = 15.0  # in the status bar

Selection = tuple[frozenset[str], str]  # the names of the selected objects, and of the active one

_log = logging.getLogger(__name__)

_pending: dict[Path, pending_imports.PendingImport] = {}
_unwritten: set[Path] = set()  # those among them that are known to this Blender only
_file = ""  # the open .blend, when it was loaded or saved last
_errors: dict[Path, str] = {}
_selected: dict[Path, Selection] = {}  # when their results were wanted
_left: Selection | None = None  # by our last import
_next: Path | None = None  # what the next call of `import_next` imports; until then the panel says so


def want(job: Path, at: pending_imports.Place | None = None) -> None:
    """Import the result of a job into the open .blend when it is done, at a place, or else at the 3D cursor then."""
    global _file
    _file = bpy.data.filepath
    _pending[job] = pending_imports.pending_import(_file, at)
    _selected.setdefault(job, selection())
    try:
        pending_imports.write(job, _pending[job])
        _unwritten.discard(job)
    except OSError as failure:  # a full disk: then it is not wanted after a restart
        _log.warning("It could not be noted that the result of %s is wanted: %s", job.name, failure)
        _unwritten.add(job)


def forget(job: Path) -> bool:
    """Let the result of a job not be wanted any more; return whether it was, and no other Blender has taken it."""
    known = _pending.pop(job, None)
    is_unwritten = job in _unwritten
    _unwritten.discard(job)
    try:
        return pending_imports.take(job) or is_unwritten
    except OSError as failure:
        _log.warning("The pending import of the result of %s could not be removed: %s", job.name, failure)
        return known is not None


def is_wanted(job: Path) -> bool:
    """Say whether the result of a job is still to be imported into the open .blend."""
    return job in _pending and _is_for_this_file(job, _pending[job])


def wanted_by(job: Path) -> str:
    """Return the other .blend that gets the result of a job when it is opened, else nothing."""
    file = _pending[job].file if job in _pending else ""
    return file if file != bpy.data.filepath else ""


def error(job: Path) -> str:
    """Return why the result of a job could not be imported, else nothing."""
    return _errors.get(job, "")


def _is_for_this_file(job: Path, pending: pending_imports.PendingImport) -> bool:
    if pending.file or bpy.data.filepath:
        return pending.file == bpy.data.filepath
    return pending.is_ours or pending_imports.is_left_behind(job.parent, pending)


def due(course: Callable[[Path], JobProgress]) -> list[Path]:
    """Return the jobs whose results are there and wanted by the open .blend."""
    found = []
    for job in list(_pending):
        last = course(job).last
        if isinstance(last, protocol.Cancelled) or (isinstance(last, protocol.Finished) and last.stopped_after):
            forget(job)
        elif isinstance(last, protocol.Finished) and is_wanted(job):
            found.append(job)
    return found


def import_next(course: Callable[[Path], JobProgress]) -> bool:
    """Import one result that is due, unless the artist is in the middle of something; return whether to draw anew.

    The first call for a result only lets the panel say what Blender will be busy with, the second one does it.
    """
    global _next
    ready = due(course)
    if not ready or hindrance():
        changed, _next = _next is not None, None
        return changed
    if _next not in ready and not bpy.app.background:
        _next = ready[0]
        return True
    job, _next = _next or ready[0], None
    at = _pending[job].at
    if forget(job):  # else another Blender with the same .blend was quicker
        _import(job, at)
    return True


def hindrance() -> str:
    """Return why nothing can be imported right now, else nothing."""
    if bpy.app.background:
        return ""
    tools = [tool for window in bpy.context.window_manager.windows for tool in window.modal_operators]
    # Those of other add-ons, written in Python, may run for as long as Blender does, and hold no scene data.
    if any(bpy.types.Operator.bl_rna_get_subclass_py(tool.bl_idname) is None for tool in tools):
        return say("Waits until the running tool is done")
    if bpy.app.is_job_running("RENDER"):
        return say("Waits until the render is done")
    window = first_window()
    active = window.view_layer.objects.active if window is not None else None
    if active is not None and active.mode != "OBJECT":
        return say("Waits until you are back in Object Mode")
    return ""


def _import(job: Path, at: pending_imports.Place | None) -> None:
    """Import a result as one undo step; select it, unless the artist has selected something else meanwhile."""
    global _left
    _errors.pop(job, None)
    now = selection()
    is_untouched = not now[0] or now in (_selected.pop(job, None), _left)
    window, wishes = first_window(), {"job": str(job), "select": is_untouched} | ({"location": at} if at else {})
    try:
        if window is None:
            bpy.ops.maquette.import_result("EXEC_DEFAULT", True, **wishes)
        else:
            with bpy.context.temp_override(window=window):
                bpy.ops.maquette.import_result("EXEC_DEFAULT", True, **wishes)
    except RuntimeError as failure:  # how an operator reports what went wrong
        _errors[job] = str(failure).strip().removeprefix("Error: ")
        _log.exception("The result of %s was not imported.", job.name)
        return
    if is_untouched:
        _left = selection()
    elif window is not None:
        _tell(window, say("{name} was imported; what you have selected stays selected", name=job_title(job)))


def selection() -> Selection:
    """Return what is selected now."""
    window = first_window()
    objects = (window or bpy.context).view_layer.objects
    return frozenset(item.name for item in objects.selected), objects.active.name if objects.active is not None else ""


def job_title(job: Path) -> str:
    """Return what an artist knows a job by."""
    try:
        return protocol.read_request(job).title or job.name
    except (protocol.ProtocolError, OSError):
        return job.name


def _tell(window: bpy.types.Window, text: str) -> None:
    """Say something in the status bar for a while."""
    window.workspace.status_text_set(text)
    if bpy.app.timers.is_registered(_quieten):
        bpy.app.timers.unregister(_quieten)
    bpy.app.timers.register(_quieten, first_interval=TOLD_SECONDS, persistent=True)


def _quieten() -> None:
    """Let the status bar say again what it says."""
    for window in bpy.context.window_manager.windows:
        window.workspace.status_text_set(None)


def first_window() -> bpy.types.Window | None:
    """Return a window of Blender, if it has one."""
    windows = bpy.context.window_manager.windows
    return windows[0] if len(windows) else None


# ---- files come and go -----------------------------------------------------------------------------------------------


def read(folder: Path) -> None:
    """Learn what earlier sessions, and other Blenders, want imported."""
    global _file
    _file = bpy.data.filepath
    _pending.update((job, pending) for job, pending in pending_imports.read(folder).items() if job not in _pending)


def file_loaded() -> None:
    """Forget what an unsaved file wanted, which is gone; what others want waits for them."""
    global _file, _next
    for job in [job for job, pending in _pending.items() if pending.is_ours and not pending.file]:
        forget(job)
    _file, _next = bpy.data.filepath, None


def file_saved() -> None:
    """Note the name under which the file that wants results was saved."""
    global _file
    if _file != bpy.data.filepath:
        for job, pending in list(_pending.items()):
            if pending.file == _file and (pending.file or pending.is_ours):
                want(job, pending.at)
    _file = bpy.data.filepath


def close() -> None:
    """Forget everything; what is wanted after a restart is in its files."""
    global _file, _next, _left
    _file, _next, _left = "", None, None
    for kept in (_pending, _unwritten, _errors, _selected):
        kept.clear()
    if bpy.app.timers.is_registered(_quieten):
        bpy.app.timers.unregister(_quieten)
        _quieten()
    pending_imports.leave()
