"""Where a result comes to in the scene, and what is selected then."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from addon import protocol
from addon.jobs import store
from tests.blender.layout import Layout
from tests.blender.made_jobs import HELLO
from tests.blender.made_results import make_result, write_files

DONE = protocol.Finished(results=(protocol.MESH_FILE,), seconds=1.0)


def end(job: Path) -> None:
    """Leave a result in a job folder, as a backend does."""
    (job / protocol.EVENTS_FILE).write_text(protocol.encode(HELLO) + protocol.encode(DONE))
    write_files(job, seed=1)


def meshes(bpy: Any) -> list[Any]:
    """Return the meshes of results, without their points, which are meshes too before Blender 5.1."""
    return [item for item in bpy.data.objects if item.type == "MESH" and "points" not in item.name]


def places(bpy: Any) -> list[list[float]]:
    """Return where the meshes stand, from left to right."""
    return sorted([round(each, 3) for each in item.location] for item in meshes(bpy))


def drawn(bpy: Any, panel: Any) -> Layout:
    """Return what a panel draws."""
    layout = Layout()
    panel.draw(SimpleNamespace(layout=layout), bpy.context)
    return layout


def test_a_result_comes_to_where_the_cursor_was_when_generate_was_pressed(enabled: Any, folder: Path) -> None:
    from addon.ui import session

    cursor = enabled.context.scene.cursor
    cursor.location = (1.0, 2.0, 3.0)
    job = session.submit(enabled.context, protocol.Request(system="tv3dg", prompt="a mug"), [], True)
    cursor.location = (7.0, 7.0, 7.0)
    end(job)
    session.take(job, DONE)
    session.pump()
    assert places(enabled) == [[1.0, 2.0, 3.0]]


def test_what_goes_on_comes_to_where_the_cursor_is_then(enabled: Any, folder: Path) -> None:
    from addon.ui import session

    job = protocol.make_job(folder, protocol.Request(system="tv3dg", prompt="a mug"), [])
    enabled.context.scene.cursor.location = (1.0, 0.0, 0.0)
    session.resume(enabled.context, job, True)
    enabled.context.scene.cursor.location = (0.0, 0.0, 0.0)
    end(job)
    session.take(job, DONE)
    session.pump()
    assert places(enabled) == [[1.0, 0.0, 0.0]]


def test_a_copy_stands_beside_the_first_and_the_button_says_so(enabled: Any, folder: Path) -> None:
    from addon.ui import session
    from addon.ui.results import job_panel

    job = session.submit(enabled.context, protocol.Request(system="tv3dg", prompt="a mug"), [], True)
    end(job)
    session.take(job, DONE)
    assert "Import" in drawn(enabled, job_panel.MAQUETTE_PT_job).texts
    session.pump()
    assert "Import Again" in drawn(enabled, job_panel.MAQUETTE_PT_job).texts
    (first,) = meshes(enabled)
    first.location = (5.0, 1.0, 0.0)  # the artist has put it there
    enabled.context.scene.cursor.location = (-9.0, 0.0, 0.0)
    enabled.context.view_layer.update()
    enabled.ops.maquette.import_result(job=str(job))
    (_, (x, y, z)) = places(enabled)
    assert x > 5.0 + first.dimensions.x and (y, z) == (1.0, 0.0)
    for item in list(enabled.data.objects):
        enabled.data.objects.remove(item)
    assert "Import" in drawn(enabled, job_panel.MAQUETTE_PT_job).texts
    enabled.ops.maquette.import_result(job=str(job))
    assert places(enabled) == [[-9.0, 0.0, 0.0]]


def test_a_batch_makes_a_row_of_new_and_done_results(enabled: Any, folder: Path, tmp_path: Path) -> None:
    from addon.ui import batch_operators, session
    from tests.blender.ui.test_batch_operators import Stand

    (tmp_path / "pictures").mkdir()
    for name, colour in (("cup", "red"), ("jug", "blue"), ("pot", "green")):
        Image.new("RGB", (8, 8), colour).save(tmp_path / f"pictures/{name}.png")
    enabled.context.scene.cursor.location = (1.0, 0.0, 0.0)
    with pytest.MonkeyPatch.context() as patched:
        app = SimpleNamespace(background=False, timers=enabled.app.timers)
        patched.setattr(batch_operators, "bpy", Stand(enabled, app))
        wishes = {"directory": str(tmp_path / "pictures"), "import_when_done": True}
        enabled.ops.maquette.batch("EXEC_DEFAULT", **wishes | {"import_when_done": False})
        made = {protocol.read_request(job).prompt: job for job in store.list_jobs(folder)}
        queue: Any = session._queue
        queue.waiting.clear()
        end(made["jug"])
        enabled.ops.maquette.batch("EXEC_DEFAULT", **wishes)
        enabled.context.scene.cursor.location = (0.0, 50.0, 0.0)
        end(made["pot"])
        session._courses.clear()
        for _ in range(3):
            session.pump()
        assert places(enabled) == [[3.5, 0.0, 0.0], [6.0, 0.0, 0.0]]  # the place of the cup waits for it
        enabled.ops.maquette.batch("EXEC_DEFAULT", **wishes)
        session._courses.clear()
        session.pump()
        assert len(places(enabled)) == 2  # what stands there already is not put there again


def test_what_is_imported_by_hand_is_selected(enabled: Any, folder: Path) -> None:
    other = enabled.data.objects.new("other", None)
    enabled.context.scene.collection.objects.link(other)
    other.select_set(True)
    job = make_result(folder / "a")
    enabled.ops.maquette.import_result(job=str(job), select=False)
    assert enabled.context.selected_objects == [other]
    enabled.ops.maquette.import_result(job=str(job))
    assert [item.type for item in enabled.context.selected_objects] == ["MESH"]
    assert enabled.context.view_layer.objects.active in enabled.context.selected_objects


def test_results_are_imported_in_object_mode_only(enabled: Any, folder: Path) -> None:
    mesh = enabled.data.objects.new("edited", enabled.data.meshes.new("edited"))
    enabled.context.scene.collection.objects.link(mesh)
    enabled.context.view_layer.objects.active = mesh
    enabled.ops.object.mode_set(mode="EDIT")
    assert not enabled.ops.maquette.import_result.poll()
    enabled.ops.object.mode_set(mode="OBJECT")
    assert enabled.ops.maquette.import_result.poll()
