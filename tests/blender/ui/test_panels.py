"""What the tab shows, for each state in which a job can be."""

# pyright: reportMissingImports=false

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from addon import protocol
from addon.jobs.progress import JobProgress, follow

MESSAGES = {
    "progress": [
        protocol.Hello(job="x", backend="0", pid=1),
        protocol.Stage(number=2, name="gaussians", stages=3),
        protocol.Warning(message="The prior does not know 'zebra'.", hint="Use another word."),
        protocol.Preview(),
        protocol.Progress(step=30, steps=100, seconds_left=65, steps_per_second=1.5, memory_bytes=1400 << 20),
    ],
    "finished": [protocol.Finished(results=("result/model.glb",), seconds=200)],
    "stopped": [protocol.Finished(results=(), seconds=2, stopped_after="perceive")],
    "shaped": [protocol.Finished(results=("result/model.glb",), seconds=2, stopped_after="surface")],
    "failed": [
        protocol.Failed(kind="EmptyMask", message="The mask is empty: 0 of 9 pixels.", hint="Use another image.")
    ],
    "cancelled": [protocol.Cancelled(seconds=2)],
    "interrupted": [protocol.Interrupted(reason="the program that started the job is gone", seconds=2)],
}


@pytest.fixture
def backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "python").touch()
    monkeypatch.setenv("MAQUETTE_PYTHON", str(tmp_path / "python"))


@pytest.fixture
def job(tmp_path: Path) -> Path:
    return protocol.make_job(tmp_path, protocol.Request(system="tv3dg", prompt="a red mug"), [])


def draw(context: Any, *names: str) -> Any:
    """Draw panels whose poll agrees, and return the noted layout."""
    from addon.ui import panels
    from addon.ui.results import job_panel
    from tests.blender.layout import Layout

    layout = Layout()
    classes: tuple[Any, ...] = (*panels.CLASSES, *job_panel.CLASSES)
    for cls in classes:
        if (not names or cls.bl_idname in names) and (not hasattr(cls, "poll") or cls.poll(context)):
            cls.draw(SimpleNamespace(layout=layout), context)
    return layout


def show(monkeypatch: pytest.MonkeyPatch, job: Path, *manners: str, is_running: bool = False) -> None:
    """Let the panel be about a job to which these things have happened."""
    from addon.ui import session

    course = JobProgress()
    for event in (event for manner in manners for event in MESSAGES[manner]):
        course = follow(course, event)
    monkeypatch.setattr(session, "shown", lambda: job)
    monkeypatch.setattr(session, "running", lambda: job if is_running else None)
    monkeypatch.setattr(session, "all_running", lambda: [job] * is_running)
    monkeypatch.setattr(session, "course", lambda job: course)


def test_everything_that_can_be_asked_for_is_in_the_tab_with_a_tooltip(enabled: Any, backend: None) -> None:
    from addon.protocol import systems
    from addon.ui import properties

    props = enabled.context.scene.maquette
    props.references.add().image = enabled.data.images.new("seen", 2, 2)
    props.prior, props.mark_asset = "folder", True
    texts = draw(enabled.context).texts
    hidden = {"rna_type", "name", "references", "active_reference", "prompt", "negative_prompt", "subject"}
    hidden |= systems.built_systems().keys()
    shown = {item.name for item in props.bl_rna.properties if item.identifier not in hidden}
    shown |= {setting.label for setting in systems.TV3DG.settings.values()}
    shown |= {
        item.name for item in props.references[0].bl_rna.properties if item.identifier in ("elevation", "azimuth")
    }
    assert shown - set(texts) <= {"New Seed Each Time", "Model"}, properties  # Model: of an installed one
    assert "Prompt" in texts


