"""A real Blender speaks the add-on's languages: its module for Python has none, so that only this can tell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import build
from addon.language import course, refusals, setup, setup_tooltips, tab
from tests.blender.program.real import CHECKOUT, headless, install

pytestmark = pytest.mark.blender

ASK = """
import json, sys, bpy
saying = next(module for name, module in sys.modules.items() if name.endswith(".maquette.addon.language.saying"))
view, said = bpy.context.preferences.view, {}
fields = bpy.context.scene.maquette.references.add().bl_rna.properties  # Blender itself has words for this one
for language in ("de_DE", "es", "es_ES", "ja_JP", "zh_HANS", "zh_CN"):
    try:
        view.language = language
    except TypeError:  # as another release calls it
        continue
    view.use_translate_interface = view.use_translate_reports = view.use_translate_tooltips = True
    look_up = bpy.app.translations.pgettext_iface
    said[language[:2]] = [
        saying.say("Done in {time}", time="40 s"), saying.say_report("No job is running"),
        saying.say_tip("Put right what went wrong"), look_up("Mesh Again", "Operator"), look_up("Existing Python"),
        look_up("Field of View", fields["field_of_view"].translation_context), saying.say("History"),
    ]
print("SAID", json.dumps(said))
"""


def test_each_language_of_the_tables_is_said_by_blender(blender: Path, tmp_path: Path) -> None:
    install(blender, tmp_path / "resources", build.make_zip(CHECKOUT))
    done = headless(blender, tmp_path / "resources", "--python-expr", ASK)
    line = next((line for line in done.stdout.splitlines() if line.startswith("SAID ")), "")
    assert line, done.stdout + done.stderr
    said = json.loads(line.removeprefix("SAID "))
    shown = ("Done in {time}", "No job is running", "Put right what went wrong", "Mesh Again", "Existing Python")
    shown += ("Field of View", "History")
    tables = [table.WORDS for table in (course, refusals, setup_tooltips, tab, setup)]
    words = {english: next(table[english] for table in tables if english in table) for english in shown}
    for place, language in enumerate(("de", "es", "ja", "zh")):
        assert said[language] == [words[english][place].format(time="40 s") for english in shown]
