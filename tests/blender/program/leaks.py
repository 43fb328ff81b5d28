"""Runs inside a Blender that has the extension: enable and disable it again and again, and list what stays behind.

    blender --background --python tests/blender/program/leaks.py -- TIMES

prints `LEAKS {...}`: what differs while the add-on is on (`enabled`), what differs at the end (`leaks`), and the kinds
of leak that go unnoticed when they are made on purpose (`blind`).
"""

# Blender makes its module at run time; pyright sees an almost empty one.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import addon_utils
import bpy

NAME = "bl_ext.user_default.maquette"


def modules() -> list[ModuleType]:
    return [module for name, module in sorted(sys.modules.items()) if name.startswith(NAME)]


def held() -> dict[str, list[str]]:
    """List all that an add-on can leave in Blender, by kind."""
    types = {name: getattr(bpy.types, name) for name in dir(bpy.types)}
    drawn = [(name, getattr(cls, "draw", None)) for name, cls in types.items()]
    handlers = {name: getattr(bpy.app.handlers, name) for name in dir(bpy.app.handlers)}
    functions = [value for module in modules() for value in vars(module).values() if callable(value)]
    return {
        "classes": sorted(types),
        "operators": sorted(f"{group}.{name}" for group in dir(bpy.ops) for name in dir(getattr(bpy.ops, group))),
        "properties": sorted(
            f"{name}.{key}"
            for name, cls in types.items()
            if hasattr(cls, "bl_rna")
            for key in cls.bl_rna.properties.keys()
        ),
        "handlers": sorted(
            f"{name}: {function.__module__}.{function.__name__}"
            for name, found in handlers.items()
            if isinstance(found, list)
            for function in found
        ),
        "timers": sorted({f.__name__ for f in functions if is_timer(f)}),
        "drawn": sorted(f"{name}: {f.__name__}" for name, draw in drawn for f in getattr(draw, "_draw_funcs", ())),
        "manual": sorted(prefix for prefix, _ in bpy.utils.manual_map()),
        "threads": sorted(thread.name for thread in threading.enumerate()),
    }  # fmt: skip


def is_timer(function: Any) -> bool:
    try:
        return bpy.app.timers.is_registered(function)
    except (TypeError, ValueError):  # a class, or something else that is no function
        return False


class MAQUETTE_OT_left_behind(bpy.types.Operator):
    """An operator that nobody takes back"""

    bl_idname = "maquette.left_behind"
    bl_label = "Left Behind"


def left_behind(*_: object) -> None:
    """Do nothing, as a handler, timer or part of a menu that nobody takes back."""


def leave_property() -> None:
    bpy.types.Scene.left_behind = bpy.props.IntProperty()


def leave_timer() -> None:
    modules()[0].left_behind = left_behind  # as if the add-on had it
    bpy.app.timers.register(left_behind, first_interval=1e6)


def leave_manual() -> None:
    bpy.utils.register_manual_map(lambda: ("https://example.org/", (("bpy.ops.maquette.left*", "left"),)))


DELIBERATE: dict[str, Callable[[], object]] = {
    "classes": lambda: bpy.utils.register_class(MAQUETTE_OT_left_behind),
    "properties": leave_property,
    "handlers": lambda: bpy.app.handlers.load_post.append(left_behind),
    "timers": leave_timer,
    "drawn": lambda: bpy.types.VIEW3D_MT_add.append(left_behind),
    "manual": leave_manual,
    "threads": lambda: threading.Thread(target=threading.Event().wait, daemon=True, name="left behind").start(),
}


def differences(before: dict[str, list[str]], after: dict[str, list[str]]) -> dict[str, list[str]]:
    return {kind: sorted(set(after[kind]) ^ set(before[kind])) for kind in before if after[kind] != before[kind]}


def main(times: int) -> None:
    addon_utils.disable(NAME)
    before = held()
    enabled = {}
    for _ in range(times):
        module = addon_utils.enable(NAME)
        assert module is not None, "the add-on cannot be enabled"
        for found in modules():
            if hasattr(found, "start_timer"):  # as if a job were running
                found.start_timer()
        enabled = enabled or differences(before, held())
        addon_utils.disable(NAME)
    leaks = differences(before, held())
    blind = []
    for kind, leave in DELIBERATE.items():
        clean = held()
        leave()
        if kind not in differences(clean, held()):
            blind.append(kind)
    sys.stdout.write("\nLEAKS " + json.dumps({"enabled": enabled, "leaks": leaks, "blind": blind}) + "\n")


main(int(sys.argv[sys.argv.index("--") + 1]))
