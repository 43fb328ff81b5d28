"""The buttons, called as scripts call them: with keywords, to the end, and raising when it goes wrong."""

# pyright: reportMissingImports=false

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from addon import protocol
from addon.jobs import store
from tests.blender.scripted_queue import ScriptedQueue

HELLO = protocol.Hello(job="x", backend="0", pid=1)
DONE = protocol.Finished(results=("result/model.glb",), seconds=1)


@pytest.fixture
def folder(enabled: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the jobs go, which are done at once; the import only leaves an empty."""
    from addon import api, preferences
    from addon.scene import importer
    from addon.ui import session

    (tmp_path / "python").touch()
    monkeypatch.setenv("MAQUETTE_PYTHON", str(tmp_path / "python"))
    monkeypatch.setattr(preferences, "jobs_folder", lambda context: tmp_path / "jobs")
    monkeypatch.setattr(session, "Queue", ScriptedQueue)
    monkeypatch.setattr(api, "wait", lambda job: DONE)

    def leave_an_empty(job: Path, **_: Any) -> importer.Imported:
        item = enabled.data.objects.new(f"from {job.name}", None)
        enabled.context.scene.collection.objects.link(item)
        return importer.Imported(enabled.context.scene.collection, item, None)

    monkeypatch.setattr(importer, "import_result", leave_an_empty)
    return tmp_path / "jobs"


@pytest.fixture
def png(tmp_path: Path) -> Path:
    Image.new("RGB", (8, 8), (200, 20, 20)).save(tmp_path / "red mug.png")
    return tmp_path / "red mug.png"


def the_request(folder: Path) -> protocol.Request:
    (job,) = store.list_jobs(folder)
    return protocol.read_request(job)


# ---- generate ----


def test_generate_takes_keywords_runs_to_the_end_and_imports(enabled: Any, folder: Path, png: Path) -> None:
    answer = enabled.ops.maquette.generate(
        prompt="a red mug", negative_prompt="fog", image=str(png), elevation=15, azimuth=90, field_of_view=35,
        seed=7, preset="bench", settings='{"steps": 9}', import_when_done=True,
    )  # fmt: skip
    made = the_request(folder)
    image = protocol.InputImage(path="inputs/00.png", elevation_degrees=15, azimuth_degrees=90, fov_degrees=35)
    assert answer == {"FINISHED"}
    assert made == protocol.Request(
        system="tv3dg", prompt="a red mug", negative_prompt="fog", images=(image,), seed=7, preset="bench",
        settings={"steps": 9},
    )  # fmt: skip
    (job,) = store.list_jobs(folder)
    assert (job / "inputs/00.png").read_bytes() == png.read_bytes()
    assert [item.name for item in enabled.data.objects] == [f"from {job.name}"]


def test_what_is_not_given_is_taken_from_the_scene(enabled: Any, folder: Path, png: Path) -> None:
    props = enabled.context.scene.maquette
    props.prompt, props.preset, props.seed, props.new_seed, props.import_when_done = "a dog", "paper", 5, False, False
    props.tv3dg.views = 2
    reference = props.references.add()
    reference.image, reference.azimuth = enabled.data.images.load(str(png)), math.radians(-45)
    reference.image.pack()
    png.unlink()
    enabled.ops.maquette.generate()
    made = the_request(folder)
    assert (made.prompt, made.preset, made.seed, made.settings) == ("a dog", "paper", 5, {"views": 2})
    assert made.images[0].azimuth_degrees == -45 and not enabled.data.objects


def test_an_image_beside_the_blend_is_found(enabled: Any, folder: Path, png: Path) -> None:
    enabled.ops.wm.save_as_mainfile(filepath=str(png.parent / "scene.blend"))
    enabled.ops.maquette.generate(prompt="a red mug", image=f"//{png.name}", import_when_done=False)
    (job,) = store.list_jobs(folder)
    assert (job / "inputs/00.png").read_bytes() == png.read_bytes()


def test_a_new_seed_is_drawn_each_time_and_shown(enabled: Any, folder: Path) -> None:
    props = enabled.context.scene.maquette
    enabled.ops.maquette.generate(prompt="a red mug", import_when_done=False)
    assert props.new_seed and props.seed == the_request(folder).seed != 0
    shown = props.seed
    enabled.ops.maquette.generate(prompt="a red mug", seed=3, import_when_done=False)
    assert {protocol.read_request(job).seed for job in store.list_jobs(folder)} == {shown, 3} and props.seed == shown


def test_an_image_of_the_blend_can_be_named(enabled: Any, folder: Path) -> None:
    enabled.data.images.new("painted", 4, 4, alpha=True).pixels[:] = [1, 0, 0, 1] * 16
    enabled.ops.maquette.generate(prompt="a red mug", image="painted", import_when_done=False)
    (job,) = store.list_jobs(folder)
    assert Image.open(job / "inputs/00.png").convert("RGB").getpixel((1, 1)) == (255, 0, 0)


@pytest.mark.parametrize(
    ("keywords", "sentence"),
    [
        ({}, "The prompt is empty"),
        ({"prompt": "a mug", "preset": "fast"}, "The preset 'fast' is unknown; choose one of bench"),
        ({"prompt": "a mug", "image": "/nowhere/a.png"}, "There is no image /nowhere/a.png"),
        ({"prompt": "a mug", "settings": "steps=3"}, "settings are not JSON"),
        ({"prompt": "a mug", "settings": "[3]"}, "settings are no JSON object"),
        ({"prompt": "a mug", "image": "", "elevation": 100.0}, "There is no image"),
    ],
)
def test_bad_input_raises_a_sentence_and_starts_nothing(
    enabled: Any, folder: Path, keywords: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(RuntimeError, match=sentence):
        enabled.ops.maquette.generate(**keywords)
    assert store.list_jobs(folder) == []


def test_only_the_panels_button_is_greyed_out(enabled: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from addon.ui import generate as operators

    context = enabled.context
    generate = operators.MAQUETTE_OT_generate
    button = SimpleNamespace(scene=context.scene, maquette_button=context.scene.maquette)
    monkeypatch.setattr(operators, "why_not", lambda context: "The prompt is empty")
    assert not generate.poll(button)  # what the panel's context has
    assert generate.poll(context) and enabled.ops.maquette.generate.poll()  # a script has other wishes than the panel


def test_a_visual_prompt_is_named_or_taken_from_the_panel(enabled: Any, folder: Path, png: Path) -> None:
    props = enabled.context.scene.maquette
    style, seen = png.with_name("style.jpg"), png.with_name("seen.png")
    Image.new("RGB", (8, 8), "blue").save(style)
    Image.new("RGB", (8, 8), "red").save(seen)
    for path, role in ((style, "visual_prompt"), (seen, "reconstruct")):
        reference = props.references.add()
        reference.image, reference.role = enabled.data.images.load(str(path)), role
        reference.elevation = 0.5
    enabled.ops.maquette.generate(prompt="a red mug")
    first = the_request(folder)
    assert [(image.role, image.path) for image in first.images] == [
        ("reconstruct", "inputs/00.png"),
        ("visual_prompt", "inputs/01.jpg"),
    ]
    assert [image.elevation_degrees for image in first.images] == [pytest.approx(28.6479), 0.0]
    (job,) = store.list_jobs(folder)
    assert [(job / image.path).read_bytes() for image in first.images] == [seen.read_bytes(), style.read_bytes()]
    store.remove(job)
    enabled.ops.maquette.generate(prompt="a red mug", visual_prompt=str(png), elevation=20.0)
    (job,) = store.list_jobs(folder)
    roles = [(image.role, (job / image.path).read_bytes()) for image in the_request(folder).images]
    assert roles == [("reconstruct", seen.read_bytes()), ("visual_prompt", png.read_bytes())]


def test_a_missing_backend_raises_a_sentence(enabled: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAQUETTE_PYTHON", "/nowhere/python")
    with pytest.raises(RuntimeError, match="There is no Python at /nowhere/python"):
        enabled.ops.maquette.generate(prompt="a red mug")


def test_a_job_that_does_not_come_to_its_end_raises(
    enabled: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from addon import api

    def fail(job: Path) -> None:
        raise api.JobFailed("The mask is empty.", "Use another image.", 2)

    monkeypatch.setattr(api, "wait", fail)
    with pytest.raises(RuntimeError, match="The mask is empty. Use another image."):
        enabled.ops.maquette.generate(prompt="a red mug")
    assert not enabled.data.objects and len(store.list_jobs(folder)) == 1


def test_a_stop_after_the_cut_out_is_no_failure(
    enabled: Any, folder: Path, png: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from addon import api

    stopped = protocol.Finished(results=(), seconds=1, stopped_after="perceive")
    monkeypatch.setattr(api, "wait", lambda job: stopped)
    enabled.context.scene.maquette.stop_after = "perceive"
    assert enabled.ops.maquette.generate(prompt="a red mug", image=str(png)) == {"FINISHED"}
    assert the_request(folder).stop_after == "perceive" and not enabled.data.objects


def test_the_button_says_why_it_is_greyed_out(enabled: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from addon.ui import generate as operators

    props = enabled.context.scene.maquette
    assert operators.why_not(enabled.context).startswith("The prompt is empty: describe the object")
    props.prompt = "a red mug"
    assert operators.why_not(enabled.context) == ""
    image = enabled.data.images.new("moved", 2, 2)
    image.source, image.filepath = "FILE", "/nowhere/moved.png"
    props.references.add().image = image
    assert "The file of the image moved is missing: /nowhere/moved.png" in operators.why_not(enabled.context)
    monkeypatch.setenv("MAQUETTE_PYTHON", "/nowhere/python")
    assert operators.why_not(enabled.context) == "There is no Python at /nowhere/python. Choose another"


# ---- the other buttons ----


def test_cancel_and_finish_reach_the_running_job(enabled: Any, folder: Path) -> None:
    from addon.ui import session

    job = session.submit(enabled.context, protocol.Request(system="tv3dg", prompt="x"), [], True)
    queue: Any = session.queue(enabled.context)
    queue.tell(job, HELLO)
    session.pump()
    assert not enabled.ops.maquette.finish.poll()
    queue.tell(job, protocol.Progress(step=1, steps=2, seconds_left=1, steps_per_second=1, memory_bytes=1))
    session.pump()
    enabled.ops.maquette.finish()
    enabled.ops.maquette.cancel()
    assert session.told(job) == "Cancelling at the next step"
    queue.tell(job, protocol.Cancelled(seconds=1))
    session.pump()
    assert session.told(job) == ""
    assert queue.done == [("finish", job), ("cancel", job)]
    session.resume(enabled.context, job, True)
    enabled.ops.maquette.cancel(job=str(job))  # which only waits
    assert session.told(job) == "" and not session.auto_import.is_wanted(job)


def test_resume_queues_the_same_folder_again(enabled: Any, folder: Path) -> None:
    from addon.ui import session

    job = protocol.make_job(folder, protocol.Request(system="tv3dg", prompt="x"), [])
    enabled.ops.maquette.resume(job=str(job))
    assert session.queue(enabled.context).waiting == [job] and session.auto_import.is_wanted(job)


def test_the_report_goes_to_the_clipboard(enabled: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from addon.jobs import bug_report

    asked: list[Any] = []
    monkeypatch.setattr(bug_report, "report", lambda job, programs: asked.append((job, programs)) or "text")
    enabled.ops.maquette.copy_report(job=str(folder))
    assert asked[0][0] == folder and enabled.app.version_string in asked[0][1]["Blender"]


# ---- the cut-out ----


@pytest.fixture
def stopped(folder: Path) -> Path:
    request = protocol.Request(system="tv3dg", prompt="x", stop_after="perceive")
    job = protocol.make_job(folder, request, [])
    (job / "stages/1-perceive").mkdir(parents=True)
    for name, colour in (("rgb.png", (200, 20, 20)), ("mask.png", (255, 255, 255))):
        Image.new("RGB", (8, 8), colour).save(job / "stages/1-perceive" / name)
    return job


def test_the_cut_out_is_opened_painted_on_and_saved_when_going_on(enabled: Any, folder: Path, stopped: Path) -> None:
    from addon.ui import session

    enabled.ops.maquette.open_stage(job=str(stopped), stage="perceive")
    enabled.data.images["rgb.png"].pixels[:] = [0, 0, 1, 1] * 64
    enabled.data.images.new("unrelated", 2, 2).pixels[:] = [0] * 16
    enabled.ops.maquette.go_on(job=str(stopped))
    painted = Image.open(stopped / "stages/1-perceive/rgb.png").convert("RGB")
    assert painted.getpixel((3, 3)) == (0, 0, 255)
    assert protocol.read_request(stopped).stop_after == ""
    assert session.queue(enabled.context).waiting == [stopped]


def test_a_picture_is_replaced_at_its_size(enabled: Any, stopped: Path, tmp_path: Path) -> None:
    Image.new("L", (16, 16), 0).save(tmp_path / "mine.png")
    target = stopped / "stages/1-perceive/mask.png"
    enabled.ops.maquette.replace_stage(
        job=str(stopped), stage="perceive", part="mask.png", filepath=str(tmp_path / "mine.png")
    )
    found = Image.open(target).convert("RGB")
    assert found.size == (8, 8) and found.getpixel((4, 4)) == (0, 0, 0)
    assert not enabled.data.images and sorted(path.name for path in target.parent.iterdir()) == ["mask.png", "rgb.png"]


def test_a_picture_that_does_not_fit_is_a_sentence(enabled: Any, stopped: Path, tmp_path: Path) -> None:
    before = (stopped / "stages/1-perceive/rgb.png").read_bytes()
    Image.new("RGB", (16, 9)).save(tmp_path / "wide.png")
    for name, sentence in (("wide.png", "16 x 9 pixels; it must be square"), ("none.png", "none.png")):
        with pytest.raises(RuntimeError, match=sentence):
            enabled.ops.maquette.replace_stage(job=str(stopped), stage="perceive", filepath=str(tmp_path / name))
    with pytest.raises(RuntimeError, match="has left no"):
        enabled.ops.maquette.replace_stage(job=str(stopped), stage="mesh", filepath=str(tmp_path / "wide.png"))
    assert (stopped / "stages/1-perceive/rgb.png").read_bytes() == before and not enabled.data.images
