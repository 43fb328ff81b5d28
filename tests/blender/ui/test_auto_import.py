"""Results are imported into the file that asked for them, once, and when the artist's hands are free."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from addon import protocol

HELLO = protocol.Hello(job="x", backend="0", pid=1)


DONE = protocol.Finished(results=("result/model.glb",), seconds=1)


def submit(bpy: Any, running: Any, *, import_when_done: bool = True) -> Path:
    request = protocol.Request(system="tv3dg", prompt="a red mug")
    return running.submit(bpy.context, request, [], import_when_done)


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
    assert session.shown() == job and not session.auto_import.is_wanted(job)
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
    monkeypatch.setattr(session.pending_imports, "_token", "that of another Blender")
    enabled.ops.wm.read_factory_settings(use_empty=True)
    addon.register()
    if file == "saved":
        session._attach()
        session.pump()
        assert session.imported == [] and session.auto_import.wanted_by(job) == mine
        enabled.ops.wm.open_mainfile(filepath=mine)
    session._attach()
    session.pump()
    session.pump()
    assert session.imported == [job] and not session.auto_import.is_wanted(job)


def test_of_two_blenders_with_the_same_file_one_imports(enabled: Any, session: Any, tmp_path: Path) -> None:
    enabled.ops.wm.save_as_mainfile(filepath=str(tmp_path / "mine.blend"))
    job = submit(enabled, session)
    session.queue(enabled.context).tell(job, HELLO, DONE)
    assert session.pending_imports.take(job)  # the other one was quicker
    session.pump()
    assert session.imported == [] and not session.auto_import.is_wanted(job)


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
        session.auto_import,
        "bpy",
        SimpleNamespace(app=app, ops=enabled.ops, data=enabled.data, context=enabled.context),
    )
    session.pump()
    assert session.imported == [] and session.auto_import.is_wanted(job) and drawn == [0]
    session.pump()
    assert session.imported == [job] and drawn == [0, 1]


def test_an_import_that_fails_is_told_and_not_tried_again(
    enabled: Any, session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from addon.scene import importer

    def refuse(job: Path, **_: Any) -> None:
        session.imported.append(job)
        raise importer.ImportFailed("model.glb holds 2 meshes; a result holds one.")

    monkeypatch.setattr(importer, "import_result", refuse)
    job = submit(enabled, session)
    session.queue(enabled.context).tell(job, HELLO, DONE)
    session.pump()
    session.pump()
    assert (
        session.imported == [job] and session.auto_import.error(job) == "model.glb holds 2 meshes; a result holds one."
    )


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
        patched.setattr(session.auto_import, "bpy", SimpleNamespace(app=app, context=context, types=enabled.types))
        assert session.auto_import.hindrance() == said


def test_a_result_that_had_to_wait_is_imported_later(
    enabled: Any, session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submit(enabled, session)
    monkeypatch.setattr(session.auto_import, "hindrance", lambda: "Waits until the render is done")
    session.queue(enabled.context).tell(job, HELLO, DONE)
    assert session._tick() == session.BUSY_SECONDS and session.imported == [] and session.auto_import.is_wanted(job)
    monkeypatch.setattr(session.auto_import, "hindrance", lambda: "")
    session._tick()
    assert session.imported == [job] and not session.auto_import.is_wanted(job)


def add_cube(bpy: Any, name: str) -> Any:
    cube = bpy.data.objects.new(name, bpy.data.meshes.new(name))
    bpy.context.scene.collection.objects.link(cube)
    return cube


@pytest.fixture
def brought(enabled: Any, session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each import bring an object that is named after its job."""
    from addon.scene import importer, placing

    def bring(job: Path, **_: Any) -> importer.Imported:
        item = add_cube(enabled, job.name)
        return importer.Imported(enabled.context.scene.collection, item, None)

    monkeypatch.setattr(importer, "import_result", bring)
    monkeypatch.setattr(placing, "place_beside", lambda made: 0.0)


@pytest.mark.parametrize("doing", ["nothing", "selected before", "selected meanwhile", "selects nothing meanwhile"])
def test_a_result_is_selected_unless_the_artist_has_selected_something_meanwhile(
    enabled: Any, session: Any, brought: None, doing: str
) -> None:
    cube = add_cube(enabled, "Cube")
    cube.select_set(doing in ("selected before", "selects nothing meanwhile"))
    first, second = submit(enabled, session), submit(enabled, session)
    cube.select_set(doing in ("selected before", "selected meanwhile"))
    for job in (first, second):
        session.queue(enabled.context).tell(job, HELLO, DONE)
        session.pump()
        session.pump()
    expected = "Cube" if doing == "selected meanwhile" else second.name  # the one that came last
    assert [item.name for item in enabled.context.selected_objects] == [expected]
    assert (enabled.context.view_layer.objects.active is not None) == (doing != "selected meanwhile")


def test_the_status_bar_tells_of_it_for_a_while(enabled: Any, session: Any) -> None:
    told: list[Any] = []
    window: Any = SimpleNamespace(workspace=SimpleNamespace(status_text_set=told.append))
    for _ in range(2):
        session.auto_import._tell(window, "a red mug was imported")
    assert told == ["a red mug was imported"] * 2 and enabled.app.timers.is_registered(session.auto_import._quieten)
    session.auto_import.close()
    assert not enabled.app.timers.is_registered(session.auto_import._quieten)
