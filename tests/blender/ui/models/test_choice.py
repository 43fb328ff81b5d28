"""The panel's choice of a base becomes what a request says, and says in one line what is chosen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from addon.protocol import models
from tests.blender.layout import Layout


@pytest.fixture
def folder(enabled: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MAQUETTE_MODELS", str(tmp_path))
    return tmp_path


def install(folder: Path, name: str, **changed: Any) -> None:
    record = models.ModelRecord(
        **{"name": name, "role": "base", "title": name.title(), "source": "a/b", "files": {"m.safetensors": "0" * 64},
           "sizes": {"m.safetensors": 2_130_000_000}} | changed,
    )  # fmt: skip
    place = models.place_of(folder, record.role, record.name)
    place.mkdir(parents=True)
    (place / models.MODEL_RECORD).write_bytes(models.encode_model_record(record))


def drawn(bpy: Any) -> Layout:
    from addon.ui.models import choice

    layout = Layout()
    choice.draw_prior(layout, bpy.context, bpy.context.scene.maquette)
    return layout


def test_a_name_goes_into_the_request_and_comes_back_out_of_one(folder: Path, enabled: Any) -> None:
    from addon.ui.models import choice

    props = enabled.context.scene.maquette
    assert choice.chosen_prior(props) == "embedded"
    choice.take_prior(props, "sd15")
    assert (props.prior, choice.chosen_prior(props)) == ("installed", "sd15")
    choice.take_prior(props, "/models/sd")
    assert (props.prior, choice.chosen_prior(props)) == ("folder", "/models/sd")
    choice.take_prior(props, "embedded")
    assert choice.chosen_prior(props) == "embedded"


def test_each_choice_has_one_line(folder: Path, enabled: Any) -> None:
    props = enabled.context.scene.maquette
    assert "minutes on two processor cores" in " ".join(drawn(enabled).texts)
    props.prior = "installed"
    layout = drawn(enabled)
    assert "Stable Diffusion 1.5 is not installed: about 2.13 GB" in " ".join(layout.texts)
    assert "maquette.fetch_model" in layout.buttons
    install(folder, "sd15")
    assert "knows nearly everything; for a GPU with 6 GB and more. 2.13 GB" in " ".join(drawn(enabled).texts)
    props.prior_model = "unheard-of"
    assert "No base named 'unheard-of' is installed" in " ".join(drawn(enabled).texts)


def test_names_are_suggested_with_what_they_are(folder: Path, enabled: Any) -> None:
    from addon.ui.models import choice

    props = enabled.context.scene.maquette
    assert list(choice.suggest(props, enabled.context, "")) == [("sd15", "Stable Diffusion 1.5, not installed")]
    install(folder, "clay")
    install(folder, "depth", role="depth")  # no base
    assert list(choice.suggest(props, enabled.context, "CL")) == [("clay", "Clay")]
