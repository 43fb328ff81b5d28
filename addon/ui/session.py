"""The one queue of this Blender, and a timer that moves its messages: they become courses, redraws and imports.

Nothing here is saved in the .blend. What a job has done so far is in its folder, and is read from there when asked for.
"""

# Blender makes its module at run time; pyright sees an almost empty one.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

import atexit
import logging
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import bpy
from bpy.app.handlers import persistent

from .. import preferences, protocol
from ..install.environment import EnvironmentMissing
from ..jobs import pending_imports, store
from ..jobs.progress import JobProgress, follow, new_course
from ..jobs.queue import Queue
from ..language.saying import say
from ..paths import ROOT
from . import auto_import, previews

BUSY_SECONDS, IDLE_SECONDS = 0.1, 1.0  # between two looks at the queue while jobs run, and while none does
GUARD_SECONDS = 1.5  # after the end of a job, in which a second click on Cancel presses nothing
MAX_EVENTS = 60  # in one tick: 25 microseconds each
CATEGORY = "Maquette"  # the tab of the sidebar

_log = logging.getLogger(__name__)

_queue: Queue | None = None
_courses: dict[Path, JobProgress] = {}
_told: dict[Path, str] = {}  # running jobs that were told to end -> what the panel says of that
_backlog: deque[tuple[Path, protocol.Event]] = deque()  # messages that came and were not taken yet
_shown: Path | None = None
_just_ended: tuple[Path, float] | None = None  # a job, and when that came


# ---- what the panels and operators ask -------------------------------------------------------------------------------


def queue(context: bpy.types.Context) -> Queue:
    """Return the queue, made on first use. Raises EnvironmentMissing when there is no backend to run."""
    global _queue
    command, workers = (str(preferences.interpreter(context)),), preferences.workers(context)
    if _queue is not None and (_queue.command, _queue.variables) != (command, workers) and not is_busy():
        _queue.close()
        _queue = None
    if _queue is None:
        first, *further = workers
        _queue = Queue(preferences.jobs_folder(context), command, root=ROOT, variables=first, further=further)
        _heed_preferences()
        start_timer()
    return _queue


def _heed_preferences() -> None:
    """Let the queue go on without Blender, or not, as the preferences say now."""
    if _queue is not None and _queue.is_detached != preferences.keeps_running(bpy.context):
        (_queue.attach if _queue.is_detached else _queue.detach)()


def _make_way() -> str:
    """End the process that stays warm, before its packages are changed; return why that cannot be, else nothing."""
    if is_busy():
        return say("Jobs are running: wait for them, or cancel them")
    if _queue is not None:
        _queue.close()
    return ""


def is_busy() -> bool:
    """Say whether a job runs, or waits for nothing but its turn."""
    return bool(all_running()) or (_queue is not None and bool(_queue.waiting) and not _queue.is_held)


def running() -> Path | None:
    """Return the job that runs."""
    return _queue.running if _queue is not None else None


def all_running() -> list[Path]:
    """Return the jobs that run, of each worker of the queue one."""
    return list(_queue.all_running) if _queue is not None else []


def waiting() -> list[Path]:
    """Return the jobs that wait, in order."""
    return list(_queue.waiting) if _queue is not None else []


def is_held() -> bool:
    """Say whether the jobs that wait need somebody to let them go on."""
    return _queue is not None and _queue.is_held


def problem() -> protocol.Failed | None:
    """Return why the queue holds by itself."""
    return _queue.problem if _queue is not None else None


def shown() -> Path | None:
    """Return the job that the panel is about: the running one, else the one that ended last or was asked for."""
    return next(iter(all_running()), _shown)


def show(job: Path | None) -> None:
    """Let the panel be about a job."""
    global _shown
    _shown = job
    redraw()


def is_waiting(job: Path) -> bool:
    """Say whether a job has yet to begin."""
    return _queue is not None and job in _queue.waiting


def course(job: Path) -> JobProgress:
    """Return where a job stands; of one from an earlier session, what its folder says."""
    if job not in _courses:
        _courses[job] = _read_course(job)
    return _courses[job]


def _read_course(job: Path) -> JobProgress:
    found = new_course(job)
    try:
        for event in store.latest_run(job)[0]:
            found = follow(found, event)
    except (protocol.ProtocolError, OSError) as error:
        return follow(found, _unreadable(error))
    return found


def _unreadable(error: Exception) -> protocol.Failed:
    hint = protocol.Phrase("Run the job again.")
    return protocol.Failed(kind=type(error).__name__, message=protocol.sentence_of(error), hint=hint)


def submit(
    context: bpy.types.Context, request: protocol.Request, sources: Sequence[Path], import_when_done: bool
) -> Path:
    """Write a job folder, put it at the end of the queue and return it.

    Raises EnvironmentMissing without a backend, OSError when the folder cannot be written.
    """
    queue(context)  # or say what is missing, before anything is written
    job = protocol.make_job(preferences.jobs_folder(context), request, sources)
    enqueue(context, job, import_when_done)
    return job


def enqueue(
    context: bpy.types.Context, job: Path, import_when_done: bool, at: pending_imports.Place | None = None
) -> None:
    """Put a job at the end of the queue; its result comes to a place, or else to where the 3D cursor is now.

    Raises as `submit` does.
    """
    queue(context).add(job)
    if import_when_done:
        auto_import.want(job, at or cursor(context))
    _courses[job] = new_course(job)
    start_timer()
    show(job)


