"""A batch in Blender: what is selected, the jobs that are made, what is skipped, the summary."""

# pyright: reportMissingImports=false

from __future__ import annotations

import math
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from addon import protocol
from addon.jobs import store
from tests.blender.made_jobs import HELLO


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the operators take this for a Blender with a window: jobs are queued, not run to their end."""
    import importlib

    from addon.ui import batch_operators

    bpy: Any = importlib.import_module("bpy")
    app = SimpleNamespace(background=False, timers=bpy.app.timers)
    monkeypatch.setattr(batch_operators, "bpy", Stand(bpy, app))


class Stand:
    """Blender's module with another `app`."""

    def __init__(self, module: Any, app: Any) -> None:
        self.module, self.app = module, app

    def __getattr__(self, name: str) -> Any:
        return getattr(self.module, name)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of three pictures."""
    path = tmp_path / "pictures ü"
    path.mkdir()
    for name, colour in [("cup", "red"), ("tea_pot", "green"), ("jug", "blue")]:
        Image.new("RGB", (8, 8), colour).save(path / f"{name}.png")
    return path


def prompts(queue: Any) -> list[str]:
    return [protocol.read_request(job).prompt for job in queue.waiting]


def test_each_picture_of_a_folder_becomes_a_job_once(enabled: Any, folder: Path, pictures: Path, window: None) -> None:
    from addon.ui import session

    queue: Any = session._queue
    enabled.context.scene.maquette.seed = 5
    batch = lambda: enabled.ops.maquette.batch("EXEC_DEFAULT", directory=str(pictures), prompt="a {name}")  # noqa: E731
    assert batch() == {"FINISHED"}
    assert prompts(queue) == ["a cup", "a jug", "a tea pot"]
    request = protocol.read_request(queue.waiting[0])
    assert request.seed == 5 and request.images[0].role == "reconstruct"
    assert (queue.waiting[0] / request.images[0].path).read_bytes() == (pictures / "cup.png").read_bytes()
    assert batch() == {"FINISHED"} and len(store.list_jobs(folder)) == 3
    cup = queue.waiting.pop(0)
    (cup / "events.jsonl").write_text(protocol.encode(HELLO) + protocol.encode(protocol.Cancelled(seconds=1.0)))
    batch()
    assert queue.waiting[-1] == cup and len(store.list_jobs(folder)) == 3  # it goes on


def test_the_summary_comes_when_all_have_ended(
    enabled: Any,
    folder: Path,
    pictures: Path,
    window: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from addon.ui import batch_operators, session

    told: list[str] = []
    monkeypatch.setattr(batch_operators, "_tell", told.append)
    queue: Any = session._queue
    enabled.ops.maquette.batch("EXEC_DEFAULT", directory=str(pictures))
    cup, jug, pot = queue.waiting
    queue.tell(cup, HELLO, protocol.Failed(kind="K", message="The mask is empty.", hint=""))
    queue.tell(jug, HELLO, protocol.Finished(results=(), seconds=1.0))
    session.pump()
    assert batch_operators._watch() is not None and told == []
    queue.tell(pot, HELLO, protocol.Finished(results=(), seconds=1.0))
    session.pump()
    assert batch_operators._watch() is None
    assert told == ["3 pictures: 2 finished, 1 failed. cup: The mask is empty."]


def test_selected_image_empties_become_jobs(enabled: Any, folder: Path, pictures: Path, window: None) -> None:
    from addon.ui import session

    queue: Any = session._queue
    for name in ("cup", "jug"):
        image = enabled.data.images.load(str(pictures / f"{name}.png"))
        for _ in range(2):  # the same image twice is one picture
            item = enabled.data.objects.new(name, None)
            item.empty_display_type, item.data = "IMAGE", image
            enabled.context.scene.collection.objects.link(item)
            item.select_set(name == "cup")
    enabled.data.images["cup.png"].pack()
    (pictures / "cup.png").unlink()
    assert enabled.ops.maquette.batch("EXEC_DEFAULT") == {"FINISHED"}
    assert prompts(queue) == ["cup"]
    enabled.ops.object.select_all(action="DESELECT")
    with pytest.raises(RuntimeError, match="No image is selected"):
        enabled.ops.maquette.batch("EXEC_DEFAULT")


def test_the_panel_counts_a_batch_on_its_way(enabled: Any, folder: Path, pictures: Path, window: None) -> None:
    from addon.ui import batch_operators, session
    from tests.blender.layout import Layout

    def draw() -> Any:
        layout, panel = Layout(), batch_operators.MAQUETTE_PT_batch
        draw_panel: Any = panel.draw
        draw_panel(SimpleNamespace(layout=layout), enabled.context)
        return layout

    assert draw().texts == ["Generate from Selected Images", "Generate from a Folder", "Send to Farm..."]
    enabled.ops.maquette.batch("EXEC_DEFAULT", directory=str(pictures))
    queue: Any = session._queue
    queue.tell(queue.waiting[0], HELLO, protocol.Finished(results=(), seconds=1.0))
    session.pump()
    batch_operators._watch()
    assert "3 pictures: 1 finished, 2 to come." in " ".join(draw().texts)


def test_the_panels_visual_prompts_go_into_each_job(
    enabled: Any, folder: Path, tmp_path: Path, pictures: Path, window: None
) -> None:
    props = enabled.context.scene.maquette
    Image.new("RGB", (8, 8), "white").save(tmp_path / "style.png")
    for role in ("visual_prompt", "reconstruct"):
        reference = props.references.add()
        reference.image = enabled.data.images.load(str(tmp_path / "style.png"))
        reference.role = role  # the panel's own object is not that of the batch
    for _ in range(2):
        assert enabled.ops.maquette.batch("EXEC_DEFAULT", directory=str(pictures), prompt="a {name}") == {"FINISHED"}
    made = store.list_jobs(folder)
    assert len(made) == 3
    for job in made:
        images = protocol.read_request(job).images
        assert [image.role for image in images] == ["reconstruct", "visual_prompt"]
        assert (job / images[1].path).read_bytes() == (tmp_path / "style.png").read_bytes()


def test_bad_wishes_get_a_sentence(enabled: Any, folder: Path, tmp_path: Path, pictures: Path, window: None) -> None:
    (tmp_path / "empty").mkdir()
    for options, words in [
        ({"directory": str(tmp_path / "nowhere")}, "There is no folder"),
        ({"directory": str(tmp_path / "empty")}, "There is no picture"),
        ({"directory": str(pictures), "prompt": "a {nmae}"}, "nothing else is replaced"),
    ]:
        with pytest.raises(RuntimeError, match=words):
            enabled.ops.maquette.batch("EXEC_DEFAULT", **options)
    assert store.list_jobs(folder) == []


def test_what_the_browsers_have_selected_is_found(enabled: Any, pictures: Path) -> None:
    from addon.ui import batch_operators

    entries = [SimpleNamespace(relative_path=name) for name in ("cup.png", "notes.txt", "jug.png")]
    params = SimpleNamespace(directory=os.fsencode(f"{pictures}/"))
    space = SimpleNamespace(type="FILE_BROWSER", browse_mode="FILES", params=params)
    context: Any = SimpleNamespace(space_data=space, selected_files=entries)
    assert batch_operators.selected_files(context) == [pictures / "cup.png", pictures / "jug.png"]
    space.browse_mode = "ASSETS"
    assert batch_operators.selected_files(context) == []
    assert batch_operators.selected_files(enabled.context) == []  # no area at all


def test_an_image_asset_of_another_file_is_used_and_leaves_nothing(
    enabled: Any,
    folder: Path,
    tmp_path: Path,
    pictures: Path,
    window: None,
) -> None:
    from addon.ui import batch_operators

    enabled.data.images.load(str(pictures / "cup.png")).asset_mark()
    enabled.data.images["cup.png"].pack()
    enabled.ops.wm.save_as_mainfile(filepath=str(tmp_path / "library.blend"))
    enabled.ops.wm.read_factory_settings(use_empty=True)
    asset = SimpleNamespace(
        name="cup.png", id_type="IMAGE", full_library_path=str(tmp_path / "library.blend"), local_id=None
    )
    context: Any = SimpleNamespace(selected_assets=[asset, SimpleNamespace(id_type="OBJECT")])
    (tmp_path / "temporary").mkdir()
    ((name, path),) = batch_operators._of_assets(context, tmp_path / "temporary")
    assert name == "cup.png" and path.read_bytes() == (pictures / "cup.png").read_bytes()
    assert len(enabled.data.images) == 0


def test_without_a_window_each_job_runs_to_its_end_and_a_failure_does_not_stop_the_next(
    enabled: Any,
    folder: Path,
    pictures: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from addon import api
    from addon.ui import batch_operators

    ran: list[str] = []

    def wait(job: Path, **_: Any) -> protocol.Finished:
        ran.append(protocol.read_request(job).prompt)
        if ran[-1] == "cup":
            raise api.JobFailed("The mask is empty.", "Use another image.")
        return protocol.Finished(results=(), seconds=1.0)

    monkeypatch.setattr(batch_operators.api, "wait", wait)
    with pytest.raises(RuntimeError, match=r"3 pictures: 2 finished, 1 failed\. cup: The mask is empty\."):
        enabled.ops.maquette.batch("EXEC_DEFAULT", directory=str(pictures))
    assert ran == ["cup", "jug", "tea pot"]


def test_the_menus_of_the_browsers_offer_it(enabled: Any) -> None:
    import addon
    from addon.ui import batch_operators

    for name in batch_operators.MENUS:
        assert batch_operators._draw_menu in getattr(enabled.types, name)._dyn_ui_initialize()
    addon.unregister()
    for name in batch_operators.MENUS:
        assert batch_operators._draw_menu not in getattr(enabled.types, name)._dyn_ui_initialize()
    addon.register()


def test_a_batch_says_from_where_its_pictures_were_taken(
    enabled: Any, folder: Path, pictures: Path, window: None
) -> None:
    from addon.ui import session

    queue: Any = session._queue
    angles = {"elevation": math.radians(15), "azimuth": math.radians(-90), "field_of_view": math.radians(30)}
    enabled.ops.maquette.batch("EXEC_DEFAULT", directory=str(pictures), **angles)
    for job in queue.waiting:
        (seen,) = protocol.read_request(job).images
        assert (seen.elevation_degrees, seen.azimuth_degrees, seen.fov_degrees) == (15.0, -90.0, 30.0)


def test_the_dialog_of_a_batch_offers_what_the_panel_has(enabled: Any, folder: Path) -> None:
    from addon.ui import batch_operators
    from tests.blender.layout import Layout

    cls: Any = batch_operators.MAQUETTE_OT_batch
    shown: dict[str, Any] = {}
    manager = SimpleNamespace(invoke_props_dialog=lambda operator, **how: shown.update(how))
    for is_wanted, is_said, expected in ((True, False, True), (False, False, False), (True, True, False)):
        enabled.context.scene.maquette.import_when_done = is_wanted
        given = SimpleNamespace(is_property_set=lambda name, is_said=is_said: is_said)
        operator = SimpleNamespace(properties=given, import_when_done=False, directory="/pictures", layout=Layout())
        context = SimpleNamespace(scene=enabled.context.scene, window_manager=manager)
        cls.invoke(operator, context, None)
        assert operator.import_when_done == expected
    assert shown["title"] == "Generate from a Folder"