def test_without_a_backend_the_panel_says_so_and_offers_the_preferences(
    enabled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MAQUETTE_PYTHON", raising=False)
    layout = draw(enabled.context, "MAQUETTE_PT_generate")
    assert "not installed" in " ".join(layout.texts)
    assert "Choose Python" in layout.texts
    assert layout.buttons["maquette.fix"].given["fix"] == "online"  # the last of its buttons: Blender may not go online


def test_with_a_backend_there_is_no_such_box(enabled: Any, backend: None) -> None:
    assert "maquette.fix" not in draw(enabled.context, "MAQUETTE_PT_generate").buttons


def test_a_line_says_what_the_job_would_take_where_it_could_be_begun(
    enabled: Any, backend: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from addon.protocol import preflight

    monkeypatch.setenv("MAQUETTE_SPEED", str(tmp_path))
    props = enabled.context.scene.maquette
    props.prompt, props.preset = "a red mug", "draft"
    assert preflight.UNMEASURED in draw(enabled.context, "MAQUETTE_PT_generate").texts
    preflight.write_speed(tmp_path, preflight.Speed(device="cpu", threads=1, processor=57.0, small=57.0))
    assert "About 2 min, 1.1 GB" in draw(enabled.context, "MAQUETTE_PT_generate").texts
    props.tv3dg.steps = 2_000
    assert "About 20 min, 1.1 GB" in draw(enabled.context, "MAQUETTE_PT_generate").texts
    props.prompt = ""
    assert not [text for text in draw(enabled.context, "MAQUETTE_PT_generate").texts if "GB" in text]


def test_photos_of_a_subject_are_not_called_optional(enabled: Any, backend: None) -> None:
    props = enabled.context.scene.maquette
    assert "Optional; or drop one on the viewport" in draw(enabled.context, "MAQUETTE_PT_generate").texts
    props.system = "dreambooth3d"
    texts = draw(enabled.context, "MAQUETTE_PT_generate").texts
    assert "Three to six; or drop them on the viewport" in texts and not any("Optional" in text for text in texts)


def test_too_little_memory_is_said_before_generate_with_the_preset_that_fits(
    enabled: Any, backend: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from addon.paths import EMBEDDED_PRIOR
    from addon.protocol import preflight

    monkeypatch.setenv("MAQUETTE_SPEED", str(tmp_path))
    speed = preflight.Speed(device="cpu", threads=1, processor=57.0, small=57.0, memory=8 * 10**9)
    preflight.write_speed(tmp_path, speed)
    props = enabled.context.scene.maquette
    props.prompt, props.preset = "a red mug", "paper"
    drawn = draw(enabled.context, "MAQUETTE_PT_generate")
    assert not any("GB that are free" in text for text in drawn.texts) and "maquette.fix" not in drawn.buttons
    draft, base = protocol.SYSTEMS["tv3dg"].presets["draft"], preflight.read_base(EMBEDDED_PRIOR)
    least = preflight.memory("tv3dg", draft, base, speed)
    preflight.write_speed(tmp_path, replace(speed, memory=least))
    drawn = draw(enabled.context, "MAQUETTE_PT_generate")
    assert f"Too much for the {least / 1e9:.1f} GB that are free; Standard fits" in " ".join(drawn.texts)
    assert drawn.buttons["maquette.fix"].given == {"fix": "preset"}
    props.preset = "standard"
    assert "maquette.fix" not in draw(enabled.context, "MAQUETTE_PT_generate").buttons


def test_settings_that_differ_can_be_reset_one_by_one(enabled: Any, backend: None) -> None:
    props = enabled.context.scene.maquette
    plain = draw(enabled.context).drawn.count(("operator", ""))
    assert "All as in the preset" in draw(enabled.context).texts
    props.tv3dg.steps, props.tv3dg.entropy = 50, 0.9
    layout = draw(enabled.context)
    assert "2 changed" in layout.texts and layout.drawn.count(("operator", "")) == plain + 2


def test_there_is_no_job_panel_without_a_job(enabled: Any, backend: None) -> None:
    assert draw(enabled.context, "MAQUETTE_PT_job").drawn == []


def test_a_running_job_shows_where_it_is(enabled: Any, job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    show(monkeypatch, job, "progress", is_running=True)
    asked: list[Path] = []
    monkeypatch.setattr("addon.ui.previews.icon", lambda path: asked.append(path) or 7)
    layout = draw(enabled.context, "MAQUETTE_PT_job")
    assert "a red mug" in layout.texts and "1.4 GB" in layout.texts
    bars = [text for kind, text in layout.drawn if kind == "progress"]
    assert bars[0] == "Optimising (2 of 3)" and bars[1].endswith("% of All") and len(bars) == 2
    assert any(text.endswith("left") for text in layout.texts) and ("template_icon", "") in layout.drawn
    assert asked == [job / "preview/latest.png"]
    assert {"maquette.finish", "maquette.cancel"} <= layout.buttons.keys()
    assert "zebra" in " ".join(layout.texts)
    assert "Use another word." in " ".join(draw(enabled.context, "MAQUETTE_PT_warnings").texts)


@pytest.mark.parametrize(
    ("manner", "said", "buttons"),
    [
        ("finished", "Done in 3 min 20 s", {"maquette.import_result", "maquette.open_folder"}),
        (
            "stopped",
            "Stopped after the Cut-Out",
            {"maquette.open_stage", "maquette.replace_stage", "maquette.go_on"},
        ),
        (
            "shaped",
            "Stopped after the Shape",
            {"maquette.import_result", "maquette.go_on"},
        ),
        (
            "failed",
            "The mask is empty: 0 of 9 pixels. Use another image.",
            {"maquette.fix", "maquette.resume", "maquette.copy_report", "maquette.open_folder"},
        ),
        ("cancelled", "Cancelled", {"maquette.resume"}),
        ("interrupted", "the program that started the job is gone", {"maquette.resume"}),
    ],
)
def test_a_job_that_ended_says_how_and_what_can_be_done(
    enabled: Any, job: Path, monkeypatch: pytest.MonkeyPatch, manner: str, said: str, buttons: set[str]
) -> None:
    show(monkeypatch, job, "progress", manner)
    layout = draw(enabled.context, "MAQUETTE_PT_job")
    assert said in " ".join(layout.texts)
    assert layout.buttons.keys() == buttons
    assert {button.given["job"] for button in layout.buttons.values()} == {str(job)}


def test_a_job_that_was_killed_can_go_on(enabled: Any, job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    show(monkeypatch, job, "progress")
    layout = draw(enabled.context, "MAQUETTE_PT_job")
    assert "Interrupted: it was killed" in " ".join(layout.texts) and "maquette.resume" in layout.buttons


def test_the_fake_layout_refuses_what_blender_refuses(enabled: Any) -> None:
    from tests.blender.layout import Layout

    layout, props = Layout(), enabled.context.scene.maquette
    for wrong in (
        lambda: layout.label(text="", icon="NO_SUCH_ICON"),
        lambda: layout.labels(),
        lambda: layout.label(words="x"),
        lambda: layout.prop(props, "colour"),
        lambda: layout.operator("maquette.no_such_operator"),
        lambda: setattr(layout.operator("maquette.cancel"), "jobs", "x"),
        lambda: setattr(layout, "use_colour", True),
    ):
        with pytest.raises((AttributeError, KeyError, TypeError, ValueError)):
            wrong()


def test_a_backend_that_cannot_run_is_told_in_the_tab(
    enabled: Any, backend: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from addon.install import background, diagnosis

    monkeypatch.setattr(background, "found", lambda: diagnosis.Diagnosis("broken", "numba is missing or broken."))
    layout = draw(enabled.context, "MAQUETTE_PT_generate")
    assert "numba is missing or broken." in " ".join(layout.texts) and "Choose Python" in layout.texts
    assert "Repair" not in layout.texts  # the Python is the artist's own


def test_the_line_under_generate_says_how_far_the_running_job_is(
    enabled: Any, backend: None, job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    show(monkeypatch, job, "progress", is_running=True)
    texts = draw(enabled.context, "MAQUETTE_PT_generate").texts
    assert any(text.endswith("%: About 1 min 15 s left") for text in texts), texts


def test_no_time_left_is_told_while_kernels_compile(
    enabled: Any, backend: None, job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dataclasses

    from addon.ui import session

    show(monkeypatch, job, "progress", is_running=True)
    course = dataclasses.replace(session.course(job), compiling=0.4)
    monkeypatch.setattr(session, "course", lambda job: course)
    texts = draw(enabled.context, "MAQUETTE_PT_generate", "MAQUETTE_PT_job").texts
    assert "Compiling Kernels, Once (40%)" in texts and "Measuring the time left" in texts
    assert any(text.endswith("%: Running") for text in texts) and not any("s left" in text for text in texts)


def test_every_panel_of_the_sidebar_is_in_our_tab(enabled: Any) -> None:
    from addon.ui import session

    ours = [cls for cls in enabled.types.Panel.__subclasses__() if cls.__name__.startswith("MAQUETTE_")]
    assert len(ours) > 10
    for cls in ours:  # one without a tab makes another, "Misc", with nothing in it
        assert cls.bl_region_type != "UI" or cls.bl_category == session.CATEGORY, cls


def test_a_picture_shows_only_what_the_system_asks_for(enabled: Any, backend: None) -> None:
    props = enabled.context.scene.maquette
    props.references.add().image = enabled.data.images.new("seen", 2, 2)
    props.references[0].role = "visual_prompt"
    assert {"Shows", "Elevation"} <= set(draw(enabled.context, "MAQUETTE_PT_generate").texts)
    props.system = "dreambooth3d"  # photos are nothing else, and nobody says from where they were taken
    assert not {"Shows", "Elevation"} & set(draw(enabled.context, "MAQUETTE_PT_generate").texts)
    props.system = "customize_it_3d"  # which has no style
    texts = draw(enabled.context, "MAQUETTE_PT_generate").texts
    assert "Object" in texts and "Elevation" in texts
