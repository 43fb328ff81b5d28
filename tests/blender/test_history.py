"""The history and the queue in the tab: what they show, what their buttons do, and that drawing reads nothing."""

# pyright: reportMissingImports=false

from __future__ import annotations

import builtins
import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from addon import jobs, protocol

HELLO = protocol.Hello(job="j", backend="0", pid=1)


def make(folder: Path, name: str, *events: protocol.Event, prompt: str = "a red mug") -> Path:
    """Write a job to which these things have happened; a finished one has a result with a picture."""
    job = folder / name
    (job / "result").mkdir(parents=True)
    protocol.write_request(job, protocol.Request(system="tv3dg", prompt=prompt, seed=42))
    if events:
        (job / "events.jsonl").write_text("".join(map(protocol.encode, (HELLO, *events))))
    if events and isinstance(events[-1], protocol.Finished):
        (job / "result/model.glb").write_bytes(b"x" * 2_000_000)
        Image.new("RGB", (16, 16), "red").save(job / "result/preview.png")
    return job


FINISHED = protocol.Finished(results=("result/model.glb",), seconds=3.0)
FAILED = protocol.Failed(kind="EmptyMask", message="The mask is empty.", hint="Use another image.")


def draw(context: Any) -> Any:
    """Draw the panel as Blender does, its rows included."""
    from addon import history
    from tests.blender.layout import Layout

    layout = Layout()
    panel: Any = history.MAQUETTE_PT_history
    panel.draw(SimpleNamespace(layout=layout), context)
    rows: Any = history.MAQUETTE_UL_history
    for item in context.window_manager.maquette_history:
        rows.draw_item(None, context, layout, context.window_manager, item, 0, None, "")
    return layout


def work() -> None:
    """Let the timer do all that it has to do."""
    from addon import history

    for _ in range(20):
        history._tick()


