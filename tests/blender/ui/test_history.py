"""The history in the tab: what it shows, what its buttons do, and that drawing reads nothing."""

# pyright: reportMissingImports=false

from __future__ import annotations

import builtins
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from addon import protocol
from addon.jobs import store
from tests.blender.made_jobs import FAILED, make

FINISHED = protocol.Finished(results=("result/model.glb",), seconds=3.0)


def draw(context: Any) -> Any:
    """Draw the panel as Blender does, its rows included."""
    from addon.ui import history
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
    from addon.ui import history

    for _ in range(20):
        history._tick()


def test_the_panel_is_closed_and_shows_every_job_with_its_picture_and_size(
    enabled: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from addon.ui import history, previews

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
    from addon.ui import history

    draw(enabled.context)
    assert history._tick() == history.TICK_SECONDS
    monkeypatch.setattr(history, "_seen", history._seen - history.UNSEEN_SECONDS - 1)
    assert history._tick() is None


def test_a_slow_start_and_another_file_leave_no_empty_list(
    enabled: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from addon.ui import history

    make(folder, "a", FINISHED)
    draw(enabled.context)
    monkeypatch.setattr(history, "_seen", history._seen - history.UNSEEN_SECONDS - 1)  # Blender was busy meanwhile
    rows = enabled.context.window_manager.maquette_history
    assert history._tick() is not None and len(rows) == 1
    rows.clear()
    assert history._tick() is not None and len(rows) == 1
    assert history._tick() is None


def test_a_job_that_stopped_after_a_stage_does_not_look_finished(enabled: Any, folder: Path) -> None:
    from addon.ui import history

    make(folder, "a", protocol.Finished(results=(), seconds=3.0, stopped_after="sides"))
    make(folder, "b", FINISHED)
    enabled.ops.maquette.refresh_history()
    stopped, finished = (history.catalogue(enabled.context).find(name) for name in "ab")
    assert stopped and finished and (history._icon(stopped), history._icon(finished)) == ("PAUSE", "CHECKMARK")
    enabled.context.window_manager.maquette_history_row = 1
    assert "Stopped" in (texts := draw(enabled.context).texts) and "Finished" not in texts


def test_the_chosen_job_stays_chosen_and_the_rows_survive_another_file(enabled: Any, folder: Path) -> None:
    from addon.ui import history

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
    from addon.ui import session

    first = make(folder, "a", FINISHED)
    assert enabled.ops.maquette.repeat(job=str(first)) == {"FINISHED"}
    (again,) = session.waiting()
    assert again != first and protocol.read_request(again) == protocol.read_request(first)
    with pytest.raises(RuntimeError, match="not a job folder"):
        enabled.ops.maquette.repeat(job=str(folder))


def test_deleting_takes_the_job_out_of_the_queue_and_off_the_disk(
    enabled: Any, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from addon.ui import session

    old, new = make(folder, "a", FINISHED), make(folder, "b")
    session.enqueue(enabled.context, new, False)
    assert enabled.ops.maquette.remove_job("EXEC_DEFAULT", job=str(new)) == {"FINISHED"}
    assert not new.exists() and session._queue is not None and ("cancel", new) in session._queue.done  # pyright: ignore
    monkeypatch.setattr(protocol, "is_running", lambda job: True)
    with pytest.raises(RuntimeError, match="cancel it first"):
        enabled.ops.maquette.remove_job("EXEC_DEFAULT", job=str(old))
    elsewhere = make(tmp_path, "elsewhere")
    with pytest.raises(RuntimeError, match="not in the jobs folder"):
        enabled.ops.maquette.remove_job("EXEC_DEFAULT", job=str(elsewhere))
    assert old.exists() and elsewhere.exists()


def test_only_the_newest_are_kept_and_those_that_wait(enabled: Any, folder: Path) -> None:
    from addon.ui import session

    for name in "abcd":
        make(folder, name, FINISHED)
    session.enqueue(enabled.context, folder / "a", False)
    assert enabled.ops.maquette.keep_newest("EXEC_DEFAULT", keep=2) == {"FINISHED"}
    assert [job.name for job in store.list_jobs(folder)] == ["d", "c", "a"]
    assert [item.job for item in enabled.context.window_manager.maquette_history] == ["d", "c", "a"]


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes there")
def test_a_name_that_is_no_text_spoils_one_row_and_leftovers_are_counted_and_cleaned(
    enabled: Any, folder: Path
) -> None:
    from addon.ui import history

    make(folder, "a", FINISHED)
    make(folder, os.fsdecode(b"caf\xe9"), FINISHED)
    left = folder / "20260101-000000-aaaaaa.tmp"
    (left / "stages").mkdir(parents=True)
    (left / "stages/x").write_bytes(b"x" * 1_000_000)
    context, manager = enabled.context, enabled.context.window_manager
    draw(context)
    work()
    assert {item.job for item in manager.maquette_history} == {"a", "caf\\udce9"}
    for row in range(2):
        manager.maquette_history_row = row
        layout = draw(context)
        assert "2 jobs, 5.0 MB" in layout.texts
        odd = manager.maquette_history[row].job != "a"
        assert ("is not in UTF-8" in " ".join(layout.texts)) == odd
        assert ("maquette.remove_job" in layout.buttons) != odd
    assert enabled.ops.maquette.keep_newest(keep=0) == {"FINISHED"}
    assert list(folder.iterdir()) == [] and history.catalogue(context).left_bytes == 0
