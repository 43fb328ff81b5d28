"""What the add-on shows has its words in four languages, and no word is there for what is gone."""

from __future__ import annotations

import ast
import string
from types import SimpleNamespace
from typing import Any

import pytest

from tests.blender.language import source_words

PROPER_NAMES = {
    "Python",
    "Torch",
    "AWS Deadline Cloud",
    "Flamenco",
    "OpenCue",
    "SLURM",
    "Ray",
    "CSD",
    "CSM",
    "ISM",
    "SDS",
    "VSD",
}
PROPER_NAMES |= {"VPCSM", "Zero-1-to-3"}
MIXED_TOOLTIPS = {"Settings of {}.", "Stop when the {} is made"}  # of classes and choices


def words_of_the_source() -> set[str]:
    """Return all that the add-on's code shows as it is written there."""
    files = [tree for _, tree in source_words.sources()]
    common: source_words.Constants = {}
    for tree in files:
        for name, texts in source_words.constants_of(tree, only_capitals=True).items():
            common.setdefault(name, set()).update(texts)
    return set().union(*(source_words.shown(tree, common) for tree in files))


def words_of_the_tables() -> set[str]:
    """Return what is shown of the tables of systems, presets, roles, fixes, models, recipes and choices."""
    from addon import protocol
    from addon.install import diagnosis, driver
    from addon.protocol import models
    from addon.protocol.systems import PRESETS, ROLES, built_systems
    from addon.protocol.systems.shared_settings import MIRRORS
    from addon.protocol.systems.subject_prompts import RECIPES
    from addon.ui import properties
    from addon.ui.models import choice
    from addon.ui.results import remesh

    found = {words[0] for words in (*PRESETS.values(), *ROLES.values(), *diagnosis.FIXES.values())}
    found |= {item[1] for item in (*properties.OUTPUTS, *choice.PRIORS, *MIRRORS, *remesh.ORIGINS, *driver.CHOICES)}
    found |= {recipe.label for recipe in RECIPES.values()}
    for model in models.CATALOGUE.values():
        found |= {model.line, model.note} if model.role != models.EVALUATION else set()
    found.add(models.CATALOGUE["multiview"].title)  # of the others they are names
    assert set(built_systems()) == set(protocol.SYSTEMS)
    for system in built_systems().values():
        found |= {system.label, system.too_few}
        for stage in system.stages:
            found |= {stage.label, stage.stop}
            found |= {picture.label for picture in stage.leaves if not picture.label[-1].isdigit()}  # View 12, Photo 3
        for setting in system.settings.values():
            found |= {setting.label, setting.group.label, *(choice[1] for choice in setting.choices)}
    return {text for text in found if source_words.has_words(text)}


def known_tooltips() -> set[str]:
    """Return the tooltips of the preferences and of the scene's fields; those of others are English still."""
    from addon.install import diagnosis, driver
    from addon.protocol.systems import PRESETS, ROLES, built_systems
    from addon.ui import properties
    from addon.ui.models import choice

    places = ("preferences.py", "ui/properties.py", "ui/install.py", "ui/models/manage.py")
    found = set().union(*(source_words.tooltips(tree) for _, tree in source_words.sources(*places)))
    found |= {words[1] for words in (*PRESETS.values(), *ROLES.values(), *diagnosis.FIXES.values())}
    found |= {item[2] for item in (*properties.OUTPUTS, *choice.PRIORS, *driver.CHOICES)}
    found |= {system.description for system in built_systems().values()}
    return {text for text in found if source_words.has_words(text)}


def wanted() -> set[str]:
    said = source_words.backend_phrases()
    return (words_of_the_source() | words_of_the_tables() | known_tooltips() | said) - PROPER_NAMES


def fields(template: str) -> list[tuple[str | None, str | None, str | None]]:
    """Return what is put into a template, in the order of the names; of words with other braces nothing."""
    try:
        return sorted(
            (name, how, kind) for _, name, how, kind in string.Formatter().parse(template) if name is not None
        )
    except ValueError:
        return []


def test_all_that_is_shown_has_its_words(enabled: Any) -> None:
    from addon.language import words

    known = wanted()
    assert {"Prompt", "Draft", "History", "Cancelled", "Elevation", "Done in {time}", "Existing Python"} <= known
    assert known - set(words.WORDS) == set()
    assert len(known) > 500