def test_the_panel_is_closed_and_shows_every_job_with_its_picture_and_size(
    enabled: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from addon import history, previews

    make(folder, "a", FINISHED)
    make(folder, "b", FAILED, prompt="a snowman")
    assert "DEFAULT_CLOSED" in history.MAQUETTE_PT_history.bl_options
    context = enabled.context
    draw(context)  # asks for the timer
    assert enabled.app.timers.is_registered(history._tick)
    work()
    layout = draw(context)
    assert [item.job for item in context.window_manager.maquette_history] == ["b", "a"]
    assert "2 jobs, 2.0 MB" in layout.texts and "The mask is empty. Use another image." in " ".join(layout.texts)
    assert {"maquette.resume", "maquette.repeat", "maquette.remove_job"} <= layout.buttons.keys()
    picture = folder / "a/result/preview.png"
    assert str(picture) not in previews._pictures
    end = time.monotonic() + 10
    while str(picture) not in previews._pictures:
        assert time.monotonic() < end
        work()  # after its row was drawn, by the timer
    monkeypatch.setattr(previews, "loaded", lambda path: 7)  # without a window Blender gives no numbers to icons
    context.window_manager.maquette_history_row = 1
    layout = draw(context)
    assert layout.buttons["maquette.import_result"].given == {"job": str(folder / "a")}
    assert "Seed 42, Standard" in layout.texts and "template_icon" in [kind for kind, _ in layout.drawn]


def test_drawing_reads_no_file(enabled: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(30):
        make(folder, f"job{number:02}", FINISHED)
    draw(enabled.context)
    work()

    def refuse(*arguments: Any, **_: Any) -> Any:
        raise AssertionError(f"a file was touched: {arguments[:1]}")

    for owner, name in [
        (builtins, "open"),
        (os, "stat"),
        (os, "scandir"),
        (os, "listdir"),
        (Path, "stat"),
        (Path, "open"),
    ]:
        monkeypatch.setattr(owner, name, refuse)
    layout = draw(enabled.context)
    monkeypatch.undo()
    assert layout.texts.count("a red mug") >= 30


def test_the_timer_stops_when_nobody_looks(enabled: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from addon import history

    draw(enabled.context)
    assert history._tick() == history.TICK_SECONDS
    monkeypatch.setattr(history, "_seen", history._seen - history.UNSEEN_SECONDS - 1)
    assert history._tick() is None


def test_a_slow_start_and_another_file_leave_no_empty_list(
    enabled: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from addon import history

    make(folder, "a", FINISHED)
    draw(enabled.context)
    monkeypatch.setattr(history, "_seen", history._seen - history.UNSEEN_SECONDS - 1)  # Blender was busy meanwhile
    rows = enabled.context.window_manager.maquette_history
    assert history._tick() is not None and len(rows) == 1
    rows.clear()
    assert history._tick() is not None and len(rows) == 1
    assert history._tick() is None


def test_a_job_that_stopped_after_a_stage_does_not_look_finished(enabled: Any, folder: Path) -> None:
    from addon import history

    make(folder, "a", protocol.Finished(results=(), seconds=3.0, stopped_after="sides"))
    make(folder, "b", FINISHED)
    enabled.ops.maquette.refresh_history()
    stopped, finished = (history.catalogue(enabled.context).find(name) for name in "ab")
    assert stopped and finished and (history._icon(stopped), history._icon(finished)) == ("PAUSE", "CHECKMARK")
    enabled.context.window_manager.maquette_history_row = 1
    assert "Stopped" in (texts := draw(enabled.context).texts) and "Finished" not in texts


def test_the_chosen_job_stays_chosen_and_the_rows_survive_another_file(enabled: Any, folder: Path) -> None:
    from addon import history

    make(folder, "a", FINISHED)
    make(folder, "b", FINISHED)
    enabled.ops.maquette.refresh_history()
    enabled.context.window_manager.maquette_history_row = 1
    make(folder, "c")
    enabled.ops.maquette.refresh_history()
    chosen = history.chosen(enabled.context)
    assert chosen is not None and chosen.job.name == "a"
    enabled.ops.wm.read_factory_settings(use_empty=True)
    enabled.ops.maquette.refresh_history()
    assert [item.job for item in enabled.context.window_manager.maquette_history] == ["c", "b", "a"]


def test_a_stranger_s_folder_is_a_row_with_a_sentence(enabled: Any, folder: Path) -> None:
    (folder / "x").mkdir()
    (folder / "x/request.json").write_text('{"system": "tv3dg", "prompt": "a", "images": [{"path": "../../secret"}]}')
    enabled.ops.maquette.refresh_history()
    layout = draw(enabled.context)
    assert "leads out of the job folder" in " ".join(layout.texts)
    assert "maquette.repeat" not in layout.buttons and "maquette.remove_job" in layout.buttons


def test_running_again_makes_a_new_job_with_the_same_request(enabled: Any, folder: Path) -> None:
    from addon import running

    first = make(folder, "a", FINISHED)
    assert enabled.ops.maquette.repeat(job=str(first)) == {"FINISHED"}
    (again,) = running.waiting()
    assert again != first and protocol.read_request(again) == protocol.read_request(first)
    with pytest.raises(RuntimeError, match="not a job folder"):
        enabled.ops.maquette.repeat(job=str(folder))


def test_deleting_takes_the_job_out_of_the_queue_and_off_the_disk(
    enabled: Any, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from addon import running

    old, new = make(folder, "a", FINISHED), make(folder, "b")
    running.enqueue(enabled.context, new, False)
    assert enabled.ops.maquette.remove_job("EXEC_DEFAULT", job=str(new)) == {"FINISHED"}
    assert not new.exists() and running._queue is not None and ("cancel", new) in running._queue.done  # pyright: ignore
    monkeypatch.setattr(jobs, "is_running", lambda job: True)
    with pytest.raises(RuntimeError, match="cancel it first"):
        enabled.ops.maquette.remove_job("EXEC_DEFAULT", job=str(old))
    elsewhere = make(tmp_path, "elsewhere")
    with pytest.raises(RuntimeError, match="not in the jobs folder"):
        enabled.ops.maquette.remove_job("EXEC_DEFAULT", job=str(elsewhere))
    assert old.exists() and elsewhere.exists()


def test_only_the_newest_are_kept_and_those_that_wait(enabled: Any, folder: Path) -> None:
    from addon import running

    for name in "abcd":
        make(folder, name, FINISHED)
    running.enqueue(enabled.context, folder / "a", False)
    assert enabled.ops.maquette.keep_newest("EXEC_DEFAULT", keep=2) == {"FINISHED"}
    assert [job.name for job in jobs.list_jobs(folder)] == ["d", "c", "a"]
    assert [item.job for item in enabled.context.window_manager.maquette_history] == ["d", "c", "a"]


def test_the_queue_panel_shows_what_waits_and_why_it_holds(enabled: Any, folder: Path) -> None:
    from addon import queue_panel, running
    from tests.blender.layout import Layout

    panel: Any = queue_panel.MAQUETTE_PT_queue
    assert not panel.poll(enabled.context)
    queue: Any = running._queue
    queue.problem = None
    made = [make(folder, f"{number:02}", prompt=f"mug {number}") for number in range(10)]
    for job in made:
        queue.add(job)
    layout = Layout()
    assert panel.poll(enabled.context)
    panel.draw(SimpleNamespace(layout=layout), enabled.context)
    assert "mug 0" in layout.texts and "... and 2 more" in layout.texts and "Hold the Queue" in layout.texts
    assert layout.buttons["maquette.hold_queue"].given == {"hold": True}
    queue.is_held, queue.problem = True, FAILED
    layout = Layout()
    panel.draw(SimpleNamespace(layout=layout), enabled.context)
    assert "Start the Queue" in layout.texts and "The mask is empty. Use another image." in " ".join(layout.texts)


def test_the_buttons_of_the_queue_reach_it(enabled: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the real queue, which starts no process while it is held."""
    import sys

    from addon import running
    from addon.queue import Queue

    queue = Queue(folder, [sys.executable])
    monkeypatch.setattr(running, "_queue", queue)
    a, b = make(folder, "a"), make(folder, "b")
    for job in (a, b):
        queue.add(job)
        enabled.ops.maquette.hold_queue(hold=True)
    assert queue.is_held and running.waiting() == [a, b]
    enabled.ops.maquette.move_job(job=str(b), places=-1)
    assert running.waiting() == [b, a]
    enabled.ops.maquette.cancel(job=str(a))
    assert running.waiting() == [b]
    enabled.ops.maquette.hold_queue(hold=False)
    assert not queue.is_held
    queue.hold()
