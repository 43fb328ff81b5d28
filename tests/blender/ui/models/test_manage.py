"""Models in the preferences: listed with their sizes, and what is asked of the backend, only when it may be."""

from __future__ import annotations

from pathlib import Path
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
