"""Every name of the tab has its words in four languages, and no word is there for a name that is gone."""

from __future__ import annotations

import ast
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

ADDON = Path(__file__).resolve().parents[4] / "addon"
HIDDEN = {"rna_type", "name"}


def names_of_the_tab(bpy: Any) -> set[str]:
    """Return the names of the scene's fields, of their choices, of panels, of states of jobs."""
    from addon.protocol.systems import PRESETS
    from addon.ui import batch_operators, history, panels, properties, queue_panel
    from addon.ui.models import choice
    from addon.ui.results import job_panel

    props = bpy.context.scene.maquette
    groups = {name for name in properties.SYSTEMS}
    found = {each.name for each in props.bl_rna.properties if each.identifier not in HIDDEN | groups}
    found |= {each.name for each in props.references.add().bl_rna.properties if each.identifier not in HIDDEN}
    found |= {words[0] for words in PRESETS.values()} | set(history.LABELS.values())
    found |= {item[1] for item in (*properties.OUTPUTS, *choice.PRIORS)}
    modules: tuple[Any, ...] = (panels, job_panel, history, queue_panel, batch_operators)
    of_groups = {f"MAQUETTE_PT_{name}_" for name in properties.SYSTEMS}
    for module in modules:
        for each in module.CLASSES:
            if issubclass(each, bpy.types.Panel) and not any(each.__name__.startswith(name) for name in of_groups):
                found.add(each.bl_label)
    return found


def strings_of_the_source() -> set[str]:
    """Return every text that stands in the add-on's code, but for the table itself."""
    found = set()
    for path in ADDON.rglob("*.py"):
        if path.name != "words.py":
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found |= {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    return found


def missing(names: set[str], words: Any) -> set[str]:
    return {name for name in names if name not in words}


def test_every_name_has_its_words(enabled: Any) -> None:
    from addon.ui.language import words

    names = names_of_the_tab(enabled)
    assert {"Prompt", "Draft", "History", "Cancelled", "Elevation"} <= names
    assert missing(names, words.WORDS) == set()
    assert missing(names | {"Colour of the Moon"}, words.WORDS) == {"Colour of the Moon"}


def test_no_word_is_there_for_a_name_that_is_gone(enabled: Any) -> None:
    from addon.ui.language import words

    assert missing(set(words.WORDS), strings_of_the_source()) == set()
    assert missing({"Colour of the Moon"}, strings_of_the_source()) == {"Colour of the Moon"}


def test_each_has_all_languages_and_dots_where_ours_has(enabled: Any) -> None:
    from addon.ui.language import words

    for english, others in words.WORDS.items():
        assert len(others) == len(words.LOCALES) and all(each.strip() == each and each for each in others), english
        assert {each.endswith("...") for each in others} == {english.endswith("...")}, english


def test_blender_gets_them_and_gives_them_back(enabled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from addon.ui.language import words

    asked: list[tuple[Any, ...]] = []
    both = {"register": lambda *given: asked.append(given), "unregister": lambda *given: asked.append(given)}
    app = SimpleNamespace(translations=SimpleNamespace(**both))
    monkeypatch.setattr(words, "bpy", SimpleNamespace(app=app))
    words.register_extra()
    words.unregister_extra()
    assert [given[0] for given in asked] == [words.NAME, words.NAME]
    made = asked[0][1]
    assert made["de"][("Operator", "Generate")] == "Erzeugen" and made["zh_CN"] is made["zh_HANS"]