def resume(context: bpy.types.Context, job: Path, import_when_done: bool) -> None:
    """Let a job that has ended run again, as the next; it goes on where it stopped. Raises as `submit` does."""
    queue(context).retry(job)
    _courses[job] = new_course(job)
    if import_when_done:
        auto_import.want(job, cursor(context))
    else:
        auto_import.forget(job)
    start_timer()
    show(job)


def cursor(context: bpy.types.Context) -> pending_imports.Place | None:
    """Return where the 3D cursor is."""
    return None if context.scene is None else tuple(context.scene.cursor.location)


def cancel(job: Path) -> None:
    """Stop a running job, or take a waiting one out of the queue."""
    if _queue is not None:
        _queue.cancel(job)
        auto_import.forget(job)
        if job in all_running():
            _told[job] = say("Cancelling at the next step")
        redraw()


def finish(job: Path) -> None:
    """Let a running job export what there is."""
    if _queue is not None:
        _queue.finish(job)
        _told[job] = say("Finishing with what there is")
        redraw()


def has_just_ended(job: Path) -> bool:
    """Say whether a job has ended so lately that a click may still be meant for what its panel showed before."""
    return _just_ended is not None and _just_ended[0] == job


def told(job: Path) -> str:
    """Return what a running job was told and has not done yet, else nothing."""
    return _told.get(job, "")


# ---- the timer -------------------------------------------------------------------------------------------------------


def start_timer() -> None:
    """Look after the queue from now on."""
    if not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=0.0, persistent=True)


def _tick() -> float | None:
    """Move messages; return the seconds to the next time."""
    global _just_ended
    pump()
    if _just_ended is not None and time.monotonic() - _just_ended[1] > GUARD_SECONDS:
        _just_ended = None
        redraw()
    return (
        BUSY_SECONDS if is_busy() or _just_ended or previews.is_reading() or auto_import.due(course) else IDLE_SECONDS
    )


def pump() -> int:
    """Take the messages that have come, without waiting and at most MAX_EVENTS; return how many they were."""
    if not _backlog and _queue is not None:
        _backlog.extend(_queue.poll())
    count = min(len(_backlog), MAX_EVENTS)
    for _ in range(count):
        take(*_backlog.popleft())
    changed = [previews.take(), auto_import.import_next(course), count > 0]
    if any(changed):
        redraw()
    return count


def take(job: Path, event: protocol.Event) -> None:
    """Note one message of a job."""
    global _shown, _just_ended
    _courses[job] = follow(_courses.get(job) or new_course(job), event)
    if isinstance(event, protocol.Hello):
        _shown = job
        _told.pop(job, None)
    if isinstance(event, protocol.LAST):
        _shown, _just_ended = job, (job, time.monotonic())
        _told.pop(job, None)
        previews.forget(job / protocol.PREVIEW_FILE)


def redraw() -> None:
    """Draw the sidebars that show our tab again."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            for region in area.regions if area.type == "VIEW_3D" else ():
                if is_our_tab(region):
                    region.tag_redraw()


def is_our_tab(region: bpy.types.Region) -> bool:
    """Say whether a region is a sidebar that is open and shows our tab."""
    tab = getattr(region, "active_panel_category", CATEGORY)
    return region.type == "UI" and region.width > 1 and tab == CATEGORY


# ---- files come and go -----------------------------------------------------------------------------------------------


@persistent
def _file_loaded(*_: object) -> None:
    """See what the file wants; the jobs run on."""
    auto_import.file_loaded()
    if not bpy.app.background:
        auto_import.read(preferences.jobs_folder(bpy.context))


@persistent
def _file_saved(*_: object) -> None:
    """Note the name under which the file that wants results was saved."""
    auto_import.file_saved()


def _attach() -> None:
    """Look after what an earlier session left: its process may run still, and jobs and results may wait."""
    context = bpy.context
    folder = preferences.jobs_folder(context)
    auto_import.read(folder)
    start_timer()
    if not (folder / protocol.QUEUE_FILE).is_file():
        return
    try:
        queue(context)
    except (EnvironmentMissing, OSError) as error:
        _log.warning("The queue is left alone: %s", error)


@persistent
def _leave(*_: object) -> None:
    """End the backend, as far as it shall not run on; jobs can be resumed."""
    global _queue
    pending_imports.leave()
    if _queue is not None:
        _queue.close()
        _queue = None


def register_extra() -> None:
    """Notice files that are loaded and the end of Blender; go on with an earlier session's queue."""
    if not bpy.app.background:
        bpy.app.timers.register(_attach, first_interval=0.5, persistent=True)
    bpy.app.handlers.load_post.append(_file_loaded)
    bpy.app.handlers.save_post.append(_file_saved)
    if hasattr(bpy.app.handlers, "exit_pre"):  # from Blender 5.1 on
        bpy.app.handlers.exit_pre.append(_leave)
    atexit.register(_leave)
    preferences.before_change.append(_make_way)
    preferences.when_changed.append(_heed_preferences)


def unregister_extra() -> None:
    """End the backend and forget everything; what the jobs have done is in their folders."""
    global _shown, _just_ended
    _leave()
    atexit.unregister(_leave)
    preferences.before_change.remove(_make_way)
    preferences.when_changed.remove(_heed_preferences)
    bpy.app.handlers.load_post.remove(_file_loaded)
    bpy.app.handlers.save_post.remove(_file_saved)
    if hasattr(bpy.app.handlers, "exit_pre"):
        bpy.app.handlers.exit_pre.remove(_leave)
    for timer in (_tick, _attach):
        if bpy.app.timers.is_registered(timer):
            bpy.app.timers.unregister(timer)
    auto_import.close()
    for kept in (_courses, _told, _backlog):
        kept.clear()
    _shown = _just_ended = None


CLASSES = ()
