"""Kept subjects in the tab: chosen, kept, deleted; recipes; several prompts, one job each."""

# pyright: reportMissingImports=false

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from addon import protocol
from addon.jobs import store
from addon.protocol.systems.subject_prompts import RECIPES
from tests.addon.made_subjects import made_job
from tests.blender.ui.test_panels import draw

PANEL = "MAQUETTE_PT_generate"


@pytest.fixture
def props(session: Any, enabled: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The scene's wishes about a subject, of which none is kept yet."""
    from addon import preferences

    monkeypatch.setattr(preferences, "subjects_folder", lambda: tmp_path / "subjects")
    found = enabled.context.scene.maquette
    found.system, found.prompt = "dreambooth3d", "a red bear"
    return found


def keep(enabled: Any, tmp_path: Path, name: str = "Ted") -> None:
    job = made_job(tmp_path / f"job of {name}", token="zxv")
    assert enabled.ops.maquette.keep_subject(job=str(job), name=name) == {"FINISHED"}


def test_photos_are_asked_for_until_a_subject_is_kept_and_chosen(enabled: Any, props: Any, tmp_path: Path) -> None:
    from addon.ui import generate, properties

    assert "2 at least" in generate.why_not(enabled.context)
    texts = draw(enabled.context, PANEL).texts
    assert {"From Photos", "Class", "Recipes", "Reference Images"} <= set(texts)
    for number in range(2):
        props.references.add().image = enabled.data.images.new(f"photo {number}", 4, 4)
    assert properties.request_of(props).roles == {"subject"} and generate.why_not(enabled.context) == ""
    keep(enabled, tmp_path)
    assert props.subject == "Ted"
    request = properties.request_of(props, prompt="a bear")
    assert request.roles == {protocol.KEPT_SUBJECT} and request.images == ()
    layout = draw(enabled.context, PANEL)
    assert "Ted" in layout.texts and "Reference Images" not in layout.texts and "Class" not in layout.texts
    assert any(text.startswith("Ted: a bear, ") for text in layout.texts)
    assert layout.buttons["maquette.delete_subject"].given["name"] == "Ted"
    props.stop_after = "cutouts"
    assert properties.request_of(props).stop_after == ""  # there are none
    props.system = "tv3dg"
    assert properties.request_of(props).subject == "" and "Ted" not in draw(enabled.context, PANEL).texts


def test_a_prompt_without_the_class_is_said(enabled: Any, props: Any, tmp_path: Path) -> None:
    keep(enabled, tmp_path)
    assert "does not say" not in " ".join(draw(enabled.context, PANEL).texts)
    props.prompt = "a red mug"
    assert "does not say 'bear'" in " ".join(draw(enabled.context, PANEL).texts)


def test_several_prompts_are_as_many_jobs_with_copies_of_the_subject(
    enabled: Any, props: Any, session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from addon import api
    from addon.ui import subjects
    from addon.ui.results import importing

    operator = enabled.ops.maquette.subject_batch
    assert not operator.poll()
    keep(enabled, tmp_path)
    with monkeypatch.context() as patch:  # a job is queued where there is a window
        app = SimpleNamespace(background=False, timers=enabled.app.timers)
        patch.setattr(subjects, "bpy", SimpleNamespace(app=app))
        assert operator(prompts="a blue bear; a bear sitting ;;") == {"FINISHED"}
    jobs = sorted(session.waiting())
    assert len(jobs) == 2
    requests = [protocol.read_request(job) for job in jobs]
    assert {request.prompt for request in requests} == {"a blue bear", "a bear sitting"}
    assert len({(request.seed, request.subject) for request in requests}) == 1
    for job, request in zip(jobs, requests, strict=True):
        assert all(protocol.is_inside(job, name) for name in request.files) and len(request.files) == 8
    with pytest.raises(RuntimeError, match="There is no prompt"):
        operator(prompts=" ; ")
    with pytest.raises(RuntimeError, match="1001 characters"):
        operator(prompts="a bear;" + "x" * 1001)
    assert len(store.list_jobs(tmp_path / "jobs")) == 2
    brought: list[Path] = []
    monkeypatch.setattr(api, "wait", lambda job: protocol.Finished(results=(), seconds=1.0))
    monkeypatch.setattr(importing, "bring", lambda job, props: brought.append(job))
    assert operator(prompts="a green bear; a bear on a table") == {"FINISHED"}
    assert [protocol.read_request(job).prompt for job in brought] == ["a green bear", "a bear on a table"]


def test_what_cannot_be_kept_chosen_or_deleted_is_said(enabled: Any, props: Any, tmp_path: Path) -> None:
    keep(enabled, tmp_path)
    with pytest.raises(RuntimeError, match="'Ted' is kept already"):
        keep(enabled, tmp_path / "again")
    with pytest.raises(RuntimeError, match="no subject named 'Tod'"):
        enabled.ops.maquette.choose_subject(name="Tod")
    assert enabled.ops.maquette.choose_subject(name="ted") == {"FINISHED"} and props.subject == "Ted"
    assert enabled.ops.maquette.delete_subject(name="Ted") == {"FINISHED"} and props.subject == ""
    props.subject = "Ted"  # as another .blend kept it
    assert any("no subject named" in text for text in draw(enabled.context, PANEL).texts)
    with pytest.raises(RuntimeError, match="no subject named 'Ted'"):
        enabled.ops.maquette.delete_subject(name="Ted")
    assert props.subject == ""


def test_recipes_write_the_subjects_prompt_with_its_own_token(enabled: Any, props: Any, tmp_path: Path) -> None:
    from addon.ui import subjects
    from tests.blender.layout import Layout

    layout = Layout()
    menu: Any = SimpleNamespace(layout=layout)
    subjects.MAQUETTE_MT_recipes.draw(menu, enabled.context)
    assert "Another Colour: a blue sks bear" in layout.texts
    assert enabled.ops.maquette.use_recipe(recipe="pose") == {"FINISHED"} and props.prompt == "a sks bear sitting"
    keep(enabled, tmp_path)
    for name, recipe in RECIPES.items():
        enabled.ops.maquette.use_recipe(recipe=name, word="glass")
        assert props.prompt == recipe.prompt("bear", "zxv", "glass") and "zxv bear" in props.prompt


def test_a_finished_job_offers_to_keep_its_subject_and_one_of_a_kept_one_does_not(props: Any, tmp_path: Path) -> None:
    from addon.ui import subjects
    from tests.blender.layout import Layout

    job, layout = made_job(tmp_path / "job"), Layout()
    subjects.draw_keep(layout, job, protocol.read_request(job))
    assert layout.buttons["maquette.keep_subject"].given["job"] == str(job)
    layout = Layout()
    subjects.draw_keep(layout, job, protocol.Request(system="tv3dg", prompt="a mug"))
    kept = protocol.keep_subject(tmp_path / "subjects", job, "Ted")
    subjects.draw_keep(layout, job, protocol.describe(system="dreambooth3d", prompt="a bear", subject=kept)[0])
    subjects.draw_keep(layout, job, None)
    assert layout.buttons == {}
