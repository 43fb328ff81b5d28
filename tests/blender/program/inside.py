"""Runs inside a Blender with a window: answers the questions of a test, which come and go as files of one folder.

    blender --python tests/blender/program/inside.py -- FOLDER

A question is Python that sets `answer`; it is asked from a timer, while Blender draws and takes the mouse and the keys
that the test sends through the X server.
"""

# Blender makes its module at run time; pyright sees an almost empty one.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path
from typing import Any

import bpy

SECONDS = 0.02
FOLDER = Path(sys.argv[sys.argv.index("--") + 1])


def region(kind: str, space: str = "VIEW_3D") -> tuple[Any, Any, Any]:
    """Return the window, area and region of the first editor of a kind: WINDOW, UI, HEADER."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            for found in area.regions if area.type == space else ():
                if found.type == kind:
                    return window, area, found
    raise LookupError(f"no {kind} of a {space}")


def rectangle(kind: str, space: str = "VIEW_3D") -> list[int]:
    """Return left, top, width and height on the screen, in pixels from the upper left; the window fills the screen."""
    window, _, found = region(kind, space)
    return [found.x, window.height - found.y - found.height, found.width, found.height]


def pointed(kind: str = "UI", space: str = "VIEW_3D") -> str:
    """Name the button under the mouse: the path of its property, else its operator (maquette.generate), or nothing."""
    window, area, found = region(kind, space)
    with bpy.context.temp_override(window=window, area=area, region=found):
        if bpy.context.property:
            return bpy.context.property[1]
        if bpy.ops.ui.copy_python_command_button.poll():
            bpy.ops.ui.copy_python_command_button()
            return bpy.context.window_manager.clipboard.removeprefix("bpy.ops.").partition("(")[0]
    return ""


def answer_questions() -> float:
    """Answer what has come since the last time; a question that fails gets its traceback."""
    for question in sorted(FOLDER.glob("question-*.py")):
        text = question.read_text(encoding="utf-8")
        question.unlink()
        scope: dict[str, Any] = {"bpy": bpy, "region": region, "rectangle": rectangle, "pointed": pointed}
        try:
            exec(text, scope)
            reply = {"answer": scope.get("answer")}
        except Exception:  # noqa: BLE001 - whatever it is, the test that asked gets it
            reply = {"error": traceback.format_exc()}
        target = FOLDER / f"{question.stem}.json"
        target.with_suffix(".tmp").write_text(json.dumps(reply), encoding="utf-8")
        target.with_suffix(".tmp").rename(target)
    return SECONDS


bpy.context.preferences.view.show_splash = False
bpy.context.preferences.view.show_tooltips = False  # they would cover what a screenshot shows
bpy.context.preferences.system.viewport_aa = "FXAA"  # one pass; the usual one draws everything eight times
bpy.app.timers.register(answer_questions, persistent=True)
