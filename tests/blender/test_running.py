"""From the button to the result: the one queue of this Blender, its timer, and what must survive files and undo."""

# pyright: reportMissingImports=false

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from addon import jobs, protocol
from tests.blender.scripted_queue import ScriptedQueue

HELLO = protocol.Hello(job="x", backend="0", pid=1)
DONE = protocol.Finished(results=("result/model.glb",), seconds=1)
FAILED = protocol.Failed(kind="EmptyMask", message="The mask is empty.", hint="Use another image.", exit_code=2)


@pytest.fixture
def session(enabled: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The add-on with a scripted queue, and imports that are only noted."""
    from addon import importer, preferences, running

    (tmp_path / "python").touch()
    monkeypatch.setenv("MAQUETTE_PYTHON", str(tmp_path / "python"))
    monkeypatch.setattr(preferences, "jobs_folder", lambda context: tmp_path / "jobs")
    monkeypatch.setattr(running, "Queue", ScriptedQueue)
    imported: list[Path] = []

    def note(job: Path, **_: Any) -> importer.Imported:
        imported.append(job)
        item = enabled.data.objects.new("imported", None)
        return importer.Imported(enabled.context.scene.collection, item, None)

    monkeypatch.setattr(importer, "import_result", note)
    monkeypatch.setattr(running, "imported", imported, raising=False)
    return running


def submit(bpy: Any, running: Any, *, import_when_done: bool = True) -> Path:
    request = protocol.Request(system="tv3dg", prompt="a red mug")
    return running.submit(bpy.context, request, [], import_when_done)


def test_a_job_goes_from_the_folder_through_the_queue_to_the_panel(enabled: Any, session: Any) -> None:
    job = submit(enabled, session)
    queue = session.queue(enabled.context)
    assert queue.waiting == [job] and session.shown() == job and session.is_waiting(job)
    assert jobs.list_jobs(queue.folder) == [job] and enabled.app.timers.is_registered(session._tick)
    queue.tell(job, HELLO, protocol.Stage(number=1, name="gaussians", stages=2))
    assert session.pump() == 2
    assert session.running() == job and session.course(job).stage == "gaussians"
    queue.tell(job, FAILED)
    assert session._tick() == session.IDLE_SECONDS  # the process stays warm for a while
    assert session.course(job).last == FAILED and session.shown() == job and session.imported == []


def test_the_timer_goes_on_while_a_job_waits(enabled: Any, session: Any) -> None:
    submit(enabled, session)
    assert session._tick() == session.BUSY_SECONDS


def test_a_result_is_imported_once_and_as_one_undo_step(enabled: Any, session: Any) -> None:
    enabled.ops.ed.undo_push(message="before")
    job, other = submit(enabled, session), submit(enabled, session, import_when_done=False)
    queue = session.queue(enabled.context)
    for each in (job, other):
        queue.tell(each, HELLO, DONE)
        session.pump()
    session.pump()
    assert session.imported == [job] and [item.name for item in enabled.data.objects] == ["imported"]
    enabled.ops.ed.undo()
    assert not enabled.data.objects


@pytest.mark.parametrize("change", ["saved as", "loaded again", "another", "new"])
def test_a_result_goes_into_the_file_that_asked_for_it(enabled: Any, session: Any, tmp_path: Path, change: str) -> None:
    mine, other = str(tmp_path / "mine.blend"), str(tmp_path / "other.blend")
    enabled.ops.wm.save_as_mainfile(filepath=other)
    enabled.ops.wm.read_factory_settings(use_empty=True)
    job = submit(enabled, session)  # from a file that has no name yet
    queue = session.queue(enabled.context)
    match change:
        case "saved as":
            enabled.ops.wm.save_as_mainfile(filepath=mine)
        case "loaded again":
            enabled.ops.wm.save_as_mainfile(filepath=mine)
            enabled.ops.wm.open_mainfile(filepath=mine)
        case "another":
            enabled.ops.wm.open_mainfile(filepath=other)
        case "new":
            enabled.ops.wm.read_factory_settings(use_empty=True)
    queue.tell(job, HELLO, DONE)
    session.pump()
    assert session.imported == ([job] if change in ("saved as", "loaded again") else [])
    assert session.shown() == job and not session.arrivals.is_wanted(job)
    assert enabled.app.timers.is_registered(session._tick)  # the timer outlives the file


@pytest.mark.parametrize("file", ["saved", "unsaved"])
def test_a_result_is_imported_after_a_restart_of_blender(
    enabled: Any, session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    import addon

    mine = str(tmp_path / "mine.blend")
    if file == "saved":
        enabled.ops.wm.save_as_mainfile(filepath=mine)
    job = submit(enabled, session)
    addon.unregister()
    (job / protocol.EVENTS_FILE).write_text(protocol.encode(HELLO) + protocol.encode(DONE))  # it was detached
    monkeypatch.setattr(session.wishes, "_token", "that of another Blender")
    enabled.ops.wm.read_factory_settings(use_empty=True)
    addon.register()
    if file == "saved":
        session._attach()
        session.pump()
        assert session.imported == [] and session.arrivals.wanted_by(job) == mine
        enabled.ops.wm.open_mainfile(filepath=mine)
    session._attach()
    session.pump()
    session.pump()
    assert session.imported == [job] and not session.arrivals.is_wanted(job)


def test_of_two_blenders_with_the_same_file_one_imports(enabled: Any, session: Any, tmp_path: Path) -> None:
    enabled.ops.wm.save_as_mainfile(filepath=str(tmp_path / "mine.blend"))
    job = submit(enabled, session)
    session.queue(enabled.context).tell(job, HELLO, DONE)
    assert session.wishes.take(job)  # the other one was quicker
    session.pump()
    assert session.imported == [] and not session.arrivals.is_wanted(job)


def test_the_panel_says_so_before_blender_is_busy_importing(
    enabled: Any, session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submit(enabled, session)
    drawn: list[int] = []
    monkeypatch.setattr(session, "redraw", lambda: drawn.append(len(session.imported)))
    session.queue(enabled.context).tell(job, HELLO, DONE)
    session.take(*session.queue(enabled.context).poll()[0])
    session.take(job, DONE)
    app = SimpleNamespace(background=False, is_job_running=lambda kind: False)
    monkeypatch.setattr(
        session.arrivals, "bpy", SimpleNamespace(app=app, ops=enabled.ops, data=enabled.data, context=enabled.context)
    )
    session.pump()
    assert session.imported == [] and session.arrivals.is_wanted(job) and drawn == [0]
    session.pump()
    assert session.imported == [job] and drawn == [0, 1]


def test_a_stage_to_look_at_is_no_result(enabled: Any, session: Any) -> None:
    job = submit(enabled, session)
    session.queue(enabled.context).tell(job, HELLO, protocol.Finished(results=(), seconds=1, stopped_after="perceive"))
    session.pump()
    assert session.imported == [] and not session.arrivals.is_wanted(job)


def test_an_import_that_fails_is_told_and_not_tried_again(
    enabled: Any, session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from addon import importer

    def refuse(job: Path, **_: Any) -> None:
        session.imported.append(job)
        raise importer.ImportFailed("model.glb holds 2 meshes; a result holds one.")

    monkeypatch.setattr(importer, "import_result", refuse)
    job = submit(enabled, session)
    session.queue(enabled.context).tell(job, HELLO, DONE)
    session.pump()
    session.pump()
    assert session.imported == [job] and session.arrivals.error(job) == "model.glb holds 2 meshes; a result holds one."


def test_undo_and_deleting_the_scene_do_not_touch_jobs(enabled: Any, session: Any) -> None:
    enabled.ops.ed.undo_push(message="before")
    job = submit(enabled, session)
    enabled.context.scene.maquette.prompt = "changed"
    enabled.ops.ed.undo_push(message="after")
    enabled.ops.ed.undo()
    enabled.data.scenes.new("another")
    enabled.data.scenes.remove(enabled.data.scenes["Scene"])
    queue = session.queue(enabled.context)
    queue.tell(job, HELLO, DONE)
    session.pump()
    assert session.imported == [job] and session.course(job).last == DONE


def test_a_job_of_an_earlier_session_is_read_from_its_folder(enabled: Any, session: Any, tmp_path: Path) -> None:
    job = jobs.make_job(tmp_path, protocol.Request(system="tv3dg", prompt="x"), [])
    (job / protocol.EVENTS_FILE).write_text(protocol.encode(HELLO) + protocol.encode(FAILED))
    assert session.course(job).last == FAILED


def test_another_python_is_used_as_soon_as_nothing_runs(
    enabled: Any, session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submit(enabled, session)
    old = session.queue(enabled.context)
    (tmp_path / "other").touch()
    monkeypatch.setenv("MAQUETTE_PYTHON", str(tmp_path / "other"))
    assert session.queue(enabled.context) is old
    old.tell(job, HELLO, DONE)
    session.pump()
    new = session.queue(enabled.context)
    assert new is not old and new.command == (str(tmp_path / "other"),) and old.done == [("close", None)]


def test_disabling_the_addon_ends_the_backend_and_keeps_the_jobs(enabled: Any, session: Any) -> None:
    import addon

    job = submit(enabled, session)
    queue = session.queue(enabled.context)
    addon.unregister()
    assert queue.done == [("close", None)] and jobs.state(job) == jobs.WAITING
    assert not enabled.app.timers.is_registered(session._tick)
    addon.register()
    assert session.shown() is None and not session.is_busy()


def test_a_job_that_cannot_be_written_leaves_nothing_behind(
    enabled: Any, session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    request = protocol.Request(system="tv3dg", prompt="a red mug", images=(protocol.InputImage(path="inputs/00.png"),))
    with pytest.raises(OSError, match="No (space|room)"):
        session.submit(enabled.context, request, [Path(__file__)], True)
    assert not session.is_busy() and jobs.list_jobs(session.queue(enabled.context).folder) == []


def test_a_flood_of_messages_is_taken_in_small_parts_and_in_order(
    enabled: Any, session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []
    monkeypatch.setattr(session, "redraw", lambda: drawn.append(1))
    job = submit(enabled, session)
    queue = session.queue(enabled.context)
    drawn.clear()
    steps = [
        protocol.Progress(step=n, steps=1000, seconds_left=1, steps_per_second=1, memory_bytes=n) for n in range(1000)
    ]
    queue.tell(job, HELLO, *steps)
    taken = []
    while count := session.pump():
        taken.append(count)
    assert max(taken) == session.MOST_EVENTS and sum(taken) == 1001
    assert session.course(job).step == 999 and len(drawn) == len(taken)
    session.pump()
    assert len(drawn) == len(taken)  # nothing has come, nothing is drawn


def test_the_client_hands_over_no_more_in_one_poll(enabled: Any) -> None:
    from addon import client, running

    assert client.POLL_EVENTS <= running.MOST_EVENTS


@pytest.mark.parametrize(
    ("tools", "render", "mode", "said"),
    [
        ([], False, "OBJECT", ""),
        (["MAQUETTE_OT_cancel"], False, "OBJECT", ""),  # for one that an add-on never ends
        (["MAQUETTE_OT_cancel", "TRANSFORM_OT_translate"], False, "OBJECT", "Waits until the running tool is done"),
        ([], True, "OBJECT", "Waits until the render is done"),
        ([], False, "SCULPT", "Waits until you are back in Object Mode"),
    ],
)
def test_an_import_waits_until_the_artist_has_put_the_tool_down(
    enabled: Any, session: Any, monkeypatch: pytest.MonkeyPatch, tools: list[str], render: bool, mode: str, said: str
) -> None:
    active = SimpleNamespace(mode=mode)
    layer = SimpleNamespace(objects=SimpleNamespace(active=active))
    window = SimpleNamespace(modal_operators=[SimpleNamespace(bl_idname=tool) for tool in tools], view_layer=layer)
    app = SimpleNamespace(background=False, is_job_running=lambda kind: render)
    context = SimpleNamespace(window_manager=SimpleNamespace(windows=[window]))
    with monkeypatch.context() as patched:
        patched.setattr(session.arrivals, "bpy", SimpleNamespace(app=app, context=context, types=enabled.types))
        assert session.arrivals.hindrance() == said


def test_a_result_that_had_to_wait_is_imported_later(
    enabled: Any, session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submit(enabled, session)
    monkeypatch.setattr(session.arrivals, "hindrance", lambda: "Waits until the render is done")
    session.queue(enabled.context).tell(job, HELLO, DONE)
    assert session._tick() == session.BUSY_SECONDS and session.imported == [] and session.arrivals.is_wanted(job)
    monkeypatch.setattr(session.arrivals, "hindrance", lambda: "")
    session._tick()
    assert session.imported == [job] and not session.arrivals.is_wanted(job)
