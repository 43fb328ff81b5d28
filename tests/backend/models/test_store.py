"""The folder of models: where it is, and how models leave it."""

from __future__ import annotations

from pathlib import Path

import pytest

from addon.protocol import models
from backend.errors import BadInput
from backend.models import store


def install(folder: Path, **changed: str) -> models.Installed:
    facts = {"name": "sd15", "role": "base", "title": "SD", "source": "a/b", "files": {}, "sizes": {}} | changed
    record = models.ModelRecord(**facts)  # pyright: ignore[reportArgumentType]
    with store.changing(folder, record.role, record.name) as place:
        (place / "model_index.json").write_text("{}")
        return store.take_place(place, folder, record)


def test_the_folder_is_named_or_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAQUETTE_MODELS", str(tmp_path))
    assert store.models_folder() == tmp_path
    monkeypatch.delenv("MAQUETTE_MODELS")
    assert store.models_folder().parts[-2:] == ("maquette", "models")


def test_a_new_one_takes_the_place_of_the_old(tmp_path: Path) -> None:
    first = install(tmp_path, source="a/old")
    (first.folder / "left.json").write_text("{}")
    second = install(tmp_path, source="a/new")
    assert second.folder == first.folder and second.record is not None and second.record.source == "a/new"
    assert not (second.folder / "left.json").exists()


def test_what_is_removed_is_gone_and_what_others_need_stays(tmp_path: Path) -> None:
    install(tmp_path)
    install(tmp_path, name="clay", base="sd15")
    with pytest.raises(BadInput, match="sd15 is the base of clay"):
        store.remove(tmp_path, "sd15")
    assert store.remove(tmp_path, "clay").name == "clay"
    store.remove(tmp_path, "sd15")
    assert models.list_installed(tmp_path) == []
    with pytest.raises(BadInput, match="No model 'sd15'"):
        store.remove(tmp_path, "sd15")


def test_half_a_model_can_be_removed(tmp_path: Path) -> None:
    with store.changing(tmp_path, "depth", "depth") as place:
        (place / "model.safetensors.abc.part").write_bytes(b"x" * 10)
    store.remove(tmp_path, "depth")
    assert not list(tmp_path.rglob("*.part"))


def test_a_folder_of_somebody_else_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / "bases" / "own").mkdir(parents=True)
    with pytest.raises(BadInput, match="It was not removed"):
        store.remove(tmp_path, "own")
    assert (tmp_path / "bases" / "own").is_dir()
