"""From the button to the result: the one queue of this Blender, its timer, and what must survive files and undo."""

# pyright: reportMissingImports=false

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from addon import protocol
from addon.jobs import store

HELLO = protocol.Hello(job="x", backend="0", pid=1)
DONE = protocol.Finished(results=("result/model.glb",), seconds=1)
FAILED = protocol.Failed(kind="EmptyMask", message="The mask is empty.", hint="Use another image.", exit_code=2)


def submit(bpy: Any, running: Any, *, import_when_done: bool = True) -> Path:
    request = protocol.Request(system="tv3dg", prompt="a red mug")
    return running.submit(bpy.context, request, [], import_when_done)


def test_a_job_goes_from_the_folder_through_the_queue_to_the_panel(
    enabled: Any, session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submit(enabled, session)
    queue = session.queue(enabled.context)
    assert queue.waiting == [job] and session.shown() == job and session.is_waiting(job)
    assert store.list_jobs(queue.folder) == [job] and enabled.app.timers.is_registered(session._tick)
    queue.tell(job, HELLO, protocol.Stage(number=1, name="gaussians", stages=2))
    assert session.pump() == 2
    assert session.running() == job and session.course(job).stage == "gaussians"
    queue.tell(job, FAILED)
    assert session._tick() == session.BUSY_SECONDS and session.has_just_ended(job)
    monkeypatch.setattr(session, "GUARD_SECONDS", -1.0)  # that time has gone by
    assert session._tick() == session.IDLE_SECONDS  # the process stays warm for a while
    assert not session.has_just_ended(job)
    assert session.course(job).last == FAILED and session.shown() == job and session.imported == []


def test_the_timer_goes_on_while_a_job_waits(enabled: Any, session: Any) -> None:
    submit(enabled, session)
    assert session._tick() == session.BUSY_SECONDS


def test_a_stage_to_look_at_is_no_result(enabled: Any, session: Any) -> None:
    job = submit(enabled, session)
    session.queue(enabled.context).tell(job, HELLO, protocol.Finished(results=(), seconds=1, stopped_after="perceive"))
    session.pump()
    assert session.imported == [] and not session.auto_import.is_wanted(job)


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
    job = protocol.make_job(tmp_path, protocol.Request(system="tv3dg", prompt="x"), [])
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
    assert queue.done == [("close", None)] and store.state(job) == store.WAITING
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
    assert not session.is_busy() and store.list_jobs(session.queue(enabled.context).folder) == []


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
    assert max(taken) == session.MAX_EVENTS and sum(taken) == 1001
    assert session.course(job).step == 999 and len(drawn) == len(taken)
    session.pump()
    assert len(drawn) == len(taken)  # nothing has come, nothing is drawn


def test_the_client_hands_over_no_more_in_one_poll(enabled: Any) -> None:
    from addon.jobs import client
    from addon.ui import session as running

    assert client.POLL_EVENTS <= running.MAX_EVENTS
