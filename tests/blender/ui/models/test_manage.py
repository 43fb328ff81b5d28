"""Models in the preferences: listed with their sizes, and what is asked of the backend, only when it may be."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.blender.layout import Layout
from tests.blender.ui.models.test_choice import install


@pytest.fixture
def asked(own: Any, bpy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Return what the helper is started with; there is a Python, and the network may be used."""
    from addon import preferences
    from addon.install import background
    from addon.ui.models import manage

    found: list[tuple[Any, ...]] = []
    monkeypatch.setattr(background, "start", lambda *words, variables: found.append((*map(str, words), variables)))
    monkeypatch.setattr(preferences, "interpreter", lambda context: Path("python"))
    monkeypatch.setattr(manage, "why_not", lambda context, online=False: "")
    monkeypatch.setenv("MAQUETTE_MODELS", str(tmp_path / "models"))
    return found


def test_what_is_asked_is_what_was_chosen_and_the_token_is_on_no_command_line(
    asked: list[tuple[Any, ...]], own: Any, bpy: Any
) -> None:
    from addon import preferences

    own.hub_endpoint, own.hub_token = "https://mirror.example", "secret"
    assert bpy.ops.maquette.fetch_model(name="sd2", source="someone/sd2") == {"FINISHED"}
    assert bpy.ops.maquette.remove_model(name="sd2") == {"FINISHED"}
    assert bpy.ops.maquette.import_model(filepath="/a/clay.safetensors", base="sd15", strength=0.5) == {"FINISHED"}
    assert bpy.ops.maquette.verify_models() == {"FINISHED"}
    words = [" ".join(each[:-1]) for each in asked]
    assert words == [
        "models python -- fetch sd2 --yes --from someone/sd2 --endpoint https://mirror.example",
        "models python -- remove sd2",
        "models python -- import /a/clay.safetensors --strength 0.5 --base sd15",
        "models python -- verify",
    ]
    assert asked[0][-1]["HF_TOKEN"] == "secret" and "HF_TOKEN" not in preferences.child_variables(bpy.context)


def test_nothing_is_fetched_while_blender_may_not_go_online(
    own: Any, bpy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from addon import preferences
    from addon.ui.models import manage

    monkeypatch.setattr(preferences, "interpreter", lambda context: Path("python"))
    assert bpy.app.online_access is False
    assert manage.why_not(bpy.context, online=True) == manage.OFFLINE and manage.why_not(bpy.context) == ""
    with pytest.raises(RuntimeError, match="needs Allow Online Access"):
        bpy.ops.maquette.fetch_model(name="sd15")


def test_sizes_stand_before_and_after(own: Any, bpy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from addon.ui.models import manage

    monkeypatch.setenv("MAQUETTE_MODELS", str(tmp_path))
    install(tmp_path, "sd15", title="Stable Diffusion 1.5")
    layout = Layout()
    manage.draw_models(layout, bpy.context)
    text = " ".join(layout.texts)
    assert "Stable Diffusion 1.5: 2.13 GB" in text and "Depth Anything V2 Small: says what is near" in text
    drawn = " ".join(str(each) for each in layout.drawn)
    assert "about 99 MB" in drawn and "size unknown until fetched" in drawn


def test_viewports_and_the_add_ons_preferences_take_dropped_models_and_no_images(enabled: Any) -> None:
    from addon.ui import reference_list
    from addon.ui.models import manage

    def dropped_on(kind: str, section: str = "") -> bool:
        context = SimpleNamespace(
            area=SimpleNamespace(type=kind, regions=[]), preferences=SimpleNamespace(active_section=section)
        )
        assert not reference_list.MAQUETTE_FH_image.poll_drop(context)  # whose tab is not open
        return manage.MAQUETTE_FH_model.poll_drop(context)

    assert dropped_on("VIEW_3D") and dropped_on("PREFERENCES", "ADDONS")
    assert not dropped_on("PREFERENCES", "THEMES") and not dropped_on("IMAGE_EDITOR")
    assert not manage.MAQUETTE_FH_model.poll_drop(SimpleNamespace(area=None))
    handlers = [reference_list.MAQUETTE_FH_image, manage.MAQUETTE_FH_model]
    images, files = (set(each.bl_file_extensions.split(";")) for each in handlers)
    assert files == {".safetensors"} and ".png" in images and not images & files
    assert enabled.types.MAQUETTE_FH_model.bl_import_operator == "maquette.import_model"


def test_a_dropped_model_opens_the_dialog_of_its_import(
    asked: list[tuple[Any, ...]], enabled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from addon.ui.models import manage

    opened: list[str] = []
    shown = SimpleNamespace(
        invoke_props_dialog=lambda operator, **rest: opened.append(operator.filepath) or {"RUNNING_MODAL"},
        fileselect_add=lambda operator: opened.append("a file browser"),
    )
    said: list[str] = []

    class Dropped(SimpleNamespace):
        bl_rna = enabled.ops.maquette.import_model.get_rna_type()
        invoke, draw, execute = (
            getattr(manage.MAQUETTE_OT_import_model, name) for name in ("invoke", "draw", "execute")
        )

    context: Any = SimpleNamespace(window_manager=shown)
    for path in ("/a/clay.safetensors", ""):
        layout = Layout()
        operator: Any = Dropped(filepath=path, base="", strength=1.0, is_dropped=False, layout=layout)
        operator.report = lambda kind, text: said.append(text)
        operator.ask = lambda context, *words: asked.append(words) or {"FINISHED"}
        assert operator.invoke(context, None) == {"RUNNING_MODAL"}
        operator.draw(enabled.context)
        texts = [text for kind, text in layout.drawn]
        assert ("clay.safetensors" in texts) == bool(path) and any("LoRA" in text for text in texts) == bool(path)
        assert {"Base", "Strength"} <= set(texts)
        operator.execute(enabled.context)
    assert opened == ["/a/clay.safetensors", "a file browser"]
    assert asked[0] == ("import", "/a/clay.safetensors", "--strength", "1")
    assert len(said) == 1 and said[0].startswith("clay.safetensors is imported")
    kept = enabled.ops.maquette.import_model.get_rna_type().properties["filepath"]
    assert kept.is_skip_save  # or the next Import would begin with the dropped file