def test_no_word_is_there_for_what_is_gone(enabled: Any) -> None:
    from addon.language import words

    assert set(words.WORDS) - wanted() == set()


def test_no_word_is_there_twice(enabled: Any) -> None:
    from addon.language import words

    assert sum(len(table.WORDS) for table in words.TABLES) == len(words.WORDS)


def test_no_sentence_is_filled_in_before_it_can_be_translated(enabled: Any) -> None:
    found = {
        f"{path.name}:{line} {text}"
        for path, tree in source_words.sources("ui", "preferences.py", "language")
        for line, text in source_words.mixed(tree)
        if text not in MIXED_TOOLTIPS
    }
    assert found == set()


OFFENDER = """
GONE = "The {name} is gone"
class MAQUETTE_OT_moon(Operator):
    bl_label = "Paint the Moon"
    bl_description = "Of the night"
    colour: bpy.props.EnumProperty(name="Colour of the Moon", items=[("blue", "Rather Blue", "How blue")])
    secret: bpy.props.StringProperty(name="Secret", options={"HIDDEN"}, description="Of nobody")
    def draw(self, context):
        self.layout.label(text="Waxing" if context.is_waxing else "Waning")
        self.layout.label(text=say("{count} moons", count=2), translate=False)
        told = "It is {share:.0%} full"
        self.report({"INFO"}, say_report(told, share=0.5))
        raise ValueError(Phrase(GONE, name=self.name))
        self.layout.label(text=f"There are {count} moons here")
        _log.warning(f"There are {count} moons here")
"""


def test_the_source_is_read_for_whatever_it_shows() -> None:
    tree = ast.parse(OFFENDER)
    words = {"Paint the Moon", "Colour of the Moon", "Rather Blue", "Waxing", "Waning", "{count} moons"}
    assert source_words.shown(tree) == words | {"It is {share:.0%} full", "The {name} is gone"}
    assert source_words.shown(ast.parse("raise ValueError(Phrase(importing.NO_MESH))"), {"NO_MESH": {"No mesh"}}) == {
        "No mesh"
    }
    assert [text for _, text in source_words.mixed(tree)] == ["There are {} moons here"]
    assert source_words.tooltips(tree) == {"Of the night", "How blue"}


def test_each_has_all_languages_with_the_same_places_and_dots(enabled: Any) -> None:
    from addon.language import words

    for english, others in words.WORDS.items():
        assert len(others) == len(words.LOCALES) and all(each.strip() == each and each for each in others), english
        assert {each.endswith("...") for each in others} == {english.endswith("...")}, english
        assert [fields(each) for each in others] == [fields(english)] * len(others), english
    assert fields("{count} of {all:.0%}") != fields("{count} von {alle:.0%}")


def test_blender_gets_them_and_gives_them_back(enabled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from addon.language import words

    asked: list[tuple[Any, ...]] = []
    both = {"register": lambda *given: asked.append(given), "unregister": lambda *given: asked.append(given)}
    app = SimpleNamespace(translations=SimpleNamespace(**both))
    monkeypatch.setattr(words, "bpy", SimpleNamespace(app=app))
    words.register_extra()
    words.unregister_extra()
    assert [given[0] for given in asked] == [words.NAME, words.NAME]
    made = asked[0][1]
    assert made["de"][("Operator", "Generate")] == "Erzeugen" and made["zh_CN"] is made["zh_HANS"]


def test_labels_are_looked_up_among_our_words_first(enabled: Any) -> None:
    """Blender translates "Field of View", "Paper" and others itself, and not always to what we mean."""
    from addon import _modules
    from addon.language import words

    counted = 0
    for cls in (cls for module in _modules() for cls in module.CLASSES):
        if issubclass(cls, enabled.types.Panel | enabled.types.Operator) and cls.bl_label in words.WORDS:
            assert cls.bl_rna.translation_context == words.OWN, cls
        known = cls.bl_rna
        if issubclass(cls, enabled.types.Operator):
            known = getattr(enabled.ops.maquette, cls.bl_idname.partition(".")[2]).get_rna_type()
        for item in known.properties:
            if item.identifier in getattr(cls, "__annotations__", {}) and item.name in words.WORDS:
                assert item.translation_context == words.OWN, (cls, item.identifier)
                counted += 1
    assert counted > 100
    scene = enabled.context.scene.maquette.bl_rna.properties
    assert {scene[name].translation_context for name in ("preset", "outputs", "system")} == {words.OWN}
